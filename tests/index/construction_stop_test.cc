// Where construction searches end: measured when it is due, early where nothing is lost by it, late where much is.

#include "vdb/index/construction_stop.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string>

#include "tests/index/index_under_test.h"

namespace vdb {
namespace {

constexpr ConstructionStop kWholeSearch{.factor = std::numeric_limits<float>::infinity(), .due_rows = kNoSlot};
constexpr float kFirstFactor = ConstructionStop().factor;
// Measured at 1,024 rows and at 4,096, so that small graphs show what comes of it.
constexpr ConstructionStop kMeasuredEarly{.due_rows = 1'024};

struct Set {
  Metric metric = Metric::kL2Squared;
  std::uint32_t m = 16;
  ClusterSpec spec;
};

Rows RowsOf(const Set& set, std::size_t count, std::uint32_t row_seed) {
  ClusterSpec spec = set.spec;
  spec.row_seed = row_seed;
  return ClusteredRows(count, spec);
}

struct Built {
  float factor = 0;
  double recall[2] = {};  // at ef 10 and 20
};

Built Build(const Set& set, ConstructionStop stop, CodeKind codes = CodeKind::kInt8) {
  IndexUnderTest index(set.metric, set.spec.dim, set.m, 2, codes);
  index.mutable_graph()->SetConstructionStop(stop);
  index.Add(RowsOf(set, 4'500, 2));
  index.LinkAll(150);
  const Rows queries = RowsOf(set, 300, 3);
  const auto truths = index.Truths(queries);
  return {.factor = index.graph().construction_stop().factor,
          .recall = {index.Recall(queries, truths, 10), index.Recall(queries, truths, 20)}};
}

void ExpectNoLoss(const Built& measured, const Built& whole, double margin) {
  ::testing::Test::RecordProperty("factor", std::to_string(measured.factor));
  for (std::size_t i = 0; i < std::size(whole.recall); ++i) {
    EXPECT_GE(measured.recall[i], whole.recall[i] - margin) << "factor " << measured.factor << ", ef " << (10U << i);
  }
}

TEST(ConstructionStop, EndsEarlierWhereNothingIsLostByIt) {
  for (const Metric metric : {Metric::kL2Squared, Metric::kCosine}) {
    const Set set{.metric = metric, .spec = {.clusters = 1, .dim = 16, .intrinsic = 16}};
    const Built measured = Build(set, kMeasuredEarly);
    EXPECT_LT(measured.factor, kFirstFactor) << MetricName(metric);
    ExpectNoLoss(measured, Build(set, kWholeSearch), 0.01);
  }
}

TEST(ConstructionStop, LosesNothingOnClusters) {
  std::uint32_t seed = 1;
  for (const Metric metric : {Metric::kL2Squared, Metric::kCosine, Metric::kInnerProduct}) {
    SCOPED_TRACE(MetricName(metric));
    const Set set{.metric = metric, .spec = {.clusters = 100, .dim = 32, .centre_seed = seed++, .intrinsic = 12}};
    ExpectNoLoss(Build(set, kMeasuredEarly), Build(set, kWholeSearch), 0.005);
  }
}

// With few links a node walks lose their way, and 1.15 loses 3 % of the candidates.
TEST(ConstructionStop, GoesOnForLongerWhereTheFirstFactorLosesCandidates) {
  const Set set{.m = 3, .spec = {.clusters = 20, .dim = 32, .spread = 0.2F, .intrinsic = 32}};
  for (const CodeKind codes : kCodeKinds) {
    const Built measured = Build(set, kMeasuredEarly, codes);
    EXPECT_GT(measured.factor, kFirstFactor);
    ExpectNoLoss(measured, Build(set, kWholeSearch, codes), 0.01);
  }
}

TEST(ConstructionStop, IsMeasuredAgainWheneverTheGraphIsFourTimesAsLarge) {
  const Set set{.m = 4, .spec = {.clusters = 20, .dim = 8}};
  IndexUnderTest index(set.metric, set.spec.dim, set.m, 2, CodeKind::kInt8);
  const auto due = [&] { return index.graph().construction_stop().due_rows; };
  index.Add(RowsOf(set, kMinConstructionStopRows, 2));
  index.LinkAll(20);
  EXPECT_EQ(due(), kMinConstructionStopRows);
  index.Add(RowsOf(set, 1, 3));
  index.LinkAll(20);
  EXPECT_EQ(due(), kGrowthToMeasureStop * kMinConstructionStopRows);
  // As after reading it from a file: a few more rows are not worth a measurement.
  index.mutable_graph()->SetConstructionStop({});
  index.Add(RowsOf(set, 1, 4));
  index.LinkAll(20);
  EXPECT_EQ(due(), kMinConstructionStopRows + 1 + kMinConstructionStopRows);
  EXPECT_EQ(index.graph().construction_stop().factor, kFirstFactor);
}

TEST(ConstructionStop, StaysWhereNoRowCanBeSearchedFor) {
  const Set set{.spec = {.clusters = 20, .dim = 8}};
  IndexUnderTest index(set.metric, set.spec.dim, set.m, 1, CodeKind::kInt8);
  index.mutable_graph()->SetConstructionStop(kMeasuredEarly);
  index.Add(RowsOf(set, 2'000, 2));
  for (std::uint32_t slot = 0; slot < 2'000; ++slot) index.Kill(slot);
  index.LinkAll();
  EXPECT_EQ(index.graph().construction_stop().factor, kFirstFactor);
}

// Inner products of float32 rows have no base that would make distances positive: each factor is as good as none.
TEST(ConstructionStop, HasNoRuleForInnerProductsOfFloat32Rows) {
  const Set set{.metric = Metric::kInnerProduct, .spec = {.clusters = 20, .dim = 8}};
  std::set<std::uint64_t> hashes;
  for (const ConstructionStop stop : {ConstructionStop{.factor = 1.0F, .due_rows = kNoSlot}, kWholeSearch}) {
    IndexUnderTest index(set.metric, set.spec.dim, set.m, 1, CodeKind::kFloat32);
    index.mutable_graph()->SetConstructionStop(stop);
    index.Add(RowsOf(set, 1'000, 2));
    index.LinkAll(100);
    hashes.insert(index.GraphHash());
  }
  EXPECT_EQ(hashes.size(), 1U);
}

TEST(ConstructionStop, IsTheSameForEveryNumberOfThreads) {
  const Set set{.spec = {.clusters = 20, .dim = 16}};
  std::set<std::uint64_t> hashes;
  for (const std::size_t threads : {1U, 2U, 4U}) {
    IndexUnderTest index(set.metric, set.spec.dim, set.m, threads, CodeKind::kInt8);
    index.mutable_graph()->SetConstructionStop(kMeasuredEarly);
    index.Add(RowsOf(set, 2'000, 2));
    for (std::uint32_t slot = 5; slot < 2'000; slot += 50) index.Kill(slot);
    index.LinkAll(100);
    EXPECT_NE(index.graph().construction_stop().factor, kFirstFactor);
    hashes.insert(index.GraphHash());
  }
  EXPECT_EQ(hashes.size(), 1U);
}

}  // namespace
}  // namespace vdb
