// One numbering of a collection's slots: the state that every View of it shares.
//
// State: clock, deaths, columns and ids, vector rows; all derived from the store. Written by the leader of the commit
// queue (or by the thread that opens or builds it, before it is visible to others).
// Thread safety: readers load the clock once (after pinning a View) and look only at slots that it makes visible;
// members marked "writer" belong to the commit queue's leader. Ownership: shared by Views and by the collection.
// Source: visibility as in vdb/util/visibility.h.
#ifndef VDB_DB_GENERATION_H_
#define VDB_DB_GENERATION_H_

#include <vdb/collection.h>
#include <vdb/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "vdb/fields/field_index.h"
#include "vdb/index/graph.h"
#include "vdb/index/link_file.h"
#include "vdb/index/vector_file.h"
#include "vdb/storage/catalog.h"
#include "vdb/storage/keys.h"
#include "vdb/util/mutex.h"
#include "vdb/util/visibility.h"

namespace vdb {

// What a commit killed, until the store has been purged of it.
struct DeadSlots {
  std::uint64_t commit_seq = 0;
  std::uint32_t epoch = 0;
  std::vector<std::uint32_t> slots;
  bool is_published = false;  // the published files know that they are dead
};

class Generation {
 public:
  Generation(storage::GenerationKey generation_key, std::string generation_directory)
      : key(generation_key), directory(std::move(generation_directory)), fields(std::make_shared<FieldIndex>()) {}
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Commits are counted in 32 bits of the clock. Beyond the first half of them the count is begun anew in the
  // background (Renew); should that fail for as many commits again, commits are refused.
  static constexpr std::uint32_t kRenewEpoch = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kLastEpoch = std::numeric_limits<std::uint32_t>::max() - 1;
  // Where the count of a generation that is loaded begins; tests begin near the end.
  static std::uint32_t FirstEpoch() { return first_epoch_.load(); }
  static void SetFirstEpoch(std::uint32_t epoch) { first_epoch_.store(epoch); }

  // Writer, with linking stopped: the same slots, rows, columns and links with the count of commits begun anew: what is
  // dead was killed by epoch 1. Throws std::bad_alloc.
  std::shared_ptr<Generation> Renew() const;
  // Writer: `renewed` takes this one's place. Views of this one keep its clock, and keep the new one, whose records
  // they read.
  void HandOver(const std::shared_ptr<Generation>& renewed) noexcept;

  Clock LoadClock() const {
    const std::uint64_t word = clock_.load(std::memory_order_acquire);
    return {.committed = static_cast<std::uint32_t>(word >> 32), .epoch = static_cast<std::uint32_t>(word)};
  }

  // The clock together with the commit that it shows: what a published file is stamped with.
  struct StampedClock {
    Clock clock;
    std::uint64_t commit_seq = 0;
  };
  StampedClock LoadStampedClock() const {
    MutexLock lock(&stamp_mutex_);
    return {.clock = LoadClock(), .commit_seq = commit_seq_};
  }

  // Writer.
  void PublishClock(Clock clock, std::uint64_t commit_seq) {
    MutexLock lock(&stamp_mutex_);
    commit_seq_ = commit_seq;
    clock_.store(std::uint64_t{clock.committed} << 32 | clock.epoch, std::memory_order_release);
  }

  // Live records without a vector among the first `slots`. Cost: a pass over the dead set, where there are any.
  std::uint64_t LiveWithoutVector(std::uint32_t slots) const;

  // Says of a slot whether its record has a vector; null where all have. For linking.
  std::function<bool(std::uint32_t)> HasRow() const {
    if (fields->without_vector().count() == 0) return nullptr;
    return [&marked = fields->without_vector()](std::uint32_t slot) { return !marked.Test(slot); };
  }

  const storage::GenerationKey key;
  const std::string directory;  // holds the derived files
  Deaths deaths;
  // Set once, before the generation is visible; shared with the one that takes this one's place in Renew, which may get
  // another graph.
  std::shared_ptr<FieldIndex> fields;
  std::shared_ptr<VectorFile> vectors;
  std::shared_ptr<Graph> graph;                 // linked in the background
  std::shared_ptr<const PublishedLinks> links;  // what graph walks, mapped, until LoadLevel0; null if it never did
  // Rows and links of published files are still being compared with their checksums: no answer is called exact.
  std::atomic<bool> verifying{false};
  // Rows of published slots were found damaged, and are not all written anew, or links made beside them are in use.
  std::atomic<bool> mending{false};

  // Writer: the next slot to assign. At least the clock's committed; more only after a commit that failed in prepare.
  std::uint32_t next_slot = 0;
  // Writer: slots below next_slot whose request failed; the next commit marks them dead.
  std::vector<std::uint32_t> abandoned;
  // Live records as of the clock; stored by the writer, after the clock.
  std::atomic<std::uint64_t> live{0};

  // Deaths whose records are still in the store, oldest first.
  Mutex purge_mutex;
  std::vector<DeadSlots> unpurged ABSL_GUARDED_BY(purge_mutex);
  // Purged, but their deletes entries are needed until files that know them are published.
  std::vector<std::uint64_t> purged_seqs ABSL_GUARDED_BY(purge_mutex);

  // Whether a reader's clock is still the newest there is.
  bool IsNewest(Clock clock) const { return LoadClock().epoch == clock.epoch && !renewed_.load(); }

 private:
  static inline std::atomic<std::uint32_t> first_epoch_{1};
  std::shared_ptr<Generation> successor_;  // writer: of Renew
  std::atomic<bool> renewed_{false};
  std::atomic<std::uint64_t> clock_{std::uint64_t{1}};  // {committed 0, epoch 1}
  mutable Mutex stamp_mutex_;                           // orders clock_ with commit_seq_
  std::uint64_t commit_seq_ ABSL_GUARDED_BY(stamp_mutex_) = 0;
};

// Bytes of rows below which a scan takes about as long as a walk, and is exact: no graph is built.
inline constexpr std::uint64_t kMinGraphBytes = std::uint64_t{4} << 20;

CollectionOptions OptionsOf(const storage::VectorFieldSchema& field);

// What published links must say. dim: of the vectors; options may not know it yet.
LinkFileStamp StampOf(const CollectionOptions& options, std::size_t dim, const storage::PublishedFiles& files);

// Which codes rows have, as far as they can be made anew: not the same for codes of other components or bits.
struct CodeChoice {
  std::uint32_t held = 0;  // components; 0 for all, and for no codes
  CodeBits bits = CodeBits::kEight;

  bool operator==(const CodeChoice&) const = default;
};
CodeChoice CodesOf(const Graph& graph);

// Counts, for Graph::CodesAreOutgrown, the linked rows of a graph over this generation's slots, once. Not while nodes
// are mapped: nothing then. Call as the graph's linker.
void CountLeftOut(const Generation& generation, Graph* graph);

// Measures the recall curve of a generation's graph, unless stop() says so meanwhile. One caller at a time per graph.
// Throws std::bad_alloc.
void MeasureRecall(const Generation& generation, Metric metric, Clock clock, const std::function<bool()>& stop);

}  // namespace vdb

#endif  // VDB_DB_GENERATION_H_
