// Lines of a text file, with their numbers.
//
// Memory: a buffer of 1 MiB and the longest line, which is bounded. Thread safety: external lock.
#ifndef VDB_TOOLS_LIB_LINE_READER_H_
#define VDB_TOOLS_LIB_LINE_READER_H_

#include <vdb/status.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "vdb/util/file.h"

namespace vdb::tools {

class LineReader {
 public:
  // Longer lines are an error: no payload or vector needs them.
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;

  // "-" is the standard input.
  static Result<LineReader> Open(const std::string& path);

  // The next line that is not blank; false at the end. InvalidArgument for a line that is too long: the next call goes
  // on behind it. Any other error is final.
  Result<bool> Next(std::string* line);

  // "file, line 12": of the line that Next gave last.
  std::string Place() const;

 private:
  LineReader(FileHandle file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  // Appends up to the end of the line; false if the file had ended before. *size counts what did not fit, too.
  Result<bool> ReadLine(std::string* line, std::uint64_t* size);
  Status Fill();

  FileHandle file_;  // not open: standard input
  std::string name_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is unread in buffer_
  bool at_end_ = false;
  std::uint64_t line_ = 0;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_LINE_READER_H_
