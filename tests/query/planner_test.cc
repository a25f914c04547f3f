// Which plan is chosen, from counts and costs.

#include "vdb/query/planner.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace vdb {
namespace {

constexpr PlannerOptions kOptions{.k = 10, .ef = 64};

SearchEstimate EstimateOf(std::uint64_t rows, std::uint64_t matches) {
  return {.live_rows = rows, .matches = matches, .linked_rows = rows};
}

TEST(DefaultCosts, AreThoseOfWhatIsCompared) {
  for (const std::size_t dim : {16U, 64U, 384U, 784U, 4'096U}) {
    const CostModel rows = DefaultCosts(dim, CodeKind::kFloat32, CodeKind::kFloat32);
    EXPECT_EQ(rows.linked_scan_ns, rows.scan_ns);
    EXPECT_GT(rows.walk_ns, rows.scan_ns);
    const CostModel codes = DefaultCosts(dim, CodeKind::kInt8, CodeKind::kInt8);
    EXPECT_EQ(codes.scan_ns, rows.scan_ns) << "the tail has no codes";
    EXPECT_LT(codes.linked_scan_ns, rows.scan_ns);
    EXPECT_LT(codes.walk_ns, rows.walk_ns);
    EXPECT_GT(codes.walk_ns, codes.linked_scan_ns);
    const CostModel walked = DefaultCosts(dim, CodeKind::kInt8, CodeKind::kFloat32);
    EXPECT_EQ(walked.linked_scan_ns, rows.scan_ns);
    EXPECT_EQ(walked.walk_ns, codes.walk_ns);
  }
}

TEST(ChoosePlan, ScansWhereItMust) {
  const CostModel costs{.scan_ns = 10, .linked_scan_ns = 10, .walk_ns = 100};
  SearchEstimate estimate = EstimateOf(1'000'000, 1'000'000);
  EXPECT_EQ(ChoosePlan(estimate, costs, kOptions).kind, PlanKind::kSweep);
  EXPECT_EQ(ChoosePlan(estimate, costs, {.k = 10, .ef = 64, .exact = true}).kind, PlanKind::kExact);
  estimate.matches = 10;
  EXPECT_EQ(ChoosePlan(estimate, costs, kOptions).kind, PlanKind::kExact) << "as many as were asked for";
  estimate.matches = 1'000'000;
  estimate.linked_rows = 0;
  EXPECT_EQ(ChoosePlan(estimate, costs, kOptions).kind, PlanKind::kExact) << "there is no graph";
}

// The same search with scans at different costs: what is cheap enough is scanned.
TEST(ChoosePlan, WeighsTheScanOfRowsInTheGraphByItsOwnCost) {
  const SearchEstimate estimate = EstimateOf(10'000, 10'000);
  const Plan walk = ChoosePlan(estimate, {.scan_ns = 50, .linked_scan_ns = 50, .walk_ns = 100}, kOptions);
  EXPECT_EQ(walk.kind, PlanKind::kSweep);
  EXPECT_EQ(walk.exact_ns, 10'000 * 50.0);
  const Plan scan = ChoosePlan(estimate, {.scan_ns = 50, .linked_scan_ns = 5, .walk_ns = 100}, kOptions);
  EXPECT_EQ(scan.kind, PlanKind::kExact);
  EXPECT_EQ(scan.exact_ns, 10'000 * 5.0);
  EXPECT_EQ(scan.sweep_ns, walk.sweep_ns);
}

TEST(ChoosePlan, LetsAWalkTakeWhatScoringRowsTakes) {
  const CostModel costs{.scan_ns = 50, .linked_scan_ns = 8, .walk_ns = 100};
  const Plan plan = ChoosePlan(EstimateOf(10'000, 10'000), costs, kOptions);
  ASSERT_EQ(plan.kind, PlanKind::kSweep);
  EXPECT_EQ(plan.max_walk_distances, 10'000U * 50 / 100 + 1);
}

TEST(ChoosePlan, CountsTheTailAtTheCostOfItsRowsOnEitherSide) {
  SearchEstimate estimate = EstimateOf(10'000, 10'000);
  const CostModel costs{.scan_ns = 50, .linked_scan_ns = 5, .walk_ns = 100};
  const Plan without = ChoosePlan(estimate, costs, kOptions);
  estimate.tail_rows = estimate.tail_matches = 2'000;
  const Plan with = ChoosePlan(estimate, costs, kOptions);
  EXPECT_EQ(with.exact_ns, 8'000 * 5.0 + 2'000 * 50.0);
  EXPECT_EQ(with.sweep_ns, without.sweep_ns + 2'000 * 50.0);
  estimate.matches = 1'000;  // the estimate of the tail may be above what there is in all
  EXPECT_EQ(ChoosePlan(estimate, costs, kOptions).exact_ns, 1'000 * 50.0);
}

// More matches never turn a walk into a scan.
TEST(ChoosePlan, ScansFewMatchesAndWalksForMany) {
  for (const CodeKind codes : {CodeKind::kFloat32, CodeKind::kInt8}) {
    for (const std::size_t dim : {64U, 384U, 784U}) {
      const CostModel costs = DefaultCosts(dim, codes, codes);
      std::uint64_t first = 0;
      for (std::uint64_t matches = 100; matches <= 100'000; matches += 100) {
        const Plan plan = ChoosePlan(EstimateOf(100'000, matches), costs, kOptions);
        if (plan.kind == PlanKind::kSweep && first == 0) first = matches;
        EXPECT_EQ(plan.kind == PlanKind::kSweep, first != 0) << matches;
      }
      EXPECT_GT(first, 1'000U) << dim;
      EXPECT_LT(first, 60'000U) << dim;
    }
  }
}

}  // namespace
}  // namespace vdb
