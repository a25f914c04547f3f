// Seeded rows, an index over them, and its exact truth, as the tests of this folder use them.
#ifndef VDB_TESTS_INDEX_INDEX_UNDER_TEST_H_
#define VDB_TESTS_INDEX_INDEX_UNDER_TEST_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/db/temp_folder.h"
#include "vdb/index/distance.h"
#include "vdb/index/flat_search.h"
#include "vdb/index/graph.h"
#include "vdb/index/graph_builder.h"
#include "vdb/index/graph_search.h"
#include "vdb/index/link_file.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/checksum.h"
#include "vdb/util/thread_pool.h"
#include "vdb/util/visibility.h"

namespace vdb {

using Rows = std::vector<std::vector<float>>;

inline constexpr CodeKind kCodeKinds[] = {CodeKind::kFloat32, CodeKind::kInt8};

inline void Normalise(std::vector<float>* row) {
  const float norm = std::sqrt(std::inner_product(row->begin(), row->end(), row->begin(), 0.0F));
  for (float& x : *row) x /= norm;
}

// Rows around `clusters` centres, in random order; the centres come from centre_seed, the rows from row_seed.
struct ClusterSpec {
  std::size_t clusters = 50;
  std::size_t dim = 48;
  std::uint32_t centre_seed = 1;
  std::uint32_t row_seed = 2;
  float spread = 0.5F;         // of rows around a centre; centres are spread by 1
  std::size_t intrinsic = 48;  // components that differ within a cluster
};

inline Rows ClusteredRows(std::size_t count, const ClusterSpec& spec) {
  std::mt19937 centre_random(spec.centre_seed);
  std::mt19937 random(spec.row_seed);
  std::normal_distribution<float> normal;
  Rows centres(spec.clusters, std::vector<float>(spec.dim));
  for (auto& centre : centres) {
    for (float& x : centre) x = normal(centre_random);
  }
  Rows rows;
  rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t cluster = random() % spec.clusters;
    std::vector<float>& row = rows.emplace_back(centres[cluster]);
    for (std::size_t j = 0; j < std::min(spec.intrinsic, spec.dim); ++j) {
      row[(cluster * 7 + j) % spec.dim] += spec.spread * normal(random);
    }
  }
  return rows;
}

// Vector file, graph and deaths over rows that are added and linked by hand.
class IndexUnderTest {
 public:
  IndexUnderTest(Metric metric, std::size_t dim, std::uint32_t m = 16, std::size_t threads = 1,
                 CodeKind codes = CodeKind::kFloat32)
      : metric_(metric), codes_(codes), distance_(metric, dim), pool_(threads), graph_(std::make_shared<Graph>(m)) {
    auto created = VectorFile::Create(folder_.Path("vectors"), dim);
    if (!created.ok()) throw std::runtime_error(created.status().ToString());
    vectors_ = std::move(created).value();
  }

  // Slots follow each other; under cosine rows are normalised.
  void Add(std::span<const std::vector<float>> rows) {
    deaths_.Reserve(clock_.committed + rows.size());
    for (std::vector<float> row : rows) {
      if (metric_ == Metric::kCosine) Normalise(&row);
      const Status written = vectors_->WriteRows(clock_.committed++, row);
      if (!written.ok()) throw std::runtime_error(written.ToString());
    }
  }

  // give_up: see BuildContext; batches that are given up are tried again.
  void LinkAll(std::uint32_t ef_construction = 200, std::uint32_t batch = kMaxBatchRows,
               const std::function<bool()>& give_up = nullptr) {
    const BuildContext context{.vectors = vectors_->view(),
                               .metric = metric_,
                               .codes = codes_,
                               .rows = clock_.committed,
                               .ef_construction = ef_construction,
                               .deaths = &deaths_,
                               .pool = &pool_,
                               .give_up = give_up};
    while (graph_->linked() < clock_.committed) {
      LinkBatch(graph_.get(), context, std::min(clock_.committed, graph_->linked() + batch));
    }
  }

  void Kill(std::uint32_t slot) { deaths_.Kill(slot, ++clock_.epoch); }

  GraphSearchResult Walk(std::vector<float> query, const GraphSearchOptions& options) const {
    if (metric_ == Metric::kCosine) Normalise(&query);
    return SearchGraph(*graph_, vectors_->view(), distance_, query.data(), options, deaths_, clock_);
  }

  std::vector<ScoredSlot> Truth(std::vector<float> query, std::size_t k, const Bitset* matches = nullptr) const {
    if (metric_ == Metric::kCosine) Normalise(&query);
    NearestList nearest(k);
    const VectorView view = vectors_->view();
    ScanRange({view, distance_, query.data(), deaths_, clock_, matches}, {0, clock_.committed}, &nearest);
    return nearest.Take();
  }

  // Share of hits no farther than the true k-th, k = 10. Kernels for one row and for four round differently.
  double Recall(const Rows& queries, std::size_t ef, const Bitset* matches = nullptr) const {
    return Recall(queries, Truths(queries, matches), ef, matches);
  }

  // The same where the truth is known.
  using TruthOfQueries = std::vector<std::vector<ScoredSlot>>;
  TruthOfQueries Truths(const Rows& queries, const Bitset* matches = nullptr) const {
    TruthOfQueries truths;
    truths.reserve(queries.size());
    for (const std::vector<float>& query : queries) truths.push_back(Truth(query, 10, matches));
    return truths;
  }
  double Recall(const Rows& queries, const TruthOfQueries& truths, std::size_t ef,
                const Bitset* matches = nullptr) const {
    std::size_t found = 0;
    std::size_t wanted = 0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::vector<ScoredSlot>& truth = truths[q];
      GraphSearchOptions options{.k = 10, .ef = ef, .max_distances = kNoLimit, .matches = matches};
      const float farthest = truth.back().distance + 1e-5F * (1 + std::abs(truth.back().distance));
      for (const ScoredSlot& hit : Walk(queries[q], options).hits) found += hit.distance <= farthest;
      wanted += truth.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }

  // Of every link, code and the entry point.
  std::uint64_t GraphHash() const {
    std::vector<std::uint32_t> words;
    for (std::uint32_t slot = 0; slot < graph_->linked(); ++slot) {
      for (std::uint32_t level = 0; level <= graph_->LevelOf(slot); ++level) {
        const std::uint32_t* links = graph_->Links(slot, level);
        words.insert(words.end(), links, links + graph_->Degree(level));
      }
      if (const CodeSpace* space = graph_->code_space(); space != nullptr && graph_->MappedLevel0() == nullptr) {
        const auto* code = reinterpret_cast<const std::uint32_t*>(&graph_->Code(slot));
        words.insert(words.end(), code, code + space->node_bytes() / sizeof(words[0]));
      }
    }
    EntryPoint entry;
    if (graph_->LoadEntryPoint(&entry)) words.insert(words.end(), {entry.slot, entry.level});
    return Checksum(words.data(), words.size() * sizeof(words[0]));
  }

  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

  const TempFolder& folder() const { return folder_; }
  const Graph& graph() const { return *graph_; }
  Graph* mutable_graph() { return graph_.get(); }
  std::shared_ptr<const Graph> shared_graph() const { return graph_; }
  void set_graph(std::shared_ptr<Graph> graph) { graph_ = std::move(graph); }
  VectorFile& vectors() { return *vectors_; }
  const VectorFile& vectors() const { return *vectors_; }
  const Deaths& deaths() const { return deaths_; }
  Clock clock() const { return clock_; }
  const DistanceFunction& distance() const { return distance_; }
  ThreadPool& pool() { return pool_; }
  // What a file of its links must say.
  LinkFileStamp Stamp(std::uint64_t commit_seq) const {
    return {.m = graph_->m(),
            .slots = clock_.committed,
            .commit_seq = commit_seq,
            .codes = codes_,
            .metric = metric_,
            .dim = vectors_->view().dim};
  }

 private:
  TempFolder folder_;
  const Metric metric_;
  const CodeKind codes_;
  const DistanceFunction distance_;
  ThreadPool pool_;
  std::unique_ptr<VectorFile> vectors_;
  std::shared_ptr<Graph> graph_;
  Deaths deaths_;
  Clock clock_{.committed = 0, .epoch = 1};
};

}  // namespace vdb

#endif  // VDB_TESTS_INDEX_INDEX_UNDER_TEST_H_
