#include "vdb/util/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

Result<FileHandle> OpenWith(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  if (fd < 0) return SystemError("cannot open", path, errno);
  return FileHandle(fd, path);
}

}  // namespace

Status SystemError(std::string_view action, const std::string& path, int error) {
  std::string message = StrCat(action, " ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return ResourceExhaustedError(std::move(message));
    default:
      break;
  }
  if (error == ENOENT) return NotFoundError(std::move(message));
  return IoError(std::move(message));
}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

Result<FileHandle> FileHandle::OpenForRead(const std::string& path) {
  return OpenWith(path, O_RDONLY);
}
Result<FileHandle> FileHandle::OpenForWrite(const std::string& path) {
  return OpenWith(path, O_RDWR | O_CREAT);
}
Result<FileHandle> FileHandle::CreateEmpty(const std::string& path) {
  return OpenWith(path, O_RDWR | O_CREAT | O_TRUNC);
}

Result<std::uint64_t> FileHandle::Size() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return SystemError("cannot stat", path_, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Status FileHandle::ReadAt(std::uint64_t offset, void* out, std::size_t size) const {
  auto* to = static_cast<char*>(out);
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::pread(fd_, to + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("cannot read", path_, errno);
    if (got == 0) {
      return DataLossError(StrCat(path_, " ends at byte ", offset + done, "; wanted ", size, " bytes at ", offset));
    }
    done += static_cast<std::size_t>(got);
  }
  return OkStatus();
}

Status FileHandle::WriteAt(std::uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("cannot write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return OkStatus();
}

Status FileHandle::Allocate(std::uint64_t offset, std::uint64_t size) const {
  const int error = ::posix_fallocate(fd_, static_cast<off_t>(offset), static_cast<off_t>(size));
  return error == 0 ? OkStatus() : SystemError("cannot allocate space in", path_, error);
}

Status FileHandle::Truncate(std::uint64_t size) const {
  return ::ftruncate(fd_, static_cast<off_t>(size)) == 0 ? OkStatus() : SystemError("cannot truncate", path_, errno);
}

Status FileHandle::Sync() const {
  return ::fdatasync(fd_) == 0 ? OkStatus() : SystemError("cannot sync", path_, errno);
}

Status SyncDirectory(const std::string& path) {
  VDB_ASSIGN_OR_RETURN(const FileHandle directory, OpenWith(path, O_RDONLY | O_DIRECTORY));
  return ::fsync(directory.fd()) == 0 ? OkStatus() : SystemError("cannot sync", path, errno);
}

Status MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0) {
    if (errno != EEXIST) return SystemError("cannot create directory", path, errno);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return SystemError("cannot stat", path, errno);
    if (!S_ISDIR(info.st_mode)) return InvalidArgumentError(StrCat(path, " is a file; wanted a directory"));
    return OkStatus();
  }
  return SyncDirectory(ParentDirectory(path));
}

bool PathExists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return SystemError("cannot list", path, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? SystemError("cannot remove", path, error.value()) : OkStatus();
}

Status ReplaceFile(const std::string& path, std::string_view contents) {
  const std::string temporary = StrCat(path, ".tmp");
  {
    VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::CreateEmpty(temporary));
    VDB_RETURN_IF_ERROR(file.WriteAt(0, contents));
    VDB_RETURN_IF_ERROR(file.Sync());
  }
  return RenameDurably(temporary, path);
}

Status RenameDurably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("cannot rename to", to, errno);
  return SyncDirectory(ParentDirectory(to));
}

Status LinkFile(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return OkStatus();
  if (errno == EEXIST) {
    std::error_code error;
    if (std::filesystem::equivalent(from, to, error)) return OkStatus();
    return SystemError("cannot link to", to, EEXIST);
  }
  return SystemError("cannot link to", to, errno);
}

Result<std::string> ReadWholeFile(const std::string& path, std::uint64_t max_bytes) {
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(path));
  VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size > max_bytes) {
    return ResourceExhaustedError(StrCat(path, " has ", size, " bytes; at most ", max_bytes, " are read"));
  }
  std::string contents(size, '\0');
  VDB_RETURN_IF_ERROR(file.ReadAt(0, contents.data(), contents.size()));
  return contents;
}

Result<std::uint64_t> FreeBytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return SystemError("cannot ask for the free space of", path, errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::string ParentDirectory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace vdb
