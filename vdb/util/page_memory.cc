#include "vdb/util/page_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "vdb/util/round_up.h"

namespace vdb {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::size_t WholePages(std::size_t bytes) {
  return RoundUp(bytes, bytes >= kHugePageBytes ? kHugePageBytes : kPageBytes);
}

}  // namespace

void* AllocatePages(std::size_t bytes) {
  const std::size_t whole = WholePages(bytes);
  const bool huge = whole >= kHugePageBytes;
  // Room to begin on a huge page; what is left over on both sides goes back.
  const std::size_t spare = huge ? kHugePageBytes : 0;
  void* const memory = ::mmap(nullptr, whole + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (!huge) return memory;
  auto* const begin = static_cast<std::byte*>(memory);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t before = RoundUp(address, kHugePageBytes) - address;
  if (before > 0) ::munmap(begin, before);
  if (spare > before) ::munmap(begin + before + whole, spare - before);
  ::madvise(begin + before, whole, MADV_HUGEPAGE);  // a wish
  return begin + before;
}

void FreePages(void* memory, std::size_t bytes) noexcept {
  ::munmap(memory, WholePages(bytes));
}

}  // namespace vdb
