// Searches beside linking and deaths; for a thread sanitizer above all, the assertions hold at every moment.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/index/index_under_test.h"
#include "vdb/index/link_file.h"

namespace vdb {
namespace {

constexpr ClusterSpec kSpec{.clusters = 20, .dim = 16};
constexpr ClusterSpec kQuerySpec{.clusters = 20, .dim = 16, .row_seed = 5};

class Searches : public ::testing::TestWithParam<CodeKind> {};
INSTANTIATE_TEST_SUITE_P(Codes, Searches, ::testing::ValuesIn(kCodeKinds),
                         [](const auto& codes) { return std::string(CodeKindName(codes.param)); });

TEST_P(Searches, RunBesideLinkingAndDeaths) {
  constexpr std::size_t kHalf = 1'500;
  IndexUnderTest index(Metric::kL2Squared, kSpec.dim, 16, 2, GetParam());
  const Rows rows = ClusteredRows(2 * kHalf, kSpec);
  const Rows queries = ClusteredRows(50, kQuerySpec);
  index.Add(std::span(rows).first(kHalf));
  index.LinkAll();
  index.Add(std::span(rows).last(kHalf));
  const Clock clock = index.clock();
  const VectorView vectors = index.vectors().view();
  std::atomic<bool> linking{true};
  std::atomic<int> searches{0};
  std::vector<std::thread> searchers;
  searchers.reserve(2);
  for (int t = 0; t < 2; ++t) {
    searchers.emplace_back([&] {
      for (std::size_t i = 0; linking.load() || i < queries.size(); ++i) {
        const float* query = queries[i % queries.size()].data();
        const GraphSearchOptions options{.k = 10, .ef = 32, .max_distances = IndexUnderTest::kNoLimit};
        const auto result =
            SearchGraph(index.graph(), vectors, index.distance(), query, options, index.deaths(), clock);
        EXPECT_EQ(result.hits.size(), 10U);
        EXPECT_GE(result.linked, kHalf);
        for (const ScoredSlot& hit : result.hits) EXPECT_LT(hit.slot, result.linked);
        searches.fetch_add(1);
      }
    });
  }
  while (searches.load() == 0) std::this_thread::yield();
  index.LinkAll(100, 128);
  for (std::uint32_t slot = 0; slot < kHalf; slot += 7) index.Kill(slot);
  linking.store(false);
  for (std::thread& searcher : searchers) searcher.join();
  EXPECT_GE(index.Recall(queries, 64), 0.98);
}

// Mapped nodes have no codes: float32 rows are compared until the last of them is in memory, then codes.
TEST_P(Searches, RunBesideTheLoadingOfMappedLinks) {
  IndexUnderTest index(Metric::kL2Squared, kSpec.dim, 8, 1, GetParam());
  index.Add(ClusteredRows(3'000, kSpec));
  index.LinkAll(40);
  const std::string path = index.folder().Path("links");
  const LinkFileStamp stamp = index.Stamp(1);
  ASSERT_EQ(WriteLinkFile(path, stamp, CopyLinks(index.graph()), std::vector<std::uint64_t>(47)), OkStatus());
  const Rows queries = ClusteredRows(20, kQuerySpec);
  const GraphSearchOptions options{.k = 10, .ef = 40, .max_distances = IndexUnderTest::kNoLimit};
  const auto walk_all = [&] {
    std::vector<std::vector<ScoredSlot>> hits;
    for (const auto& query : queries) hits.push_back(index.Walk(query, options).hits);
    return hits;
  };
  const std::vector<std::vector<ScoredSlot>> loaded = walk_all();
  LoadedLinks mapped;
  const auto file = PublishedLinks::Open(path, stamp, &mapped).value();
  index.set_graph(std::move(mapped.graph));
  EXPECT_NE(index.graph().MappedLevel0(), nullptr);
  EXPECT_LT(index.graph().MemoryBytes(), 3'000U * 32);
  const std::vector<std::vector<ScoredSlot>> unloaded = walk_all();
  std::atomic<bool> loading{true};
  std::atomic<int> rounds{0};
  std::thread searcher([&] {
    while (loading.load() || rounds.load() < 2) {
      for (std::size_t i = 0; i < queries.size(); ++i) {
        const std::vector<ScoredSlot> hits = index.Walk(queries[i], options).hits;
        EXPECT_TRUE(hits == loaded[i] || hits == unloaded[i]) << "query " << i;
      }
      rounds.fetch_add(1);
    }
  });
  while (rounds.load() == 0) std::this_thread::yield();
  EXPECT_EQ(file->LoadLevel0(index.mutable_graph(), index.vectors().view()), OkStatus());
  loading.store(false);
  searcher.join();
  EXPECT_EQ(index.graph().MappedLevel0(), nullptr);
  EXPECT_EQ(walk_all(), loaded);
  EXPECT_GE(index.graph().MemoryBytes(), 3'000U * 64);
}

}  // namespace
}  // namespace vdb
