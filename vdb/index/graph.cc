#include "vdb/index/graph.h"

#include <algorithm>
#include <utility>

#include "vdb/util/page_memory.h"
#include "vdb/util/round_up.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::size_t kLineBytes = 64;

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
    if (memory != nullptr) FreePages(memory, segment_bytes_[s]);
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
  segment_bytes_[s] = SegmentNodes(s) * node_bytes_;
  return static_cast<std::byte*>(AllocatePages(segment_bytes_[s]));
}

void Graph::ReserveUpper(std::uint32_t first, std::uint32_t end) {
  upper_.Reserve(end);
  ForEachRaised(first, end, [&](std::uint32_t slot, std::uint32_t level) {
    upper_words_.Reserve((std::uint64_t{upper_blocks_} + level) * upper_stride_);
    upper_[slot].store(upper_blocks_, std::memory_order_relaxed);
    upper_blocks_ += level;
    for (std::uint32_t l = 1; l <= level; ++l) SetLinks(slot, l, {});
  });
  CountUpperBytes(end);
}

void Graph::CountUpperBytes(std::uint32_t slots) {
  upper_bytes_.store(
      upper_blocks_ * upper_stride_ * sizeof(std::uint32_t) + std::uint64_t{slots} * sizeof(std::uint32_t),
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

void Graph::CountLeftOut(std::uint32_t slot, const float* row) {
  const double share = code_space_->ShareLeftOut(row, Code(slot));
  left_out_.store(left_out_.load(std::memory_order_relaxed) + share, std::memory_order_relaxed);
  if (share > CodeSpace::kOddShare) odd_.fetch_add(1, std::memory_order_relaxed);
  counted_.fetch_add(1, std::memory_order_relaxed);
}

void Graph::Finish(std::uint32_t end, const EntryPoint* entry) {
  // linked first: a reader that finds the new entry point has a linked() that covers it, for it loads the entry before.
  linked_.store(end, std::memory_order_release);
  if (entry != nullptr) {
    entry_.store(std::uint64_t{entry->slot} << 32 | (entry->level + 1), std::memory_order_release);
  }
}

Status Graph::Map(const std::uint32_t* words, std::uint32_t count, std::span<const std::uint32_t> upper,
                  std::shared_ptr<const void> owner) {
  upper_.Reserve(count);
  upper_words_.Reserve(upper.size() / m_ * upper_stride_);
  const std::size_t blocks = upper.size() / m_;
  std::size_t wanted = 0;
  std::uint32_t highest = 0;
  // One pass: on opening, what it costs is waited for.
  ForEachRaised(0, count, [&](std::uint32_t slot, std::uint32_t level) {
    upper_[slot].store(static_cast<std::uint32_t>(wanted), std::memory_order_relaxed);
    for (std::uint32_t l = 1; l <= level; ++l, ++wanted) {
      if (wanted >= blocks) continue;
      const std::span<const std::uint32_t> links = upper.subspan(wanted * m_, m_);
      highest = std::max(highest, *std::ranges::max_element(links));
      std::ranges::copy(links, &upper_words_[wanted * upper_stride_]);
    }
  });
  if (upper.size() != wanted * m_) {
    return DataLossError(StrCat("upper levels have ", upper.size(), " links; wanted ", wanted * m_));
  }
  if (highest >= std::max(1U, count)) {
    return DataLossError(StrCat("upper levels link to slot ", highest, " of ", count));
  }
  upper_blocks_ = static_cast<std::uint32_t>(wanted);
  CountUpperBytes(count);
  reserved_ = count;
  mapped_from_ = std::move(owner);
  mapped_.store(words, std::memory_order_release);
  return OkStatus();
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
