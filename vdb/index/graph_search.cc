#include "vdb/index/graph_search.h"

#include <algorithm>

#include "vdb/index/rerank.h"
#include "vdb/index/walk.h"

namespace vdb {
namespace {

// Above it a heap takes fewer steps than moving half of a sorted array.
constexpr std::size_t kSortedPoolEf = 512;

// Candidates of which the rows are looked at, for k results, however early the walk stops.
std::size_t RerankPool(std::size_t k) {
  return std::max(2 * k, k + 16);
}

// One search: level 0 after the descent, with either pool. Hits get the distances of the codes.
template <typename Codes, typename Visible>
void RunWalk(Walk<Codes>* walk, EntryPoint entry, const GraphSearchOptions& options, const Visible& visible,
             SearchScratch* scratch, GraphSearchResult* result) {
  const ScoredSlot start = walk->Descend(entry, 0);
  WalkLimits limits{.ef = options.ef, .level = 0, .max_distances = options.max_distances, .deadline = options.deadline};
  const Bitset* matches = options.matches;
  if (matches == nullptr && options.ef <= kSortedPoolEf) {
    if (options.stop_factor > 0) {
      limits.stop = {.rank = options.k, .factor = options.stop_factor};
      limits.keep = RerankPool(options.k);
    }
    result->gave_up = !walk->template Search<1>(start, limits, visible, PaperRules(), &scratch->sorted);
    scratch->sorted.Take(&result->hits, nullptr);
  } else {
    const auto accept = [&](std::uint32_t slot) {
      return visible(slot) && (matches == nullptr || matches->Test(slot));
    };
    result->gave_up = !walk->template Search<1>(start, limits, accept, PaperRules(), &scratch->heaps);
    scratch->heaps.Take(&result->hits, nullptr);
  }
  result->timed_out = result->gave_up && options.deadline.Passed();
  result->distances = walk->counts().distances;
  result->expanded = walk->counts().expanded;
}

}  // namespace

// 7 parameters: the parts of one View and one query, on the hot path, each by reference.
GraphSearchResult SearchGraph(const Graph& graph, const VectorView& vectors, const DistanceFunction& distance,
                              const float* query, const GraphSearchOptions& options, const Deaths& deaths,
                              Clock clock) {
  thread_local SearchScratch scratch;
  GraphSearchResult result;
  EntryPoint entry;
  // The entry point first: linked() then covers it. Without one nothing is looked at, whatever linked() is by now.
  if (!graph.LoadEntryPoint(&entry)) return result;
  const std::uint32_t linked = std::min(graph.linked(), vectors.rows);
  if (entry.slot >= linked) return result;
  result.linked = linked;
  const auto visible = [&](std::uint32_t slot) { return deaths.IsVisible(slot, clock); };
  // Nodes in a mapped file have no codes: until they are in memory the rows themselves are compared.
  if (graph.code_space() == nullptr || graph.MappedLevel0() != nullptr) {
    const Float32Codes codes(vectors, distance, query);
    Walk<Float32Codes> walk(graph, codes, linked, &scratch.visited);
    RunWalk(&walk, entry, options, visible, &scratch, &result);
    if (result.hits.size() > options.k) result.hits.resize(options.k);
    return result;
  }
  NodeCode* const query_code = scratch.query.Resize(graph.code_space()->node_bytes());
  graph.code_space()->EncodeQuery(query, query_code);
  const Int8Codes codes(graph, *query_code);
  Walk<Int8Codes> walk(graph, codes, linked, &scratch.visited);
  RunWalk(&walk, entry, options, visible, &scratch, &result);
  result.hits = Rerank({graph, vectors, distance}, query, *query_code, result.hits, options.k);
  return result;
}

}  // namespace vdb
