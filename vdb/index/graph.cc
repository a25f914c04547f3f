#include "vdb/index/graph.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace vdb {
namespace {

constexpr std::size_t kLineWords = 16;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::size_t RoundUp(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Steele, Lea & Flood 2014, SplitMix64: every slot gets its own well-mixed number.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

Graph::Graph(std::uint32_t m) : m_(m), stride_(RoundUp(std::size_t{2} * m, kLineWords)) {}

Graph::~Graph() {
  for (unsigned s = 0; s < kSegments; ++s) {
    if (std::uint32_t* memory = level0_[s].load(std::memory_order_relaxed)) ::munmap(memory, segment_bytes_[s]);
  }
  for (std::uint32_t slot = 0; slot < reserved_; ++slot) std::free(upper_[slot].load(std::memory_order_relaxed));
}

std::uint32_t Graph::LevelOf(std::uint32_t slot) const {
  // Whole numbers only: thresholds 2^64 / m^l do not depend on anybody's logarithm.
  const std::uint64_t random = Mix(slot);
  std::uint64_t threshold = ~std::uint64_t{0} / m_;
  std::uint32_t level = 0;
  while (level < kMaxLevel && random < threshold) {
    ++level;
    threshold /= m_;
  }
  return level;
}

bool Graph::LoadEntryPoint(EntryPoint* entry) const {
  const std::uint64_t word = entry_.load(std::memory_order_acquire);
  if (word == 0) return false;
  *entry = {.slot = static_cast<std::uint32_t>(word >> 32), .level = static_cast<std::uint32_t>(word) - 1};
  return true;
}

void Graph::Reserve(std::uint32_t end) {
  if (end <= reserved_) return;
  upper_.Reserve(end);
  const unsigned last = PlaceOf(end - 1).segment;
  for (unsigned s = 0; s <= last; ++s) {
    if (level0_[s].load(std::memory_order_relaxed) != nullptr) continue;
    std::size_t bytes = (std::size_t{1} << (kBaseBits + s)) * stride_ * sizeof(std::uint32_t);
    if (bytes >= kHugePageBytes) bytes = RoundUp(bytes, kHugePageBytes);
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish; without it walks are slower
    segment_bytes_[s] = bytes;
    level0_[s].store(static_cast<std::uint32_t*>(memory), std::memory_order_release);
  }
  for (std::uint32_t slot = reserved_; slot < end; ++slot) {
    const std::uint32_t level = LevelOf(slot);
    if (level > 0) {
      const std::size_t bytes = std::size_t{level} * m_ * sizeof(std::uint32_t);
      auto* links = static_cast<std::uint32_t*>(std::malloc(bytes));
      if (links == nullptr) throw std::bad_alloc();
      upper_[slot].store(links, std::memory_order_release);
      upper_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    }
    reserved_ = slot + 1;
    for (std::uint32_t l = 0; l <= level; ++l) SetLinks(slot, l, {});
  }
}

void Graph::SetLinks(std::uint32_t slot, std::uint32_t level, std::span<const std::uint32_t> links) {
  auto* words = const_cast<std::uint32_t*>(Links(slot, level));
  const std::uint32_t degree = Degree(level);
  for (std::uint32_t i = 0; i < degree; ++i) {
    std::atomic_ref<std::uint32_t>(words[i]).store(i < links.size() ? links[i] : slot, std::memory_order_relaxed);
  }
}

void Graph::Finish(std::uint32_t end, const EntryPoint* entry) {
  // linked first: a reader that finds the new entry point has a linked() that covers it, for it loads the entry before.
  linked_.store(end, std::memory_order_release);
  if (entry != nullptr) {
    entry_.store(std::uint64_t{entry->slot} << 32 | (entry->level + 1), std::memory_order_release);
  }
}

std::size_t Graph::MemoryBytes() const {
  return linked() * stride_ * sizeof(std::uint32_t) + upper_bytes_.load(std::memory_order_relaxed) +
         upper_.ReservedBytes();
}

}  // namespace vdb
