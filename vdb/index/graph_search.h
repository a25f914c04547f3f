// Approximate search: the graph is walked, visible and matching slots become results.
//
// Thread safety: safe beside the graph's linker; scratch belongs to the caller's thread.
#ifndef VDB_INDEX_GRAPH_SEARCH_H_
#define VDB_INDEX_GRAPH_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/search_scratch.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/bitset.h"
#include "vdb/util/deadline.h"
#include "vdb/util/visibility.h"

namespace vdb {

struct GraphSearchOptions {
  std::size_t k = 0;
  std::size_t ef = 0;                                                       // at least k
  float stop_factor = 0;                                                    // see StopRule, with rank k; 0: none
  std::uint64_t max_distances = std::numeric_limits<std::uint64_t>::max();  // give up beyond it
  Deadline deadline = {};
  const Bitset* matches = nullptr;  // null: every slot
  // A slot that the walk does not see, other than the entry point: to ask a row for its neighbours as if it were new.
  std::uint32_t hidden = kNoSlot;
};

// What ef is for a search with a stop factor: the factor ends walks, ef bounds them.
inline std::size_t AdaptivePool(std::size_t k) {
  return std::max<std::size_t>(512, 4 * k);
}

struct GraphSearchResult {
  std::vector<ScoredSlot> hits;  // nearest first, at most k; none if it gave up
  std::uint64_t distances = 0;
  std::uint64_t expanded = 0;
  std::uint32_t linked = 0;  // slots at or above it were not looked at: the caller's tail
  bool gave_up = false;      // at max_distances or the deadline
  bool timed_out = false;    // at the deadline
};

// query: dim float32, of a ScaledQuery where its length may be any.
GraphSearchResult SearchGraph(const Graph& graph, const VectorView& vectors, const DistanceFunction& distance,
                              const float* query, const GraphSearchOptions& options, const Deaths& deaths, Clock clock);

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_SEARCH_H_
