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

#include "vdb/index/scored_slot.h"

namespace vdb {

// Tells rows that equal a node's by their distance to it: it is the node's distance to itself, as either kernel rounds.
class EqualRows {
 public:
  // node: codes of the node's row, whose slot it is.
  template <typename Codes>
  EqualRows(const Codes& node, std::uint32_t slot) : one_(node.One(slot)) {
    const std::uint32_t slots[4] = {slot, slot, slot, slot};
    float four[4];
    node.Four(slots, four);
    four_ = four[0];
  }
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
// Rows: Float32Rows or Int8Rows.
template <typename Rows>
void SelectNeighbours(const Rows& rows, std::uint32_t node, std::span<const ScoredSlot> candidates, std::size_t m,
                      std::vector<std::uint32_t>* chosen);

}  // namespace vdb

#endif  // VDB_INDEX_NEIGHBOUR_SELECTION_H_
