#include "vdb/index/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "vdb/index/graph_search.h"
#include "vdb/index/scored_slot.h"

namespace vdb {
namespace {

constexpr std::uint32_t kQueries = 128;  // of each sample
// Of a larger k fewer queries say as much: each one counts k neighbours.
constexpr std::array<std::uint32_t, 3> kMeasuredK = {1, 10, 100};
constexpr std::array<std::uint32_t, 3> kEveryQuery = {1, 1, 4};
// Rows that were linked last are almost as if they had never been: hardly a link of others made way for them. An older
// row that is hidden leaves a hole: its walk misses two to three times as many neighbours as that of a new vector
// (measured on MNIST and on WordNet's text embeddings). So the last tenth is measured as it is; where rows come sorted
// it may be unlike the others, therefore a sample of all may not miss more than twice as many.
constexpr std::uint32_t kRecentShare = 10;
constexpr float kHoleFactor = 2;
// Of squared distances. Between 1.02 and 1.3 lies all that is asked for on real data. What lies between two of them is
// interpolated: recall grows ever more slowly with the factor, so that errs towards a larger one.
constexpr std::array<float, 12> kFactors = {1.0F,  1.02F, 1.04F, 1.065F, 1.09F, 1.12F,
                                            1.15F, 1.2F,  1.25F, 1.35F,  1.6F,  2.0F};
// More recall than that is not told apart from all of it by so few queries.
constexpr float kFullRecall = 0.9995F;
// Of cosine's 1 - dot, where that is near 0: two rows that are the same.
constexpr float kCosineRounding = 2e-7F;
// Rows that are compared with all queries before the next ones are: they stay in the cache.
constexpr std::uint32_t kTileRows = 128;

class Calibration {
 public:
  Calibration(const CalibrationInput& input, const std::function<bool()>& stop)
      : input_(input), stop_(stop), linked_(std::min(input.graph.linked(), input.vectors.rows)), clock_(input.clock) {
    clock_.committed = std::min(clock_.committed, linked_);  // rows that are linked meanwhile are no hits
  }

  std::optional<RecallCurve> Run() {
    if (linked_ < kMinCalibrationRows) return std::nullopt;
    // Without codes nothing is known that distances of inner products could be counted from.
    if (input_.distance.metric() == Metric::kInnerProduct && input_.graph.code_space() == nullptr) return std::nullopt;
    ChooseQueries(0);
    all_ = queries_.size();
    ChooseQueries(linked_ - linked_ / kRecentShare);
    if (all_ < kQueries / 2 || queries_.size() - all_ < kQueries / 4 || !FindTruth()) return std::nullopt;
    std::vector<CurvePoint> points;
    for (std::size_t i = 0; i < kMeasuredK.size(); ++i) {
      for (const float factor : kFactors) {
        if (stop_()) return std::nullopt;
        distances_ = 0;
        walks_ = 0;
        points.push_back({.k = kMeasuredK[i], .rows = linked_, .factor = factor, .recall = MeasureRecall(i, factor)});
        // Whoever asks for more than what walks of all rows give is better served by a scan.
        if (points.back().recall >= kFullRecall || distances_ / walks_ > linked_ / 2) break;
      }
    }
    return RecallCurve(std::move(points));
  }

 private:
  bool IsUsable(std::uint32_t slot) const {
    return input_.deaths.IsVisible(slot, clock_) && (input_.has_row == nullptr || input_.has_row(slot));
  }

  // Evenly spaced from `begin` on; the entry point cannot be hidden.
  void ChooseQueries(std::uint32_t begin) {
    EntryPoint entry;
    if (!input_.graph.LoadEntryPoint(&entry)) return;
    const std::uint64_t rows = linked_ - begin;
    for (std::uint64_t i = 0; i < kQueries; ++i) {
      auto slot = static_cast<std::uint32_t>(begin + i * rows / kQueries);
      const auto end = static_cast<std::uint32_t>(begin + (i + 1) * rows / kQueries);
      while (slot < end && (!IsUsable(slot) || slot == entry.slot)) ++slot;
      if (slot < end) queries_.push_back(slot);
    }
  }

  // The distance of the true k-th neighbour of each query, for each measured k.
  bool FindTruth() {
    std::vector<NearestList> nearest(queries_.size(), NearestList(kMeasuredK.back()));
    std::vector<std::uint32_t> rows;
    for (std::uint32_t begin = 0; begin < linked_; begin += std::min(kTileRows, linked_ - begin)) {
      if (stop_()) return false;
      rows.clear();
      for (std::uint32_t slot = begin; slot < std::min(linked_, begin + kTileRows); ++slot) {
        if (IsUsable(slot)) rows.push_back(slot);
      }
      for (std::size_t q = 0; q < queries_.size(); ++q) Compare(queries_[q], rows, &nearest[q]);
    }
    for (NearestList& list : nearest) {
      const std::vector<ScoredSlot> found = list.Take();
      auto& farthest = truth_.emplace_back();
      for (std::size_t i = 0; i < kMeasuredK.size(); ++i) {
        farthest[i] = found.at(std::min<std::size_t>(kMeasuredK[i], found.size()) - 1).distance;
      }
    }
    return true;
  }

  void Compare(std::uint32_t query, const std::vector<std::uint32_t>& rows, NearestList* nearest) const {
    const float* vector = input_.vectors.row(query);
    const auto add = [&](std::uint32_t slot, float distance) {
      if (slot != query && nearest->MayEnter(distance)) nearest->Add({.distance = distance, .slot = slot});
    };
    std::size_t i = 0;
    for (; i + 4 <= rows.size(); i += 4) {
      const float* const four[4] = {input_.vectors.row(rows[i]), input_.vectors.row(rows[i + 1]),
                                    input_.vectors.row(rows[i + 2]), input_.vectors.row(rows[i + 3])};
      float distances[4];
      input_.distance.Four(vector, four, distances);
      for (std::size_t j = 0; j < 4; ++j) add(rows[i + j], distances[j]);
    }
    for (; i < rows.size(); ++i) add(rows[i], input_.distance(vector, input_.vectors.row(rows[i])));
  }

  float MeasureRecall(std::size_t which, float factor) {
    const float all = MeasureSample(which, factor, 0, all_);
    return std::min(1 - (1 - all) / kHoleFactor, MeasureSample(which, factor, all_, queries_.size()));
  }

  // Mean recall of queries [begin, end).
  float MeasureSample(std::size_t which, float factor, std::size_t begin, std::size_t end) {
    const std::size_t k = kMeasuredK[which];
    const float rounding = input_.distance.metric() == Metric::kCosine ? kCosineRounding : 0;
    std::size_t found = 0;
    std::size_t queries = 0;
    for (std::size_t q = begin; q < end; q += kEveryQuery[which], ++queries) {
      GraphSearchOptions options{.k = k, .ef = AdaptivePool(k), .stop_factor = factor};
      options.hidden = queries_[q];
      const GraphSearchResult result = SearchGraph(input_.graph, input_.vectors, input_.distance,
                                                   input_.vectors.row(queries_[q]), options, input_.deaths, clock_);
      // Kernels for one row and for four round differently.
      const float farthest = truth_[q][which] + 1e-5F * std::abs(truth_[q][which]) + rounding;
      for (const ScoredSlot& hit : result.hits) found += hit.distance <= farthest ? 1 : 0;
      distances_ += result.distances;
    }
    walks_ += queries;
    return static_cast<float>(found) / static_cast<float>(k * queries);
  }

  const CalibrationInput& input_;
  const std::function<bool()>& stop_;
  const std::uint32_t linked_;
  Clock clock_;
  std::vector<std::uint32_t> queries_;
  std::size_t all_ = 0;  // of queries_, from all rows; the rest are from the last ones
  std::vector<std::array<float, kMeasuredK.size()>> truth_;
  // Of one factor.
  std::uint64_t distances_ = 0;
  std::uint64_t walks_ = 0;
};

}  // namespace

std::optional<RecallCurve> Calibrate(const CalibrationInput& input, const std::function<bool()>& stop) {
  return Calibration(input, stop).Run();
}

}  // namespace vdb
