// Lines of a text file, with their numbers.
//
// Thread safety: external lock.
#ifndef VDB_TOOLS_LIB_LINE_READER_H_
#define VDB_TOOLS_LIB_LINE_READER_H_

#include <vdb/status.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace vdb::tools {

class LineReader {
 public:
  // Longer lines are an error: no payload or vector needs them.
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;

  // "-" is the standard input.
  static Result<LineReader> Open(const std::string& path);

  // The next line that is not blank; false at the end.
  Result<bool> Next(std::string* line);

  // "file, line 12": of the line that Next gave last.
  std::string Place() const;

 private:
  explicit LineReader(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::ifstream file_;
  bool is_stdin_ = false;
  std::uint64_t line_ = 0;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_LINE_READER_H_
