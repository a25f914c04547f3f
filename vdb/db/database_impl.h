// DatabaseImpl: an open database. Its verbs stand one file each: database_open.cc, database_write.cc,
// database_catalog.cc (create, drop, list), database_checkpoint.cc.
//
// Thread safety: safe from any thread, except what is marked "leader" (the thread that leads the commit queue).
// Ownership: shared by public handles and collections; the destructor closes.
// Lock order: load_mutex_, the commit queue, then short locks (view, catalog, in flight) that nest nothing.
#ifndef VDB_DB_DATABASE_IMPL_H_
#define VDB_DB_DATABASE_IMPL_H_

#include <vdb/database.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vdb/db/collection_impl.h"
#include "vdb/db/commit_queue.h"
#include "vdb/db/event_log.h"
#include "vdb/db/in_flight.h"
#include "vdb/db/operation_gate.h"
#include "vdb/storage/lock_file.h"
#include "vdb/storage/store.h"
#include "vdb/storage/watermark.h"
#include "vdb/util/mutex.h"
#include "vdb/util/steady_time.h"
#include "vdb/util/thread_pool.h"

namespace vdb {

class DatabaseImpl : public std::enable_shared_from_this<DatabaseImpl> {
 public:
  static Result<std::shared_ptr<DatabaseImpl>> Open(const std::string& path, const OpenOptions& options);
  ~DatabaseImpl();

  Result<std::shared_ptr<CollectionImpl>> CreateCollection(std::string_view name, const CollectionOptions& options);
  Result<std::shared_ptr<CollectionImpl>> OpenCollection(std::string_view name);
  Status DropCollection(std::string_view name);
  Result<std::vector<std::string>> ListCollections() const;
  Status Write(const WriteBatch& batch, const WriteOptions& options);
  DatabaseStats Stats();
  Status Checkpoint(const std::string& folder);
  EventLog& events() { return events_; }
  Status Close();

  // Closes without writing anything more: the folder is not this database's any more.
  void CloseAbandoned();

  // FailedPrecondition when closed or in a forked child.
  Status CheckUsable() const;
  // Close has begun, and waits for what is under way.
  bool closing() const { return gate_.closed(); }

  // A public call under way: the database stays open as long as an ok one lives.
  class Operation {
   public:
    explicit Operation(DatabaseImpl* database);
    ~Operation();
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    const Status& status() const { return status_; }

   private:
    DatabaseImpl& database_;
    Status status_;
  };

  // Also when read-only after a failed write.
  Status CheckWritable() const;
  // ResourceExhausted where the disk has less than kMinFreeBytes left.
  Status CheckSpace() const;
  // Runs a request of mutations through the queue.
  Status Commit(CommitRequest* request);
  // Runs alone in the queue.
  Status RunExclusive(std::function<Status()> work);

  storage::Store& store() const { return *store_; }
  // For calls that somebody waits for.
  ThreadPool& pool() const { return *pool_; }
  // For what nobody waits for: it takes what searches and writes leave of the processors.
  ThreadPool& background_pool() const { return *background_pool_; }
  const InFlightIds& in_flight() const { return in_flight_; }
  const CommitQueue& queue() const { return queue_; }
  const std::string& path() const { return path_; }
  Result<storage::LockFile::Identity> identity() const { return lock_->identity(); }
  // The registry of open databases knows it, and is told when it has been closed.
  void NoteRegistered() { is_registered_.store(true, std::memory_order_release); }
  // Opened read-only: files are not written, made or removed.
  bool read_only() const { return opened_read_only_; }
  std::string GenerationDirectory(storage::GenerationKey key) const;
  // Leader: commit_seq of the last commit.
  std::uint64_t commit_seq() const { return commit_seq_; }
  // For bulk loads: a schema for a new collection, whose id nobody else will get; AlreadyExists.
  Result<storage::CollectionSchema> ReserveSchema(std::string_view name, const CollectionOptions& options);
  // The schema of an open collection; NotFound once it is dropped.
  Result<storage::CollectionSchema> SchemaOf(const CollectionImpl& collection) const;
  // The schema of a collection with the number of its next generation.
  Result<storage::CollectionSchema> NextGenerationSchema(const CollectionImpl& collection) const;
  // Leader: the dimension of a collection that had none.
  Status CommitDimension(const CollectionImpl& collection, std::uint32_t dim);
  // Leader: the JSON document of a collection.
  Status CommitDocument(std::uint32_t collection, std::string_view json);
  // Makes a built generation a new collection.
  Status InstallNew(GenerationBuilder* builder);
  // Leader.
  void SetSchema(const storage::CollectionSchema& schema);

  // Removes a dropped generation's keys and files once `generation` has no other owner; its intent is in the catalog.
  void RetireGeneration(std::shared_ptr<Generation> generation);

  // Leader: a write of the store failed; from now on nothing is written.
  void BecomeReadOnly(const Status& cause);

  // In the child of a fork: async-signal-safe.
  void MarkForked() noexcept;
  // Deletes a database; in a forked child leaves it.
  static void Release(DatabaseImpl* database) noexcept;

 private:
  friend class CommitGroup;
  friend class GenerationBuilder;

  explicit DatabaseImpl(std::string path);
  void ProcessGroup(std::span<CommitRequest* const> requests);
  Status OpenFiles(const OpenOptions& options);
  // Lock, stamp and what a writer leaves for the next one.
  Status PrepareFolder();
  Status OpenStore(const OpenOptions& options);
  // What the store should hold and does not. what: "came back with …", empty if nothing is missing.
  struct Missing {
    std::string what;
    std::vector<storage::GenerationKey> orphans;  // generations with rows, of collections that are not there
  };
  // A damaged MANIFEST takes tables away, and the newest commits still come from the log: acknowledged does not see it.
  // Sets commit_seq_.
  Result<Missing> FindMissing(std::uint64_t acknowledged);
  Status ReadMissing(std::uint64_t acknowledged, Missing* missing);
  Status CheckWatermark(bool accept_data_loss);
  // The same without changing anything.
  Status CheckWatermarkReadOnly();
  Status FinishIntents();
  Status SyncEverything();
  // The part of closing that needs memory.
  Status FinishWriting();
  void CloseStore();
  Status WriteCheckpoint(const std::string& folder);
  void RunClock();
  // Collections without a dimension get that of the request's vectors.
  static Status FixDimensions(const CommitRequest& request);
  Status CheckNameIsFree(std::string_view name) const;
  // Leader: a change of the catalog, durable when it returns.
  Status CommitCatalog(storage::StoreBatch* batch);
  void CollectGarbage();
  // Clock thread: sends collections that nobody has held for some time to be unloaded in the background.
  void UnloadUnused();
  // Publishes what is worth it and gives the memory back, unless somebody has opened the collection meanwhile.
  void Unload(std::shared_ptr<CollectionImpl> collection);
  std::vector<std::shared_ptr<CollectionImpl>> LoadedCollections() const;
  std::uint64_t CountLoaded() const;
  // Removes files, keys and intent.
  Status RemoveGeneration(storage::GenerationKey key);

  OperationGate gate_;
  EventLog events_;
  const std::string path_;
  std::optional<storage::LockFile> lock_;
  std::atomic<bool> opened_{false};
  bool opened_read_only_ = false;  // constant once opened
  std::atomic<bool> forked_{false};
  std::atomic<bool> is_registered_{false};
  std::optional<storage::Watermark> watermark_;
  std::atomic<bool> watermark_dirty_{false};
  std::unique_ptr<storage::Store> store_;
  std::uint64_t commit_seq_ = 0;  // leader

  mutable Mutex read_only_mutex_;
  Status read_only_ ABSL_GUARDED_BY(read_only_mutex_);
  std::atomic<bool> is_read_only_{false};

  InFlightIds in_flight_;
  CommitQueue queue_;

  // A collection's entry: its schema, and the collection itself while it is loaded.
  struct Entry {
    storage::CollectionSchema schema;
    std::shared_ptr<CollectionImpl> loaded;
    std::optional<SteadyTime::TimePoint> unused_since;  // while nobody but this entry holds it
  };
  mutable Mutex catalog_mutex_;
  std::map<std::string, Entry, std::less<>> collections_ ABSL_GUARDED_BY(catalog_mutex_);
  Mutex load_mutex_;  // one load at a time; taken before catalog_mutex_

  // Generations to be removed once nobody else holds them.
  Mutex garbage_mutex_;
  std::vector<std::shared_ptr<Generation>> garbage_ ABSL_GUARDED_BY(garbage_mutex_);

  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<ThreadPool> background_pool_;
  Mutex clock_mutex_;
  CondVar clock_wake_;
  bool clock_stopping_ ABSL_GUARDED_BY(clock_mutex_) = false;
  std::thread clock_thread_;
};

}  // namespace vdb

#endif  // VDB_DB_DATABASE_IMPL_H_
