// CollectionImpl: an open collection. Its verbs stand one file each: collection_open.cc, collection_write.cc,
// collection_read.cc, collection_search.cc, collection_scan.cc, collection_update.cc, collection_facets.cc,
// collection_index.cc (linking, purging, in the background), collection_codes.cc, collection_publish.cc,
// collection_verify.cc.
//
// Thread safety: safe from any thread, except what is marked "writer" (the leader of the commit queue).
// Ownership: by the database and by public handles, which keep the database too.
#ifndef VDB_DB_COLLECTION_IMPL_H_
#define VDB_DB_COLLECTION_IMPL_H_

#include <vdb/collection.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vdb/db/commit_queue.h"
#include "vdb/db/generation.h"
#include "vdb/db/scan_lease.h"
#include "vdb/db/view.h"
#include "vdb/index/graph_copy.h"
#include "vdb/query/cardinality.h"
#include "vdb/query/executor.h"
#include "vdb/storage/catalog.h"
#include "vdb/util/mutex.h"
#include "vdb/util/priority_mutex.h"
#include "vdb/util/steady_time.h"

namespace vdb {

class DatabaseImpl;
class GenerationBuilder;
class ThreadPool;

class CollectionImpl : public std::enable_shared_from_this<CollectionImpl> {
 public:
  CollectionImpl(DatabaseImpl* database, const storage::CollectionSchema& schema);

  // Files of up to so many bytes of vectors are verified before the first answer, larger ones behind it. For tests.
  static void SetVerifyAtOpenBytes(std::uint64_t bytes);

  // Loads the collection from published files and store. Call once, before anything else.
  Status Load();

  const std::string& name() const { return name_; }
  CollectionOptions options() const {
    CollectionOptions options = fixed_options_;
    options.dim = dim();
    return options;
  }
  std::size_t dim() const { return dim_.load(std::memory_order_acquire); }
  // Makes it the dimension of a collection that has none, durably; InvalidArgument if another one came first.
  Status FixDimension(std::size_t dim);
  std::uint32_t id() const { return id_; }
  DatabaseImpl& database() const { return database_; }

  // FailedPrecondition once the collection is dropped or the database unusable.
  Status CheckUsable() const;
  // Call in the commit queue.
  void MarkDropped() { dropped_.store(true, std::memory_order_release); }
  bool dropped() const { return dropped_.load(std::memory_order_acquire); }
  // Its database is being closed, or it is dropped: work that can be done again is not worth waiting for.
  bool IsEnding() const;

  std::shared_ptr<const View> PinView() const;
  Snapshot TakeSnapshot() const;

  // Checks a record against the schema and makes it ready for the queue.
  Status PrepareUpsert(const RecordView& record, Mutation* mutation) const;
  Status PrepareDelete(std::string_view id, Mutation* mutation) const;
  // The query vector as the index wants it (normalised under cosine); InvalidArgument as for records.
  Result<std::vector<float>> PrepareQuery(std::span<const float> vector) const;

  Result<std::uint64_t> DeleteWhere(const Filter& filter, std::span<const Value> bind, Durability durability);

  Result<std::uint64_t> Update(std::span<const PayloadUpdate> updates, UpdateMode mode, Durability durability);
  Result<std::uint64_t> UpdateWhere(const Filter& filter, std::span<const Value> bind, std::string_view payload,
                                    const UpdateOptions& options);
  Status SetDocument(std::string_view json);
  Result<std::string> GetDocument() const;

  Result<Record> Get(std::string_view id, bool with_vector) const;
  Result<SearchResult> Search(const SearchRequest& request, Snapshot snapshot) const;
  // The query vector, and the slot of the record that it belongs to where the request names one; snapshot becomes the
  // one on which that was found.
  Result<std::vector<float>> ResolveQuery(const SearchRequest& request, Snapshot* snapshot,
                                          std::optional<std::uint32_t>* own_slot) const;
  Result<std::vector<SearchResult>> SearchBatch(std::span<const SearchRequest> requests) const;
  Result<Explanation> Explain(const SearchRequest& request) const;
  Result<std::uint64_t> Count(const Filter& filter, std::span<const Value> bind) const;
  Result<FacetResult> Facets(const FacetRequest& request) const;
  // What may become of a scan that is under way for long: see scan_lease.h.
  enum class ScanMay { kEndWhenOld, kGoOn };
  Result<Scanner> Scan(const ScanRequest& request, ScanMay may = ScanMay::kEndWhenOld) const;

  Result<CollectionStats> Stats() const;

  // Writer.
  void CountDeaths(std::uint64_t deaths) { deaths_.fetch_add(deaths, std::memory_order_relaxed); }
  // After a commit, on the committing thread, outside the queue: starts background work, and where the tail is beyond
  // its bound links a batch itself.
  void AfterCommit() noexcept;
  // Has published files compared with their checksums, where that is still to be begun: after the first search, which
  // would have to share the disk with it, or at the next tick.
  void BeginVerification();
  // From the database's clock thread, about once a second: leftovers are linked, published and purged when all is
  // quiet.
  void Tick();
  Status Publish();
  // Held while the published files change.
  Mutex* publish_mutex() { return &publish_mutex_; }
  // Publishes if that saves much replay at the next open. Call with no other call under way.
  Status PublishForClose();
  Status WaitForIndex();
  Status Verify() const;
  Status Compact();
  // Makes a built generation the collection's. Call with write_gate held exclusively.
  Status SwitchTo(GenerationBuilder* builder);
  // Held shared by commits, exclusively while the next generation is built: its contents must not miss one.
  std::shared_mutex& write_gate() { return write_gate_; }

  // Writer: ResourceExhausted if no further commit can be counted.
  Status CheckEpochs() const;
  // Writer: the generation that commits go to.
  Generation* writer_generation() const { return writer_generation_.get(); }
  // Replaces the View. Call in the commit queue, or before the collection is visible to others.
  void SwapView(std::shared_ptr<Generation> generation);
  // Writer, after MarkDropped: gives the generation up; Views that are pinned keep it.
  std::shared_ptr<Generation> ReleaseGeneration();

 private:
  friend class ScannerImpl;
  class UpdatedRecords;
  using FindUpdates = std::function<Status(UpdatedRecords*)>;
  // Runs find alone in the commit queue and writes what it changed in one commit; returns how many records.
  Result<std::uint64_t> RunUpdate(UpdateMode mode, Durability durability, const FindUpdates& find);

  // The visible slot of an id, or nothing.
  // snapshot becomes the one it was found on.
  Result<std::optional<std::uint32_t>> FindVisible(std::string_view id, Snapshot* snapshot) const;
  Result<Record> ReadRecord(const Generation& generation, std::uint32_t slot, bool with_vector) const;
  // As written; empty for a record without one.
  Status ReadVector(const Generation& generation, std::uint32_t slot, std::vector<float>* vector) const;
  Result<FilterProgram> CompileFilter(const Filter& filter, std::span<const Value> bind,
                                      const Snapshot& snapshot) const;
  Status FillHits(const SearchRequest& request, const Generation& generation, std::span<const ScoredSlot> scored,
                  std::vector<Hit>* hits) const;

  // From published files; a Status other than Ok says why they are of no use.
  Status LoadPublished(Generation* generation, const storage::PublishedFiles& files, std::uint32_t slots);
  // Links and columns of published files, side by side.
  Status ReadPublished(Generation* generation, const storage::PublishedFiles& files, LoadedLinks* links) const;
  // The copy that a repair falls back on. In the queue; a failure leaves it one change behind until the next load.
  void KeepSchemaCopy() const;
  // Without rows, for a generation of so many slots.
  Result<std::unique_ptr<VectorFile>> MakeVectors(const std::string& directory, std::uint32_t slots) const;
  // Rows, then links into memory, against their checksums; what is damaged is made anew.
  void VerifyPublished(std::shared_ptr<Generation> generation, std::uint32_t rows);
  // Links that are walked in their file are read into memory; DataLoss if they are damaged, Aborted where give_up()
  // (if not null) said so.
  Status LoadLinks(Generation* generation, const std::function<bool()>& give_up)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_);
  // Gives up a graph whose links are damaged; the rows are linked anew. Returns the generation that has the new one,
  // null if the damaged one is not in use any more.
  Result<std::shared_ptr<Generation>> ReplaceGraph(const Graph* damaged);
  // Leader: `renewed`, made by Renew, takes the writer generation's place. Throws std::bad_alloc, nothing changed then.
  void TakePlace(std::shared_ptr<Generation> renewed);
  // Rows of slots [first, end) of the vector file, from the store.
  Status ReplayVectors(Generation* generation, std::uint32_t first, std::uint32_t end) const;

  // The vector of a slot in the store against that of the index.
  Status VerifyVector(const Generation& generation, std::uint32_t slot) const;
  void ScheduleBackground(bool idle);
  void PostBackground();
  // On a thread of pool. False: what is left has been posted to the other pool.
  bool RunBackground(bool idle, ThreadPool* pool);
  // Whether more was scheduled since the task that runs began.
  bool BackgroundIsWanted() const;
  // Where linking behind the writers runs: background threads, or urgent ones where the tail is long.
  ThreadPool* IndexingPool() const;
  // Links at most one batch of at least min_rows rows; returns false if there are not so many. pool: of threads as
  // urgent as the caller is, who waits for them. A batch of the background pool is given up where others wait for it.
  bool LinkOneBatch(Generation* generation, std::uint32_t min_rows, ThreadPool* pool);
  void LinkAfterCommit();
  // Waits for the verification that replaces a graph whose published links cannot be read. Their error, where they
  // still stand.
  Status AwaitLinks(Generation* generation);
  bool LinkOneBatchLocked(Generation* generation, std::uint32_t min_rows, ThreadPool* pool,
                          const std::function<bool()>& give_up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_);
  // Codes that the graph should rather have, by its rows; null for none. idle: there is time to measure rows.
  std::shared_ptr<const CodeSpace> BetterCodes(const Generation& generation, bool idle);
  // Whether its codes are to be replaced by ones of all components.
  bool CodesAreOutgrown(const Generation& generation) const;
  // Gives the graph such codes, beside searches and, until the last moment, beside writers that link.
  void RenewCodesIfDue(bool idle, ThreadPool* pool) ABSL_EXCLUSIVE_LOCKS_REQUIRED(codes_mutex_);
  // False if it could not be.
  bool TakeCopy(const Generation& generation, GraphCopy* copy);
  // Whether the graph has no recall curve, or has outgrown the one it has.
  bool CalibrationIsDue(const Generation& generation) const;
  // Measures the curve if it is due; not if another thread does.
  void CalibrateIfDue();
  void Calibrate(const std::function<bool()>& stop) ABSL_EXCLUSIVE_LOCKS_REQUIRED(calibration_mutex_);
  bool WantsGraph(const Generation& generation) const;
  bool PublishIsDue(const Generation& generation, bool idle) const;
  Status PublishGeneration(Generation* generation);
  void PublishIfDue(bool idle);
  Status WriteFiles(Generation* generation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);
  // What *files names, and its checksums; where it fails, nothing of it is left.
  Status WriteNamedFiles(Generation* generation, const LinkSnapshot& links, Clock clock,
                         storage::PublishedFiles* files) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);
  void Purge();
  // A purge waits for the readers that pinned a View before it began. Returns null while it waits; otherwise the View
  // to purge, and up to which epoch of its generation (0: nothing to do).
  std::shared_ptr<const View> AdvancePurge(std::uint32_t* epoch);
  // Gives slots back to the purge, or notes that their records are gone, with the generation that now has their slots.
  void ReturnUnpurged(const Generation& of, std::vector<DeadSlots> dead);
  void NotePurged(const Generation& of, const std::vector<DeadSlots>& dead);
  bool EpochsAreDue(const Generation& generation) const;
  Status RenewEpochs();
  std::vector<std::shared_ptr<ScanLease>> Scans() const;
  void EndOldScans();
  std::uint64_t OldestViewSeconds() const;
  void RecordDamage(const std::string& damage);
  void SetPublished(const storage::PublishedFiles& files) ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);
  void NotePublishedGraph(const Graph& graph) noexcept;
  // deaths: how many of deaths_ the published files know.
  void NotePublished(std::uint64_t deaths) noexcept ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);

  // Rows, columns, ids and deaths of slots [first, counters.slots) from the store.
  Status Replay(Generation* generation, std::uint32_t first, const storage::Counters& counters);

  DatabaseImpl& database_;
  const std::uint32_t id_;
  const std::string name_;
  const CollectionOptions fixed_options_;  // all but dim
  std::atomic<std::size_t> dim_;
  std::atomic<bool> dropped_{false};

  mutable Mutex view_mutex_;
  std::shared_ptr<const View> view_ ABSL_GUARDED_BY(view_mutex_);

  struct OldView {
    std::weak_ptr<const View> view;
    SteadyTime::TimePoint since;
  };
  std::vector<OldView> old_views_ ABSL_GUARDED_BY(view_mutex_);  // to be outlived by what is purged
  std::uint32_t purge_epoch_ ABSL_GUARDED_BY(view_mutex_) = 0;   // 0: no purge is waiting

  mutable Mutex scans_mutex_;
  mutable std::vector<std::weak_ptr<ScanLease>> scans_ ABSL_GUARDED_BY(scans_mutex_);

  std::shared_ptr<Generation> writer_generation_;  // writer
  const std::uint32_t schema_generation_;          // the generation to load

  std::shared_mutex write_gate_;  // taken before every other lock

  // One linker at a time; held while links are copied. Taken before view_mutex_. Linking in the background comes last.
  PriorityMutex link_mutex_;
  // One measurement at a time. Taken before all others.
  Mutex calibration_mutex_;
  // One thread at a time makes codes. Taken before publish_mutex_.
  Mutex codes_mutex_;
  // One publisher at a time. Taken before link_mutex_.
  Mutex publish_mutex_;
  storage::PublishedFiles published_ ABSL_GUARDED_BY(publish_mutex_);
  std::atomic<std::uint32_t> unverified_rows_{0};  // published ones, while verification is to be begun
  std::atomic<std::uint32_t> published_slots_{0};
  // The commit that published files show; 0: that of a bulk load, or none.
  std::atomic<std::uint64_t> published_seq_{0};
  std::atomic<std::uint64_t> deaths_{0};            // since open, and before what published files do not know
  std::atomic<std::uint64_t> published_deaths_{0};  // of those, known to published files
  std::atomic<std::uint32_t> published_curve_{0};   // rows of the recall curve that is published; 0: none
  std::atomic<CodeChoice> published_codes_{};       // of the links that are published

  struct BackgroundWork {
    bool has_task = false;  // in a pool; at most one
    bool wanted = false;
    bool idle = false;
  };
  mutable Mutex background_mutex_;
  BackgroundWork background_ ABSL_GUARDED_BY(background_mutex_);
  std::atomic<int> helping_writers_{0};  // that link a batch, or wait to
  // Linked rows from which on better codes are looked for: by measuring what neighbours differ in, and any, after
  // memory was short.
  std::atomic<std::uint32_t> measured_due_rows_{0};
  std::atomic<std::uint32_t> codes_due_rows_{0};
  std::atomic<bool> calibrating_{false};  // in the background
  std::atomic<std::uint64_t> commits_{0};
  std::uint64_t commits_at_last_tick_ = 0;  // clock thread only
  std::uint32_t quiet_ticks_ = 0;           // clock thread only
  std::atomic<std::uint32_t> publish_failures_{0};

  mutable Mutex counters_mutex_;
  CondVar verified_;
  int verifications_ ABSL_GUARDED_BY(counters_mutex_) = 0;     // that run or will
  CollectionStats counters_ ABSL_GUARDED_BY(counters_mutex_);  // damage, publish_error, publishes, batches, purged
};

}  // namespace vdb

#endif  // VDB_DB_COLLECTION_IMPL_H_
