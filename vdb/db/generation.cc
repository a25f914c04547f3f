#include "vdb/db/generation.h"

#include <bit>
#include <optional>
#include <utility>

#include "vdb/index/calibration.h"

namespace vdb {

std::shared_ptr<Generation> Generation::Renew() const {
  auto renewed = std::make_shared<Generation>(key, directory);
  renewed->fields = fields;
  renewed->vectors = vectors;
  renewed->graph = graph;
  renewed->links = links;
  renewed->deaths.Reserve(next_slot);
  for (std::uint64_t word = 0; word * 64 < next_slot; ++word) {
    for (std::uint64_t dead = deaths.DeadWord(word); dead != 0; dead &= dead - 1) {
      renewed->deaths.Kill(static_cast<std::uint32_t>(word * 64 + static_cast<std::uint64_t>(std::countr_zero(dead))),
                           1);
    }
  }
  renewed->abandoned = abandoned;
  renewed->next_slot = next_slot;
  renewed->live.store(live.load(std::memory_order_relaxed), std::memory_order_relaxed);
  const StampedClock stamped = LoadStampedClock();
  renewed->PublishClock({.committed = stamped.clock.committed, .epoch = 1}, stamped.commit_seq);
  return renewed;
}

CollectionOptions OptionsOf(const storage::VectorFieldSchema& field) {
  return {.dim = field.dim,
          .metric = field.metric,
          .m = field.m,
          .ef_construction = field.ef_construction,
          .codes = field.code};
}

LinkFileStamp StampOf(const CollectionOptions& options, std::size_t dim, const storage::PublishedFiles& files) {
  return {.m = options.m,
          .slots = files.slots,
          .commit_seq = files.commit_seq,
          .codes = ResolveCodes(options.codes, dim),
          .metric = options.metric,
          .dim = dim};
}

CodeChoice CodesOf(const Graph& graph) {
  const CodeSpace* space = graph.code_space();
  if (space == nullptr) return {};
  return {.held = static_cast<std::uint32_t>(space->components().held().size()), .bits = space->bits()};
}

void CountLeftOut(const Generation& generation, Graph* graph) {
  if (CodesOf(*graph).held == 0 || graph->MappedLevel0() != nullptr) return;
  const std::function<bool(std::uint32_t)> has_row = generation.HasRow();
  for (std::uint32_t slot = 0; slot < graph->linked(); ++slot) {
    if (!generation.deaths.IsDead(slot) && (has_row == nullptr || has_row(slot)))
      graph->CountLeftOut(slot, generation.vectors->view().row(slot));
  }
}

void MeasureRecall(const Generation& generation, Metric metric, Clock clock, const std::function<bool()>& stop) {
  const VectorView vectors = generation.vectors->view();
  const DistanceFunction distance(metric, vectors.dim);
  std::optional<RecallCurve> curve = Calibrate({.graph = *generation.graph,
                                                .vectors = vectors,
                                                .distance = distance,
                                                .deaths = generation.deaths,
                                                .clock = clock,
                                                .has_row = generation.HasRow()},
                                               stop);
  if (curve) generation.graph->SetRecallCurve(std::make_unique<const RecallCurve>(*std::move(curve)));
}

std::uint64_t Generation::LiveWithoutVector(std::uint32_t slots) const {
  const MarkedRows& marked = fields->without_vector();
  if (marked.count() == 0) return 0;
  std::uint64_t live_ones = 0;
  for (std::uint64_t word = 0; word * 64 < slots; ++word) {
    live_ones += static_cast<std::uint64_t>(std::popcount(marked.Word(word) & ~deaths.DeadWord(word)));
  }
  return live_ones;
}

void Generation::HandOver(const std::shared_ptr<Generation>& renewed) noexcept {
  MutexLock old_lock(&purge_mutex);
  MutexLock new_lock(&renewed->purge_mutex);
  renewed->unpurged.swap(unpurged);
  renewed->purged_seqs.swap(purged_seqs);
  for (DeadSlots& entry : renewed->unpurged) entry.epoch = 1;
  successor_ = renewed;
  renewed_.store(true);
}

}  // namespace vdb
