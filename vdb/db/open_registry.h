// The databases that are open in this process: a path that is opened again leads to the same one.
//
// A database is known by its lock file (device and inode), whatever path leads there; a folder that was deleted and
// made again is a new one. Thread safety: safe from any thread; one database is opened at a time. Forks: the child
// starts with an empty registry (see fork.cc).
#ifndef VDB_DB_OPEN_REGISTRY_H_
#define VDB_DB_OPEN_REGISTRY_H_

#include <vdb/database.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vdb/storage/lock_file.h"
#include "vdb/util/mutex.h"

namespace vdb {

class DatabaseImpl;

// One call of Database::Open: shared by the copies of the handle that it gave. The database closes with the last lease
// that is closed.
class DatabaseLease {
 public:
  explicit DatabaseLease(std::shared_ptr<DatabaseImpl> database);
  ~DatabaseLease();
  DatabaseLease(const DatabaseLease&) = delete;
  DatabaseLease& operator=(const DatabaseLease&) = delete;

  const std::shared_ptr<DatabaseImpl>& database() const { return database_; }
  // FailedPrecondition once it is closed.
  Status CheckOpen() const;
  Status Close();

 private:
  const std::shared_ptr<DatabaseImpl> database_;
  std::atomic<bool> closed_{false};
};

class OpenRegistry {
 public:
  static OpenRegistry& Global();

  // FailedPrecondition where it is open already with other options.
  Result<std::shared_ptr<DatabaseLease>> Open(const std::string& path, const OpenOptions& options);
  // Returns whether that was the last one; then, if it closes the database, the caller must call Closed in the end:
  // until then nobody opens it.
  bool Release(const DatabaseImpl* database, bool closes);
  // A database has been closed, by its last lease or by whoever let it go last.
  void Closed(const DatabaseImpl* database);

  void LockForFork() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void UnlockInParent() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
  // What the child inherits is dead; nothing is freed, for that could wait for the parent's threads.
  void ForgetInChild() ABSL_NO_THREAD_SAFETY_ANALYSIS;

 private:
  struct Entry {
    const DatabaseImpl* id = nullptr;
    std::weak_ptr<DatabaseImpl> database;
    OpenOptions options;
    std::size_t leases = 0;
    bool closing = false;  // by the thread that closed the last lease
  };

  using Held = std::vector<std::shared_ptr<DatabaseImpl>>;

  // Locked databases are put into `held`, to be let go without the mutex: the last to let go closes them.
  Result<std::shared_ptr<DatabaseLease>> OpenLocked(const std::string& path, const OpenOptions& options, Held* held)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A database whose folder was deleted, or replaced, under it is closed: RocksDB would take a new one at its path for
  // the same.
  void CloseAbandoned(const std::string& path, Held* held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  CondVar closed_;
  std::map<storage::LockFile::Identity, Entry> open_ ABSL_GUARDED_BY(mutex_);
  bool ever_opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool threads_lost_ ABSL_GUARDED_BY(mutex_) = false;  // RocksDB's, which are the process's and died in a fork
};

}  // namespace vdb

#endif  // VDB_DB_OPEN_REGISTRY_H_
