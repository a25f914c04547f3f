#include "vdb/storage/lock_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text.data(), size);
}

// "process 4711 since 2026-…", as the holder wrote it; the file may be damaged, which must not matter.
std::string HolderOf(int fd) {
  std::array<char, 128> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string holder;
  for (ssize_t i = 0; i < size && text[static_cast<std::size_t>(i)] != '\n'; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    holder.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  }
  return holder.empty() ? "another process" : holder;
}

bool SetLock(int fd, short type) {
  struct flock request {};
  request.l_type = type;
  request.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &request) == 0;
}

// What stands in the way of a writer.
bool IsHeldByReaders(int fd) {
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &request) == 0 && request.l_type == F_RDLCK;
}

// "processes 4711, 4712": those whose descriptors this process may see. The kernel does not say who holds a lock of an
// open file description.
std::string ReadersOf(const std::string& path) {
  using Entries = std::filesystem::directory_iterator;
  std::error_code error;
  const std::filesystem::path wanted = std::filesystem::canonical(path, error);
  std::string readers;
  // Processes end while they are listed; what cannot be read then ends the listing.
  for (Entries process("/proc", error); process != Entries(); process.increment(error)) {
    const std::string pid = process->path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos || pid == std::to_string(::getpid())) continue;
    std::error_code unreadable;
    for (Entries open(process->path() / "fd", unreadable); open != Entries(); open.increment(unreadable)) {
      if (std::filesystem::read_symlink(open->path(), unreadable) != wanted) continue;
      readers += StrCat(readers.empty() ? "" : ", ", pid);
      break;
    }
  }
  return readers.empty() ? "another process" : StrCat("process ", readers);
}

}  // namespace

Result<LockFile> LockFile::AcquireShared(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return SystemError("cannot open", path, errno);
  LockFile lock(fd);
  if (SetLock(fd, F_RDLCK)) return lock;
  if (errno != EAGAIN && errno != EACCES) return SystemError("cannot lock", path, errno);
  return FailedPreconditionError(StrCat(ParentDirectory(path), " is in use by ", HolderOf(fd),
                                        ", which writes to it. Close it there, or open it read-only there too: a "
                                        "database has one writing process or any number of reading ones"),
                                 StatusReason::kInUse);
}

std::optional<LockFile::Identity> LockFile::IdentityOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Identity{.device = status.st_dev, .inode = status.st_ino};
}

Result<LockFile::Identity> LockFile::identity() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return SystemError("cannot stat", "the lock file", errno);
  return Identity{.device = status.st_dev, .inode = status.st_ino};
}

Result<LockFile> LockFile::Acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return SystemError("cannot open", path, errno);
  LockFile lock(fd);
  if (!SetLock(fd, F_WRLCK)) {
    if (errno != EAGAIN && errno != EACCES) return SystemError("cannot lock", path, errno);
    if (IsHeldByReaders(fd)) {
      return FailedPreconditionError(StrCat(ParentDirectory(path), " is open read-only in ", ReadersOf(path),
                                            ". Close it there, or open it read-only here too"),
                                     StatusReason::kInUse);
    }
    return FailedPreconditionError(StrCat(ParentDirectory(path), " is in use by ", HolderOf(fd),
                                          ". Close it there, or open it read-only in both: a database has one writing "
                                          "process or any number of reading ones"),
                                   StatusReason::kInUse);
  }
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return SystemError("cannot open", path, errno);
  const FileHandle file(copy, path);
  VDB_RETURN_IF_ERROR(file.Truncate(0));
  VDB_RETURN_IF_ERROR(file.WriteAt(0, StrCat("process ", ::getpid(), " since ", UtcNow(), "\n")));
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

LockFile::~LockFile() {
  if (fd_ >= 0) ::close(fd_);
}

void LockFile::CloseInForkedChild() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace vdb::storage
