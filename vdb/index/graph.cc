#include "vdb/index/graph.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

#include "vdb/util/round_up.h"

namespace vdb {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

}  // namespace

Graph::Graph(std::uint32_t m)
    : m_(m),
      stride_(StrideFor(m)),
      links_bytes_(std::size_t{2} * m * sizeof(std::uint32_t)),
      node_bytes_(stride_ * sizeof(std::uint32_t)),
      upper_stride_(std::bit_ceil(std::size_t{m})) {
  // Whole numbers only: thresholds 2^64 / m^l do not depend on anybody's logarithm.
  thresholds_[0] = ~std::uint64_t{0};
  for (std::uint32_t level = 1; level <= kMaxLevel; ++level) thresholds_[level] = thresholds_[level - 1] / m_;
}

Graph::~Graph() {
  FreeSegments();
}

void Graph::FreeSegments() noexcept {
  for (unsigned s = 0; s < kSegments; ++s) {
    std::byte* memory = level0_[s].exchange(nullptr, std::memory_order_relaxed);
    if (memory != nullptr) ::munmap(memory, segment_bytes_[s]);
  }
}

void Graph::UseCodes(std::shared_ptr<const CodeSpace> space) {
  code_space_ = std::move(space);
  node_bytes_ = RoundUp(links_bytes_ + code_space_->node_bytes(), kLineBytes);
  // Bytes that begin a line are read a line at a time, where that makes no node longer.
  const std::size_t before_bytes = RoundUp(links_bytes_ + sizeof(NodeCode), kLineBytes);
  code_offset_ = links_bytes_;
  if (before_bytes + code_space_->code_bytes() <= node_bytes_) code_offset_ = before_bytes - sizeof(NodeCode);
  codes_.store(code_space_.get(), std::memory_order_release);
}

void Graph::SetRecallCurve(std::unique_ptr<const RecallCurve> curve) {
  curves_.push_back(std::move(curve));
  curve_.store(curves_.back().get(), std::memory_order_release);
}

void Graph::SetCode(std::uint32_t slot, const float* row) {
  code_space_->Encode(row, const_cast<NodeCode*>(&Code(slot)));
}

std::uint32_t Graph::LevelOf(std::uint32_t slot) const {
  const std::uint64_t random = Mix(slot);
  std::uint32_t level = 0;
  while (level < kMaxLevel && random < thresholds_[level + 1]) ++level;
  return level;
}

bool Graph::LoadEntryPoint(EntryPoint* entry) const {
  const std::uint64_t word = entry_.load(std::memory_order_acquire);
  if (word == 0) return false;
  *entry = {.slot = static_cast<std::uint32_t>(word >> 32), .level = static_cast<std::uint32_t>(word) - 1};
  return true;
}

std::byte* Graph::AllocateSegment(unsigned s) {
  std::size_t bytes = RoundUp(SegmentNodes(s) * node_bytes_, 4096);
  const bool huge = bytes >= kHugePageBytes;
  if (huge) bytes = RoundUp(bytes, kHugePageBytes);
  // Room to begin on a huge page; what is left over on both sides goes back.
  const std::size_t spare = huge ? kHugePageBytes : 0;
  void* memory =
      ::mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  if (huge) {
    auto* const begin = static_cast<std::byte*>(memory);
    const std::size_t before =
        RoundUp(reinterpret_cast<std::uintptr_t>(begin), kHugePageBytes) - reinterpret_cast<std::uintptr_t>(begin);
    if (before > 0) ::munmap(begin, before);
    if (spare > before) ::munmap(begin + before + bytes, spare - before);
    memory = begin + before;
    ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish; without it walks are slower
  }
  segment_bytes_[s] = bytes;
  return static_cast<std::byte*>(memory);
}

void Graph::ReserveUpper(std::uint32_t first, std::uint32_t end) {
  upper_.Reserve(end);
  for (std::uint32_t slot = first; slot < end; ++slot) {
    const std::uint32_t level = LevelOf(slot);
    if (level == 0) continue;
    upper_words_.Reserve((std::uint64_t{upper_blocks_} + level) * upper_stride_);
    upper_[slot].store(upper_blocks_, std::memory_order_relaxed);
    upper_blocks_ += level;
    for (std::uint32_t l = 1; l <= level; ++l) SetLinks(slot, l, {});
  }
  upper_bytes_.store(upper_blocks_ * upper_stride_ * sizeof(std::uint32_t) + std::uint64_t{end} * sizeof(std::uint32_t),
                     std::memory_order_relaxed);
}

void Graph::Reserve(std::uint32_t end) {
  if (end <= reserved_) return;
  const unsigned last = PlaceOf(end - 1).segment;
  for (unsigned s = 0; s <= last; ++s) {
    if (level0_[s].load(std::memory_order_relaxed) != nullptr) continue;
    level0_[s].store(AllocateSegment(s), std::memory_order_release);
  }
  ReserveUpper(reserved_, end);
  for (; reserved_ < end; ++reserved_) SetLinks(reserved_, 0, {});
  level0_bytes_.store(std::size_t{reserved_} * node_bytes_, std::memory_order_relaxed);
}

void Graph::SetLinks(std::uint32_t slot, std::uint32_t level, std::span<const std::uint32_t> links) {
  auto* words = const_cast<std::uint32_t*>(LinksOf(nullptr, slot, level));
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

void Graph::Map(const std::uint32_t* words, std::uint32_t count, std::shared_ptr<const void> owner) {
  if (count == 0) return;
  ReserveUpper(0, count);
  reserved_ = count;
  mapped_from_ = std::move(owner);
  mapped_.store(words, std::memory_order_release);
}

Status Graph::ReplaceMapped(const std::function<Status()>& fill) {
  if (mapped_.load(std::memory_order_relaxed) == nullptr) return OkStatus();
  const unsigned last = PlaceOf(reserved_ - 1).segment;
  Status filled;
  try {
    for (unsigned s = 0; s <= last; ++s) level0_[s].store(AllocateSegment(s), std::memory_order_release);
    filled = fill();
  } catch (...) {
    FreeSegments();
    throw;
  }
  if (!filled.ok()) {
    FreeSegments();
    return filled;
  }
  level0_bytes_.store(std::size_t{reserved_} * node_bytes_, std::memory_order_relaxed);
  mapped_.store(nullptr, std::memory_order_release);
  return OkStatus();
}

std::size_t Graph::MemoryBytes() const {
  return level0_bytes_.load(std::memory_order_relaxed) + upper_bytes_.load(std::memory_order_relaxed);
}

}  // namespace vdb
