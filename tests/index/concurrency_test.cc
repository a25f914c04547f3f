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

TEST(GraphSearch, RunsBesideLinkingAndDeaths) {
  constexpr std::size_t kHalf = 1'500;
  IndexUnderTest index(Metric::kL2Squared, kSpec.dim, 16, 2);
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

TEST(MappedLinks, AreSearchedWhileTheyAreLoaded) {
  IndexUnderTest index(Metric::kL2Squared, kSpec.dim, 8);
  index.Add(ClusteredRows(3'000, kSpec));
  index.LinkAll(40);
  const std::string path = index.folder().Path("links");
  const LinkFileStamp stamp{.m = 8, .slots = 3'000, .commit_seq = 1};
  ASSERT_EQ(WriteLinkFile(path, stamp, CopyLinks(index.graph()), std::vector<std::uint64_t>(47)), OkStatus());
  const Rows queries = ClusteredRows(20, kQuerySpec);
  const GraphSearchOptions options{.k = 10, .ef = 40, .max_distances = IndexUnderTest::kNoLimit};
  std::vector<std::vector<ScoredSlot>> wanted;
  for (const auto& query : queries) wanted.push_back(index.Walk(query, options).hits);
  LoadedLinks mapped;
  const auto file = PublishedLinks::Open(path, stamp, &mapped).value();
  index.set_graph(std::move(mapped.graph));
  EXPECT_NE(index.graph().MappedLevel0(), nullptr);
  EXPECT_LT(index.graph().MemoryBytes(), 3'000U * 32);
  std::atomic<bool> loading{true};
  std::atomic<int> rounds{0};
  std::thread searcher([&] {
    while (loading.load() || rounds.load() < 2) {
      for (std::size_t i = 0; i < queries.size(); ++i) EXPECT_EQ(index.Walk(queries[i], options).hits, wanted[i]);
      rounds.fetch_add(1);
    }
  });
  while (rounds.load() == 0) std::this_thread::yield();
  EXPECT_EQ(file->LoadLevel0(index.mutable_graph()), OkStatus());
  loading.store(false);
  searcher.join();
  EXPECT_EQ(index.graph().MappedLevel0(), nullptr);
  EXPECT_GE(index.graph().MemoryBytes(), 3'000U * 64);
}

}  // namespace
}  // namespace vdb
