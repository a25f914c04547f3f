#include "vdb/db/open_registry.h"

#include <utility>

#include "vdb/db/database_impl.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Options that make a difference while the database is open.
Status CompareOptions(const std::string& path, const OpenOptions& open, const OpenOptions& wanted) {
  const auto differs = [&](std::string_view option, std::uint64_t is, std::uint64_t asked) {
    return FailedPreconditionError(StrCat(path, " is open in this process already, with ", option, " ", is,
                                          "; wanted the same, got ", asked, ". Close it first, or use that handle"),
                                   StatusReason::kInUse);
  };
  if (open.read_only != wanted.read_only) {
    return differs("read_only", open.read_only ? 1 : 0, wanted.read_only ? 1 : 0);
  }
  if (open.threads != wanted.threads) return differs("threads", open.threads, wanted.threads);
  if (open.memtable_bytes != wanted.memtable_bytes) {
    return differs("memtable_bytes", open.memtable_bytes, wanted.memtable_bytes);
  }
  return OkStatus();
}

}  // namespace

DatabaseLease::DatabaseLease(std::shared_ptr<DatabaseImpl> database) : database_(std::move(database)) {}

DatabaseLease::~DatabaseLease() {
  // Collections that are still held keep the database open.
  if (!closed_.exchange(true)) static_cast<void>(OpenRegistry::Global().Release(database_.get(), false));
}

Status DatabaseLease::CheckOpen() const {
  VDB_RETURN_IF_ERROR(database_->CheckUsable());
  if (!closed_.load(std::memory_order_acquire)) return OkStatus();
  return FailedPreconditionError(StrCat("this handle of ", database_->path(), " has been closed"),
                                 StatusReason::kClosed);
}

Status DatabaseLease::Close() {
  if (closed_.exchange(true)) return OkStatus();
  if (!OpenRegistry::Global().Release(database_.get(), true)) return OkStatus();
  Status status = database_->Close();
  OpenRegistry::Global().Closed(database_.get());
  return status;
}

OpenRegistry& OpenRegistry::Global() {
  static auto* registry = new OpenRegistry;  // never destroyed: databases may be closed during exit
  return *registry;
}

Result<std::shared_ptr<DatabaseLease>> OpenRegistry::Open(const std::string& path, const OpenOptions& options) {
  Held held;
  MutexLock lock(&mutex_);
  return OpenLocked(path, options, &held);
}

Result<std::shared_ptr<DatabaseLease>> OpenRegistry::OpenLocked(const std::string& path, const OpenOptions& options,
                                                                Held* held) {
  if (const auto identity = storage::LockFile::IdentityOf(path + "/LOCK")) {
    auto found = open_.find(*identity);
    // Nobody holds one that has expired: it is being closed by whoever let it go.
    while (found != open_.end() && (found->second.closing || found->second.database.expired())) {
      closed_.Wait(&mutex_);
      found = open_.find(*identity);
    }
    if (found != open_.end()) {
      const std::shared_ptr<DatabaseImpl>& database = held->emplace_back(found->second.database.lock());
      if (database != nullptr && database->CheckUsable().ok()) {
        VDB_RETURN_IF_ERROR(CompareOptions(path, found->second.options, options));
        ++found->second.leases;
        return std::make_shared<DatabaseLease>(database);
      }
    }
  }
  CloseAbandoned(path, held);
  if (threads_lost_ && !options.read_only) {
    // A flush would wait for them for ever.
    return FailedPreconditionError(
        StrCat("cannot open ", path,
               " for writing: this process was forked from one that had a database open, and "
               "the store's background threads have not come along. Start the process afresh (exec, or "
               "multiprocessing's 'spawn'), or open it read-only"),
        StatusReason::kForked);
  }
  VDB_ASSIGN_OR_RETURN(std::shared_ptr<DatabaseImpl> database, DatabaseImpl::Open(path, options));
  held->push_back(database);
  ever_opened_ = true;
  VDB_ASSIGN_OR_RETURN(const storage::LockFile::Identity identity, database->identity());
  database->NoteRegistered();
  open_[identity] = {.id = database.get(), .database = database, .options = options, .leases = 1, .closing = false};
  return std::make_shared<DatabaseLease>(std::move(database));
}

void OpenRegistry::CloseAbandoned(const std::string& path, Held* held) {
  for (const auto& [identity, entry] : open_) {
    const std::shared_ptr<DatabaseImpl>& database = held->emplace_back(entry.database.lock());
    if (database == nullptr || !database->CheckUsable().ok() || database->path() != path) continue;
    if (storage::LockFile::IdentityOf(path + "/LOCK") != identity) database->CloseAbandoned();
  }
}

bool OpenRegistry::Release(const DatabaseImpl* database, bool closes) {
  MutexLock lock(&mutex_);
  for (auto& [identity, entry] : open_) {
    if (entry.id != database) continue;
    if (--entry.leases > 0) return false;
    entry.closing |= closes;
    return true;
  }
  return true;  // of a parent process, or closed before
}

void OpenRegistry::Closed(const DatabaseImpl* database) {
  MutexLock lock(&mutex_);
  std::erase_if(open_, [&](const auto& entry) { return entry.second.id == database; });
  closed_.NotifyAll();
}

void OpenRegistry::ForgetInChild() {
  open_.clear();
  threads_lost_ = ever_opened_;
  mutex_.Unlock();
}

}  // namespace vdb
