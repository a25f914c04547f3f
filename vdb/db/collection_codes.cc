// CollectionImpl: int8 codes are made anew where they no longer fit the rows.

#include <functional>
#include <memory>
#include <new>
#include <utility>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/index/graph_copy.h"
#include "vdb/index/measured_code_space.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/sync_point.h"

namespace vdb {

std::shared_ptr<const CodeSpace> CollectionImpl::BetterCodes(const Generation& generation, bool idle) const {
  const Graph& graph = *generation.graph;
  const CodeSpace* space = graph.code_space();
  if (space == nullptr || graph.MappedLevel0() != nullptr || generation.verifying.load(std::memory_order_acquire)) {
    return nullptr;
  }
  if (graph.CodesAreOutgrown()) return std::make_shared<const CodeSpace>(WithAllComponents(*space));
  // A graph that was linked from its first rows on was given codes when there were too few to measure what may be left
  // out. It has enough of them now, or twice as many as when that was looked at last.
  if (!idle || !CalibrationIsDue(generation) || graph.linked() < kMinRowsToLeaveOut || !space->components().AreAll()) {
    return nullptr;
  }
  const std::function<bool(std::uint32_t)> has_row = generation.HasRow();
  CodeSpace measured = MeasureCodeSpace(
      fixed_options_.metric, generation.vectors->view(), graph.linked(),
      [&](std::uint32_t slot) { return !generation.deaths.IsDead(slot) && (has_row == nullptr || has_row(slot)); });
  if (measured.components().AreAll()) return nullptr;
  return std::make_shared<const CodeSpace>(std::move(measured));
}

void CollectionImpl::RenewCodesIfDue(bool idle, ThreadPool* pool) {
  const std::shared_ptr<Generation> generation = PinView()->generation;
  std::shared_ptr<const CodeSpace> space = BetterCodes(*generation, idle);
  if (space == nullptr) return;
  SyncPoints::Reached("codes.before_renewal");
  MutexLock publishing(&publish_mutex_);
  const PriorityLock linking(&link_mutex_);
  if (PinView()->generation->graph != generation->graph) return;  // another thread was faster
  std::shared_ptr<Graph> copy = CopyWithCodes(*generation->graph, std::move(space), generation->vectors->view(), pool,
                                              [this] { return IsEnding(); });
  if (copy == nullptr) return;
  const Status renewed = database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    if (writer_generation_->graph != generation->graph) return OkStatus();  // given up with its generation
    try {
      const std::shared_ptr<Generation> next = writer_generation_->Renew();
      next->graph = std::move(copy);
      TakePlace(next);
    } catch (const std::bad_alloc&) {
      return ResourceExhaustedError("out of memory while codes were made anew");
    }
    return OkStatus();
  });
  if (renewed.ok()) SyncPoints::Reached("codes.renewed");
}

}  // namespace vdb
