// The lock file: one writing process per database or any number of reading ones, by an open-file-description lock of
// our own.
//
// RocksDB's own LOCK is lost when anything in the process closes any descriptor of that file; this one is not, and it
// refuses a second handle in the same process too. The file names its writer for the message that others get.
// Thread safety: external lock.
// Ownership: the lock is released by the destructor. A forked child shares the lock with its parent and must call
// CloseInForkedChild, or the database would stay locked after the parent's death.
#ifndef VDB_STORAGE_LOCK_FILE_H_
#define VDB_STORAGE_LOCK_FILE_H_

#include <vdb/status.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace vdb::storage {

class LockFile {
 public:
  // For writing: FailedPrecondition, naming the processes and the ways out, if anybody else holds it.
  static Result<LockFile> Acquire(const std::string& path);
  // For reading: shared with other readers; FailedPrecondition if a writer holds it. Changes nothing; NotFound if the
  // file is missing.
  static Result<LockFile> AcquireShared(const std::string& path);

  // Which file it is, whatever path leads to it.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend auto operator<=>(const Identity&, const Identity&) = default;
  };
  Result<Identity> identity() const;
  // Of the file at a path; nothing if there is none.
  static std::optional<Identity> IdentityOf(const std::string& path);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

  // Async-signal-safe: only close(2).
  void CloseInForkedChild() noexcept;

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace vdb::storage

#endif  // VDB_STORAGE_LOCK_FILE_H_
