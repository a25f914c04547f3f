// Files of the operating system, with errors as Status: whole reads and writes, durable replacement, free space.
//
// Messages name the path and the system's reason. ENOSPC, EDQUOT and EFBIG become ResourceExhausted, ENOENT NotFound,
// everything else IoError. New files get mode 0600, directories 0700. Thread safety: free functions are safe from any
// thread; a FileHandle as its functions say.
#ifndef VDB_UTIL_FILE_H_
#define VDB_UTIL_FILE_H_

#include <vdb/status.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vdb {

// The Status for errno `error` after `action` on `path`, e.g. "cannot open x: No such file or directory".
Status SystemError(std::string_view action, const std::string& path, int error);

// An open file descriptor, closed by the destructor. Move-only.
class FileHandle {
 public:
  FileHandle() = default;
  FileHandle(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();

  static Result<FileHandle> OpenForRead(const std::string& path);
  // Opens for reading and writing, creating the file if it is missing.
  static Result<FileHandle> OpenForWrite(const std::string& path);
  // Creates the file, or empties it.
  static Result<FileHandle> CreateEmpty(const std::string& path);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

  Result<std::uint64_t> Size() const;
  // Reads exactly size bytes at offset; DataLoss if the file ends before.
  Status ReadAt(std::uint64_t offset, void* out, std::size_t size) const;
  // Writes all of bytes at offset. Concurrent calls on disjoint ranges are safe.
  Status WriteAt(std::uint64_t offset, std::string_view bytes) const;
  // Allocates disk blocks for [offset, offset + size), growing the file if need be.
  Status Allocate(std::uint64_t offset, std::uint64_t size) const;
  Status Truncate(std::uint64_t size) const;
  // fdatasync.
  Status Sync() const;

 private:
  int fd_ = -1;
  std::string path_;
};

// fsync of a directory: makes its entries durable.
Status SyncDirectory(const std::string& path);

// Creates the directory if it is missing (its parent must exist) and syncs the parent.
Status MakeDirectory(const std::string& path);

bool PathExists(const std::string& path);

// Names (not paths) of the entries of a directory, sorted.
Result<std::vector<std::string>> ListDirectory(const std::string& path);

// Removes a file, or a directory with all below it; a missing path is Ok.
Status RemoveTree(const std::string& path);

// Writes `contents` so that a crash leaves either the old file or the whole new one: temporary, fsync, rename, fsync of
// the directory.
Status ReplaceFile(const std::string& path, std::string_view contents);

// rename, then fsync of the target's directory.
Status RenameDurably(const std::string& from, const std::string& to);

// Hard link; an existing target of the same file is Ok.
Status LinkFile(const std::string& from, const std::string& to);

// The whole file; ResourceExhausted if it is larger than max_bytes.
Result<std::string> ReadWholeFile(const std::string& path, std::uint64_t max_bytes);

// Bytes that an unprivileged writer may still use on the file system of path.
Result<std::uint64_t> FreeBytes(const std::string& path);

// The part of path before the last '/', "." if there is none.
std::string ParentDirectory(const std::string& path);

}  // namespace vdb

#endif  // VDB_UTIL_FILE_H_
