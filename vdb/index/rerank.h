// The k nearest among candidates whose distances are those of codes: their rows decide.
//
// Thread safety: pure function over what a View holds.
#ifndef VDB_INDEX_RERANK_H_
#define VDB_INDEX_RERANK_H_

#include <cstddef>
#include <span>
#include <vector>

#include "vdb/index/code_space.h"
#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/vector_file.h"

namespace vdb {

struct RerankSource {
  const Graph& graph;
  const VectorView& vectors;
  const DistanceFunction& distance;
};

// candidates: nearest first by the codes. Returns at most k with the metric's distances, nearest first. Ends
// early once the next candidate would have to be wrong by more than ExcessNear to enter; those by more than ExcessOf
// are passed over.
std::vector<ScoredSlot> Rerank(const RerankSource& source, const float* query, const NodeCode& query_code,
                               std::span<const ScoredSlot> candidates, std::size_t k);

}  // namespace vdb

#endif  // VDB_INDEX_RERANK_H_
