// CollectionImpl: reads by id, counts, statistics.

#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/db/store_payloads.h"
#include "vdb/db/validation.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

Status CollectionImpl::CheckUsable() const {
  VDB_RETURN_IF_ERROR(database_.CheckUsable());
  if (dropped()) {
    return FailedPreconditionError(StrCat("collection '", name_, "' has been dropped"), StatusReason::kClosed);
  }
  return OkStatus();
}

std::shared_ptr<const View> CollectionImpl::PinView() const {
  MutexLock lock(&view_mutex_);
  return view_;
}

Snapshot CollectionImpl::TakeSnapshot() const {
  // The View first: what it shows cannot be purged from here on, whatever the clock says by the time it is loaded.
  Snapshot snapshot{.view = PinView(), .clock = {}};
  snapshot.clock = snapshot.view->generation->LoadClock();
  return snapshot;
}

Result<std::optional<std::uint32_t>> CollectionImpl::FindVisible(std::string_view id, Snapshot* snapshot) const {
  using Found = std::optional<std::uint32_t>;
  for (;;) {
    *snapshot = TakeSnapshot();
    const Generation& generation = *snapshot->view->generation;
    VDB_ASSIGN_OR_RETURN(const Found stored, database_.store().FindId(generation.key, id));
    if (stored && generation.deaths.IsVisible(*stored, snapshot->clock)) return stored;
    // The store is ahead of the clock, or has no such id. A commit under way says what it replaces; one that has just
    // published its clock is found by looking again.
    const std::optional<Found> before = database_.in_flight().Find(generation.key, id);
    if (before) {
      if (!*before) return Found();
      if (generation.deaths.IsVisible(**before, snapshot->clock)) return *before;
    }
    const Clock now = generation.LoadClock();
    if (now.epoch == snapshot->clock.epoch && PinView() == snapshot->view) return Found();
  }
}

Result<Record> CollectionImpl::ReadRecord(const Generation& generation, std::uint32_t slot, bool with_vector) const {
  Record record;
  VDB_RETURN_IF_ERROR(database_.store().GetRecord(generation.key, slot, &record.id, &record.payload));
  if (with_vector) VDB_RETURN_IF_ERROR(ReadVector(generation, slot, &record.vector));
  return record;
}

Status CollectionImpl::ReadVector(const Generation& generation, std::uint32_t slot, std::vector<float>* vector) const {
  vector->clear();
  if (generation.fields->without_vector().Test(slot)) return OkStatus();
  return database_.store().GetVector(generation.key, slot, vector);
}

Result<Record> CollectionImpl::Get(std::string_view id, bool with_vector) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(ValidateId(id));
  Snapshot snapshot;
  VDB_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> slot, FindVisible(id, &snapshot));
  if (!slot) return NotFoundError(StrCat("no record '", id, "' in collection '", name_, "'"));
  return ReadRecord(*snapshot.view->generation, *slot, with_vector);
}

Result<FilterProgram> CollectionImpl::CompileFilter(const Filter& filter, std::span<const Value> bind,
                                                    const Snapshot& snapshot) const {
  return FilterProgram::Compile(filter, bind, *snapshot.view->generation->fields);
}

Result<std::uint64_t> CollectionImpl::Count(const Filter& filter, std::span<const Value> bind) const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  const Snapshot snapshot = TakeSnapshot();
  const Generation& generation = *snapshot.view->generation;
  VDB_ASSIGN_OR_RETURN(const FilterProgram program, CompileFilter(filter, bind, snapshot));
  StorePayloads payloads(database_.store(), generation.key);
  VDB_ASSIGN_OR_RETURN(const MatchSet matches, ComputeMatches(program, generation.deaths, snapshot.clock, payloads));
  return matches.count;
}

Result<CollectionStats> CollectionImpl::Stats() const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  const Snapshot snapshot = TakeSnapshot();
  const Generation& generation = *snapshot.view->generation;
  CollectionStats stats;
  {
    MutexLock lock(&counters_mutex_);
    stats = counters_;
  }
  stats.name = name_;
  stats.options = options();
  stats.records = generation.live.load(std::memory_order_relaxed);
  stats.slots = snapshot.clock.committed;
  stats.generation = generation.key.generation;
  stats.linked = generation.graph->linked();
  stats.oldest_view_seconds = OldestViewSeconds();
  stats.publish_failures = publish_failures_.load(std::memory_order_relaxed);
  stats.published = published_slots_.load(std::memory_order_relaxed);
  stats.verifying = generation.verifying.load(std::memory_order_acquire);
  stats.anonymous_bytes = generation.graph->MemoryBytes() + generation.fields->MemoryBytes();
  stats.mapped_bytes = generation.vectors->file_bytes();
  stats.paths = generation.fields->Paths().size();
  stats.unindexed_rows = generation.fields->unindexed_rows();
  return stats;
}

}  // namespace vdb
