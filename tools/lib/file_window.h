// A file read forward through a buffer.
//
// Memory: the buffer, a few MiB, or the largest piece asked for; never more than the file has. Thread safety: external
// lock. Ownership: a view that At gave is valid until the next call.
#ifndef VDB_TOOLS_LIB_FILE_WINDOW_H_
#define VDB_TOOLS_LIB_FILE_WINDOW_H_

#include <vdb/status.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"

namespace vdb::tools {

class FileWindow {
 public:
  static Result<FileWindow> Open(const std::string& path) {
    VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForRead(path));
    VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
    return FileWindow(std::move(file), size);
  }

  const std::string& path() const { return file_.path(); }
  std::uint64_t size() const { return size_; }

  // Exactly bytes at offset; offset + bytes <= size().
  Result<std::string_view> At(std::uint64_t offset, std::uint64_t bytes) {
    if (offset < begin_ || offset + bytes > begin_ + buffer_.size()) {
      begin_ = offset;
      buffer_.resize(std::min(size_ - offset, std::max(bytes, kBufferBytes)));
      const Status status = file_.ReadAt(begin_, buffer_.data(), buffer_.size());
      if (!status.ok()) {
        buffer_.clear();
        return status;
      }
    }
    return std::string_view(buffer_).substr(offset - begin_, bytes);
  }

 private:
  static constexpr std::uint64_t kBufferBytes = std::uint64_t{4} << 20;

  FileWindow(FileHandle file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  FileHandle file_;
  std::uint64_t size_;
  std::uint64_t begin_ = 0;
  std::string buffer_;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_FILE_WINDOW_H_
