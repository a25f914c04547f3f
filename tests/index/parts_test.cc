// The parts of a search by themselves: keys, visited set, pools, neighbour selection, exact scans.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/index/index_under_test.h"
#include "vdb/index/codes.h"
#include "vdb/index/neighbour_selection.h"
#include "vdb/index/search_scratch.h"

namespace vdb {
namespace {

TEST(Graph, MapsOnlyUpperLinksThatFitItsLevels) {
  constexpr std::uint32_t kM = 4;
  constexpr std::uint32_t kCount = 1'000;
  const std::vector<std::uint32_t> level0(kCount * Graph::StrideFor(kM));
  std::vector<std::uint32_t> upper;
  std::vector<std::uint32_t> expected;
  Graph(kM).ForEachRaised(0, kCount, [&](std::uint32_t slot, std::uint32_t level) {
    for (std::uint32_t l = 1; l <= level; ++l) {
      for (std::uint32_t i = 0; i < kM; ++i) upper.push_back((slot * 7 + l * 3 + i) % kCount);
    }
    expected.push_back(slot);
  });
  ASSERT_GT(expected.size(), kCount / kM / 2);
  const auto map = [&](std::span<const std::uint32_t> links) {
    return Graph(kM).Map(level0.data(), kCount, links, nullptr).code();
  };
  Graph graph(kM);
  ASSERT_EQ(graph.Map(level0.data(), kCount, upper, nullptr), OkStatus());
  std::size_t at = 0;
  for (std::uint32_t slot = 0; slot < kCount; ++slot) {
    for (std::uint32_t level = 1; level <= graph.LevelOf(slot); ++level) {
      for (std::uint32_t i = 0; i < kM; ++i) ASSERT_EQ(graph.Links(slot, level)[i], upper[at++]);
    }
  }
  EXPECT_EQ(at, upper.size());
  EXPECT_EQ(map(std::span(upper).first(upper.size() - kM)), StatusCode::kDataLoss);
  std::vector<std::uint32_t> wrong = upper;
  wrong.insert(wrong.end(), kM, 0);
  EXPECT_EQ(map(wrong), StatusCode::kDataLoss);
  wrong = upper;
  wrong[upper.size() / 2] = kCount;
  EXPECT_EQ(map(wrong), StatusCode::kDataLoss);
}

TEST(OrderedKey, OrdersAsScoredSlotsAndComesBack) {
  const float distances[] = {-3e38F, -1.5F, -1e-40F, 0.0F, 1e-40F, 0.25F, 1.0F, 3e38F};
  std::vector<ScoredSlot> sorted;
  for (const float distance : distances) {
    for (const std::uint32_t slot : {0U, 1U, 0xFFFF'FFFEU}) sorted.push_back({distance, slot});
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    EXPECT_EQ(FromOrderedKey(OrderedKey(sorted[i].distance, sorted[i].slot)), sorted[i]);
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      EXPECT_EQ(OrderedKey(sorted[i].distance, sorted[i].slot) < OrderedKey(sorted[j].distance, sorted[j].slot),
                sorted[i] < sorted[j]);
    }
  }
  EXPECT_EQ(OrderedKey(-0.0F, 5), OrderedKey(0.0F, 5));
}

TEST(VisitedSet, GathersEachSlotOnceAndForgets) {
  VisitedSet visited;
  for (int round = 0; round < 3; ++round) {
    visited.Begin(1'000);
    static constexpr std::array kSlots = {5U, 1'000U, 999U, 5U, 64U, 63U, 64U};
    visited.Gather(5);
    visited.Gather(
        kSlots.size(), [](std::size_t i) { return kSlots.at(i); }, [](std::uint32_t slot) { return slot < 1'000; });
    EXPECT_EQ(std::vector(visited.log(), visited.log() + visited.size()), (std::vector<std::uint32_t>{5, 999, 64, 63}));
  }
  visited.Begin(100'000);
  visited.Gather(99'999);
  EXPECT_EQ(visited.size(), 1U);
}

// What both pools must do, written plainly: all that was ever let in, and which of it was expanded.
class PlainPool {
 public:
  explicit PlainPool(const PoolLimits& limits) : limits_(limits) {}

  float Worst() const {
    return accepted_.size() < limits_.acceptable ? worst_ : std::min(worst_, accepted_.back().distance);
  }
  void Insert(ScoredSlot candidate, bool acceptable) {
    open_.push_back(candidate);
    if (!acceptable) return;
    accepted_.insert(std::upper_bound(accepted_.begin(), accepted_.end(), candidate), candidate);
    if (accepted_.size() > limits_.acceptable) accepted_.pop_back();
  }
  bool Next(std::uint32_t* slot) {
    const auto nearest = std::min_element(open_.begin(), open_.end());
    if (nearest == open_.end() || nearest->distance > stop_) return false;
    if (accepted_.size() == limits_.acceptable && accepted_.back() < *nearest) return false;
    *slot = nearest->slot;
    open_.erase(nearest);
    return true;
  }
  // What is beyond the stop rule is a result only as one of the nearest that are kept, and near enough.
  void EndStep() {
    const StopRule& stop = limits_.stop;
    if (stop.rank == 0 || accepted_.size() < stop.rank) return;
    const float nearest = accepted_[stop.rank - 1].distance;
    stop_ = stop.factor * std::max(0.0F, nearest + stop.base) - stop.base;
    const auto [per_root, constant] = limits_.keep.excess;
    const double excess = per_root * std::sqrt(std::max(0.0, double{nearest})) + constant;
    const float within = std::max(stop_, nearest + 2 * static_cast<float>(excess));
    while (accepted_.back().distance > within) accepted_.pop_back();
    while (accepted_.size() > limits_.keep.most && accepted_.back().distance > stop_) accepted_.pop_back();
    worst_ = std::max(stop_, accepted_.back().distance);
    if (accepted_.size() < limits_.keep.most)
      worst_ = std::nextafter(within, INFINITY);  // as near as `within` may enter
  }
  const std::vector<ScoredSlot>& Accepted() const { return accepted_; }

 private:
  const PoolLimits limits_;
  std::vector<ScoredSlot> open_;
  std::vector<ScoredSlot> accepted_;  // nearest first
  float worst_ = INFINITY;
  float stop_ = INFINITY;
};

template <typename Pool>
class Pools : public ::testing::Test {};
using PoolTypes = ::testing::Types<SortedPool, HeapPool>;
TYPED_TEST_SUITE(Pools, PoolTypes);

TEST(KeepRule, IsTwiceTheExcess) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ((KeepRule{.excess = {.per_root = 0.5, .constant = 3}}.KeepWithin(4)), 12);
  EXPECT_EQ((KeepRule{.excess = {.per_root = 0.5, .constant = 3}}.KeepWithin(-4)), 2);
  EXPECT_EQ(KeepRule().KeepWithin(4), kInfinity);
  EXPECT_EQ((KeepRule{.excess = {.constant = std::numeric_limits<double>::quiet_NaN()}}.KeepWithin(4)), kInfinity);
}

// As linking needs them: where few live ones are, the way leads through dead ones.
TEST(SortedPool, KeepsUnacceptableOnesWithoutAKeepRule) {
  SortedPool pool;
  pool.Begin({.acceptable = 10, .stop = {.rank = 2}});
  for (std::uint32_t slot = 1; slot <= 6; ++slot) pool.Insert(static_cast<float>(slot), slot, slot <= 3);
  pool.EndStep();
  std::vector<ScoredSlot> acceptable;
  std::vector<ScoredSlot> others;
  pool.Take(&acceptable, &others);
  EXPECT_EQ(acceptable.size(), 3U);
  EXPECT_EQ(others.size(), 3U);
}

// Without a stop rule as the paper says, with one both as one.
TYPED_TEST(Pools, DoAsThePlainOne) {
  std::mt19937 random(11);
  TypeParam pool;
  std::uint32_t turned_away = 0;
  for (int round = 0; round < 900; ++round) {
    PoolLimits limits{.acceptable =
                          1 + random() % (round % 5 == 0 ? 200 : 20)};  // or so many that few steps are not enough
    if (round % 3 != 0) {
      limits.stop = {.rank = 1 + random() % limits.acceptable,
                     .factor = std::array{1.0F, 1.1F, 1.5F}[random() % 3],
                     .base = std::array{0.0F, 10.0F, 25.0F}[random() % 3]};
      if (round % 3 == 1) limits.keep.most = limits.stop.rank + random() % 8;
      if (round % 2 == 1) {
        limits.keep.excess = {.per_root = std::array{0.0, 0.3}[random() % 2],
                              .constant = std::array{0.0, 2.0, 8.0}[random() % 3]};
      }
    }
    const std::uint32_t acceptable_percent = std::array{100U, 70U, 10U, 0U}[random() % 4];
    PlainPool plain(limits);
    pool.Begin(limits);
    for (std::uint32_t slot = 0; slot < 200; ++slot) {
      const auto distance = static_cast<float>(random() % 50) - 10.0F;  // many ties
      ASSERT_EQ(pool.MayEnter(distance), distance < plain.Worst());
      if (pool.MayEnter(distance)) {
        const bool acceptable = random() % 100 < acceptable_percent;
        pool.Insert(distance, slot, acceptable);
        plain.Insert({distance, slot}, acceptable);
      } else {
        turned_away += plain.Accepted().size() < limits.acceptable ? 1 : 0;
      }
      if (random() % 3 != 0) continue;
      pool.EndStep();
      plain.EndStep();
      std::uint32_t wanted = 0;
      std::uint32_t next = 0;
      std::uint32_t peeked = 0;
      const bool has_next = plain.Next(&wanted);
      ASSERT_EQ(pool.Peek(&peeked), has_next);
      ASSERT_EQ(pool.Next(&next), has_next);
      ASSERT_EQ(next, wanted);
      ASSERT_EQ(peeked, wanted);
    }
    std::vector<ScoredSlot> accepted;
    pool.Take(&accepted, nullptr);
    ASSERT_EQ(accepted, plain.Accepted());
  }
  EXPECT_GT(turned_away, 0U) << "by the stop rule, with room for more";
}

TEST(SortedPool, HoldsNoMoreThanItsLimit) {
  SortedPool pool;
  pool.Begin({.acceptable = 4, .all = 8});
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto distance = static_cast<float>(i * 37 % 100);
    if (pool.MayEnter(distance)) pool.Insert(distance, i, false);
  }
  std::vector<ScoredSlot> accepted;
  std::vector<ScoredSlot> others;
  pool.Take(&accepted, &others);
  EXPECT_TRUE(accepted.empty());
  ASSERT_EQ(others.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(others[i].distance, static_cast<float>(i));
}

// rows: of 400.
template <typename RowSource>
void CheckSelection(const RowSource& rows) {
  for (std::uint32_t node = 0; node < 20; ++node) {
    std::vector<ScoredSlot> candidates;
    for (std::uint32_t slot = 0; slot < 400; ++slot) {
      if (slot != node) candidates.push_back({rows.From(node).One(slot), slot});
    }
    std::sort(candidates.begin(), candidates.end());
    candidates.resize(150 + node);
    for (const std::size_t m : {1U, 5U, 16U, 300U}) {
      std::vector<std::uint32_t> wanted;
      for (const ScoredSlot& candidate : candidates) {
        const bool covered = std::ranges::any_of(
            wanted, [&](std::uint32_t chosen) { return rows.From(chosen).One(candidate.slot) < candidate.distance; });
        if (!covered && wanted.size() < m) wanted.push_back(candidate.slot);
      }
      std::vector<std::uint32_t> chosen;
      SelectNeighbours(rows, node, candidates, m, &chosen);
      EXPECT_EQ(chosen, wanted);
    }
  }
}

TEST(SelectNeighbours, ChoosesAsTheAlgorithmSays) {
  constexpr std::size_t kDim = 6;
  for (const CodeKind codes : kCodeKinds) {
    IndexUnderTest index(Metric::kL2Squared, kDim, 16, 1, codes);
    index.Add(ClusteredRows(400, {.clusters = 8, .dim = kDim}));
    index.LinkAll();
    const VectorView view = index.vectors().view();
    if (codes == CodeKind::kInt8) {
      CheckSelection(Int8Rows(index.graph()));
    } else {
      CheckSelection(Float32Rows(view, index.distance()));
    }
  }
}

}  // namespace
}  // namespace vdb
