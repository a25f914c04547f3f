// Choosing a node's links among candidates.
//
// Source: Malkov & Yashunin 2018, Algorithm 4, as hnswlib has it: a candidate is taken unless it is nearer to one
// already taken than to the node; no extension, no filling up with the rejected. One thing is added: rows equal to the
// node's own would fill its list and cut it off from all others, so of them only a few are taken, such that each can be
// reached from each: by slot they form a chain whose ends every one of them knew when it was linked. Thread safety:
// pure functions.
#ifndef VDB_INDEX_NEIGHBOUR_SELECTION_H_
#define VDB_INDEX_NEIGHBOUR_SELECTION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vdb/index/distance.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/vector_file.h"

namespace vdb {

struct NeighbourSource {
  const VectorView& vectors;
  const DistanceFunction& distance;
};

// Tells rows that equal a node's by their distance to it: it is the node's distance to itself, as either kernel rounds.
class EqualRows {
 public:
  EqualRows(const DistanceFunction& distance, const float* row);
  bool operator()(float distance) const { return distance == one_ || distance == four_; }

 private:
  float one_;
  float four_;
};

// How many links among m may lead to rows that equal the node's.
inline std::size_t MaxEqualLinks(std::size_t m) {
  return std::max(m / 4, std::min<std::size_t>(m / 2, 4));
}

// Chooses at most m links of a node into *chosen. candidates: sorted, nearest first, by distance to the node's row.
void SelectNeighbours(const NeighbourSource& source, std::uint32_t node, std::span<const ScoredSlot> candidates,
                      std::size_t m, std::vector<std::uint32_t>* chosen);

}  // namespace vdb

#endif  // VDB_INDEX_NEIGHBOUR_SELECTION_H_
