// CollectionImpl: int8 codes are made anew where they no longer fit the rows.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
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
namespace {

constexpr std::uint32_t kMaxRows = std::numeric_limits<std::uint32_t>::max();

bool MayHaveOtherCodes(const Generation& generation) {
  return generation.graph->code_space() != nullptr && generation.graph->MappedLevel0() == nullptr &&
         !generation.verifying.load(std::memory_order_acquire);
}

}  // namespace

bool CollectionImpl::CodesAreOutgrown(const Generation& generation) const {
  return MayHaveOtherCodes(generation) && generation.graph->CodesAreOutgrown() &&
         generation.graph->linked() >= codes_due_rows_.load(std::memory_order_relaxed);
}

std::shared_ptr<const CodeSpace> CollectionImpl::BetterCodes(const Generation& generation, bool idle) {
  const Graph& graph = *generation.graph;
  const CodeSpace* space = graph.code_space();
  if (!MayHaveOtherCodes(generation)) return nullptr;
  if (CodesAreOutgrown(generation)) return std::make_shared<const CodeSpace>(WithAllComponents(*space));
  const std::uint32_t linked = graph.linked();
  // A graph that was linked from its first rows on was given codes when there were too few to measure what neighbours
  // differ in, and later rows may be nearer to each other than packed codes can tell. It is looked at when there are
  // enough of them, and each time there are twice as many, before recall is measured.
  if (!idle || !CalibrationIsDue(generation) || fixed_options_.metric == Metric::kInnerProduct ||
      linked < std::max(kMinRowsToMeasure, measured_due_rows_.load(std::memory_order_relaxed))) {
    return nullptr;
  }
  measured_due_rows_.store(linked > kMaxRows / 2 ? kMaxRows : 2 * linked, std::memory_order_relaxed);
  const std::function<bool(std::uint32_t)> has_row = generation.HasRow();
  CodeSpace measured = MeasureCodeSpace(
      fixed_options_.metric, generation.vectors->view(), linked,
      [&](std::uint32_t slot) { return !generation.deaths.IsDead(slot) && (has_row == nullptr || has_row(slot)); },
      [this] { return IsEnding(); });
  if (IsEnding()) return nullptr;
  const bool fewer_components = space->components().AreAll() && !measured.components().AreAll();
  if (measured.bits() == space->bits() && !fewer_components) return nullptr;
  return std::make_shared<const CodeSpace>(std::move(measured));
}

void CollectionImpl::RenewCodesIfDue(bool idle, ThreadPool* pool) {
  const std::shared_ptr<Generation> generation = PinView()->generation;
  const std::uint32_t linked = generation->graph->linked();
  bool failed = false;
  try {
    std::shared_ptr<const CodeSpace> space = BetterCodes(*generation, idle);
    if (space == nullptr) return;
    SyncPoints::Reached("codes.before_renewal");
    GraphCopy copy(generation->graph, std::move(space));
    if (!copy.Encode(generation->vectors->view(), pool, [this] { return IsEnding(); })) return;
    failed = !TakeCopy(*generation, &copy);
  } catch (const std::bad_alloc&) {
    failed = true;  // the copy stands beside the graph for a while
  }
  // Not again at every tick.
  if (failed) codes_due_rows_.store(linked > kMaxRows / 2 ? kMaxRows : linked + linked / 8, std::memory_order_relaxed);
}

bool CollectionImpl::TakeCopy(const Generation& generation, GraphCopy* copy) {
  MutexLock publishing(&publish_mutex_);
  const PriorityLock linking(&link_mutex_);
  const std::shared_ptr<const View> view = PinView();
  if (view->generation->graph != generation.graph) return true;  // given up with its generation
  const std::shared_ptr<Graph> graph = copy->Finish(generation.vectors->view(), &database_.pool());
  CountLeftOut(*view->generation, graph.get());
  if (graph->CodesAreOutgrown()) return true;  // a sample does not show everything
  const Status renewed = database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    if (writer_generation_->graph != generation.graph) return OkStatus();  // the same
    try {
      const std::shared_ptr<Generation> next = writer_generation_->Renew();
      next->graph = graph;
      TakePlace(next);
    } catch (const std::bad_alloc&) {
      return ResourceExhaustedError("out of memory while codes were made anew");
    }
    return OkStatus();
  });
  if (renewed.ok()) SyncPoints::Reached("codes.renewed");
  return renewed.ok();
}

}  // namespace vdb
