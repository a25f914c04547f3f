#include "vdb/index/neighbour_selection.h"

#include <algorithm>

namespace vdb {
namespace {

// Whether a slot nearer than `limit` to the row is among chosen.
bool IsCovered(const VectorView& vectors, const DistanceFunction& distance, const float* row, float limit,
               const std::vector<std::uint32_t>& chosen) {
  std::size_t i = 0;
  for (; i + 4 <= chosen.size(); i += 4) {
    const float* const rows[4] = {vectors.row(chosen[i]), vectors.row(chosen[i + 1]), vectors.row(chosen[i + 2]),
                                  vectors.row(chosen[i + 3])};
    float distances[4];
    distance.Four(row, rows, distances);
    if (*std::min_element(distances, distances + 4) < limit) return true;
  }
  for (; i < chosen.size(); ++i) {
    if (distance(row, vectors.row(chosen[i])) < limit) return true;
  }
  return false;
}

}  // namespace

void SelectNeighbours(const VectorView& vectors, const DistanceFunction& distance,
                      std::span<const ScoredSlot> candidates, std::size_t m, std::vector<std::uint32_t>* chosen) {
  chosen->clear();
  for (const ScoredSlot& candidate : candidates) {
    if (chosen->size() >= m) return;
    if (IsCovered(vectors, distance, vectors.row(candidate.slot), candidate.distance, *chosen)) continue;
    chosen->push_back(candidate.slot);
  }
}

}  // namespace vdb
