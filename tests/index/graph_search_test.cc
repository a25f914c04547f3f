// Building and walking the graph, on float32 rows and on int8 codes: recall per metric, deletes, filters, limits,
// determinism, equal rows.

#include "vdb/index/graph_search.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <tuple>

#include "tests/index/index_under_test.h"

namespace vdb {
namespace {

constexpr std::size_t kRows = 6'000;
constexpr ClusterSpec kSpec;
constexpr ClusterSpec kQuerySpec{.row_seed = 3};

std::string CodesName(const ::testing::TestParamInfo<CodeKind>& info) {
  return std::string(CodeKindName(info.param));
}

class GraphRecall : public ::testing::TestWithParam<std::tuple<Metric, CodeKind>> {};

// Measured with AVX-512: 0.996 for L2 and cosine, 0.98 for inner product, less 0.01.
double Floor(Metric metric) {
  return metric == Metric::kInnerProduct ? 0.96 : 0.985;
}

TEST_P(GraphRecall, IsAboveItsFloorAfterBuildInsertsDeletesAndUnderAFilter) {
  const auto [metric, codes] = GetParam();
  IndexUnderTest index(metric, kSpec.dim, 16, 1, codes);
  const Rows rows = ClusteredRows(kRows, kSpec);
  const Rows queries = ClusteredRows(200, kQuerySpec);
  index.Add(std::span(rows).first(kRows - 100));
  index.LinkAll();
  EXPECT_GE(index.Recall(queries, 64), Floor(metric)) << "after the build";
  index.Add(std::span(rows).last(100));
  index.LinkAll(200, 1);
  EXPECT_GE(index.Recall(queries, 64), Floor(metric)) << "after single inserts";
  Bitset odd(kRows);
  for (std::uint32_t slot = 1; slot < kRows; slot += 2) odd.Set(slot);
  EXPECT_GE(index.Recall(queries, 64, &odd), Floor(metric)) << "half of the rows match";
  for (std::uint32_t slot = 0; slot < kRows; slot += 3) index.Kill(slot);
  EXPECT_GE(index.Recall(queries, 64), Floor(metric)) << "after deletes";
  EXPECT_GE(index.Recall(queries, 64, &odd), Floor(metric)) << "after deletes, under a filter";
}

INSTANTIATE_TEST_SUITE_P(Metrics, GraphRecall,
                         ::testing::Combine(::testing::Values(Metric::kL2Squared, Metric::kInnerProduct,
                                                              Metric::kCosine),
                                            ::testing::ValuesIn(kCodeKinds)),
                         [](const auto& values) {
                           return std::string(MetricName(std::get<0>(values.param))) + "_" +
                                  std::string(CodeKindName(std::get<1>(values.param)));
                         });

// On either kind of codes.
class GraphSearch : public ::testing::TestWithParam<CodeKind> {
 protected:
  static IndexUnderTest Make(Metric metric = Metric::kL2Squared, std::size_t dim = kSpec.dim, std::uint32_t m = 16,
                             std::size_t threads = 1) {
    return {metric, dim, m, threads, GetParam()};
  }
};
INSTANTIATE_TEST_SUITE_P(Codes, GraphSearch, ::testing::ValuesIn(kCodeKinds), CodesName);

TEST_P(GraphSearch, HitsAreSortedDistinctVisibleAndTheirDistancesExact) {
  IndexUnderTest index = Make();
  index.Add(ClusteredRows(2'000, kSpec));
  index.LinkAll();
  for (std::uint32_t slot = 0; slot < 2'000; slot += 2) index.Kill(slot);
  for (const std::vector<float>& query : ClusteredRows(50, kQuerySpec)) {
    for (const std::size_t ef : {std::size_t{20}, std::size_t{800}}) {
      const GraphSearchResult result =
          index.Walk(query, {.k = 20, .ef = ef, .max_distances = IndexUnderTest::kNoLimit});
      ASSERT_EQ(result.hits.size(), 20U);
      EXPECT_FALSE(result.gave_up);
      EXPECT_TRUE(std::is_sorted(result.hits.begin(), result.hits.end()));
      std::set<std::uint32_t> slots;
      for (const ScoredSlot& hit : result.hits) {
        EXPECT_EQ(hit.slot % 2, 1U);
        EXPECT_TRUE(slots.insert(hit.slot).second);
        const float exact = index.distance()(query.data(), index.vectors().view().row(hit.slot));
        EXPECT_NEAR(hit.distance, exact, 1e-4F * exact);
      }
    }
  }
}

TEST_P(GraphSearch, FindsEverythingWhenEfIsTheWholeGraph) {
  IndexUnderTest index = Make(Metric::kL2Squared, 8, 4);
  index.Add(ClusteredRows(600, {.clusters = 5, .dim = 8}));
  index.LinkAll(50);
  const auto hits =
      index.Walk(std::vector<float>(8, 0.0F), {.k = 600, .ef = 600, .max_distances = IndexUnderTest::kNoLimit}).hits;
  std::set<std::uint32_t> slots;
  for (const ScoredSlot& hit : hits) slots.insert(hit.slot);
  EXPECT_EQ(hits.size(), 600U);
  EXPECT_EQ(slots.size(), 600U);
}

TEST_P(GraphSearch, GivesUpAtItsLimit) {
  IndexUnderTest index = Make();
  index.Add(ClusteredRows(2'000, kSpec));
  index.LinkAll();
  const std::vector<float> query(kSpec.dim, 0.0F);
  Bitset odd(2'000);
  for (std::uint32_t slot = 1; slot < 2'000; slot += 2) odd.Set(slot);
  for (const Bitset* matches : {static_cast<const Bitset*>(nullptr), static_cast<const Bitset*>(&odd)}) {
    const auto walk = [&](std::uint64_t max_distances) {
      return index.Walk(query, {.k = 10, .ef = 200, .max_distances = max_distances, .matches = matches});
    };
    const GraphSearchResult given_up = walk(100);
    EXPECT_TRUE(given_up.gave_up);
    EXPECT_TRUE(given_up.hits.empty());
    EXPECT_GT(given_up.distances, 100U);
    EXPECT_FALSE(walk(2'000).gave_up);
    EXPECT_EQ(walk(2'000).hits.size(), 10U);
  }
}

TEST_P(GraphSearch, AnEmptyGraphLooksAtNothing) {
  IndexUnderTest index = Make(Metric::kCosine);
  const std::vector<float> query(kSpec.dim, 1.0F);
  EXPECT_EQ(index.Walk(query, {.k = 10, .ef = 10, .max_distances = 100}).linked, 0U);
  index.Add(ClusteredRows(10, kSpec));
  const GraphSearchResult result = index.Walk(query, {.k = 10, .ef = 10, .max_distances = 100});
  EXPECT_EQ(result.linked, 0U);
  EXPECT_TRUE(result.hits.empty());
}

TEST_P(GraphSearch, RowsThatWereDeadWhenLinkedAreNoNodesOfAnyPath) {
  IndexUnderTest index = Make();
  index.Add(ClusteredRows(1'000, kSpec));
  for (std::uint32_t slot = 0; slot < 1'000; slot += 2) index.Kill(slot);
  index.LinkAll();
  for (std::uint32_t slot = 0; slot < 1'000; ++slot) {
    const std::uint32_t* links = index.graph().Links(slot, 0);
    for (std::uint32_t i = 0; i < index.graph().Degree(0); ++i) {
      if (slot % 2 == 0) {
        EXPECT_EQ(links[i], slot);
      } else if (links[i] != slot) {
        EXPECT_EQ(links[i] % 2, 1U);
      }
    }
  }
  EXPECT_GE(index.Recall(ClusteredRows(50, kQuerySpec), 64), 0.99);
}

// Where all that was linked has died, new rows hang on dead ones: they must be found, and linking must not walk the
// whole graph for each of them.
TEST_P(GraphSearch, RowsLinkedAfterEverythingDiedAreFound) {
  IndexUnderTest index = Make();
  index.Add(ClusteredRows(5'000, kSpec));
  index.LinkAll();
  for (std::uint32_t slot = 0; slot < 5'000; ++slot) index.Kill(slot);
  const Rows rows = ClusteredRows(300, kQuerySpec);
  for (const std::vector<float>& row : rows) {
    index.Add({&row, 1});
    index.LinkAll();
  }
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const auto hits = index.Walk(rows[i], {.k = 1, .ef = 16, .max_distances = IndexUnderTest::kNoLimit}).hits;
    found += !hits.empty() && hits[0].slot == 5'000 + i;
  }
  EXPECT_GE(found, rows.size() * 98 / 100);
}

TEST_P(GraphSearch, AnyNumberOfThreadsMakesTheSameGraph) {
  const Rows rows = ClusteredRows(3'000, kSpec);
  std::set<std::uint64_t> hashes;
  for (const std::size_t threads : {1U, 2U, 4U}) {
    IndexUnderTest index = Make(Metric::kL2Squared, kSpec.dim, 16, threads);
    index.Add(rows);
    for (std::uint32_t slot = 5; slot < 3'000; slot += 50) index.Kill(slot);
    index.LinkAll();
    hashes.insert(index.GraphHash());
  }
  EXPECT_EQ(hashes.size(), 1U);
}

TEST_P(GraphSearch, BatchesThatWereGivenUpLeaveNoTrace) {
  const Rows rows = ClusteredRows(2'000, kSpec);
  IndexUnderTest expected = Make(Metric::kL2Squared, kSpec.dim);
  IndexUnderTest index = Make(Metric::kL2Squared, kSpec.dim, 16, 2);
  expected.Add(rows);
  index.Add(rows);
  expected.LinkAll();
  // At every stage: the distances of a batch's rows to each other come in 64 tiles, then every row is searched for.
  std::atomic<int> left{10};
  std::atomic<int> given_up{0};
  index.LinkAll(200, kMaxBatchRows, [&] {
    if (left.fetch_sub(1) > 0) return false;
    left.store(10 + given_up.fetch_add(1) % 5 * 150);
    return true;
  });
  EXPECT_GT(given_up.load(), 4);
  EXPECT_EQ(index.GraphHash(), expected.GraphHash());
}

// Equal rows are each other's nearest neighbours, but must not cut each other off from the rest; nor get lost.
class EqualRowsTest : public ::testing::TestWithParam<std::tuple<Metric, bool, CodeKind>> {};

TEST_P(EqualRowsTest, LeaveOthersReachableAndAreAllReachable) {
  constexpr std::uint32_t kEqual = 1'500;
  const auto [metric, shuffled, codes] = GetParam();
  const std::vector<float> same(16, 1.0F);
  Rows rows(kEqual, same);
  for (std::vector<float>& row : ClusteredRows(500, {.clusters = 10, .dim = 16})) rows.push_back(std::move(row));
  if (shuffled) std::shuffle(rows.begin(), rows.end(), std::mt19937(3));
  IndexUnderTest index(metric, 16, 8, 1, codes);
  for (const std::vector<float>& row : rows) index.Add({&row, 1});
  index.LinkAll(100);
  EXPECT_GE(index.Recall(ClusteredRows(50, {.clusters = 10, .dim = 16, .row_seed = 9}), 64), 0.95);
  EXPECT_EQ(index.Recall({same}, 64), 1.0);
  std::uint32_t reached = 0;
  std::uint32_t asked = 0;
  for (std::uint32_t slot = 0; slot < rows.size(); slot += 7) {
    if (rows[slot] != same) continue;
    Bitset matches(rows.size());
    matches.Set(slot);
    ++asked;
    reached += index.Walk(same, {.k = 1, .ef = 16, .max_distances = IndexUnderTest::kNoLimit, .matches = &matches})
                   .hits.size();
  }
  EXPECT_GE(reached, asked * 99 / 100);
}

INSTANTIATE_TEST_SUITE_P(All, EqualRowsTest,
                         ::testing::Combine(::testing::Values(Metric::kL2Squared, Metric::kCosine), ::testing::Bool(),
                                            ::testing::ValuesIn(kCodeKinds)),
                         [](const auto& values) {
                           return std::string(MetricName(std::get<0>(values.param))) +
                                  (std::get<1>(values.param) ? "_shuffled_" : "_in_a_block_") +
                                  std::string(CodeKindName(std::get<2>(values.param)));
                         });

TEST_P(GraphSearch, EveryMFromTwoOn) {
  for (const std::uint32_t m : {2U, 3U, 7U, 48U, 128U}) {
    IndexUnderTest index = Make(Metric::kL2Squared, 12, m);
    index.Add(ClusteredRows(1'200, {.clusters = 10, .dim = 12}));
    index.LinkAll(60);
    EXPECT_GE(index.Recall(ClusteredRows(50, {.clusters = 10, .dim = 12, .row_seed = 9}), 128), m < 4 ? 0.6 : 0.98)
        << m;
  }
}

TEST(Graph, LevelsAreGeometric) {
  const Graph graph(16);
  std::vector<std::uint32_t> count(kMaxLevel + 1);
  constexpr std::uint32_t kSlots = 1'000'000;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) ++count[graph.LevelOf(slot)];
  EXPECT_NEAR(count[1], kSlots * 15.0 / 256, 1'000);
  EXPECT_NEAR(count[2], kSlots * 15.0 / 4096, 250);
  EXPECT_EQ(graph.LevelOf(0), 0U) << "levels are persistent: a graph file depends on them";
}

}  // namespace
}  // namespace vdb
