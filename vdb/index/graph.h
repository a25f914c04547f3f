// The links of an HNSW graph over one generation's slots: level 0 in fixed nodes, upper levels in an arena.
//
// A node has 2 * m words at level 0 and m at each upper level; a position that is not used holds the node's own slot,
// so that a walk drops it by its visited test, without a branch. At level 0 the row's code may follow the links, so
// that a step of a walk finds both in neighbouring cache lines. Slots below linked() are nodes; each has a level that
// is a function of the slot alone. Dead slots that were linked keep routing. Nodes stand in segments that never move;
// at first they may be the pages of a mapped file, links alone, until own memory takes their place as a whole.
// State: derived from the vectors; may be thrown away. Thread safety: one linker at a time changes the graph (Reserve,
// SetLinks, Finish, ReplaceMapped …); readers walk beside it: link words, the entry point and linked() are atomic, and
// every slot that a reader finds was below linked() of some moment. A reader ignores slots at or above the linked()
// that it loaded. Ownership: owns its memory, and holds that of the file it mapped.
// Source: Malkov & Yashunin 2018 (arXiv 1603.09320), sections 4.1 and 4.2; M → m.
#ifndef VDB_INDEX_GRAPH_H_
#define VDB_INDEX_GRAPH_H_

#include <vdb/status.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "vdb/index/code_space.h"
#include "vdb/index/recall_curve.h"
#include "vdb/util/segmented_array.h"

namespace vdb {

inline constexpr std::uint32_t kMaxLevel = 12;

// Where a walk begins: {slot, level} in one word, so that readers see a pair that belongs together.
struct EntryPoint {
  std::uint32_t slot = 0;
  std::uint32_t level = 0;
};

// Where construction searches at level 0 end, and at how many linked rows that is measured next: construction_stop.h.
struct ConstructionStop {
  // Of the distance of the 64th nearest; infinite for no end before ef_construction. What fits nearly all data, until
  // it is measured.
  float factor = 1.15F;
  std::uint32_t due_rows = 0;  // 0: not known yet
};

class Graph {
 public:
  // m in [kMinM, kMaxM].
  explicit Graph(std::uint32_t m);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::uint32_t m() const { return m_; }
  // Words of a node at a level.
  std::uint32_t Degree(std::uint32_t level) const { return level == 0 ? 2 * m_ : m_; }
  // Words from node to node at level 0: whole cache lines. Words beyond the degree are 0 and mean nothing.
  static std::size_t StrideFor(std::uint32_t m) { return (std::size_t{2} * m + 15) / 16 * 16; }
  std::size_t stride() const { return stride_; }

  // The level of a slot: P(level >= l) = m^-l, from a hash of the slot, the same on every machine.
  std::uint32_t LevelOf(std::uint32_t slot) const;
  bool IsAtLevel(std::uint32_t slot, std::uint32_t level) const {
    return level == 0 || (level <= kMaxLevel && Mix(slot) < thresholds_[level]);
  }
  // Calls visit(slot, level) for the slots of [first, end) that have upper levels, ascending.
  template <typename Visit>
  void ForEachRaised(std::uint32_t first, std::uint32_t end, const Visit& visit) const {
    for (std::uint32_t slot = first; slot < end; ++slot) {
      if (Mix(slot) < thresholds_[1]) visit(slot, LevelOf(slot));
    }
  }

  // Slots below it are in the graph (acquire).
  std::uint32_t linked() const { return linked_.load(std::memory_order_acquire); }

  // The links of a node; Degree(level) words, to be read with Link. level <= LevelOf(slot), slot < linked().
  const std::uint32_t* Links(std::uint32_t slot, std::uint32_t level) const {
    return LinksOf(MappedLevel0(), slot, level);
  }
  // Nodes of level 0 in a mapped file, stride() words each; null once they are in own memory (acquire). A reader that
  // loads it after linked() and the entry point may walk all of that, either way.
  const std::uint32_t* MappedLevel0() const { return mapped_.load(std::memory_order_acquire); }
  // As Links, for a reader that goes on with the level 0 that it loaded.
  const std::uint32_t* LinksOf(const std::uint32_t* mapped, std::uint32_t slot, std::uint32_t level) const {
    if (level != 0) return Upper(slot, level);
    return mapped != nullptr ? mapped + slot * stride_ : reinterpret_cast<const std::uint32_t*>(Node(slot));
  }
  static std::uint32_t Link(const std::uint32_t* word) {
    return std::atomic_ref<std::uint32_t>(*const_cast<std::uint32_t*>(word)).load(std::memory_order_relaxed);
  }

  // What codes stand beside the links, in own memory: null for none. There is no node before it is known.
  const CodeSpace* code_space() const { return codes_.load(std::memory_order_acquire); }
  const NodeCode& Code(std::uint32_t slot) const {
    return *reinterpret_cast<const NodeCode*>(Node(slot) + code_offset_);
  }

  // Whether the rows that were counted have so much in components that codes leave out that the graph should have codes
  // of all: on the average, or some of them nearly all they have, and more than a walk's pool holds: their codes are
  // alike.
  bool CodesAreOutgrown() const {
    const std::uint32_t rows = counted_.load(std::memory_order_relaxed);
    return rows >= kMinCounted && (left_out_.load(std::memory_order_relaxed) > CodeSpace::kMostLeftOut * rows ||
                                   odd_.load(std::memory_order_relaxed) > std::max(kMaxOdd, rows / kOddEvery));
  }

  // No node: false. Load it before linked(), which then covers it.
  bool LoadEntryPoint(EntryPoint* entry) const;

  // What was measured of the graph; null if nothing was. Valid as long as the graph.
  const RecallCurve* recall_curve() const { return curve_.load(std::memory_order_acquire); }
  // One caller at a time.
  void SetRecallCurve(std::unique_ptr<const RecallCurve> curve);

  // Linker.
  ConstructionStop construction_stop() const { return construction_stop_; }
  void SetConstructionStop(ConstructionStop stop) { construction_stop_ = stop; }

  // Linker, before the first node in own memory: nodes carry codes of this space.
  void UseCodes(std::shared_ptr<const CodeSpace> space);
  // Linker: makes nodes for slots below `end`, without links. Not while nodes are mapped. Throws std::bad_alloc.
  void Reserve(std::uint32_t end);
  // Linker: of a slot that was reserved and is not linked yet.
  void SetCode(std::uint32_t slot, const float* row);
  // Linker: a live row with a vector, of a slot that has its code, once.
  void CountLeftOut(std::uint32_t slot, const float* row);
  // Linker: replaces a node's links; the rest becomes the node's own slot.
  void SetLinks(std::uint32_t slot, std::uint32_t level, std::span<const std::uint32_t> links);
  // Linker: the batch up to `end` is complete; entry may be null (nothing in it was linked).
  void Finish(std::uint32_t end, const EntryPoint* entry);

  // Linker, on an empty graph: nodes [0, count) at level 0 are those at words, count * stride(), which live as long as
  // owner. upper: m words for each upper level of each slot, ascending; they are copied. Errors: DataLoss, if they are
  // not as many as the levels, or link to a slot at or above count; the graph is of no use then. Throws std::bad_alloc.
  Status Map(const std::uint32_t* words, std::uint32_t count, std::span<const std::uint32_t> upper,
             std::shared_ptr<const void> owner);
  // Linker: own memory instead of what is mapped. fill() sets links and codes of all nodes that were mapped, and
  // verifies them; its error is returned, and they stay mapped. Readers are not disturbed. Throws std::bad_alloc.
  Status ReplaceMapped(const std::function<Status()>& fill);

  // Bytes of links, about, as a file holds them.
  std::size_t LinkBytes() const {
    return linked() * stride_ * sizeof(std::uint32_t) + upper_bytes_.load(std::memory_order_relaxed);
  }
  // Bytes of own memory.
  std::size_t MemoryBytes() const;

 private:
  // Segment s of level 0 holds kBaseNodes << s nodes.
  static constexpr unsigned kBaseBits = 10;
  static constexpr unsigned kSegments = 33 - kBaseBits;

  // Of rows, for CodesAreOutgrown.
  static constexpr std::uint32_t kMinCounted = 512;
  static constexpr std::uint32_t kMaxOdd = 64;
  static constexpr std::uint32_t kOddEvery = 10'000;

  struct Place {
    unsigned segment;
    std::size_t offset;  // in nodes
  };
  static Place PlaceOf(std::uint32_t slot) {
    const std::uint64_t shifted = std::uint64_t{slot} + (std::uint64_t{1} << kBaseBits);
    const unsigned segment = static_cast<unsigned>(std::bit_width(shifted)) - 1 - kBaseBits;
    return {segment, shifted - (std::uint64_t{1} << (kBaseBits + segment))};
  }
  static std::uint64_t SegmentNodes(unsigned s) { return std::uint64_t{1} << (kBaseBits + s); }

  // Steele, Lea & Flood 2014, SplitMix64: every slot gets its own well-mixed number.
  static std::uint64_t Mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }

  std::byte* Node(std::uint32_t slot) const {
    const Place place = PlaceOf(slot);
    return level0_[place.segment].load(std::memory_order_acquire) + place.offset * node_bytes_;
  }
  std::uint32_t* Upper(std::uint32_t slot, std::uint32_t level) const {
    const std::uint64_t block = std::uint64_t{upper_[slot].load(std::memory_order_relaxed)} + level - 1;
    return const_cast<std::uint32_t*>(&upper_words_[block * upper_stride_]);
  }
  // Own memory for a segment.
  std::byte* AllocateSegment(unsigned s);
  void FreeSegments() noexcept;
  // Upper links for slots [first, end).
  void ReserveUpper(std::uint32_t first, std::uint32_t end);
  void CountUpperBytes(std::uint32_t slots);

  const std::uint32_t m_;
  const std::size_t stride_;
  const std::size_t links_bytes_;  // of a node in own memory
  std::size_t code_offset_ = 0;    // of the code behind them
  std::size_t node_bytes_;
  std::shared_ptr<const CodeSpace> code_space_;
  std::atomic<const CodeSpace*> codes_{nullptr};  // the same
  std::atomic<double> left_out_{0};               // sum of ShareLeftOut of the rows that were counted
  std::atomic<std::uint32_t> counted_{0};
  std::atomic<std::uint32_t> odd_{0};                      // of them, with more than kOddShare
  const std::size_t upper_stride_;                         // words of an upper block: m, up to a power of two
  std::array<std::uint64_t, kMaxLevel + 1> thresholds_{};  // of Mix(slot), by level
  std::atomic<std::uint32_t> linked_{0};
  std::atomic<const RecallCurve*> curve_{nullptr};
  std::vector<std::unique_ptr<const RecallCurve>> curves_;  // a reader may be with an earlier one
  std::atomic<std::uint64_t> entry_{0};                     // slot << 32 | level + 1; 0: none
  std::uint32_t reserved_ = 0;                              // linker
  ConstructionStop construction_stop_;                      // linker
  std::atomic<std::byte*> level0_[kSegments] = {};
  std::array<std::size_t, kSegments> segment_bytes_{};
  std::atomic<std::size_t> level0_bytes_{0};
  std::atomic<const std::uint32_t*> mapped_{nullptr};
  std::shared_ptr<const void> mapped_from_;
  // By slot: the first of its blocks, one per level from 1 on.
  SegmentedArray<std::atomic<std::uint32_t>> upper_;
  SegmentedArray<std::uint32_t, 10> upper_words_;
  std::uint32_t upper_blocks_ = 0;  // linker
  std::atomic<std::size_t> upper_bytes_{0};
};

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_H_
