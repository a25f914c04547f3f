// The links of an HNSW graph over one generation's slots: level 0 in fixed nodes, upper levels in an arena.
//
// A node has 2 * m words at level 0 and m at each upper level; a position that is not used holds the node's own slot,
// so that a walk drops it by its visited test, without a branch. Slots below linked() are nodes; each has a level that
// is a function of the slot alone. Dead slots that were linked keep routing. State: derived from the vectors; may be
// thrown away. Thread safety: one linker at a time changes links (SetLinks, Finish); readers walk beside it: link
// words, the entry point and linked() are atomic, and every slot that a reader finds was below linked() of some moment.
// A reader ignores slots at or above the linked() that it loaded. Ownership: owns its memory. Memory for nodes comes in
// segments that never move. Source: Malkov & Yashunin 2018 (arXiv 1603.09320), sections 4.1 and 4.2; M → m.
#ifndef VDB_INDEX_GRAPH_H_
#define VDB_INDEX_GRAPH_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "vdb/util/segmented_array.h"

namespace vdb {

inline constexpr std::uint32_t kMaxLevel = 12;

// Where a walk begins: {slot, level} in one word, so that readers see a pair that belongs together.
struct EntryPoint {
  std::uint32_t slot = 0;
  std::uint32_t level = 0;
};

class Graph {
 public:
  explicit Graph(std::uint32_t m);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::uint32_t m() const { return m_; }
  // Words of a node at a level.
  std::uint32_t Degree(std::uint32_t level) const { return level == 0 ? 2 * m_ : m_; }

  // The level of a slot: P(level >= l) = m^-l, from a hash of the slot, the same on every machine.
  std::uint32_t LevelOf(std::uint32_t slot) const;

  // Slots below it are in the graph (acquire).
  std::uint32_t linked() const { return linked_.load(std::memory_order_acquire); }

  // The links of a node; degree words, to be read with Link. level <= LevelOf(slot).
  const std::uint32_t* Links(std::uint32_t slot, std::uint32_t level) const {
    return level == 0 ? Level0(slot) : Upper(slot, level);
  }
  static std::uint32_t Link(const std::uint32_t* word) {
    return std::atomic_ref<std::uint32_t>(*const_cast<std::uint32_t*>(word)).load(std::memory_order_relaxed);
  }

  // No node: false.
  bool LoadEntryPoint(EntryPoint* entry) const;

  // Linker: makes nodes for slots below `end`, without links. Throws std::bad_alloc.
  void Reserve(std::uint32_t end);
  // Linker: replaces a node's links; the rest becomes the node's own slot.
  void SetLinks(std::uint32_t slot, std::uint32_t level, std::span<const std::uint32_t> links);
  // Linker: the batch up to `end` is complete; entry may be null (nothing in it was linked).
  void Finish(std::uint32_t end, const EntryPoint* entry);

  std::size_t MemoryBytes() const;

 private:
  // Segment s of level 0 holds kBaseNodes << s nodes.
  static constexpr unsigned kBaseBits = 10;
  static constexpr unsigned kSegments = 33 - kBaseBits;

  struct Place {
    unsigned segment;
    std::size_t offset;  // in nodes
  };
  static Place PlaceOf(std::uint32_t slot) {
    const std::uint64_t shifted = std::uint64_t{slot} + (std::uint64_t{1} << kBaseBits);
    const unsigned segment = static_cast<unsigned>(std::bit_width(shifted)) - 1 - kBaseBits;
    return {segment, shifted - (std::uint64_t{1} << (kBaseBits + segment))};
  }

  std::uint32_t* Level0(std::uint32_t slot) const {
    const Place place = PlaceOf(slot);
    return level0_[place.segment].load(std::memory_order_acquire) + place.offset * stride_;
  }
  std::uint32_t* Upper(std::uint32_t slot, std::uint32_t level) const {
    return upper_[slot].load(std::memory_order_acquire) + std::size_t{level - 1} * m_;
  }

  const std::uint32_t m_;
  const std::size_t stride_;  // words from node to node at level 0: whole cache lines
  std::atomic<std::uint32_t> linked_{0};
  std::atomic<std::uint64_t> entry_{0};  // slot << 32 | level + 1; 0: none
  std::uint32_t reserved_ = 0;           // linker
  std::atomic<std::uint32_t*> level0_[kSegments] = {};
  std::size_t segment_bytes_[kSegments] = {};
  // Upper links by slot; null for nodes of level 0 only.
  SegmentedArray<std::atomic<std::uint32_t*>> upper_;
  std::atomic<std::size_t> upper_bytes_{0};
};

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_H_
