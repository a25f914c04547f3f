// Large pieces of memory straight from the system: zero, untouched until written, in huge pages if it gives them.
//
// A huge page spares a walk or a pass over many elements the misses of small ones, and a first pass their faults: a
// thousandth of a second for every 4 MB.
// Thread safety: safe from any thread. Ownership: the caller's, until FreePages.
#ifndef VDB_UTIL_PAGE_MEMORY_H_
#define VDB_UTIL_PAGE_MEMORY_H_

#include <cstddef>

namespace vdb {

inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

// bytes > 0; from kHugePageBytes on it begins on a huge page. Throws std::bad_alloc.
void* AllocatePages(std::size_t bytes);
// Of AllocatePages(bytes).
void FreePages(void* memory, std::size_t bytes) noexcept;

}  // namespace vdb

#endif  // VDB_UTIL_PAGE_MEMORY_H_
