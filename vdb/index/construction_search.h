// The search at one level for the candidates of a row's links, as linking asks it and as the construction stop is
// measured on it.
//
// Thread safety: none; values of one thread.
#ifndef VDB_INDEX_CONSTRUCTION_SEARCH_H_
#define VDB_INDEX_CONSTRUCTION_SEARCH_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "vdb/index/neighbour_selection.h"
#include "vdb/index/search_scratch.h"
#include "vdb/index/walk.h"

namespace vdb {

// Of the rows found so far, the one whose distance says how far the search goes on.
inline constexpr std::size_t kConstructionStopRank = 64;
// Nodes expanded per step: fuller groups of four, and rows asked for further ahead.
inline constexpr std::size_t kConstructionWidth = 4;

// Of rows that equal the one being linked the pool takes a few: hundreds of them would leave no room for the way out.
// The lowest and the highest slot among them are looked for: see SelectNeighbours.
class ConstructionRules : public PaperRules {
 public:
  // codes: of the row, whose slot it is.
  template <typename Codes>
  ConstructionRules(const Codes& codes, std::uint32_t slot, std::uint32_t m)
      : is_equal_(codes, slot), left_(MaxEqualLinks(m)), per_side_(std::max<std::size_t>(1, left_ / 2)) {}

  // From the graph.
  bool Enters(float distance, std::uint32_t slot) {
    if (!is_equal_(distance)) return true;
    const bool is_end = slot < lowest_ || slot > highest_;
    lowest_ = std::min(lowest_, slot);
    highest_ = std::max(highest_, slot);
    return TakeOne(is_end ? &ends_left_ : &left_);
  }

  // From the batch, slots before the row's or after it, the nearest first.
  void BeginSide() { side_left_ = per_side_; }
  bool EntersFromBatch(float distance) { return !is_equal_(distance) || TakeOne(&side_left_); }

 private:
  static bool TakeOne(std::size_t* left) {
    if (*left == 0) return false;
    --*left;
    return true;
  }

  const EqualRows is_equal_;
  std::size_t left_;
  std::size_t ends_left_ = 16;  // two or three steps lead to the ends of a chain; more than that is a broken one
  const std::size_t per_side_;
  std::size_t side_left_ = 0;
  std::uint32_t lowest_ = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t highest_ = 0;
};

// The rule for a search with the row of a slot. factor: infinite for none. Over float32 rows inner products have no
// base, and no rule.
template <typename Rows>
StopRule ConstructionStopRule(const Rows& rows, std::uint32_t slot, float factor) {
  const std::optional<float> base = rows.StopBase(slot);
  if (!base || std::isinf(factor)) return {};
  return {.rank = kConstructionStopRank, .factor = factor, .base = *base};
}

inline WalkLimits ConstructionLimits(std::size_t ef, std::uint32_t level, StopRule stop) {
  // Candidates held, dead ones included, per live one wanted: where nearly all are dead the search must end all the
  // same.
  constexpr std::size_t kPoolFactor = 2;
  return {.ef = ef, .level = level, .pool_max = kPoolFactor * ef, .stop = stop};
}

}  // namespace vdb

#endif  // VDB_INDEX_CONSTRUCTION_SEARCH_H_
