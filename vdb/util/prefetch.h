// Asks for memory before it is read.
//
// Thread safety: pure function.
#ifndef VDB_UTIL_PREFETCH_H_
#define VDB_UTIL_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace vdb {

// The lines of the cache that hold [begin, begin + bytes), and no others: these would push out what is needed.
inline void PrefetchLines(const void* begin, std::size_t bytes) {
  constexpr std::uintptr_t kLineBytes = 64;
  const auto* line = static_cast<const char*>(begin);
  const char* const end = line + bytes;
  for (line -= reinterpret_cast<std::uintptr_t>(line) % kLineBytes; line < end; line += kLineBytes) {
    __builtin_prefetch(line);
  }
}

}  // namespace vdb

#endif  // VDB_UTIL_PREFETCH_H_
