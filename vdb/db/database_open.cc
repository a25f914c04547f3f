// DatabaseImpl: open, recovery, close.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <system_error>
#include <thread>

#include "vdb/db/commit_group.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/fork.h"
#include "vdb/db/open_registry.h"
#include "vdb/storage/format_stamp.h"
#include "vdb/storage/rescue.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/steady_time.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

constexpr std::uint64_t kMinFreeBytesToOpen = std::uint64_t{8} << 20;  // and the logs and MANIFEST of the store
constexpr int kBackgroundNiceness = 19;
// How long a forked child waits for its store to close.
constexpr std::chrono::milliseconds kPatienceWithStore{2'000};
constexpr std::size_t kMinMemtableBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxMemtableBytes = std::size_t{4} << 30;

// Names in the folder; FORMAT.md §1.
std::string StampPath(const std::string& path) {
  return path + "/FORMAT";
}
std::string LockPath(const std::string& path) {
  return path + "/LOCK";
}
std::string WatermarkPath(const std::string& path) {
  return path + "/WATERMARK";
}
std::string StorePath(const std::string& path) {
  return path + "/store";
}
std::string RescuePath(const std::string& path) {
  return path + "/rescue";
}
std::string IndexPath(const std::string& path) {
  return path + "/index";
}

// The folder is a database, or may become one. Nothing is changed where the answer is no.
Status CheckFolder(const std::string& path, const OpenOptions& options) {
  if (!PathExists(path)) {
    if (options.create_if_missing) return MakeDirectory(path);
    return NotFoundError(StrCat("there is no database at ", path));
  }
  VDB_ASSIGN_OR_RETURN(const storage::StampState stamp, storage::ReadFormatStamp(StampPath(path)));
  if (stamp == storage::StampState::kCurrent) return OkStatus();
  if (PathExists(StorePath(path) + "/CURRENT")) return OkStatus();  // the stamp is lost or damaged: written anew below
  if (stamp == storage::StampState::kDamaged) {
    return DataLossError(StrCat(StampPath(path),
                                " is damaged and there is no store beside it: restore the folder from a "
                                "backup, or remove it"));
  }
  const Result<std::vector<std::string>> names = ListDirectory(path);
  if (!names.ok()) {
    return InvalidArgumentError(StrCat(path, " cannot be opened as a folder: ", names.status().message()));
  }
  const bool is_empty = std::ranges::all_of(
      *names, [](const std::string& name) { return name == "LOCK" || name == "FORMAT.tmp" || name == "lost+found"; });
  if (!is_empty) {
    return InvalidArgumentError(StrCat(path, " is not a vdb database: it holds '", names->front(),
                                       "' and no FORMAT file. Give the path of a new or empty folder"));
  }
  if (!options.create_if_missing) return NotFoundError(StrCat("there is no database at ", path));
  return OkStatus();
}

// RocksDB must not run out of space while it opens: it replays its logs into new files and begins a new log and
// MANIFEST, and its Debian build ends the process where one of these fails. Nothing is changed where the answer is no.
Status CheckSpaceToOpen(const std::string& path) {
  std::uint64_t wanted = kMinFreeBytesToOpen;
  if (PathExists(StorePath(path))) {
    VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(StorePath(path)));
    for (const std::string& name : names) {
      if (!name.ends_with(".log") && !name.starts_with("MANIFEST-")) continue;
      VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(StrCat(StorePath(path), "/", name)));
      VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
      wanted += size;
    }
  }
  VDB_ASSIGN_OR_RETURN(const std::uint64_t free_bytes, FreeBytes(path));
  if (free_bytes >= wanted) return OkStatus();
  return ResourceExhaustedError(StrCat("the disk of ", path, " has ", free_bytes >> 20, " MiB left; opening needs ",
                                       (wanted >> 20) + 1, " MiB. Nothing was changed; free some space and try again"));
}

// A damaged store can be copied as far as it can be read.
Status WithWayOut(const Status& status, const std::string& path) {
  if (status.code() != StatusCode::kDataLoss || status.reason() == StatusReason::kNewerFormat) return status;
  return status.WithMessage(
      StrCat(status.message(), ". Make a readable copy with: vdbctl repair ", path, " NEW_FOLDER"));
}

std::size_t ThreadCount(const OpenOptions& options) {
  return options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

DatabaseImpl::DatabaseImpl(std::string path)
    : path_(std::move(path)), queue_([this](std::span<CommitRequest* const> requests) { ProcessGroup(requests); }) {}

Result<std::shared_ptr<DatabaseImpl>> DatabaseImpl::Open(const std::string& path, const OpenOptions& options) {
  if (options.memtable_bytes < kMinMemtableBytes || options.memtable_bytes > kMaxMemtableBytes) {
    return InvalidArgumentError(StrCat("memtable_bytes is ", options.memtable_bytes, "; wanted ", kMinMemtableBytes,
                                       " to ", kMaxMemtableBytes));
  }
  if (options.read_only) {
    VDB_RETURN_IF_ERROR(CheckFolder(path, {.create_if_missing = false}));
    if (!PathExists(LockPath(path)) || !PathExists(StorePath(path) + "/CURRENT")) {
      return NotFoundError(StrCat("the database at ", path, " was never opened for writing; read-only none is made"));
    }
  } else {
    VDB_RETURN_IF_ERROR(CheckFolder(path, options));
    VDB_RETURN_IF_ERROR(CheckSpaceToOpen(path));
  }
  std::shared_ptr<DatabaseImpl> database(new DatabaseImpl(path), &DatabaseImpl::Release);
  VDB_RETURN_IF_ERROR(database->OpenFiles(options));
  return database;
}

Status DatabaseImpl::OpenFiles(const OpenOptions& options) {
  opened_read_only_ = options.read_only;
  is_read_only_.store(options.read_only, std::memory_order_release);
  if (opened_read_only_) {
    VDB_ASSIGN_OR_RETURN(storage::LockFile lock, storage::LockFile::AcquireShared(LockPath(path_)));
    lock_.emplace(std::move(lock));
  } else {
    VDB_RETURN_IF_ERROR(PrepareFolder());
  }
  VDB_RETURN_IF_ERROR(OpenStore(options));
  // First, so that nothing is removed where the catalog is of a newer vdb.
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::CollectionSchema> schemas, store_->Schemas());
  if (!opened_read_only_) VDB_RETURN_IF_ERROR(FinishIntents());
  {
    MutexLock catalog(&catalog_mutex_);
    for (const storage::CollectionSchema& schema : schemas) collections_[schema.name].schema = schema;
  }
  pool_ = std::make_unique<ThreadPool>(ThreadCount(options));
  background_pool_ = std::make_unique<ThreadPool>(ThreadCount(options), kBackgroundNiceness);
  clock_thread_ = std::thread([this] { RunClock(); });
  RegisterForFork(this);
  opened_.store(true, std::memory_order_release);
  return OkStatus();
}

Status DatabaseImpl::PrepareFolder() {
  VDB_ASSIGN_OR_RETURN(storage::LockFile lock, storage::LockFile::Acquire(LockPath(path_)));
  lock_.emplace(std::move(lock));
  VDB_ASSIGN_OR_RETURN(const storage::StampState stamp, storage::ReadFormatStamp(StampPath(path_)));
  if (stamp != storage::StampState::kCurrent) VDB_RETURN_IF_ERROR(storage::WriteFormatStamp(StampPath(path_)));
  return storage::LinkRescueFiles(StorePath(path_), RescuePath(path_));
}

Status DatabaseImpl::OpenStore(const OpenOptions& options) {
  const storage::StoreOptions store_options{.memtable_bytes = options.memtable_bytes,
                                            .block_cache_bytes = std::size_t{64} << 20,
                                            .wal_bytes = options.memtable_bytes,
                                            .read_only = options.read_only,
                                            .check_consistency = true};
  Result<std::unique_ptr<storage::Store>> store = storage::Store::Open(StorePath(path_), store_options);
  if (!store.ok() && store.status().code() == StatusCode::kResourceExhausted) {
    return ResourceExhaustedError(StrCat(store.status().message(), ". Nothing is lost: make room and open it again"));
  }
  if (!store.ok()) return WithWayOut(store.status(), path_);
  store_ = *std::move(store);
  if (opened_read_only_) return CheckWatermarkReadOnly();
  VDB_ASSIGN_OR_RETURN(storage::Watermark watermark, storage::Watermark::Open(WatermarkPath(path_)));
  watermark_.emplace(std::move(watermark));
  VDB_RETURN_IF_ERROR(CheckWatermark(options.accept_data_loss));
  return MakeDirectory(IndexPath(path_));
}

Result<DatabaseImpl::Missing> DatabaseImpl::FindMissing(std::uint64_t acknowledged) {
  Missing missing;
  const Status read = ReadMissing(acknowledged, &missing);
  if (!read.ok()) return WithWayOut(read, path_);
  return missing;
}

Status DatabaseImpl::ReadMissing(std::uint64_t acknowledged, Missing* missing) {
  VDB_ASSIGN_OR_RETURN(commit_seq_, store_->CommitSeq());
  if (commit_seq_ < acknowledged) {
    missing->what = StrCat("came back with commit ", commit_seq_, ", but commit ", acknowledged,
                           " had been acknowledged: ", acknowledged - commit_seq_, " commits are missing");
  }
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::CollectionSchema> schemas, store_->Schemas());
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::Intent> intents, store_->Intents());
  std::set<std::uint32_t> known;
  for (const storage::CollectionSchema& schema : schemas) known.insert(schema.id);
  for (const storage::Intent& intent : intents) known.insert(intent.key.collection);
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::GenerationKey> counted, store_->CountedGenerations());
  for (const storage::GenerationKey key : counted) {
    if (!known.contains(key.collection)) missing->orphans.push_back(key);
  }
  if (missing->what.empty() && !missing->orphans.empty()) {
    missing->what = StrCat("came back with rows of a collection, number ", missing->orphans.front().collection,
                           ", but without the collection: older writes are missing");
  }
  return OkStatus();
}

Status DatabaseImpl::CheckWatermarkReadOnly() {
  VDB_ASSIGN_OR_RETURN(const std::uint64_t acknowledged, storage::Watermark::Read(WatermarkPath(path_)));
  VDB_ASSIGN_OR_RETURN(const Missing missing, FindMissing(acknowledged));
  if (missing.what.empty()) return OkStatus();
  return DataLossError(StrCat(path_, ": the store ", missing.what, ", for a log or MANIFEST of ", StorePath(path_),
                              " is damaged. Open it for writing, or with vdbctl, to see the ways out"));
}

Status DatabaseImpl::CheckWatermark(bool accept_data_loss) {
  const std::uint64_t acknowledged = watermark_->commit_seq();
  const Result<Missing> found = FindMissing(acknowledged);
  // Then nothing is wrong with the store, and the folder is left as it was.
  if (found.status().reason() == StatusReason::kNewerFormat) {
    VDB_RETURN_IF_ERROR(storage::DiscardRescueFiles(RescuePath(path_)));
  }
  VDB_RETURN_IF_ERROR(found.status());
  const Missing& missing = *found;
  if (missing.what.empty()) return storage::DiscardRescueFiles(RescuePath(path_));
  VDB_RETURN_IF_ERROR(storage::KeepRescueFiles(RescuePath(path_), missing.what));
  if (!accept_data_loss) {
    return DataLossError(StrCat(path_, ": the store ", missing.what, ", for a log or MANIFEST of ", StorePath(path_),
                                " is damaged. What RocksDB had is kept in ", RescuePath(path_),
                                ". To go on without them: vdbctl repair --accept-loss ", path_,
                                " (OpenOptions::accept_data_loss)"));
  }
  events_.Add(EventLevel::kWarning, StrCat("a loss was accepted: the store ", missing.what));
  storage::StoreBatch batch;
  for (const storage::GenerationKey key : missing.orphans) batch.DropGeneration(key);
  commit_seq_ = std::max(commit_seq_, acknowledged) + 1;
  batch.PutCommitSeq(commit_seq_);
  VDB_RETURN_IF_ERROR(store_->Write(&batch, true));
  VDB_RETURN_IF_ERROR(watermark_->Advance(commit_seq_));
  return storage::ArchiveRescueFiles(RescuePath(path_), commit_seq_);
}

std::string DatabaseImpl::GenerationDirectory(storage::GenerationKey key) const {
  return StrCat(IndexPath(path_), "/", key.collection, "-", key.generation);
}

Status DatabaseImpl::FinishIntents() {
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::Intent> intents, store_->Intents());
  if (intents.empty()) return OkStatus();
  VDB_ASSIGN_OR_RETURN(const std::vector<storage::CollectionSchema> schemas, store_->Schemas());
  storage::StoreBatch outdated;
  for (const storage::Intent& intent : intents) {
    const auto is_its = [&](const storage::CollectionSchema& schema) {
      return schema.id == intent.key.collection && schema.generation == intent.key.generation;
    };
    if (intent.kind == storage::IntentKind::kBuild && std::ranges::any_of(schemas, is_its)) {
      outdated.DeleteIntent(intent.key);  // it was installed; a repair has brought the intent back
      continue;
    }
    VDB_RETURN_IF_ERROR(RemoveGeneration(intent.key));
  }
  return store_->Write(&outdated, true);
}

Status DatabaseImpl::RemoveGeneration(storage::GenerationKey key) {
  // Files first: as long as the intent stands, the next open comes here again.
  VDB_RETURN_IF_ERROR(RemoveTree(GenerationDirectory(key)));
  SyncPoints::Reached("drop.after_files");
  storage::StoreBatch batch;
  batch.DropGeneration(key);
  batch.DeleteIntent(key);
  VDB_RETURN_IF_ERROR(store_->Write(&batch, true));
  SyncPoints::Reached("drop.after_keys");
  return OkStatus();
}

void DatabaseImpl::RetireGeneration(std::shared_ptr<Generation> generation) {
  MutexLock lock(&garbage_mutex_);
  garbage_.push_back(std::move(generation));
}

void DatabaseImpl::CollectGarbage() {
  std::vector<std::shared_ptr<Generation>> free;
  if (!CheckWritable().ok()) return;
  {
    MutexLock lock(&garbage_mutex_);
    const auto held = std::partition(garbage_.begin(), garbage_.end(), [](const auto& g) { return g.use_count() > 1; });
    std::move(held, garbage_.end(), std::back_inserter(free));
    garbage_.erase(held, garbage_.end());
  }
  // A failure leaves the intent: the next open removes what is left.
  for (const auto& generation : free) static_cast<void>(RemoveGeneration(generation->key));
}

void DatabaseImpl::RunClock() {
  for (;;) {
    {
      MutexLock lock(&clock_mutex_);
      if (!clock_stopping_) clock_wake_.WaitFor(&clock_mutex_, SteadyTime::TickPeriod());
      if (clock_stopping_) return;
    }
    if (!opened_read_only_ && watermark_dirty_.exchange(false, std::memory_order_relaxed))
      static_cast<void>(watermark_->Sync());
    try {
      CollectGarbage();
      for (const std::shared_ptr<CollectionImpl>& collection : LoadedCollections()) collection->Tick();
      UnloadUnused();
    } catch (const std::bad_alloc&) {
      // The next tick does it.
    }
    SyncPoints::Reached("clock.ticked");
  }
}

std::vector<std::shared_ptr<CollectionImpl>> DatabaseImpl::LoadedCollections() const {
  std::vector<std::shared_ptr<CollectionImpl>> loaded;
  MutexLock lock(&catalog_mutex_);
  for (const auto& [name, entry] : collections_) {
    if (entry.loaded != nullptr) loaded.push_back(entry.loaded);
  }
  return loaded;
}

Status DatabaseImpl::Close() {
  if (forked_.load(std::memory_order_acquire)) return CheckUsable();
  if (!opened_.load(std::memory_order_acquire) || !gate_.CloseAndWait()) return OkStatus();
  {
    MutexLock lock(&clock_mutex_);
    clock_stopping_ = true;
  }
  clock_wake_.NotifyAll();
  clock_thread_.join();
  background_pool_.reset();
  pool_.reset();
  Status status;
  try {
    status = FinishWriting();
  } catch (const std::bad_alloc&) {
    status = ResourceExhaustedError("out of memory while closing; what was written without a sync may be lost");
  }
  UnregisterForFork(this);
  CloseStore();
  lock_.reset();
  return status;
}

Status DatabaseImpl::FinishWriting() {
  CollectGarbage();
  if (is_read_only_.load(std::memory_order_acquire)) return OkStatus();
  // A publication that fails costs the next open some time, no more.
  for (const auto& collection : LoadedCollections()) {
    try {
      static_cast<void>(collection->PublishForClose());
    } catch (const std::bad_alloc&) {
      break;
    }
  }
  // Everything that was acknowledged in any way becomes durable; then the watermark says so.
  VDB_RETURN_IF_ERROR(SyncEverything());
  static_cast<void>(store_->MergeSmallTables());  // a failure leaves more of them, nothing else
  return OkStatus();
}

void DatabaseImpl::CloseStore() {
  if (!ThreadsWereLost()) {
    store_.reset();
    return;
  }
  // RocksDB has one timer for all of a process. Where a thread of the parent had its lock at the fork, closing never
  // ends; the store is then left as it is until the process ends.
  struct Closing {
    Mutex mutex;
    CondVar changed;
    bool done ABSL_GUARDED_BY(mutex) = false;
  };
  const auto closing = std::make_shared<Closing>();
  try {
    std::thread([closing, store = std::move(store_)]() mutable {
      SyncPoints::Reached("store.before_close_in_child");
      store.reset();
      MutexLock lock(&closing->mutex);
      closing->done = true;
      closing->changed.NotifyAll();
    }).detach();
  } catch (const std::system_error&) {
    return;  // no thread was to be had: what it would have closed was closed on this one
  }
  MutexLock lock(&closing->mutex);
  while (!closing->done && closing->changed.WaitFor(&closing->mutex, kPatienceWithStore)) {
  }
}

void DatabaseImpl::CloseAbandoned() {
  BecomeReadOnly(FailedPreconditionError("its folder was deleted or replaced", StatusReason::kReadOnly));
  store_->DiscardUnflushed();
  static_cast<void>(Close());
}

Status DatabaseImpl::SyncEverything() {
  storage::StoreBatch batch;
  batch.PutCommitSeq(commit_seq_);
  VDB_RETURN_IF_ERROR(store_->Write(&batch, true));
  VDB_RETURN_IF_ERROR(store_->Flush());
  VDB_RETURN_IF_ERROR(watermark_->Advance(commit_seq_));
  return watermark_->Sync();
}

DatabaseImpl::~DatabaseImpl() {
  static_cast<void>(Close());
}

void DatabaseImpl::Release(DatabaseImpl* database) noexcept {
  // In a forked child its threads, and whatever they held or waited for, are those of the parent: even a condition
  // variable cannot be destroyed there. All of it stays.
  if (database->forked_.load(std::memory_order_acquire)) return;
  static_cast<void>(database->Close());
  // Not of an opening that failed, which the registry waits for.
  if (database->is_registered_.load(std::memory_order_acquire)) OpenRegistry::Global().Closed(database);
  delete database;
}

Status DatabaseImpl::CheckUsable() const {
  if (forked_.load(std::memory_order_acquire)) {
    return FailedPreconditionError(
        StrCat(path_, " was opened before this process was forked; open it again after the fork"),
        StatusReason::kForked);
  }
  if (gate_.closed()) return FailedPreconditionError(StrCat(path_, " has been closed"), StatusReason::kClosed);
  return OkStatus();
}

DatabaseImpl::Operation::Operation(DatabaseImpl* database) : database_(*database) {
  if (database_.forked_.load(std::memory_order_acquire) || !database_.gate_.Enter()) {
    status_ = database_.CheckUsable();
  }
}

DatabaseImpl::Operation::~Operation() {
  if (status_.ok()) database_.gate_.Leave();
}

void DatabaseImpl::MarkForked() noexcept {
  forked_.store(true, std::memory_order_release);
  if (lock_) lock_->CloseInForkedChild();
}

}  // namespace vdb
