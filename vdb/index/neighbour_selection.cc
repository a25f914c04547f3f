#include "vdb/index/neighbour_selection.h"

#include <algorithm>
#include <array>

#include "vdb/index/codes.h"

namespace vdb {
namespace {

// Candidates looked at together: most nodes have their links after one or two such chunks.
constexpr std::size_t kChunk = 64;

// Removes from alive[0..count) those nearer to the chosen slot than to the node; returns how many are left, in order.
template <typename Rows>
std::size_t RemoveCovered(const Rows& rows, std::uint32_t chosen, ScoredSlot* alive, std::size_t count) {
  const typename Rows::Codes codes = rows.From(chosen);
  std::size_t kept = 0;
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const std::uint32_t slots[4] = {alive[i].slot, alive[i + 1].slot, alive[i + 2].slot, alive[i + 3].slot};
    float distances[4];
    codes.Four(slots, distances);
    for (std::size_t j = 0; j < 4; ++j) {
      const ScoredSlot candidate = alive[i + j];
      alive[kept] = candidate;
      kept += distances[j] < candidate.distance ? 0 : 1;
    }
  }
  for (; i < count; ++i) {
    if (codes.One(alive[i].slot) < alive[i].distance) continue;
    alive[kept++] = alive[i];
  }
  return kept;
}

// Of rows that equal the node's, in this order: the one before it by slot, the lowest, the highest, the one after it,
// then those nearest by slot.
void SelectEqual(std::uint32_t node, std::vector<std::uint32_t>* equal, std::size_t max_equal,
                 std::vector<std::uint32_t>* chosen) {
  std::sort(equal->begin(), equal->end());
  const auto after = [&] { return std::upper_bound(equal->begin(), equal->end(), node); };
  const auto gap = [&](std::uint32_t slot) { return slot < node ? node - slot : slot - node; };
  for (std::size_t taken = 0; taken < max_equal && !equal->empty(); ++taken) {
    auto which = std::ranges::min_element(*equal, {}, gap);
    if (taken == 0 && after() != equal->begin()) which = after() - 1;
    if (taken == 1) which = equal->begin();
    if (taken == 2) which = equal->end() - 1;
    if (taken == 3 && after() != equal->end()) which = after();
    chosen->push_back(*which);
    equal->erase(which);
  }
}

}  // namespace

// The paper tests each candidate against those taken before it; here each one taken is tested against the candidates
// that are left, which is the same and makes it one query with many rows.
template <typename Rows>
void SelectNeighbours(const Rows& rows, std::uint32_t node, std::span<const ScoredSlot> candidates, std::size_t m,
                      std::vector<std::uint32_t>* chosen) {
  chosen->clear();
  const EqualRows is_equal(rows.From(node), node);
  std::vector<std::uint32_t> equal_slots;
  std::vector<ScoredSlot> others;
  if (std::ranges::any_of(candidates, is_equal, &ScoredSlot::distance)) {
    for (const ScoredSlot& candidate : candidates) {
      if (is_equal(candidate.distance)) {
        equal_slots.push_back(candidate.slot);
      } else {
        others.push_back(candidate);
      }
    }
    SelectEqual(node, &equal_slots, MaxEqualLinks(m), chosen);
    candidates = others;
  }
  const std::size_t equal = chosen->size();  // these cover nothing
  std::array<ScoredSlot, kChunk> alive;
  for (; !candidates.empty() && chosen->size() < m;
       candidates = candidates.subspan(std::min(kChunk, candidates.size()))) {
    std::size_t count = std::min(kChunk, candidates.size());
    std::copy_n(candidates.begin(), count, alive.begin());
    for (std::size_t i = equal; i < chosen->size() && count > 0; ++i) {
      count = RemoveCovered(rows, (*chosen)[i], alive.data(), count);
    }
    for (std::size_t first = 0; first < count && chosen->size() < m; ++first) {
      chosen->push_back(alive[first].slot);
      count = first + 1 + RemoveCovered(rows, alive[first].slot, alive.data() + first + 1, count - first - 1);
    }
  }
}

template void SelectNeighbours<Float32Rows>(const Float32Rows&, std::uint32_t, std::span<const ScoredSlot>, std::size_t,
                                            std::vector<std::uint32_t>*);
template void SelectNeighbours<Int8Rows>(const Int8Rows&, std::uint32_t, std::span<const ScoredSlot>, std::size_t,
                                         std::vector<std::uint32_t>*);

}  // namespace vdb
