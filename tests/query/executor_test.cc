// Running a planned search: what the length of an inner product's query, or of all rows, may not change.

#include "vdb/query/executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "tests/index/index_under_test.h"
#include "vdb/index/calibration.h"

namespace vdb {
namespace {

constexpr std::uint32_t kRows = 3'000;
constexpr std::uint32_t kTail = 100;
constexpr std::size_t kK = 10;
constexpr ClusterSpec kSpec{.clusters = 40, .dim = 64, .intrinsic = 32};

// Rows with a mean, beside which a short query is lost.
Rows MakeRows(std::size_t count, std::uint32_t seed, float scale) {
  ClusterSpec spec = kSpec;
  spec.row_seed = seed;
  Rows rows = ClusteredRows(count, spec);
  for (std::vector<float>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = scale * (row[i] + (i % 3 == 0 ? 2.0F : -0.5F));
  }
  return rows;
}

enum class How { kExact, kEf, kMinRecall };

class Lengths : public ::testing::TestWithParam<CodeKind> {
 protected:
  // A graph with a measured recall, and a tail.
  static std::unique_ptr<IndexUnderTest> Build(float scale) {
    auto index = std::make_unique<IndexUnderTest>(Metric::kInnerProduct, kSpec.dim, 12, 2, GetParam());
    index->Add(MakeRows(kRows, 2, scale));
    index->LinkAll(60);
    std::optional<RecallCurve> curve = Calibrate({.graph = index->graph(),
                                                  .vectors = index->vectors().view(),
                                                  .distance = index->distance(),
                                                  .deaths = index->deaths(),
                                                  .clock = index->clock()},
                                                 [] { return false; });
    EXPECT_EQ(curve.has_value(), GetParam() == CodeKind::kInt8);
    if (curve) index->mutable_graph()->SetRecallCurve(std::make_unique<RecallCurve>(*std::move(curve)));
    index->Add(MakeRows(kTail, 3, scale));
    return index;
  }

  static ExecutedSearch Search(const IndexUnderTest& index, const std::vector<float>& query, How how) {
    const SearchTarget target{.vectors = index.vectors().view(),
                              .metric = Metric::kInnerProduct,
                              .deaths = &index.deaths(),
                              .clock = index.clock(),
                              .live_rows = kRows + kTail,
                              .graph = &index.graph()};
    ExecutedSearch result = ExecuteSearch(target, {.query = query.data(),
                                                   .k = kK,
                                                   .ef = 32,
                                                   .min_recall = how == How::kMinRecall ? 0.9F : 0.0F,
                                                   .exact = how == How::kExact});
    EXPECT_EQ(result.plan.kind, how == How::kExact ? PlanKind::kExact : PlanKind::kSweep) << result.plan.why;
    EXPECT_EQ(result.hits.size(), kK);
    return result;
  }

  // Recall is measured on codes only.
  static std::vector<How> Hows() {
    if (GetParam() == CodeKind::kFloat32) return {How::kExact, How::kEf};
    return {How::kExact, How::kEf, How::kMinRecall};
  }

  static std::vector<std::uint32_t> Slots(const ExecutedSearch& result) {
    std::vector<std::uint32_t> slots;
    for (const ScoredSlot& hit : result.hits) slots.push_back(hit.slot);
    return slots;
  }
};
INSTANTIATE_TEST_SUITE_P(Codes, Lengths, ::testing::ValuesIn(kCodeKinds),
                         [](const auto& codes) { return std::string(CodeKindName(codes.param)); });

TEST_P(Lengths, OfAQueryDoNotMatterUnderInnerProduct) {
  const auto index = Build(1);
  const Rows queries = MakeRows(40, 9, 1);
  for (const How how : Hows()) {
    std::size_t same = 0;
    for (const std::vector<float>& query : queries) {
      const ExecutedSearch wanted = Search(*index, query, how);
      // By powers of two nothing is rounded, but for a length half way between two of them.
      for (const int exponent : {-90, -33, -3, 5, 33, 90, 120}) {
        std::vector<float> scaled = query;
        for (float& x : scaled) x = std::ldexp(x, exponent);
        const ExecutedSearch found = Search(*index, scaled, how);
        EXPECT_EQ(Slots(found), Slots(wanted)) << exponent;
        EXPECT_EQ(found.distances, wanted.distances) << exponent;
        for (std::size_t i = 0; i < kK; ++i) {
          const float product = std::ldexp(1 - wanted.hits[i].distance, exponent);
          EXPECT_NEAR(found.hits[i].distance, 1 - product, 1e-5F * (1 + std::abs(product)));
        }
      }
      for (const float factor : {1e-30F, 1e-10F, 1e10F, 1e30F}) {
        std::vector<float> scaled = query;
        for (float& x : scaled) x *= factor;
        same += Slots(Search(*index, scaled, how)) == Slots(wanted) ? 1 : 0;
      }
    }
    EXPECT_GE(same, queries.size() * 4 * 9 / 10);
  }
}

TEST_P(Lengths, OfAllRowsDoNotMatterUnderInnerProduct) {
  const Rows queries = MakeRows(40, 9, 1);
  std::vector<ExecutedSearch> wanted;
  for (const int exponent : {0, -33, 33, 50}) {
    const auto index = Build(std::ldexp(1.0F, exponent));
    std::size_t i = 0;
    for (const How how : Hows()) {
      for (const std::vector<float>& query : queries) {
        ExecutedSearch found = Search(*index, query, how);
        if (exponent == 0) {
          wanted.push_back(std::move(found));
          continue;
        }
        EXPECT_EQ(Slots(found), Slots(wanted[i])) << exponent;
        EXPECT_EQ(found.stop_factor, wanted[i].stop_factor) << exponent;
        ++i;
      }
    }
  }
}

TEST(ScaledQueries, ARadiusIsThatOfTheQueryAsGiven) {
  IndexUnderTest index(Metric::kInnerProduct, 2);
  index.Add(Rows{{1, 0}, {2, 0}, {3, 0}, {-1, 0}});
  const SearchTarget target{.vectors = index.vectors().view(),
                            .metric = Metric::kInnerProduct,
                            .deaths = &index.deaths(),
                            .clock = index.clock(),
                            .live_rows = 4,
                            .graph = &index.graph()};
  const std::vector<float> query = {1'024, 0};
  const ExecutedSearch found = ExecuteSearch(target, {.query = query.data(), .k = 4, .exact = true, .radius = -2'047});
  ASSERT_EQ(found.hits.size(), 2U);
  EXPECT_EQ(found.hits[0], (ScoredSlot{.distance = 1 - 3'072, .slot = 2}));
  EXPECT_EQ(found.hits[1], (ScoredSlot{.distance = 1 - 2'048, .slot = 1}));
}

}  // namespace
}  // namespace vdb
