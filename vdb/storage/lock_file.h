// The lock file: one process per database, by an open-file-description lock of our own.
//
// RocksDB's own LOCK is lost when anything in the process closes any descriptor of that file; this one is not, and it
// refuses a second handle in the same process too. The file names its holder for the message that others get.
// Thread safety: external lock.
// Ownership: the lock is released by the destructor. A forked child shares the lock with its parent and must call
// CloseInForkedChild, or the database would stay locked after the parent's death.
#ifndef VDB_STORAGE_LOCK_FILE_H_
#define VDB_STORAGE_LOCK_FILE_H_

#include <vdb/status.h>

#include <string>

namespace vdb::storage {

class LockFile {
 public:
  // FailedPrecondition, naming the process and since when, if another holds it.
  static Result<LockFile> Acquire(const std::string& path);

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
