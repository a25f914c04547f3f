// Choosing a node's links among candidates.
//
// Source: Malkov & Yashunin 2018, Algorithm 4, as hnswlib has it: a candidate is taken unless it is nearer to one
// already taken than to the node; no extension, no filling up with the rejected.
// Thread safety: pure functions.
#ifndef VDB_INDEX_NEIGHBOUR_SELECTION_H_
#define VDB_INDEX_NEIGHBOUR_SELECTION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vdb/index/distance.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/vector_file.h"

namespace vdb {

// candidates: sorted, nearest first, by distance to the node. At most m are chosen, into *chosen.
void SelectNeighbours(const VectorView& vectors, const DistanceFunction& distance,
                      std::span<const ScoredSlot> candidates, std::size_t m, std::vector<std::uint32_t>* chosen);

}  // namespace vdb

#endif  // VDB_INDEX_NEIGHBOUR_SELECTION_H_
