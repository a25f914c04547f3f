#include "vdb/index/graph_search.h"

#include <algorithm>

#include "vdb/index/walk.h"

namespace vdb {
namespace {

// Above it a heap takes fewer steps than moving half of a sorted array.
constexpr std::size_t kSortedPoolEf = 512;

// Returns false if it was given up; *pool has what was found.
template <typename Pool, typename Accept>
bool WalkLevel0(Walk<Float32Codes>* walk, ScoredSlot start, const GraphSearchOptions& options, const Accept& accept,
                Pool* pool) {
  const WalkLimits limits{
      .ef = options.ef, .level = 0, .max_distances = options.max_distances, .deadline = options.deadline};
  return walk->Search<1>(start, limits, accept, PaperRules(), pool);
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
  const Float32Codes codes(vectors, distance, query);
  Walk<Float32Codes> walk(graph, codes, linked, &scratch.visited);
  const ScoredSlot start = walk.Descend(entry, 0);
  const auto visible = [&](std::uint32_t slot) { return deaths.IsVisible(slot, clock); };
  const Bitset* matches = options.matches;
  if (matches == nullptr && options.ef <= kSortedPoolEf) {
    result.gave_up = !WalkLevel0(&walk, start, options, visible, &scratch.sorted);
    scratch.sorted.Take(&result.hits, nullptr);
  } else {
    const auto accept = [&](std::uint32_t slot) {
      return visible(slot) && (matches == nullptr || matches->Test(slot));
    };
    result.gave_up = !WalkLevel0(&walk, start, options, accept, &scratch.heaps);
    scratch.heaps.Take(&result.hits, nullptr);
  }
  result.timed_out = result.gave_up && options.deadline.Passed();
  if (result.hits.size() > options.k) result.hits.resize(options.k);
  result.distances = walk.counts().distances;
  result.expanded = walk.counts().expanded;
  return result;
}

}  // namespace vdb
