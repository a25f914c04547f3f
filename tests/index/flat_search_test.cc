// Exact search: scans of rows, and scans of codes, which must find the same.

#include "vdb/index/flat_search.h"

#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "tests/index/index_under_test.h"
#include "vdb/index/code_space.h"
#include "vdb/index/measured_code_space.h"

namespace vdb {
namespace {

TEST(ScanRange, FindsTheVisibleMatchesOfItsRange) {
  constexpr std::size_t kDim = 5;
  constexpr std::uint32_t kRows = 300;
  IndexUnderTest index(Metric::kL2Squared, kDim);
  index.Add(ClusteredRows(kRows, {.clusters = 3, .dim = kDim}));
  for (std::uint32_t slot = 0; slot < kRows; slot += 5) index.Kill(slot);
  Bitset matches(kRows);
  for (std::uint32_t slot = 0; slot < kRows; slot += 2) matches.Set(slot);
  const std::vector<float> query(kDim, 0.5F);
  const VectorView view = index.vectors().view();
  for (const auto& [begin, end] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {0, kRows}, {0, 0}, {63, 64}, {64, 128}, {1, 299}, {130, 131}, {300, 300}}) {
    for (const Bitset* filter : {static_cast<const Bitset*>(nullptr), static_cast<const Bitset*>(&matches)}) {
      std::vector<ScoredSlot> wanted;
      for (std::uint32_t slot = begin; slot < end; ++slot) {
        if (slot % 5 == 0 || (filter != nullptr && slot % 2 != 0)) continue;
        wanted.push_back({index.distance()(query.data(), view.row(slot)), slot});
      }
      std::sort(wanted.begin(), wanted.end());
      const std::size_t scored = wanted.size();
      if (wanted.size() > 7) wanted.resize(7);
      NearestList nearest(7);
      const ScanInput input{view, index.distance(), query.data(), index.deaths(), index.clock(), filter};
      EXPECT_EQ(ScanRange(input, {begin, end}, &nearest), scored);
      const std::vector<ScoredSlot> found = nearest.Take();
      ASSERT_EQ(found.size(), wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i].distance, wanted[i].distance, 1e-5F * (1 + wanted[i].distance));
      }
    }
  }
}

TEST(ScanRange, TiesGoToTheLowerSlot) {
  IndexUnderTest index(Metric::kL2Squared, 4);
  index.Add(Rows(100, std::vector<float>(4, 2.0F)));
  const std::vector<ScoredSlot> found = index.Truth({0, 0, 0, 0}, 3);
  ASSERT_EQ(found.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(found[i].slot, i);
}

// What codes are made of: ordinary rows, rows with components that call for a rotation, rows of very different lengths,
// and few different rows that are stored often; and the first again with codes of five bits, of all components and of
// some.
enum class Kind { kClusters, kOutliers, kLengths, kDuplicates, kPacked, kPackedSome };

constexpr std::size_t kDim = 72;

Rows MakeRows(Kind kind, std::size_t count, std::uint32_t seed) {
  Rows rows = ClusteredRows(count, {.clusters = 20, .dim = kDim, .row_seed = seed, .intrinsic = 60});
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < count; ++i) {
    if (kind == Kind::kOutliers) rows[i][5] = 60 * normal(random);
    if (kind == Kind::kLengths) {
      const float length = std::exp(6 * normal(random));
      for (float& x : rows[i]) x *= length;
    }
    if (kind == Kind::kDuplicates && i >= 40) rows[i] = rows[i % 40];
  }
  return rows;
}

// Where the kind says so: packed codes, of the mean that is measured.
void UseCodesOf(Kind kind, IndexUnderTest* index, std::uint32_t rows) {
  if (kind != Kind::kPacked && kind != Kind::kPackedSome) return;
  const Metric metric = index->distance().metric();
  const CodeSpace measured =
      MeasureCodeSpace(metric, index->vectors().view(), rows, [](std::uint32_t) { return true; });
  std::vector<std::uint32_t> held(kDim - 9);  // of those that are left out clusters differ in some
  std::iota(held.begin(), held.end(), 1U);
  index->mutable_graph()->UseCodes(std::make_shared<const CodeSpace>(
      metric, std::vector<float>(measured.mean().begin(), measured.mean().end()), measured.LargestNorm(),
      kind == Kind::kPacked ? CodeComponents(kDim) : CodeComponents(kDim, held), CodeForm{.bits = CodeBits::kFive}));
}

class CodeScanTest : public ::testing::TestWithParam<std::tuple<Metric, Kind>> {
 protected:
  Metric metric() const { return std::get<0>(GetParam()); }
  Kind kind() const { return std::get<1>(GetParam()); }
};

std::string NameOf(const ::testing::TestParamInfo<std::tuple<Metric, Kind>>& test) {
  constexpr const char* kNames[] = {"Clusters", "Outliers", "Lengths", "Duplicates", "Packed", "PackedSome"};
  const auto& [metric, kind] = test.param;
  return std::string(MetricName(metric)) + kNames[static_cast<std::size_t>(kind)];
}

INSTANTIATE_TEST_SUITE_P(All, CodeScanTest,
                         ::testing::Combine(::testing::Values(Metric::kL2Squared, Metric::kCosine),
                                            ::testing::Values(Kind::kClusters, Kind::kOutliers, Kind::kLengths,
                                                              Kind::kDuplicates, Kind::kPacked, Kind::kPackedSome)),
                         NameOf);

TEST_P(CodeScanTest, FindsWhatAScanOfRowsFinds) {
  constexpr std::uint32_t kRows = 3'000;
  IndexUnderTest index(metric(), kDim, 8, 2, CodeKind::kInt8);
  index.Add(MakeRows(kind(), kRows, 1));
  UseCodesOf(kind(), &index, kRows);
  index.LinkAll(30);
  for (std::uint32_t slot = 0; slot < kRows; slot += 7) index.Kill(slot);
  Bitset matches(kRows);
  for (std::uint32_t slot = 0; slot < kRows; slot += 3) matches.Set(slot);
  const VectorView view = index.vectors().view();
  for (std::vector<float> query : MakeRows(kind(), 60, 2)) {
    if (metric() == Metric::kCosine) Normalise(&query);
    for (const Bitset* filter : {static_cast<const Bitset*>(nullptr), static_cast<const Bitset*>(&matches)}) {
      const ScanInput input{view, index.distance(), query.data(), index.deaths(), index.clock(), filter};
      NearestList by_rows(10);
      NearestList by_codes(10);
      std::optional<CodeScan> scan = CodeScan::Begin(index.graph(), input);
      ASSERT_TRUE(scan);
      ASSERT_EQ(scan->end(), kRows);
      std::uint64_t scored = 0;
      for (const SlotRange range : {SlotRange{0, 1'000}, SlotRange{1'000, kRows}}) {
        scored += scan->Scan(input, range, &by_codes);
      }
      EXPECT_EQ(scored, ScanRange(input, {0, kRows}, &by_rows));
      const std::vector<ScoredSlot> wanted = by_rows.Take();
      const std::vector<ScoredSlot> found = by_codes.Take();
      ASSERT_EQ(found.size(), wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        // Kernels for one row and for four round differently, so of rows as good as equal either may be there.
        const float rounding = 2e-5F * (1 + std::abs(wanted[i].distance));
        EXPECT_NEAR(found[i].distance, wanted[i].distance, rounding);
      }
      if (kind() == Kind::kClusters || kind() == Kind::kOutliers) {
        EXPECT_TRUE(scan->IsOfUse());
      }
    }
  }
}

// No row is farther than itself, and most are farther than nine tenths of it, or seven by codes of five bits.
TEST_P(CodeScanTest, ProofsHoldAndAreOfUse) {
  IndexUnderTest index(metric(), kDim, 8, 2, CodeKind::kInt8);
  constexpr std::uint32_t kRows = 1'000;
  index.Add(MakeRows(kind(), kRows, 3));
  UseCodesOf(kind(), &index, kRows);
  index.LinkAll(30);
  const CodeSpace& space = *index.graph().code_space();
  EXPECT_EQ(space.rotation(), kind() == Kind::kOutliers ? RotationKind::kHadamard : RotationKind::kNone);
  std::vector<NodeCode> memory(space.query_bytes() / sizeof(NodeCode));
  const float nearer = space.bits() == CodeBits::kEight ? 0.9F : 0.7F;
  std::size_t proven = 0;
  std::size_t pairs = 0;
  for (std::vector<float> query : MakeRows(kind(), 40, 4)) {
    if (metric() == Metric::kCosine) Normalise(&query);
    space.EncodeScanQuery(query.data(), memory.data());
    const NodeCode& code = memory.front();
    for (std::uint32_t slot = 0; slot < kRows; ++slot) {
      const NodeCode& row = index.graph().Code(slot);
      const float distance = index.distance()(query.data(), index.vectors().view().row(slot));
      const float of_codes = space.Distance(code, row, space.Dot(code, row));
      EXPECT_FALSE(space.IsBeyond(code, row, of_codes, space.BoundOf(code, distance))) << slot << " at " << distance;
      proven += space.IsBeyond(code, row, of_codes, space.BoundOf(code, nearer * distance)) ? 1 : 0;
      ++pairs;
    }
  }
  // Among rows of very different lengths the mean is that of the longest, and codes of short ones say nothing.
  if ((metric() != Metric::kL2Squared || kind() != Kind::kLengths) && kind() != Kind::kPackedSome) {
    EXPECT_GT(proven, pairs * 8 / 10);
  }
}

TEST(CodeScan, IsNotForInnerProductsNorWithoutCodes) {
  for (const auto& [metric, codes] :
       {std::pair{Metric::kInnerProduct, CodeKind::kInt8}, std::pair{Metric::kL2Squared, CodeKind::kFloat32}}) {
    IndexUnderTest index(metric, kDim, 8, 1, codes);
    index.Add(MakeRows(Kind::kClusters, 300, 1));
    index.LinkAll(30);
    const VectorView view = index.vectors().view();
    const std::vector<float> query(kDim, 1.0F);
    EXPECT_FALSE(CodeScan::Begin(index.graph(), {view, index.distance(), query.data(), index.deaths(), index.clock()}));
  }
}

}  // namespace
}  // namespace vdb
