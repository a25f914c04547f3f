// Asks for memory before it is read.
//
// Thread safety: pure function.
#ifndef VDB_UTIL_PREFETCH_H_
#define VDB_UTIL_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace vdb {

// The lines of the cache that hold [begin, begin + bytes), and no others: these would push out what is needed. Into the
// second level: the rows of one step of a walk fill the first one, which has fewer requests under way, too.
inline void PrefetchLines(const void* begin, std::size_t bytes) {
  constexpr std::uintptr_t kLineBytes = 64;
  constexpr int kIntoSecondLevel = 2;  // prefetcht1 on x86, prfm pldl2keep on ARM
  const auto* line = static_cast<const char*>(begin);
  const char* const end = line + bytes;
  // Of what prefetches alone g++ 12 thinks that it does nothing, and leaves out calls of it.
  asm volatile("");
  for (line -= reinterpret_cast<std::uintptr_t>(line) % kLineBytes; line < end; line += kLineBytes) {
    __builtin_prefetch(line, 0, kIntoSecondLevel);
  }
}

}  // namespace vdb

#endif  // VDB_UTIL_PREFETCH_H_
