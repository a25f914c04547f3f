// The walk: descent through the upper levels, then best-first search at one level. Shared by searches and by insertion.
//
// Two passes per node: gather the neighbours that were not seen, ask for their rows, then compute distances four at a
// time. Links may come from a file that was not verified: every slot is checked against linked.
// Source: Malkov & Yashunin 2018, Algorithms 2 (SEARCH-LAYER) and 5 (K-NN-SEARCH). ep → entry, ef → ef, lc → level.
#ifndef VDB_INDEX_WALK_H_
#define VDB_INDEX_WALK_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/search_scratch.h"
#include "vdb/index/vector_file.h"

namespace vdb {

// The float32 rows themselves as codes: distance of one query to rows by slot.
class Float32Codes {
 public:
  Float32Codes(const VectorView& vectors, const DistanceFunction& distance, const float* query)
      : vectors_(vectors), distance_(distance), query_(query) {}

  void Prefetch(std::uint32_t slot) const {
    const auto* row = reinterpret_cast<const char*>(vectors_.row(slot));
    const std::size_t bytes = std::min(vectors_.dim * sizeof(float), kPrefetchBytes);
    for (std::size_t offset = 0; offset < bytes; offset += 64) __builtin_prefetch(row + offset);
  }

  float One(std::uint32_t slot) const { return distance_(query_, vectors_.row(slot)); }

  void Four(const std::uint32_t slots[4], float out[4]) const {
    const float* const rows[4] = {vectors_.row(slots[0]), vectors_.row(slots[1]), vectors_.row(slots[2]),
                                  vectors_.row(slots[3])};
    distance_.Four(query_, rows, out);
  }

 private:
  // Longer rows are streams that the hardware prefetcher follows.
  static constexpr std::size_t kPrefetchBytes = 2048;

  const VectorView& vectors_;
  const DistanceFunction& distance_;
  const float* query_;
};

struct WalkCounts {
  std::uint64_t distances = 0;
  std::uint64_t expanded = 0;
};

// The nearest node on the greedy path from `entry` down to above `level`.
// 6 parameters: inlined into each walk; a struct of them would only be taken apart again.
template <typename Codes>
ScoredSlot Descend(const Graph& graph, const Codes& codes, EntryPoint entry, std::uint32_t level, std::uint32_t linked,
                   WalkCounts* counts) {
  ScoredSlot best{.distance = codes.One(entry.slot), .slot = entry.slot};
  ++counts->distances;
  for (std::uint32_t l = entry.level; l > level; --l) {
    for (bool improved = true; improved;) {
      improved = false;
      const std::uint32_t* links = graph.Links(best.slot, l);
      const std::uint32_t from = best.slot;
      for (std::uint32_t i = 0; i < graph.Degree(l); ++i) {
        const std::uint32_t slot = Graph::Link(links + i);
        if (slot == from || slot >= linked || graph.LevelOf(slot) < l) continue;
        const ScoredSlot next{.distance = codes.One(slot), .slot = slot};
        ++counts->distances;
        if (next < best) {
          best = next;
          improved = true;
        }
      }
    }
  }
  return best;
}

// Distances of the gathered slots, each given to add(slot, distance).
template <typename Codes, typename Add>
void ScoreGathered(const Codes& codes, std::vector<std::uint32_t>* slots, const Add& add) {
  constexpr std::size_t kAhead = 6;
  const std::size_t size = slots->size();
  for (std::size_t i = 0; i < std::min(size, kAhead); ++i) codes.Prefetch((*slots)[i]);
  std::size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    for (std::size_t j = i + kAhead; j < std::min(size, i + kAhead + 4); ++j) codes.Prefetch((*slots)[j]);
    float distances[4];
    codes.Four(slots->data() + i, distances);
    for (std::size_t j = 0; j < 4; ++j) add((*slots)[i + j], distances[j]);
  }
  for (; i < size; ++i) add((*slots)[i], codes.One((*slots)[i]));
}

struct WalkLimits {
  std::size_t ef = 0;
  std::uint32_t level = 0;
  std::uint32_t linked = 0;
  std::uint64_t max_distances = std::numeric_limits<std::uint64_t>::max();
};

// Best-first search at one level from `start`; accept(slot) says which nodes may be results. Leaves the ef nearest that
// it found in scratch->pool. Returns false if it was given up at max_distances.
// 7 parameters: as above.
template <typename Codes, typename Accept>
bool WalkLevel(const Graph& graph, const Codes& codes, ScoredSlot start, const WalkLimits& limits, const Accept& accept,
               SearchScratch* scratch, WalkCounts* counts) {
  CandidatePool& pool = scratch->pool;
  scratch->visited.Begin(limits.linked);
  pool.Begin(limits.ef);
  scratch->visited.TestAndSet(start.slot);
  pool.Insert(start, accept(start.slot));
  const std::uint32_t degree = graph.Degree(limits.level);
  ScoredSlot nearest;
  while (pool.Next(&nearest)) {
    const std::uint32_t* links = graph.Links(nearest.slot, limits.level);
    std::uint32_t next = 0;
    if (pool.Peek(&next)) __builtin_prefetch(graph.Links(next, limits.level));
    scratch->slots.clear();
    for (std::uint32_t i = 0; i < degree; ++i) {
      const std::uint32_t slot = Graph::Link(links + i);
      if (slot >= limits.linked || scratch->visited.TestAndSet(slot)) continue;
      if (limits.level > 0 && graph.LevelOf(slot) < limits.level) continue;
      scratch->slots.push_back(slot);
    }
    ++counts->expanded;
    counts->distances += scratch->slots.size();
    ScoreGathered(codes, &scratch->slots, [&](std::uint32_t slot, float distance) {
      if (pool.MayEnter(distance)) pool.Insert({.distance = distance, .slot = slot}, accept(slot));
    });
    if (counts->distances > limits.max_distances) return false;
  }
  return true;
}

}  // namespace vdb

#endif  // VDB_INDEX_WALK_H_
