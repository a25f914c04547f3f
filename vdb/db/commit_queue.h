// The one ordered queue of a database through which every change goes, with group commit.
//
// The thread at the head of the queue leads: it takes a group of waiting requests, prepares them in order, writes them
// to the store as one batch, applies them, and wakes the others. Order in the queue is order of commit.
// Thread safety: safe from any thread.
// Source: DatabaseImpl holds one; the steps of a group stand in commit_group.h.
#ifndef VDB_DB_COMMIT_QUEUE_H_
#define VDB_DB_COMMIT_QUEUE_H_

#include <vdb/filter.h>
#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vdb/fields/payload_parser.h"
#include "vdb/query/filter_tree.h"
#include "vdb/storage/store.h"
#include "vdb/util/mutex.h"

namespace vdb {

class CollectionImpl;
class Generation;

// One upsert or delete of an id, validated: nothing about it can fail but the machine.
struct Mutation {
  CollectionImpl* collection = nullptr;
  bool is_delete = false;
  bool without_vector = false;
  std::string_view id;
  std::string_view payload;
  std::span<const float> vector;  // as given: what the store keeps
  std::vector<float> normalised;  // under cosine: what the index keeps
  ParsedPayload parsed;

  std::span<const float> index_vector() const {
    return normalised.empty() ? vector : std::span<const float>(normalised);
  }
  storage::RecordEntry Stored(std::uint32_t slot) const {
    return {.slot = slot, .id = id, .payload = payload.empty() ? "{}" : payload, .without_vector = without_vector};
  }
  // Appends the row of the vector file: of a record without a vector it is zeros, which nobody looks at.
  void AppendRow(std::size_t dim, std::vector<float>* rows) const {
    if (without_vector) {
      rows->resize(rows->size() + dim);
    } else {
      rows->insert(rows->end(), index_vector().begin(), index_vector().end());
    }
  }
};

// A delete by filter: what matched on the state that was looked at; what came since is judged in the queue.
struct FilterDelete {
  CollectionImpl* collection = nullptr;
  const Generation* generation = nullptr;
  std::uint32_t evaluated_end = 0;   // slots below were judged
  std::vector<std::uint32_t> slots;  // of those, the ones that match
  FilterNodePtr filter;
  bool generation_changed = false;  // out: judge again on the new generation
};

struct CommitRequest {
  std::vector<Mutation> mutations;
  std::optional<FilterDelete> filter_delete;
  // Runs alone, instead of mutations: changes of the catalog, switches of generations.
  std::function<Status()> exclusive;
  Durability durability = Durability::kSync;

  // Out.
  Status status;
  std::uint64_t removed = 0;  // records that existed and were deleted
  bool done = false;          // guarded by the queue's lock
};

class CommitQueue {
 public:
  // process runs on the leading thread, one group at a time; it sets every request's status and removed.
  explicit CommitQueue(std::function<void(std::span<CommitRequest* const>)> process) : process_(std::move(process)) {}

  // Waits until the request has been processed.
  void Run(CommitRequest* request);

  // Groups processed, and the requests in them: group commit shows as requests > groups.
  std::uint64_t groups() const;
  std::uint64_t requests() const;

 private:
  // The requests at the head that may go together.
  std::vector<CommitRequest*> TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<void(std::span<CommitRequest* const>)> process_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<CommitRequest*> waiting_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t groups_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vdb

#endif  // VDB_DB_COMMIT_QUEUE_H_
