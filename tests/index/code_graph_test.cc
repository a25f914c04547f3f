// Graphs that are built and walked on int8 codes beside those on float32 rows: recall, reranking, the same bits on
// every CPU.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include "tests/index/index_under_test.h"
#include "vdb/index/codes.h"
#include "vdb/index/measured_code_space.h"
#include "vdb/index/rerank.h"
#include "vdb/index/walk.h"
#include "vdb/simd/code_kernels.h"
#include "vdb/simd/kernels.h"

namespace vdb {
namespace {

constexpr std::size_t kRows = 4'000;
constexpr std::size_t kQueries = 200;

enum class Shape {
  kPlain,
  kFarFromOrigin,      // all rows share an offset larger than their spread
  kOutliers,           // a few components 50 times larger than the others
  kOutliersAtAnOffset  // a few components larger by an offset, as text embeddings have them
};
constexpr Shape kShapes[] = {Shape::kPlain, Shape::kFarFromOrigin, Shape::kOutliers, Shape::kOutliersAtAnOffset};
constexpr const char* kShapeNames[] = {"plain", "far_from_origin", "outliers", "outliers_at_an_offset"};

struct Case {
  Metric metric;
  std::size_t dim;
  Shape shape;
  CodeBits bits = CodeBits::kEight;
};

Rows MakeRows(const Case& test, std::size_t count, std::uint32_t seed) {
  Rows rows = ClusteredRows(count, {.clusters = 40, .dim = test.dim, .row_seed = seed, .intrinsic = 32});
  for (std::vector<float>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool is_outlier = i % (test.dim / 3) == 5;
      if (test.shape == Shape::kFarFromOrigin) row[i] += i % 2 == 0 ? 3.0F : -1.0F;
      if (test.shape == Shape::kOutliers && is_outlier) row[i] *= 50;
      if (test.shape == Shape::kOutliersAtAnOffset && is_outlier) row[i] += 50;
    }
  }
  return rows;
}

// Packed ones, of the mean that is measured.
void UsePackedCodes(IndexUnderTest* index, std::uint32_t rows) {
  const VectorView view = index->vectors().view();
  const CodeSpace measured =
      MeasureCodeSpace(index->distance().metric(), view, rows, [](std::uint32_t) { return true; });
  index->mutable_graph()->UseCodes(std::make_shared<const CodeSpace>(
      measured.metric(), std::vector<float>(measured.mean().begin(), measured.mean().end()), measured.LargestNorm(),
      CodeComponents(view.dim), CodeForm{.bits = CodeBits::kFive}));
}

class Int8Graph : public ::testing::TestWithParam<Case> {
 protected:
  static std::unique_ptr<IndexUnderTest> Build(CodeKind codes) {
    auto index = std::make_unique<IndexUnderTest>(GetParam().metric, GetParam().dim, 16, 2, codes);
    index->Add(MakeRows(GetParam(), kRows, 2));
    if (codes == CodeKind::kInt8 && GetParam().bits == CodeBits::kFive) UsePackedCodes(index.get(), kRows);
    index->LinkAll(100);
    return index;
  }
  static Rows Queries() { return MakeRows(GetParam(), kQueries, 3); }
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    for (const std::size_t dim : {64, 100, 384, 784}) {
      for (const Shape shape : kShapes) {
        if (shape == Shape::kPlain || shape == Shape::kOutliers || dim == 100 || dim == 384)
          cases.push_back({metric, dim, shape});
      }
      if (metric == Metric::kInnerProduct) continue;
      cases.push_back({metric, dim, Shape::kPlain, CodeBits::kFive});
      cases.push_back({metric, dim, Shape::kFarFromOrigin, CodeBits::kFive});
    }
  }
  return cases;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& test) {
  return std::string(MetricName(test.param.metric)) + "_" + std::to_string(test.param.dim) + "_" +
         kShapeNames[static_cast<std::size_t>(test.param.shape)] +
         (test.param.bits == CodeBits::kFive ? "_packed" : "");
}
INSTANTIATE_TEST_SUITE_P(All, Int8Graph, ::testing::ValuesIn(Cases()), CaseName);

void ExpectRerankingFindsWhatScoringEveryCandidateFinds(IndexUnderTest& index, const Rows& queries) {
  const CodeSpace& space = *index.graph().code_space();
  const VectorView view = index.vectors().view();
  SearchScratch scratch;
  NodeCode* const code = scratch.query.Resize(space.query_bytes());
  EntryPoint entry;
  ASSERT_TRUE(index.graph().LoadEntryPoint(&entry));
  constexpr std::size_t kK = 10;
  std::size_t missed = 0;
  for (std::vector<float> query : queries) {
    if (space.metric() == Metric::kCosine) Normalise(&query);
    space.EncodeQuery(query.data(), code);
    const Int8Codes codes(index.graph(), *code);
    Walk<Int8Codes> walk(index.graph(), codes, kRows, &scratch.visited);
    const auto all = [](std::uint32_t) { return true; };
    ASSERT_TRUE(walk.Search<1>(walk.Descend(entry, 0), {.ef = 200, .level = 0}, all, PaperRules(), &scratch.sorted));
    std::vector<ScoredSlot> candidates;
    scratch.sorted.Take(&candidates, nullptr);
    NearestList nearest(kK);
    for (const ScoredSlot& candidate : candidates) {
      nearest.Add({.distance = index.distance()(query.data(), view.row(candidate.slot)), .slot = candidate.slot});
    }
    const std::vector<ScoredSlot> wanted = nearest.Take();
    const auto found = Rerank({index.graph(), view, index.distance()}, query.data(), *code, candidates, kK);
    ASSERT_EQ(found.size(), kK);
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
    for (const ScoredSlot& hit : found) {
      EXPECT_EQ(hit.distance, index.distance()(query.data(), view.row(hit.slot)));
      missed += std::ranges::find(wanted, hit) == wanted.end() ? 1 : 0;
    }
  }
  EXPECT_LE(missed, kQueries * kK / 500);
}

// Walks on rows while the links are mapped, on codes when they are loaded.
TEST_P(Int8Graph, IsWalkedOnCodesAsOnRows) {
  const auto index = Build(CodeKind::kInt8);
  const std::string path = index->folder().Path("links");
  ASSERT_EQ(WriteLinkFile(path, index->Stamp(1), CopyLinks(index->graph()), std::vector<std::uint64_t>(kRows / 64 + 1)),
            OkStatus());
  LoadedLinks mapped;
  const auto file = PublishedLinks::Open(path, index->Stamp(1), &mapped).value();
  index->set_graph(std::move(mapped.graph));
  const bool has_outliers = GetParam().shape == Shape::kOutliers;
  const bool is_rotated = index->graph().code_space()->rotation() == RotationKind::kHadamard;
  EXPECT_EQ(is_rotated, has_outliers && GetParam().metric != Metric::kInnerProduct);
  const Rows queries = Queries();
  const auto truths = index->Truths(queries);
  constexpr std::array<std::size_t, 3> kEf = {32, 64, 128};
  std::vector<double> on_rows;
  on_rows.reserve(std::size(kEf));
  for (const std::size_t ef : kEf) on_rows.push_back(index->Recall(queries, truths, ef));
  ASSERT_EQ(file->LoadLevel0(index->mutable_graph(), index->vectors().view()), OkStatus());
  for (std::size_t i = 0; i < kEf.size(); ++i) {
    const double on_codes = index->Recall(queries, truths, kEf[i]);
    std::printf("ef %zu: on rows %.4f, on codes %.4f\n", kEf[i], on_rows[i], on_codes);
    EXPECT_GE(on_codes, on_rows[i] - 0.005) << "ef " << kEf[i];
  }
  ExpectRerankingFindsWhatScoringEveryCandidateFinds(*index, queries);
}

// Not for inner products where all rows have the same few neighbours: recall hangs on how those are linked, and is 0.04
// better or worse from graph to graph.
class Int8Links : public Int8Graph {};
INSTANTIATE_TEST_SUITE_P(
    All, Int8Links,
    ::testing::Values(Case{Metric::kL2Squared, 64, Shape::kPlain}, Case{Metric::kL2Squared, 100, Shape::kOutliers},
                      Case{Metric::kL2Squared, 384, Shape::kOutliersAtAnOffset},
                      Case{Metric::kL2Squared, 384, Shape::kOutliers}, Case{Metric::kCosine, 384, Shape::kOutliers},
                      Case{Metric::kL2Squared, 784, Shape::kPlain},
                      Case{Metric::kL2Squared, 100, Shape::kPlain, CodeBits::kFive},
                      Case{Metric::kL2Squared, 784, Shape::kPlain, CodeBits::kFive},
                      Case{Metric::kCosine, 384, Shape::kPlain, CodeBits::kFive},
                      Case{Metric::kInnerProduct, 100, Shape::kPlain}, Case{Metric::kInnerProduct, 384, Shape::kPlain},
                      Case{Metric::kCosine, 100, Shape::kFarFromOrigin}, Case{Metric::kCosine, 384, Shape::kPlain}),
    CaseName);

TEST_P(Int8Links, AreAsGoodAsThoseOfRows) {
  const auto rows = Build(CodeKind::kFloat32);
  const auto codes = Build(CodeKind::kInt8);
  const Rows queries = Queries();
  const auto truths = rows->Truths(queries);
  for (const std::size_t ef : {32U, 64U, 128U}) {
    const double on_rows = rows->Recall(queries, truths, ef);
    const double on_codes = codes->Recall(queries, truths, ef);
    std::printf("ef %zu: float32 %.4f, int8 %.4f\n", ef, on_rows, on_codes);
    EXPECT_GE(on_codes, on_rows - 0.005) << "ef " << ef;
  }
}

// Half of the rows are copies of others, one row is there 300 times: all of them are reached.
class Copies : public ::testing::TestWithParam<std::tuple<Metric, CodeKind>> {};
INSTANTIATE_TEST_SUITE_P(All, Copies,
                         ::testing::Combine(::testing::Values(Metric::kL2Squared, Metric::kCosine),
                                            ::testing::ValuesIn(kCodeKinds)));

TEST_P(Copies, AreAllReached) {
  const auto [metric, codes] = GetParam();
  const Case test{metric, 100, Shape::kPlain};
  Rows rows = MakeRows(test, 1'500, 2);
  const Rows copies(rows.begin(), rows.begin() + 1'200);
  rows.insert(rows.end(), copies.begin(), copies.end());
  rows.insert(rows.end(), 300, rows[7]);
  std::shuffle(rows.begin(), rows.end(), std::mt19937(3));
  IndexUnderTest index(metric, test.dim, 16, 2, codes);
  index.Add(rows);
  index.LinkAll(100);
  std::set<std::uint32_t> reached;
  const GraphSearchOptions options{.k = rows.size(), .ef = rows.size(), .max_distances = IndexUnderTest::kNoLimit};
  for (const ScoredSlot& hit : index.Walk(rows[0], options).hits) reached.insert(hit.slot);
  EXPECT_GE(reached.size(), rows.size() * 999 / 1'000);
  EXPECT_GE(index.Recall(MakeRows(test, kQueries, 3), 64), 0.99);
}

// The graph of this process's kernels, as a number.
std::string HashHere() {
  std::string hashes;
  for (const Case& test :
       {Case{Metric::kL2Squared, 100, Shape::kFarFromOrigin}, Case{Metric::kInnerProduct, 100, Shape::kFarFromOrigin},
        Case{Metric::kCosine, 100, Shape::kFarFromOrigin}, Case{Metric::kL2Squared, 200, Shape::kOutliers},
        Case{Metric::kL2Squared, 200, Shape::kPlain, CodeBits::kFive},
        Case{Metric::kCosine, 100, Shape::kPlain, CodeBits::kFive}}) {
    IndexUnderTest index(test.metric, test.dim, 16, 2, CodeKind::kInt8);
    index.Add(MakeRows(test, 1'000, 2));
    if (test.bits == CodeBits::kFive) UsePackedCodes(&index, 1'000);
    index.LinkAll(60);
    const bool is_rotated = index.graph().code_space()->rotation() == RotationKind::kHadamard;
    EXPECT_EQ(is_rotated, test.shape == Shape::kOutliers);
    hashes += std::to_string(index.GraphHash()) + " ";
  }
  // And one whose construction stop is measured on the way.
  for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct}) {
    IndexUnderTest index(metric, 20, 8, 2, CodeKind::kInt8);
    index.mutable_graph()->SetConstructionStop({.due_rows = 1'000});
    index.Add(ClusteredRows(1'500, {.dim = 20}));
    index.LinkAll(100);
    EXPECT_NE(index.graph().construction_stop().factor, ConstructionStop().factor);
    hashes += std::to_string(index.GraphHash()) + " ";
  }
  return hashes;
}

// Asked by EveryFamilyMakesTheSameGraph, which runs this program again.
TEST(Int8Kernels, SayTheirGraph) {
  const std::string hash = HashHere();
  EXPECT_EQ(HashHere(), hash);
  std::printf("graph on %s: %s\n", simd::ActiveCodeKernels().name, hash.c_str());
}

TEST(Int8Kernels, EveryFamilyMakesTheSameGraph) {
  const std::string wanted = HashHere();
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  // Each family by name; one that this CPU has not falls back to another, which the output says.
  for (const std::string_view family : simd::CompiledFloatKernelNames()) {
    const std::string command =
        "VDB_SIMD=" + std::string(family) + " '" + program + "' --gtest_filter=Int8Kernels.SayTheirGraph";
    FILE* const pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string said;
    std::array<char, 4096> buffer;
    while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) said.append(buffer.data(), n);
    ASSERT_EQ(::pclose(pipe), 0) << command << "\n" << said;
    EXPECT_NE(said.find(": " + wanted), std::string::npos) << family << ": " << said << "\nwanted " << wanted;
    std::printf(
        "VDB_SIMD=%s, the same %s\n", std::string(family).c_str(),
        said.substr(said.find("graph on"), said.find('\n', said.find("graph on")) - said.find("graph on")).c_str());
  }
}

}  // namespace
}  // namespace vdb
