#include "vdb/index/flat_search.h"

#include <algorithm>
#include <bit>

#include "vdb/index/code_space.h"
#include "vdb/index/codes.h"
#include "vdb/util/prefetch.h"

namespace vdb {
namespace {

// Distances run behind the gathering of slots by this many rows, so that their lines are on the way.
constexpr std::size_t kAhead = 8;

// Calls add(slot) for what a scan is to score, in order. Returns how many there were.
template <typename Add>
std::uint64_t ForEachSlot(const ScanInput& input, SlotRange range, const Add& add) {
  std::uint64_t count = 0;
  const std::uint64_t end_word = (std::uint64_t{range.end} + 63) / 64;
  for (std::uint64_t word = range.begin / 64; word < end_word; ++word) {
    std::uint64_t slots = input.matches == nullptr ? ~std::uint64_t{0} : input.matches->words()[word];
    if (word == range.begin / 64) slots &= ~std::uint64_t{0} << (range.begin % 64);
    if (slots != 0) slots &= input.deaths.VisibleWord(word, input.clock);
    if (word * 64 + 64 > range.end) slots &= (std::uint64_t{1} << (range.end % 64)) - 1;
    count += static_cast<std::uint64_t>(std::popcount(slots));
    for (; slots != 0; slots &= slots - 1) {
      add(static_cast<std::uint32_t>(word * 64 + static_cast<std::uint64_t>(std::countr_zero(slots))));
    }
  }
  return count;
}

// Collects slots and scores them four at a time, kAhead behind. Source: Prefetch(slot), One(slot), Four(slots).
template <typename Source>
class Scorer {
 public:
  explicit Scorer(Source* source) : source_(*source) {}

  void Add(std::uint32_t slot) {
    source_.Prefetch(slot);
    slots_[size_++] = slot;
    if (size_ < kAhead + 4) return;
    source_.Four(slots_);
    for (std::size_t i = 0; i < kAhead; ++i) slots_[i] = slots_[i + 4];
    size_ = kAhead;
  }

  void Finish() {
    for (std::size_t i = 0; i < size_; ++i) source_.One(slots_[i]);
  }

 private:
  Source& source_;
  std::uint32_t slots_[kAhead + 4] = {};
  std::size_t size_ = 0;
};

class RowSource {
 public:
  RowSource(const ScanInput& input, NearestList* nearest) : input_(input), nearest_(*nearest) {}

  // The first lines of a row: the hardware prefetcher takes over from there.
  void Prefetch(std::uint32_t slot) const {
    PrefetchRow(input_.vectors.row(slot), std::min(kFirstBytes, input_.vectors.dim * sizeof(float)));
  }
  void One(std::uint32_t slot) { nearest_.Add({input_.distance(input_.query, input_.vectors.row(slot)), slot}); }
  void Four(const std::uint32_t slots[4]) {
    const float* const rows[4] = {input_.vectors.row(slots[0]), input_.vectors.row(slots[1]),
                                  input_.vectors.row(slots[2]), input_.vectors.row(slots[3])};
    float distances[4];
    input_.distance.Four(input_.query, rows, distances);
    for (std::size_t j = 0; j < 4; ++j) {
      if (nearest_.MayEnter(distances[j])) nearest_.Add({distances[j], slots[j]});
    }
  }

 private:
  static constexpr std::size_t kFirstBytes = 256;

  const ScanInput& input_;
  NearestList& nearest_;
};

class CodeSource {
 public:
  // query: with its residual.
  CodeSource(const Graph& graph, const ScanInput& input, const NodeCode& query, NearestList* nearest)
      : graph_(graph),
        space_(*graph.code_space()),
        codes_(graph, query),
        input_(input),
        query_(query),
        nearest_(*nearest) {
    SetBound();
  }

  std::uint64_t rows_read() const { return rows_read_; }

  void Prefetch(std::uint32_t slot) const { codes_.Prefetch(slot); }
  void One(std::uint32_t slot) { Judge(slot, codes_.One(slot)); }
  void Four(const std::uint32_t slots[4]) {
    float distances[4];
    codes_.Four(slots, distances);
    for (std::size_t j = 0; j < 4; ++j) Judge(slots[j], distances[j]);
  }

 private:
  void Judge(std::uint32_t slot, float of_codes) {
    if (space_.IsBeyond(query_, graph_.Code(slot), of_codes, bound_)) return;
    ++rows_read_;
    const float distance = input_.distance(input_.query, input_.vectors.row(slot));
    if (!nearest_.MayEnter(distance)) return;
    nearest_.Add({distance, slot});
    SetBound();
  }

  void SetBound() { bound_ = nearest_.IsFull() ? space_.BoundOf(query_, nearest_.Farthest()) : CodeSpace::kNoBound; }

  const Graph& graph_;
  const CodeSpace& space_;
  const Int8Codes codes_;
  const ScanInput& input_;
  const NodeCode& query_;
  NearestList& nearest_;
  float bound_ = 0;
  std::uint64_t rows_read_ = 0;
};

}  // namespace

std::uint64_t ScanRange(const ScanInput& input, SlotRange range, NearestList* nearest) {
  RowSource source(input, nearest);
  Scorer<RowSource> scorer(&source);
  const std::uint64_t count = ForEachSlot(input, range, [&](std::uint32_t slot) { scorer.Add(slot); });
  scorer.Finish();
  return count;
}

bool CodeScan::IsFor(const Graph& graph, Metric metric) {
  return graph.code_space() != nullptr && metric != Metric::kInnerProduct && graph.linked() > 0 &&
         graph.MappedLevel0() == nullptr;
}

std::optional<CodeScan> CodeScan::Begin(const Graph& graph, const ScanInput& input) {
  if (!IsFor(graph, input.distance.metric())) return std::nullopt;
  const CodeSpace& space = *graph.code_space();
  CodeScan scan(graph, graph.linked());
  scan.query_.resize(space.query_bytes() / sizeof(NodeCode));
  space.EncodeScanQuery(input.query, scan.query_.data());
  return scan;
}

std::uint64_t CodeScan::Scan(const ScanInput& input, SlotRange range, NearestList* nearest) {
  CodeSource source(*graph_, input, query_.front(), nearest);
  Scorer<CodeSource> scorer(&source);
  const std::uint64_t count = ForEachSlot(input, range, [&](std::uint32_t slot) { scorer.Add(slot); });
  scorer.Finish();
  scanned_ += count;
  rows_read_ += source.rows_read();
  return count;
}

}  // namespace vdb
