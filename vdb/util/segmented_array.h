// An array by slot that grows without moving: readers keep their pointers while one writer appends.
//
// Segment s holds 2^(kBaseBits + s) elements, so 33 - kBaseBits segments cover every uint32 index. A segment is
// allocated zero-filled when the writer first reserves it; large segments come from the kernel untouched, so pages that
// nobody wrote cost no memory; of segments from 2 MiB on these are huge pages (page_memory.h).
//
// Thread safety: one writer at a time calls Reserve and writes elements; readers may read elements that were published
// to them by an acquire/release pair of the caller's (the clock). The segment pointers themselves are atomic.
// Ownership: the array owns its segments; pointers stay valid until it is destroyed.
#ifndef VDB_UTIL_SEGMENTED_ARRAY_H_
#define VDB_UTIL_SEGMENTED_ARRAY_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

#include "vdb/util/page_memory.h"

namespace vdb {

template <typename T, unsigned kBaseBits = 6>
class SegmentedArray {
  static_assert(std::is_trivially_destructible_v<T>, "segments are freed without destroying elements");

 public:
  SegmentedArray() = default;
  SegmentedArray(const SegmentedArray&) = delete;
  SegmentedArray& operator=(const SegmentedArray&) = delete;
  ~SegmentedArray() {
    for (unsigned s = 0; s < kSegments; ++s) {
      T* const segment = segments_[s].load(std::memory_order_relaxed);
      if (segment != nullptr) Free(segment, SegmentSize(s) * sizeof(T));
    }
  }

  // Makes indices [0, size) usable, new ones zero. Throws std::bad_alloc. Writer only.
  void Reserve(std::uint64_t size) {
    if (size == 0) return;
    const unsigned last = SegmentOf(size - 1);
    for (unsigned s = 0; s <= last; ++s) {
      if (segments_[s].load(std::memory_order_relaxed) != nullptr) continue;
      segments_[s].store(static_cast<T*>(Allocate(SegmentSize(s) * sizeof(T))), std::memory_order_release);
    }
  }

  T& operator[](std::uint64_t index) { return *Address(index); }
  const T& operator[](std::uint64_t index) const { return *Address(index); }

  // The longest run of consecutive elements that begins at index: their address, and how many of them lie below end.
  // Lets passes over many elements work on plain arrays.
  const T* Run(std::uint64_t index, std::uint64_t end, std::uint64_t* length) const {
    const unsigned s = SegmentOf(index);
    *length = std::min(end, SegmentBegin(s) + SegmentSize(s)) - index;
    return segments_[s].load(std::memory_order_acquire) + (index - SegmentBegin(s));
  }
  T* Run(std::uint64_t index, std::uint64_t end, std::uint64_t* length) {
    return const_cast<T*>(std::as_const(*this).Run(index, end, length));
  }

  // Whether the segment of index has been reserved.
  bool IsReserved(std::uint64_t index) const {
    return segments_[SegmentOf(index)].load(std::memory_order_acquire) != nullptr;
  }

  // Bytes of address space held; untouched pages of large segments cost no memory.
  std::size_t ReservedBytes() const {
    std::size_t bytes = 0;
    for (unsigned s = 0; s < kSegments; ++s) {
      if (segments_[s].load(std::memory_order_relaxed) != nullptr) bytes += SegmentSize(s) * sizeof(T);
    }
    return bytes;
  }

 private:
  static constexpr unsigned kSegments = 33 - kBaseBits;
  static constexpr std::uint64_t kBase = std::uint64_t{1} << kBaseBits;

  // Segment s begins at (2^s - 1) * kBase. Shifted first: g++ 14 warns of a sum that might wrap around to 0.
  static unsigned SegmentOf(std::uint64_t index) {
    return static_cast<unsigned>(std::bit_width((index >> kBaseBits) + 1)) - 1;
  }
  static std::uint64_t SegmentSize(unsigned s) { return kBase << s; }
  static std::uint64_t SegmentBegin(unsigned s) { return (kBase << s) - kBase; }

  static void* Allocate(std::size_t bytes) {
    if (bytes >= kHugePageBytes) return AllocatePages(bytes);
    void* const memory = std::calloc(1, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  static void Free(void* memory, std::size_t bytes) noexcept {
    if (bytes >= kHugePageBytes) {
      FreePages(memory, bytes);
    } else {
      std::free(memory);
    }
  }

  T* Address(std::uint64_t index) const {
    const unsigned s = SegmentOf(index);
    return segments_[s].load(std::memory_order_acquire) + (index - SegmentBegin(s));
  }

  std::array<std::atomic<T*>, kSegments> segments_{};
};

}  // namespace vdb

#endif  // VDB_UTIL_SEGMENTED_ARRAY_H_
