// What one walk needs beside the graph: which slots it has seen, and its pool of candidates. One per thread.
//
// Two pools with one interface and the same answers (a candidate beyond the ef-th nearest acceptable one, or beyond the
// stop rule, is never expanded): SortedPool, a sorted array, the faster one while few candidates are held; HeapPool,
// for a large ef or a filter, when many candidates are not acceptable. Thread safety: none. Memory: one bit per slot,
// and the pool.
#ifndef VDB_INDEX_SEARCH_SCRATCH_H_
#define VDB_INDEX_SEARCH_SCRATCH_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "vdb/index/code_space.h"
#include "vdb/index/scored_slot.h"

namespace vdb {

// A distance and a slot in one word that orders as ScoredSlot does. Distances are finite.
inline std::uint64_t OrderedKey(float distance, std::uint32_t slot) {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);  // -0 and 0 are one distance
  const std::uint32_t ordered = (bits & 0x8000'0000U) != 0 ? ~bits : bits | 0x8000'0000U;
  return std::uint64_t{ordered} << 32 | slot;
}
inline ScoredSlot FromOrderedKey(std::uint64_t key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  const std::uint32_t bits = (ordered & 0x8000'0000U) != 0 ? ordered ^ 0x8000'0000U : ~ordered;
  return {.distance = std::bit_cast<float>(bits), .slot = static_cast<std::uint32_t>(key)};
}

// A bitset that is cleared by undoing: a walk touches few words of many. What it gathers is the list of what to undo.
class VisitedSet {
 public:
  // Forgets everything; slots below `slots` may be asked for.
  void Begin(std::uint32_t slots) {
    for (std::size_t i = 0; i < size_; ++i) words_[log_[i] / 64] = 0;
    size_ = 0;
    const std::size_t wanted = (std::size_t{slots} + 63) / 64;
    if (words_.size() < wanted) words_.resize(std::max(wanted, words_.size() + words_.size() / 2));
  }

  // Marks slot_at(i) for each i in [0, count), where may_see(slot); those that were not marked before join the log. No
  // branch on whether one was, which is hard to predict. All in registers: a store to a word might be one to size_, for
  // all the compiler knows.
  template <typename SlotAt, typename MaySee>
  void Gather(std::size_t count, const SlotAt& slot_at, const MaySee& may_see) {
    if (log_.size() < size_ + count) log_.resize(std::max(size_ + count, 2 * log_.size()));
    std::uint64_t* const words = words_.data();
    std::uint32_t* const log = log_.data();
    std::size_t size = size_;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t slot = slot_at(i);
      if (!may_see(slot)) continue;
      const std::uint64_t word = words[slot / 64];
      log[size] = slot;
      size += static_cast<std::size_t>(~(word >> (slot % 64)) & 1);
      words[slot / 64] = word | std::uint64_t{1} << (slot % 64);
    }
    size_ = size;
  }
  void Gather(std::uint32_t slot) {
    Gather(
        1, [slot](std::size_t) { return slot; }, [](std::uint32_t) { return true; });
  }

  // What was gathered since Begin, in order.
  std::size_t size() const { return size_; }
  const std::uint32_t* log() const { return log_.data(); }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> log_;
  std::size_t size_ = 0;
};

// When a walk ends before its pool does: a candidate is not expanded once its distance is more than factor times that
// of the rank-th nearest acceptable one. base is added to distances that may be negative, to make them none.
// Source: Al-Jazzazi et al. 2025 (arXiv 2505.15636), distance-adaptive beam search; 1 + γ → factor.
struct StopRule {
  std::size_t rank = 0;  // 0: none
  float factor = 1;
  float base = 0;

  // The distance beyond which nothing is expanded, from that of the rank-th nearest.
  float StopBeyond(float distance) const { return factor * std::max(0.0F, distance + base) - base; }
};

inline constexpr CodeExcess kAnyExcess = {.constant = std::numeric_limits<double>::infinity()};

// Which acceptable candidates are held though the stop rule expands them no more: the distances are those of codes, and
// rows have the last word. As many as `most`, and none that is farther than the rank-th nearest by more than twice the
// excess: that it looks too far, and the rank-th as much too near.
struct KeepRule {
  std::size_t most = std::numeric_limits<std::size_t>::max();
  CodeExcess excess = kAnyExcess;

  // The distance beyond which nothing is held, from that of the rank-th nearest.
  float KeepWithin(float distance) const {
    const float within = distance + 2 * excess.At(distance);
    return within >= distance ? within : std::numeric_limits<float>::infinity();  // NaN: no bound
  }
};

// What is not nearer than that is beyond `within`, too.
inline float JustBeyond(float within) {
  return std::nextafter(within, std::numeric_limits<float>::infinity());
}

// How much a pool holds.
struct PoolLimits {
  std::size_t acceptable = 0;                                 // ef
  std::size_t all = std::numeric_limits<std::size_t>::max();  // with those that are not acceptable
  StopRule stop = {};
  KeepRule keep = {};
};

// Candidates sorted by distance, of which ef acceptable ones are kept; others stay among them as long as they are
// nearer than the farthest acceptable one. The paper's W and C in one list.
class SortedPool {
 public:
  void Begin(const PoolLimits& limits) {
    limits_ = limits;
    size_ = cursor_ = accepted_ = 0;
    worst_ = stop_ = std::numeric_limits<float>::infinity();
    if (keys_.empty()) Grow(256);
  }

  bool MayEnter(float distance) const { return distance < worst_; }

  // Only what MayEnter.
  void Insert(float distance, std::uint32_t slot, bool acceptable) {
    if (size_ == keys_.size()) Grow(2 * size_);
    const std::uint64_t key = OrderedKey(distance, slot);
    const std::size_t at = MakeRoom(key);
    keys_[at] = key;
    flags_[at] = acceptable ? kAcceptable : 0;
    ++size_;
    cursor_ = std::min(cursor_, at);
    accepted_ += acceptable ? 1 : 0;
    if (accepted_ < limits_.acceptable && size_ < limits_.all) return;
    if (accepted_ > limits_.acceptable || size_ > limits_.all) Drop();
    if (accepted_ == limits_.acceptable) {
      while ((flags_[size_ - 1] & kAcceptable) == 0) Drop();  // nothing beyond the farthest acceptable one
    }
    cursor_ = std::min(cursor_, size_);
    worst_ = std::min(worst_, Farthest());
  }

  // The nearest candidate that was not expanded, marked as such.
  bool Next(std::uint32_t* slot) {
    if (!Peek(slot)) return false;
    flags_[cursor_] |= kExpanded;
    ++cursor_;
    return true;
  }

  // The one that Next would give.
  bool Peek(std::uint32_t* slot) {
    while (cursor_ < size_ && (flags_[cursor_] & kExpanded) != 0) ++cursor_;
    if (cursor_ == size_ || FromOrderedKey(keys_[cursor_]).distance > stop_) return false;
    *slot = static_cast<std::uint32_t>(keys_[cursor_]);
    return true;
  }

  // After the distances of a step: applies the stop rule.
  void EndStep() {
    if (limits_.stop.rank == 0 || accepted_ < limits_.stop.rank) return;
    std::size_t at = limits_.stop.rank - 1;  // of the rank-th acceptable one, where all are
    if (accepted_ < size_) {
      at = 0;
      for (std::size_t left = limits_.stop.rank; (left -= flags_[at] & kAcceptable) > 0;) ++at;
    }
    const float nearest = FromOrderedKey(keys_[at]).distance;
    stop_ = limits_.stop.StopBeyond(nearest);
    const float within = std::max(stop_, limits_.keep.KeepWithin(nearest));
    const auto is_dropped = [&](float farthest) {
      return farthest > stop_ && (farthest > within || accepted_ > limits_.keep.most ||
                                  (accepted_ == limits_.keep.most && (flags_[size_ - 1] & kAcceptable) == 0));
    };
    while (is_dropped(Farthest())) Drop();
    cursor_ = std::min(cursor_, size_);
    worst_ = std::min(worst_, accepted_ < limits_.keep.most ? JustBeyond(within) : std::max(stop_, Farthest()));
  }

  // Appends to *acceptable and, unless it is null, to *others what the pool holds, nearest first.
  void Take(std::vector<ScoredSlot>* acceptable, std::vector<ScoredSlot>* others) const {
    for (std::size_t i = 0; i < size_; ++i) {
      std::vector<ScoredSlot>* out = (flags_[i] & kAcceptable) != 0 ? acceptable : others;
      if (out != nullptr) out->push_back(FromOrderedKey(keys_[i]));
    }
  }

 private:
  static constexpr std::uint8_t kAcceptable = 1;
  static constexpr std::uint8_t kExpanded = 2;
  // So many steps one by one take less time than a search and two calls of memmove (docs/walk.md).
  static constexpr std::size_t kFewSteps = 96;

  void Grow(std::size_t size) {
    flags_.resize(size);
    keys_.resize(size);  // last: what is grown is told by it, should there be no memory
  }

  // Moves what is beyond key by one; where key belongs.
  std::size_t MakeRoom(std::uint64_t key) {
    std::uint64_t* const keys = keys_.data();
    std::uint8_t* const flags = flags_.data();
    if (size_ > kFewSteps && keys[size_ - kFewSteps] > key) {
      const auto at = static_cast<std::size_t>(std::lower_bound(keys, keys + size_ - kFewSteps, key) - keys);
      std::memmove(keys + at + 1, keys + at, (size_ - at) * sizeof(keys[0]));
      std::memmove(flags + at + 1, flags + at, size_ - at);
      return at;
    }
    std::size_t at = size_;
    for (; at > 0 && keys[at - 1] > key; --at) {
      keys[at] = keys[at - 1];
      flags[at] = flags[at - 1];
    }
    return at;
  }

  float Farthest() const { return FromOrderedKey(keys_[size_ - 1]).distance; }

  void Drop() {
    --size_;
    accepted_ -= flags_[size_] & kAcceptable;
  }

  PoolLimits limits_;
  std::size_t size_ = 0;
  std::size_t cursor_ = 0;  // nothing before it is left to expand
  std::size_t accepted_ = 0;
  float worst_ = 0;
  float stop_ = 0;
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint8_t> flags_;
};

// The paper's W (acceptable ones only) and C as two heaps.
class HeapPool {
 public:
  void Begin(const PoolLimits& limits) {
    limits_ = limits;
    open_.clear();
    accepted_.clear();
    nearest_.clear();
    worst_ = stop_ = std::numeric_limits<float>::infinity();
  }

  bool MayEnter(float distance) const { return distance < worst_; }

  // Only what MayEnter.
  void Insert(float distance, std::uint32_t slot, bool acceptable) {
    const std::uint64_t key = OrderedKey(distance, slot);
    open_.push_back(key);
    std::push_heap(open_.begin(), open_.end(), std::greater<>());
    if (!acceptable) return;
    accepted_.push_back(key);
    std::push_heap(accepted_.begin(), accepted_.end());
    if (accepted_.size() > limits_.acceptable) DropFarthest(&accepted_);
    if (accepted_.size() == limits_.acceptable) worst_ = std::min(worst_, Farthest());
    if (limits_.stop.rank == 0) return;
    nearest_.push_back(key);
    std::push_heap(nearest_.begin(), nearest_.end());
    if (nearest_.size() > limits_.stop.rank) DropFarthest(&nearest_);
  }

  bool Next(std::uint32_t* slot) {
    if (!Peek(slot)) return false;
    std::pop_heap(open_.begin(), open_.end(), std::greater<>());
    open_.pop_back();
    return true;
  }

  // After the distances of a step: applies the stop rule.
  void EndStep() {
    if (limits_.stop.rank == 0 || nearest_.size() < limits_.stop.rank) return;
    const float nearest = FromOrderedKey(nearest_.front()).distance;
    stop_ = limits_.stop.StopBeyond(nearest);
    const float within = std::max(stop_, limits_.keep.KeepWithin(nearest));
    while (Farthest() > stop_ && (Farthest() > within || accepted_.size() > limits_.keep.most))
      DropFarthest(&accepted_);
    worst_ = std::min(worst_, accepted_.size() < limits_.keep.most ? JustBeyond(within) : std::max(stop_, Farthest()));
  }

  bool Peek(std::uint32_t* slot) const {
    if (open_.empty() || FromOrderedKey(open_.front()).distance > stop_) return false;
    if (accepted_.size() == limits_.acceptable && open_.front() > accepted_.front()) return false;
    *slot = static_cast<std::uint32_t>(open_.front());
    return true;
  }

  void Take(std::vector<ScoredSlot>* acceptable, std::vector<ScoredSlot>* others) const {
    static_cast<void>(others);  // not kept
    std::vector<std::uint64_t> sorted(accepted_);
    std::sort(sorted.begin(), sorted.end());
    for (const std::uint64_t key : sorted) acceptable->push_back(FromOrderedKey(key));
  }

 private:
  static void DropFarthest(std::vector<std::uint64_t>* heap) {
    std::pop_heap(heap->begin(), heap->end());
    heap->pop_back();
  }

  // Of the acceptable ones.
  float Farthest() const { return FromOrderedKey(accepted_.front()).distance; }

  PoolLimits limits_;
  float worst_ = 0;
  float stop_ = 0;
  std::vector<std::uint64_t> open_;      // nearest on top
  std::vector<std::uint64_t> accepted_;  // farthest on top
  std::vector<std::uint64_t> nearest_;   // the stop rule's rank nearest acceptable ones, farthest on top
};

// Room for a query's code.
class QueryCode {
 public:
  NodeCode* Resize(std::size_t bytes) {
    const std::size_t wanted = (bytes + sizeof(NodeCode) - 1) / sizeof(NodeCode);
    if (room_.size() < wanted) room_.resize(wanted);
    return room_.data();
  }

 private:
  std::vector<NodeCode> room_;
};

struct SearchScratch {
  VisitedSet visited;
  QueryCode query;
  SortedPool sorted;
  HeapPool heaps;
};

}  // namespace vdb

#endif  // VDB_INDEX_SEARCH_SCRATCH_H_
