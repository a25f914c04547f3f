// Which slots a reader sees: the clock that it loaded once, and the record of deaths that all readers share.
//
// died_at[slot] is 0 while the slot lives, afterwards the epoch of the commit that killed it. A slot is visible to a
// reader with clock {committed, epoch} iff slot < committed and (died_at = 0 or died_at > epoch). The dead bit is the
// fast test before it; died_at is stored before the bit, so a clear bit is a live slot for every reader whose clock was
// loaded before.
// Thread safety: Deaths has one writer at a time (Reserve, Kill); readers may call IsVisible at any time for slots
// below a committed count that they loaded with acquire after the writer's Reserve.
#ifndef VDB_UTIL_VISIBILITY_H_
#define VDB_UTIL_VISIBILITY_H_

#include <atomic>
#include <cstdint>

#include "vdb/util/segmented_array.h"

namespace vdb {

// What a reader loads once: slots below `committed` exist, commits up to `epoch` have happened.
struct Clock {
  std::uint32_t committed = 0;
  std::uint32_t epoch = 0;
};

class Deaths {
 public:
  // Makes slots [0, size) testable. Writer only; throws std::bad_alloc.
  void Reserve(std::uint64_t size) {
    died_at_.Reserve(size);
    bits_.Reserve((size + 63) / 64);
  }

  // Writer only; epoch >= 1; slot is reserved.
  void Kill(std::uint32_t slot, std::uint32_t epoch) {
    died_at_[slot].store(epoch, std::memory_order_relaxed);
    bits_[slot >> 6].fetch_or(std::uint64_t{1} << (slot & 63), std::memory_order_release);
  }

  // Whether any commit so far has killed the slot.
  bool IsDead(std::uint32_t slot) const {
    return (bits_[slot >> 6].load(std::memory_order_acquire) >> (slot & 63)) & 1;
  }

  bool IsVisible(std::uint32_t slot, Clock clock) const {
    if (slot >= clock.committed) return false;
    if (!IsDead(slot)) [[likely]]
      return true;
    return died_at_[slot].load(std::memory_order_relaxed) > clock.epoch;
  }

  // The visible ones among slots 64 * word … 64 * word + 63, as bits.
  std::uint64_t VisibleWord(std::uint64_t word, Clock clock) const {
    const std::uint64_t first = word * 64;
    if (first >= clock.committed) return 0;
    std::uint64_t visible = ~bits_[word].load(std::memory_order_acquire);
    for (std::uint64_t dead = ~visible; dead != 0; dead &= dead - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(dead));
      if (died_at_[first + bit].load(std::memory_order_relaxed) > clock.epoch) visible |= std::uint64_t{1} << bit;
    }
    const std::uint64_t rest = clock.committed - first;
    return rest >= 64 ? visible : visible & ((std::uint64_t{1} << rest) - 1);
  }

  // 64 dead bits as they are now, without a clock.
  std::uint64_t DeadWord(std::uint64_t word) const { return bits_[word].load(std::memory_order_acquire); }

 private:
  SegmentedArray<std::atomic<std::uint32_t>> died_at_;
  SegmentedArray<std::atomic<std::uint64_t>> bits_;
};

}  // namespace vdb

#endif  // VDB_UTIL_VISIBILITY_H_
