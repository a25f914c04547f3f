// What one walk needs beside the graph: which slots it has seen, and its pool of candidates. One per thread.
//
// Thread safety: none. Memory: one bit per slot, and the pool.
#ifndef VDB_INDEX_SEARCH_SCRATCH_H_
#define VDB_INDEX_SEARCH_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "vdb/index/scored_slot.h"

namespace vdb {

// A bitset that is cleared by undoing: a walk touches few words of many.
class VisitedSet {
 public:
  // Forgets everything; slots below `slots` may be asked for.
  void Begin(std::uint32_t slots) {
    for (const std::uint32_t word : touched_) words_[word] = 0;
    touched_.clear();
    const std::size_t wanted = (std::size_t{slots} + 63) / 64;
    if (words_.size() < wanted) words_.resize(wanted);
  }

  // Marks a slot; returns whether it was marked before.
  bool TestAndSet(std::uint32_t slot) {
    std::uint64_t& word = words_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if ((word & bit) != 0) return true;
    if (word == 0) touched_.push_back(slot / 64);
    word |= bit;
    return false;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> touched_;
};

// Candidates sorted by distance, of which `capacity` acceptable ones are kept; others stay among them as long as they
// are nearer than the farthest acceptable one. The paper's W and C in one list: what is beyond the ef-th result would
// never be expanded.
class CandidatePool {
 public:
  void Begin(std::size_t capacity) {
    capacity_ = capacity;
    entries_.clear();
    cursor_ = 0;
    accepted_ = 0;
  }

  bool full() const { return accepted_ >= capacity_; }
  float worst() const { return entries_.back().scored.distance; }
  bool MayEnter(float distance) const { return !full() || distance < worst(); }

  void Insert(ScoredSlot candidate, bool acceptable) {
    std::size_t low = 0;
    std::size_t high = entries_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (candidate < entries_[middle].scored) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(low), Entry{candidate, acceptable, false});
    if (low < cursor_) cursor_ = low;
    accepted_ += acceptable ? 1 : 0;
    if (accepted_ <= capacity_) return;
    // The farthest acceptable one goes, and what is farther than the new farthest.
    entries_.pop_back();
    --accepted_;
    while (!entries_.back().acceptable) entries_.pop_back();
  }

  // The nearest candidate that was not expanded, marked as such.
  bool Next(ScoredSlot* candidate) {
    while (cursor_ < entries_.size() && entries_[cursor_].expanded) ++cursor_;
    if (cursor_ == entries_.size()) return false;
    entries_[cursor_].expanded = true;
    *candidate = entries_[cursor_].scored;
    ++cursor_;
    return true;
  }

  // The next one that Next would give, for prefetching; false if there is none.
  bool Peek(std::uint32_t* slot) const {
    for (std::size_t i = cursor_; i < entries_.size(); ++i) {
      if (entries_[i].expanded) continue;
      *slot = entries_[i].scored.slot;
      return true;
    }
    return false;
  }

  // Calls visit(ScoredSlot) for the acceptable ones, nearest first, until it returns false.
  template <typename Visit>
  void ForEachAccepted(Visit&& visit) const {
    for (const Entry& entry : entries_) {
      if (entry.acceptable && !visit(entry.scored)) return;
    }
  }
  std::size_t accepted() const { return accepted_; }

 private:
  struct Entry {
    ScoredSlot scored;
    bool acceptable;
    bool expanded;
  };

  std::size_t capacity_ = 0;
  std::vector<Entry> entries_;
  std::size_t cursor_ = 0;
  std::size_t accepted_ = 0;
};

struct SearchScratch {
  VisitedSet visited;
  CandidatePool pool;
  std::vector<std::uint32_t> slots;  // neighbours gathered from one node
};

}  // namespace vdb

#endif  // VDB_INDEX_SEARCH_SCRATCH_H_
