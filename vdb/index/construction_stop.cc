#include "vdb/index/construction_stop.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "vdb/index/codes.h"
#include "vdb/index/construction_search.h"
#include "vdb/index/neighbour_selection.h"

namespace vdb {
namespace {

constexpr std::uint32_t kSampleRows = 256;
constexpr std::size_t kRowsPerTask = 8;
// Of the nearest 64 that the whole search finds. Builds that lost about that had the recall of those that lost nothing,
// to 0.002; with 3 % lost it was 0.005 to 0.01 less.
constexpr double kMinKeptShare = 0.9925;
// Of the links that would be chosen after the whole search. In clusters a search that ends early misses no near row,
// but the links to other clusters: where these arrive one after the other, 0.93 cost 0.004 to 0.008 of recall.
constexpr double kMinLinkShare = 0.95;
constexpr std::array<float, 9> kFactors = {
    1.02F, 1.035F, 1.05F, 1.07F, 1.1F, 1.15F, 1.25F, 1.5F, std::numeric_limits<float>::infinity()};

template <typename Rows>
class StopMeasurement {
 public:
  StopMeasurement(const Graph& graph, const BuildContext& context, const Rows& rows)
      : graph_(graph), context_(context), rows_(rows), linked_(graph.linked()) {}

  // The smallest factor that is enough, looked for from `factor` on.
  float Run(float factor) {
    ChooseSample();
    if (sample_.empty()) return factor;
    whole_.resize(sample_.size());
    ForSample([&](std::size_t i) { whole_[i] = Search(sample_[i], kFactors.back()); });
    auto best = std::ranges::lower_bound(kFactors, factor);
    if (IsEnough(*best)) {
      while (best != kFactors.begin() && IsEnough(*(best - 1))) --best;
    } else {
      while (!IsEnough(*best)) ++best;
    }
    return *best;
  }

 private:
  // Evenly spaced; the entry point cannot be hidden from a walk.
  void ChooseSample() {
    if (!graph_.LoadEntryPoint(&entry_)) return;
    for (std::uint64_t i = 0; i < kSampleRows; ++i) {
      auto slot = static_cast<std::uint32_t>(i * linked_ / kSampleRows);
      const auto end = static_cast<std::uint32_t>((i + 1) * linked_ / kSampleRows);
      while (slot < end && !IsUsable(slot)) ++slot;
      if (slot < end) sample_.push_back(slot);
    }
  }

  bool IsUsable(std::uint32_t slot) const {
    if (slot == entry_.slot || context_.deaths->IsDead(slot)) return false;
    return context_.has_row == nullptr || context_.has_row(slot);
  }

  template <typename Body>
  void ForSample(const Body& body) {
    context_.pool->ParallelFor(sample_.size(), kRowsPerTask, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) body(i);
    });
  }

  struct Found {
    std::vector<ScoredSlot> nearest;   // no more of them than count
    std::vector<std::uint32_t> links;  // ascending
  };

  // What linking the row now would find and choose.
  Found Search(std::uint32_t slot, float factor) const {
    thread_local SearchScratch scratch;
    const auto codes = rows_.From(slot);
    Walk walk(graph_, codes, linked_, &scratch.visited);
    walk.Hide(slot);
    const StopRule stop = ConstructionStopRule(rows_, slot, factor);
    const WalkLimits limits = ConstructionLimits(context_.ef_construction, 0, stop);
    const auto is_live = [&](std::uint32_t other) { return !context_.deaths->IsDead(other); };
    walk.template Search<kConstructionWidth>(walk.Descend(entry_, 0), limits, is_live,
                                             ConstructionRules(codes, slot, graph_.m()), &scratch.sorted);
    Found found;
    scratch.sorted.Take(&found.nearest, nullptr);
    SelectNeighbours(rows_, slot, found.nearest, graph_.m(), &found.links);
    std::ranges::sort(found.links);
    found.nearest.resize(std::min(found.nearest.size(), kConstructionStopRank));
    return found;
  }

  // How many of something the whole search has, and how many of these a search with some factor.
  struct Share {
    std::size_t kept = 0;
    std::size_t all = 0;
    bool IsAtLeast(double share) const { return static_cast<double>(kept) >= share * static_cast<double>(all); }
  };

  bool IsEnough(float factor) {
    if (std::isinf(factor)) return true;
    std::vector<Found> found(sample_.size());
    ForSample([&](std::size_t i) { found[i] = Search(sample_[i], factor); });
    Share nearest;
    Share links;
    for (std::size_t i = 0; i < sample_.size(); ++i) {
      const Found& whole = whole_[i];
      const float farthest = whole.nearest.empty() ? 0 : whole.nearest.back().distance;
      nearest.kept +=
          std::ranges::count_if(found[i].nearest, [&](const ScoredSlot& one) { return one.distance <= farthest; });
      nearest.all += whole.nearest.size();
      links.kept += std::ranges::count_if(
          found[i].links, [&](std::uint32_t link) { return std::ranges::binary_search(whole.links, link); });
      links.all += whole.links.size();
    }
    return nearest.IsAtLeast(kMinKeptShare) && links.IsAtLeast(kMinLinkShare);
  }

  const Graph& graph_;
  const BuildContext& context_;
  const Rows& rows_;
  const std::uint32_t linked_;
  EntryPoint entry_;
  std::vector<std::uint32_t> sample_;
  std::vector<Found> whole_;  // of each sampled row, with all of ef_construction
};

}  // namespace

template <typename Rows>
void UpdateConstructionStop(Graph* graph, const BuildContext& context, const Rows& rows) {
  ConstructionStop stop = graph->construction_stop();
  const std::uint32_t linked = graph->linked();
  if (stop.due_rows == 0) {
    stop.due_rows = linked + kMinConstructionStopRows;
  } else if (linked >= stop.due_rows) {
    stop.factor = StopMeasurement<Rows>(*graph, context, rows).Run(stop.factor);
    stop.due_rows = std::min<std::uint64_t>(std::uint64_t{kGrowthToMeasureStop} * linked, kNoSlot);
  }
  graph->SetConstructionStop(stop);
}

template void UpdateConstructionStop<Float32Rows>(Graph*, const BuildContext&, const Float32Rows&);
template void UpdateConstructionStop<Int8Rows>(Graph*, const BuildContext&, const Int8Rows&);

}  // namespace vdb
