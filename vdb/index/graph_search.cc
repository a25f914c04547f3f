#include "vdb/index/graph_search.h"

#include "vdb/index/walk.h"

namespace vdb {

// 7 parameters: the parts of one View and one query, on the hot path, each by reference.
GraphSearchResult SearchGraph(const Graph& graph, const VectorView& vectors, const DistanceFunction& distance,
                              const float* query, const GraphSearchOptions& options, const Deaths& deaths,
                              Clock clock) {
  thread_local SearchScratch scratch;
  GraphSearchResult result;
  EntryPoint entry;
  // The entry point first: linked() then covers it.
  const bool has_entry = graph.LoadEntryPoint(&entry);
  result.linked = graph.linked();
  if (!has_entry) return result;
  const Float32Codes codes(vectors, distance, query);
  const WalkLimits limits{
      .ef = options.ef, .level = 0, .linked = result.linked, .max_distances = options.max_distances};
  WalkCounts counts;
  const ScoredSlot start = Descend(graph, codes, entry, 0, result.linked, &counts);
  const Bitset* matches = options.matches;
  const auto accept = [&](std::uint32_t slot) {
    return deaths.IsVisible(slot, clock) && (matches == nullptr || matches->Test(slot));
  };
  result.gave_up = !WalkLevel(graph, codes, start, limits, accept, &scratch, &counts);
  scratch.pool.ForEachAccepted([&](const ScoredSlot& hit) {
    result.hits.push_back(hit);
    return result.hits.size() < options.k;
  });
  result.distances = counts.distances;
  result.expanded = counts.expanded;
  return result;
}

}  // namespace vdb
