// A file system in memory whose size a test changes: a disk that fills up and empties again.
//
// Thread safety: one thread, and handlers of sync points that it waits for. Ownership: mounted in a mount namespace of
// this process, so nothing is left behind.
#ifndef VDB_TESTS_DB_TINY_DISK_H_
#define VDB_TESTS_DB_TINY_DISK_H_

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/db/temp_folder.h"

namespace vdb {

class TinyDisk {
 public:
  explicit TinyDisk(std::uint64_t mebibytes) {
    const std::string path = folder_.path();
    if (!HasOwnNamespace()) {
      error_ = std::string("a mount namespace of its own: ") + std::strerror(errno);
    } else if (::mount("tiny", path.c_str(), "tmpfs", 0, Size(mebibytes << 20).c_str()) != 0) {
      error_ = std::string("mount: ") + std::strerror(errno);
    }
    mounted_ = error_.empty();
  }
  ~TinyDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;

  // Why there is no disk; empty if there is one.
  const std::string& error() const { return error_; }
  std::string Path(const std::string& name) const { return folder_.Path(name); }

  // Leaves this many bytes free.
  bool LeaveFree(std::uint64_t bytes) const {
    struct statvfs info {};
    if (::statvfs(folder_.path().c_str(), &info) != 0) return false;
    const std::uint64_t used = (info.f_blocks - info.f_bfree) * info.f_frsize;
    return ::mount("tiny", folder_.path().c_str(), "tmpfs", MS_REMOUNT, Size(used + bytes).c_str()) == 0;
  }

 private:
  static std::string Size(std::uint64_t bytes) { return "size=" + std::to_string(bytes); }

  // Once per process: the store's threads, which outlive a database, must be in the same one.
  static bool HasOwnNamespace() {
    static const bool has =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    return has;
  }

  TempFolder folder_;
  bool mounted_ = false;
  std::string error_;
};

}  // namespace vdb

#endif  // VDB_TESTS_DB_TINY_DISK_H_
