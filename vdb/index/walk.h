// The walk: descent through the upper levels, then best-first search at one level. Shared by searches and by insertion.
//
// Two passes per step: gather the neighbours that were not seen, then compute their distances four at a time, with the
// rows of the next ones on their way. Codes (what distances are computed from) and the pool are compile-time
// parameters. Links may come from a file that was not verified: every slot is checked against linked.
// Thread safety: as Graph's readers; scratch belongs to the caller's thread.
// Source: Malkov & Yashunin 2018, Algorithms 2 (SEARCH-LAYER) and 5 (K-NN-SEARCH). ep → entry, ef → ef, lc → level.
#ifndef VDB_INDEX_WALK_H_
#define VDB_INDEX_WALK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "vdb/index/codes.h"
#include "vdb/index/graph.h"
#include "vdb/index/search_scratch.h"
#include "vdb/util/deadline.h"

namespace vdb {

struct WalkCounts {
  std::uint64_t distances = 0;
  std::uint64_t expanded = 0;
};

struct WalkLimits {
  std::size_t ef = 0;
  std::uint32_t level = 0;
  std::size_t pool_max = std::numeric_limits<std::size_t>::max();  // candidates held, unacceptable ones included
  StopRule stop = {};
  KeepRule keep = {};
  std::uint64_t max_distances = std::numeric_limits<std::uint64_t>::max();
  Deadline deadline = {};
};

// What a walk may be told beyond the paper: what not to take into the pool.
struct PaperRules {
  bool Enters(float distance, std::uint32_t slot) const {
    static_cast<void>(distance);
    static_cast<void>(slot);
    return true;
  }
};

// One query's walk over slots below linked. Thread safety: none; graph may be linked meanwhile.
template <typename Codes>
class Walk {
 public:
  Walk(const Graph& graph, const Codes& codes, std::uint32_t linked, VisitedSet* visited)
      : graph_(graph),
        mapped_(graph.MappedLevel0()),
        codes_(codes),
        linked_(linked),
        visited_(*visited),
        ahead_(RowsAhead(codes.row_bytes())) {}

  const WalkCounts& counts() const { return counts_; }

  // Walks do not see this slot; not the entry point.
  void Hide(std::uint32_t slot) { hidden_ = slot; }

  // The nearest node on the greedy path from `entry` (below linked) down to above `level`.
  ScoredSlot Descend(EntryPoint entry, std::uint32_t level) {
    ScoredSlot best{.distance = codes_.One(entry.slot), .slot = entry.slot};
    ++counts_.distances;
    for (std::uint32_t l = entry.level; l > level; --l) {
      BeginVisits();
      for (bool improved = true; improved;) {
        improved = false;
        const std::size_t from = visited_.size();
        Gather(best.slot, l);
        Score(from, [&](std::uint32_t slot, float distance) {
          const ScoredSlot next{.distance = distance, .slot = slot};
          if (!(next < best)) return;
          best = next;
          improved = true;
        });
      }
    }
    return best;
  }

  // Best-first search at one level from `start`, expanding up to kWidth nodes per step; accept(slot) says which nodes
  // may be results. Leaves the ef nearest that it found in *pool. Returns false if it was given up at max_distances or
  // the deadline.
  template <std::size_t kWidth, typename Pool, typename Accept, typename Rules>
  bool Search(ScoredSlot start, const WalkLimits& limits, const Accept& accept, Rules&& rules, Pool* pool) {
    BeginVisits();
    visited_.Gather(start.slot);
    pool->Begin({.acceptable = limits.ef, .all = limits.pool_max, .stop = limits.stop, .keep = limits.keep});
    pool->Insert(start.distance, start.slot, accept(start.slot));
    std::uint32_t node = 0;
    while (pool->Next(&node)) {
      const std::size_t from = visited_.size();
      Gather(node, limits.level);
      ++counts_.expanded;
      for (std::size_t more = 1; more < kWidth && pool->Next(&node); ++more) {
        Gather(node, limits.level);
        ++counts_.expanded;
      }
      if (pool->Peek(&node)) PrefetchLinks(node, limits.level);
      Score(from, [&](std::uint32_t slot, float distance) {
        if (pool->MayEnter(distance) && rules.Enters(distance, slot)) pool->Insert(distance, slot, accept(slot));
      });
      pool->EndStep();
      if (counts_.distances > limits.max_distances) return false;
      if (limits.deadline.IsSet() && counts_.expanded % kNodesPerLook == 0 && limits.deadline.Passed()) return false;
    }
    return true;
  }

 private:
  // Nodes expanded between two looks at the clock on the wall, where there is a deadline.
  static constexpr std::uint64_t kNodesPerLook = 64;
  // Rows between what is asked for late and what is read.
  static constexpr std::size_t kLateRows = 4;

  void BeginVisits() {
    visited_.Begin(linked_);
    if (hidden_ != kNoSlot) visited_.Gather(hidden_);
  }

  // Adds the unseen neighbours of a node to what the visited set has gathered.
  void Gather(std::uint32_t slot, std::uint32_t level) {
    const std::uint32_t degree = graph_.Degree(level);
    const std::uint32_t* links = graph_.LinksOf(mapped_, slot, level);
    const std::uint32_t linked = linked_;
    const auto link = [&](std::size_t i) { return Graph::Link(links + i); };
    if (level == 0) {
      visited_.Gather(degree, link, [linked](std::uint32_t next) { return next < linked; });
    } else {
      visited_.Gather(degree, link, [&](std::uint32_t next) { return next < linked && graph_.IsAtLevel(next, level); });
    }
  }

  void PrefetchLinks(std::uint32_t slot, std::uint32_t level) const {
    const std::uint32_t* links = graph_.LinksOf(mapped_, slot, level);
    for (std::uint32_t i = 0; i < graph_.Degree(level); i += 16) __builtin_prefetch(links + i);
  }

  // Distances of what was gathered since `from`, each given to add(slot, distance) in order.
  template <typename Add>
  void Score(std::size_t from, const Add& add) {
    const std::uint32_t* slots = visited_.log() + from;
    const std::size_t count = visited_.size() - from;
    for (std::size_t i = 0; i < std::min(count, ahead_); ++i) codes_.PrefetchEarly(slots[i]);
    for (std::size_t i = 0; i < std::min(count, kLateRows); ++i) codes_.PrefetchLate(slots[i]);
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
      for (std::size_t j = i + ahead_; j < std::min(count, i + ahead_ + 4); ++j) codes_.PrefetchEarly(slots[j]);
      for (std::size_t j = i + kLateRows; j < std::min(count, i + kLateRows + 4); ++j) codes_.PrefetchLate(slots[j]);
      float distances[4];
      codes_.Four(slots + i, distances);
      for (std::size_t j = 0; j < 4; ++j) add(slots[i + j], distances[j]);
    }
    for (; i < count; ++i) add(slots[i], codes_.One(slots[i]));
    counts_.distances += count;
  }

  const Graph& graph_;
  const std::uint32_t* const mapped_;
  const Codes& codes_;
  const std::uint32_t linked_;
  VisitedSet& visited_;
  const std::size_t ahead_;  // rows that are on their way while distances of others are computed
  std::uint32_t hidden_ = kNoSlot;
  WalkCounts counts_;
};

}  // namespace vdb

#endif  // VDB_INDEX_WALK_H_
