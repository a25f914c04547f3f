// A set of slots that are out of the ordinary: costs nothing until the first one is marked.
//
// Thread safety: one writer; readers look at slots that were published to them by the clock.
#ifndef VDB_FIELDS_MARKED_ROWS_H_
#define VDB_FIELDS_MARKED_ROWS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "vdb/util/segmented_array.h"

namespace vdb {

class MarkedRows {
 public:
  // Bit i: slot 64 * word + i is marked.
  std::uint64_t Word(std::uint64_t word) const {
    return words_.IsReserved(word) ? words_[word].load(std::memory_order_relaxed) : 0;
  }
  bool Test(std::uint64_t slot) const { return (Word(slot / 64) >> (slot % 64) & 1) != 0; }
  // Slots marked so far; 0 means that no word need be looked at.
  std::uint64_t count() const { return count_.load(std::memory_order_acquire); }

  // Writer. Throws std::bad_alloc.
  void Mark(std::uint32_t slot) {
    words_.Reserve((slot >> 6) + std::uint64_t{1});
    const std::uint64_t bit = std::uint64_t{1} << (slot & 63);
    if ((words_[slot >> 6].fetch_or(bit, std::memory_order_relaxed) & bit) != 0) return;
    count_.fetch_add(1, std::memory_order_release);
  }
  void Clear(std::uint32_t slot) {
    if (!words_.IsReserved(slot >> 6)) return;
    const std::uint64_t bit = std::uint64_t{1} << (slot & 63);
    if ((words_[slot >> 6].fetch_and(~bit, std::memory_order_relaxed) & bit) == 0) return;
    count_.fetch_sub(1, std::memory_order_release);
  }

  std::size_t ReservedBytes() const { return words_.ReservedBytes(); }

 private:
  friend class FieldFileReader;
  SegmentedArray<std::atomic<std::uint64_t>> words_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace vdb

#endif  // VDB_FIELDS_MARKED_ROWS_H_
