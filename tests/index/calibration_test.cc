// The recall curve that a graph measures on its own rows, against recall on vectors that it has never seen.

#include "vdb/index/calibration.h"

#include <gtest/gtest.h>

#include "tests/index/index_under_test.h"

namespace vdb {
namespace {

constexpr ClusterSpec kSpec{.clusters = 40, .dim = 64, .intrinsic = 24};
constexpr ClusterSpec kQuerySpec{.clusters = 40, .dim = 64, .row_seed = 9, .intrinsic = 24};

std::optional<RecallCurve> Measure(const IndexUnderTest& index) {
  return Calibrate({.graph = index.graph(),
                    .vectors = index.vectors().view(),
                    .distance = index.distance(),
                    .deaths = index.deaths(),
                    .clock = index.clock()},
                   [] { return false; });
}

// Mean recall@10 on rows of kQuerySpec with a stop factor.
double RecallWith(const IndexUnderTest& index, float factor) {
  std::size_t found = 0;
  const Rows queries = ClusteredRows(300, kQuerySpec);
  for (const std::vector<float>& query : queries) {
    const float farthest = index.Truth(query, 10).back().distance;
    const GraphSearchResult result = index.Walk(query, {.k = 10, .ef = AdaptivePool(10), .stop_factor = factor});
    EXPECT_EQ(result.hits.size(), 10U);
    for (const ScoredSlot& hit : result.hits) found += hit.distance <= farthest + 1e-5F * (1 + std::abs(farthest));
  }
  return static_cast<double>(found) / (10.0 * static_cast<double>(queries.size()));
}

class CalibrationTest : public ::testing::TestWithParam<std::tuple<Metric, CodeKind>> {};

TEST_P(CalibrationTest, PromisesNoMoreThanNewVectorsGet) {
  const auto& [metric, codes] = GetParam();
  IndexUnderTest index(metric, kSpec.dim, 8, 2, codes);
  index.Add(ClusteredRows(6'000, kSpec));
  index.LinkAll(60);
  for (std::uint32_t slot = 0; slot < 6'000; slot += 50) index.Kill(slot);
  const std::optional<RecallCurve> curve = Measure(index);
  ASSERT_TRUE(curve);
  EXPECT_EQ(curve->rows(), 6'000U);
  std::uint64_t fewer = 0;
  for (const float target : {0.8F, 0.9F, 0.95F, 0.97F}) {
    const std::optional<float> factor = curve->FactorFor(10, target);
    if (!factor) continue;
    EXPECT_GE(RecallWith(index, *factor), target - 0.01) << target << " with " << *factor;
    const GraphSearchOptions options{.k = 10, .ef = AdaptivePool(10), .stop_factor = *factor};
    const std::uint64_t distances = index.Walk(ClusteredRows(1, kQuerySpec)[0], options).distances;
    EXPECT_GE(distances, fewer) << "a higher target must not walk less";
    fewer = distances;
  }
  EXPECT_GT(fewer, 0U) << "no target was reached";
}

INSTANTIATE_TEST_SUITE_P(All, CalibrationTest,
                         ::testing::Values(std::tuple{Metric::kL2Squared, CodeKind::kInt8},
                                           std::tuple{Metric::kCosine, CodeKind::kInt8},
                                           std::tuple{Metric::kInnerProduct, CodeKind::kInt8},
                                           std::tuple{Metric::kL2Squared, CodeKind::kFloat32}),
                         [](const auto& test) {
                           return std::string(MetricName(std::get<0>(test.param))) + "_" +
                                  std::string(CodeKindName(std::get<1>(test.param)));
                         });

// What is measured is recall, not how long rows are.
TEST(Calibration, OfShortAndOfLongRowsIsThatOfTheSameRows) {
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct}) {
    std::vector<CurvePoint> wanted;
    for (const int exponent : {0, -33, 33}) {
      Rows rows = ClusteredRows(2'000, kSpec);
      for (std::vector<float>& row : rows) {
        for (float& x : row) x = std::ldexp(x, exponent);
      }
      IndexUnderTest index(metric, kSpec.dim, 8, 2, CodeKind::kInt8);
      index.Add(rows);
      index.LinkAll(40);
      const std::optional<RecallCurve> curve = Measure(index);
      ASSERT_TRUE(curve);
      if (exponent == 0) wanted.assign(curve->points().begin(), curve->points().end());
      ASSERT_EQ(curve->points().size(), wanted.size()) << MetricName(metric) << " 2^" << exponent;
      for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(curve->points()[i].recall, wanted[i].recall);
    }
  }
}

TEST(Calibration, HiddenSlotIsNoHit) {
  IndexUnderTest index(Metric::kL2Squared, kSpec.dim, 8, 1, CodeKind::kInt8);
  const Rows rows = ClusteredRows(1'500, kSpec);
  index.Add(rows);
  index.LinkAll(40);
  EntryPoint entry;
  ASSERT_TRUE(index.graph().LoadEntryPoint(&entry));
  for (std::uint32_t slot = 0; slot < 1'500; slot += 100) {
    if (slot == entry.slot) continue;
    GraphSearchOptions options{.k = 5, .ef = 40};
    EXPECT_EQ(index.Walk(rows[slot], options).hits[0].slot, slot);
    options.hidden = slot;
    for (const ScoredSlot& hit : index.Walk(rows[slot], options).hits) EXPECT_NE(hit.slot, slot);
  }
}

TEST(Calibration, GivesUpWhenToldToAndNeedsRows) {
  IndexUnderTest index(Metric::kL2Squared, 16, 8);
  index.Add(ClusteredRows(900, {.dim = 16}));
  index.LinkAll(40);
  EXPECT_FALSE(Measure(index)) << "of so few rows";
  index.Add(ClusteredRows(600, {.dim = 16, .row_seed = 4}));
  index.LinkAll(40);
  EXPECT_TRUE(Measure(index));
  EXPECT_FALSE(Calibrate({.graph = index.graph(),
                          .vectors = index.vectors().view(),
                          .distance = index.distance(),
                          .deaths = index.deaths(),
                          .clock = index.clock()},
                         [] { return true; }));
}

TEST(RecallCurve, IsInterpolatedBetweenPointsAndBetweenK) {
  const RecallCurve curve({{1, 500, 1.0F, 0.80F},
                           {1, 500, 1.2F, 0.90F},
                           {10, 500, 1.0F, 0.90F},
                           {10, 500, 1.1F, 0.95F},
                           {10, 500, 1.2F, 0.99F},
                           {100, 500, 1.0F, 0.96F},
                           {100, 500, 1.1F, 0.99F}});
  EXPECT_EQ(curve.rows(), 500U);
  EXPECT_FLOAT_EQ(curve.FactorFor(10, 0.95F).value(), 1.1F);
  EXPECT_FLOAT_EQ(curve.FactorFor(10, 0.97F).value(), 1.15F);
  EXPECT_FLOAT_EQ(curve.FactorFor(10, 0.5F).value(), 1.0F) << "no factor below the first is known";
  EXPECT_FLOAT_EQ(curve.FactorFor(1, 0.85F).value(), 1.1F);
  EXPECT_EQ(curve.FactorFor(1, 0.95F), std::nullopt);
  EXPECT_NEAR(curve.FactorFor(31, 0.99F).value(), 1.15F, 0.002F) << "about half way, by logarithms";
  EXPECT_FLOAT_EQ(curve.FactorFor(5'000, 0.99F).value(), 1.1F) << "beyond the last k that of the last";
  EXPECT_EQ(curve.FactorFor(10, 0.995F), std::nullopt);
  EXPECT_EQ(RecallCurve({}).FactorFor(10, 0.9F), std::nullopt);
}

}  // namespace
}  // namespace vdb
