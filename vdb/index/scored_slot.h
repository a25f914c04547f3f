// A slot with its distance, and the bounded list of the nearest ones.
//
// Thread safety: values. Order: by distance, ties by slot, so that results do not depend on the order of work.
#ifndef VDB_INDEX_SCORED_SLOT_H_
#define VDB_INDEX_SCORED_SLOT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace vdb {

// No slot has this number: a generation holds fewer.
inline constexpr std::uint32_t kNoSlot = 0xFFFF'FFFF;

struct ScoredSlot {
  float distance = 0;
  std::uint32_t slot = 0;

  friend bool operator<(const ScoredSlot& a, const ScoredSlot& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  }
  friend bool operator==(const ScoredSlot&, const ScoredSlot&) = default;
};

// Keeps the k nearest of what is added: a heap whose top is the farthest.
class NearestList {
 public:
  explicit NearestList(std::size_t k) : k_(k) {}

  // Whether something at this distance could enter.
  bool MayEnter(float distance) const { return heap_.size() < k_ || distance <= heap_.front().distance; }

  void Add(ScoredSlot candidate) {
    if (heap_.size() < k_) {
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (candidate < heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = candidate;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  std::size_t size() const { return heap_.size(); }
  bool IsFull() const { return heap_.size() >= k_; }
  // Distance of the farthest one held; there is one.
  float Farthest() const { return heap_.front().distance; }

  // Nearest first; empties the list.
  std::vector<ScoredSlot> Take() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  std::size_t k_;
  std::vector<ScoredSlot> heap_;
};

}  // namespace vdb

#endif  // VDB_INDEX_SCORED_SLOT_H_
