// CommitGroup: one turn of the commit queue. Prepare does everything that can fail with nothing visible changed; then
// one write of the store; then apply, which is memory only; then the clocks.
//
// Thread safety: lives on the leader's stack.
#ifndef VDB_DB_COMMIT_GROUP_H_
#define VDB_DB_COMMIT_GROUP_H_

#include <vdb/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "vdb/db/commit_queue.h"
#include "vdb/db/in_flight.h"
#include "vdb/storage/store.h"

namespace vdb {

class DatabaseImpl;

class CommitGroup {
 public:
  CommitGroup(DatabaseImpl* database, std::span<CommitRequest* const> requests);

  // Sets every request's status and removed. Throws std::bad_alloc where slots are assigned that no commit will have,
  // or records killed: writing must stop then.
  void Process();

 private:
  // What the group does to one generation.
  struct Touched {
    CollectionImpl* collection = nullptr;
    std::uint64_t live = 0;
    std::vector<std::uint32_t> killed;  // slots visible before or written in this group
    absl::flat_hash_set<std::uint32_t> killed_set;
  };
  struct StagedUpsert {
    const Generation* generation;
    std::uint32_t slot;
    std::string_view payload;  // of the request
  };

  Status Prepare(CommitRequest* request);
  // Writes rows, columns and ids of the request's upserts past the committed end; assigns slots.
  Status WriteRows(CommitRequest* request);
  Status WriteVectors(CommitRequest* request);
  Status ResolveAndStage(CommitRequest* request);
  void AbandonSlots(const CommitRequest& request);
  Status StageFilterDelete(FilterDelete* filter_delete, std::uint64_t* removed);
  Result<std::optional<std::uint32_t>> CurrentSlot(Generation* generation, std::string_view id);
  void Kill(Generation* generation, std::string_view id, std::uint32_t slot);
  Touched& Touch(CollectionImpl* collection);
  bool IsKilled(const Generation& generation, std::uint32_t slot) const;
  void Apply() noexcept;

  DatabaseImpl& database_;
  const std::span<CommitRequest* const> requests_;
  const std::uint64_t commit_seq_;
  storage::StoreBatch batch_;
  bool sync_ = false;
  bool staged_ = false;
  bool staging_ = false;  // of a request, part of which may be staged
  std::map<Generation*, Touched> touched_;
  std::vector<StagedUpsert> upserts_;
  std::vector<std::uint32_t> slots_;  // of the request being prepared, one per mutation; deletes have 0
  InFlightIds::Slots before_;         // ids changed so far: slot before the group
  InFlightIds::Slots now_;            // ids changed so far: slot after what is staged
};

}  // namespace vdb

#endif  // VDB_DB_COMMIT_GROUP_H_
