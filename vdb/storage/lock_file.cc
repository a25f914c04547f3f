#include "vdb/storage/lock_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <string_view>
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

}  // namespace

Result<LockFile> LockFile::Acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return SystemError("cannot open", path, errno);
  LockFile lock(fd);
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &request) != 0) {
    if (errno != EAGAIN && errno != EACCES) return SystemError("cannot lock", path, errno);
    return FailedPreconditionError(StrCat(ParentDirectory(path), " is in use by ", HolderOf(fd),
                                          ". Close it there, or wait for that process to end"));
  }
  const FileHandle file(::dup(fd), path);
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
