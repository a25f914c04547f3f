#include "vdb/index/flat_search.h"

#include <bit>

namespace vdb {
namespace {

// Distances run behind the gathering of slots by this many rows, so that their lines are on the way.
constexpr std::size_t kAhead = 8;

// The first lines of a row: the hardware prefetcher takes over from there.
void PrefetchRow(const float* row) {
  const auto* bytes = reinterpret_cast<const char*>(row);
  for (std::size_t line = 0; line < 4; ++line) __builtin_prefetch(bytes + 64 * line);
}

// Collects slots and scores them four at a time, kAhead behind.
class Scorer {
 public:
  Scorer(const VectorView& vectors, const DistanceFunction& distance, const float* query, NearestList* nearest)
      : vectors_(vectors), distance_(distance), query_(query), nearest_(*nearest) {}

  void Add(std::uint32_t slot) {
    PrefetchRow(vectors_.row(slot));
    slots_[size_++] = slot;
    if (size_ == kAhead + 4) {
      ScoreFour();
      for (std::size_t i = 0; i < kAhead; ++i) slots_[i] = slots_[i + 4];
      size_ = kAhead;
    }
    ++count_;
  }

  std::uint64_t Finish() {
    for (std::size_t i = 0; i < size_; ++i) {
      nearest_.Add({distance_(query_, vectors_.row(slots_[i])), slots_[i]});
    }
    return count_;
  }

 private:
  void ScoreFour() {
    const float* const rows[4] = {vectors_.row(slots_[0]), vectors_.row(slots_[1]), vectors_.row(slots_[2]),
                                  vectors_.row(slots_[3])};
    float distances[4];
    distance_.Four(query_, rows, distances);
    for (std::size_t j = 0; j < 4; ++j) {
      if (nearest_.MayEnter(distances[j])) nearest_.Add({distances[j], slots_[j]});
    }
  }

  const VectorView& vectors_;
  const DistanceFunction& distance_;
  const float* query_;
  NearestList& nearest_;
  std::uint32_t slots_[kAhead + 4] = {};
  std::size_t size_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace

// 8 parameters: the parts of one View and one query, on the hot path, each by reference.
std::uint64_t ScanRange(const VectorView& vectors, const DistanceFunction& distance, const float* query,
                        const Deaths& deaths, Clock clock, const Bitset* matches, SlotRange range,
                        NearestList* nearest) {
  Scorer scorer(vectors, distance, query, nearest);
  const std::uint64_t end_word = (std::uint64_t{range.end} + 63) / 64;
  for (std::uint64_t word = range.begin / 64; word < end_word; ++word) {
    std::uint64_t slots = matches == nullptr ? ~std::uint64_t{0} : matches->words()[word];
    if (word == range.begin / 64) slots &= ~std::uint64_t{0} << (range.begin % 64);
    if (slots != 0) slots &= deaths.VisibleWord(word, clock);
    if (word * 64 + 64 > range.end) slots &= (std::uint64_t{1} << (range.end % 64)) - 1;
    for (; slots != 0; slots &= slots - 1) {
      scorer.Add(static_cast<std::uint32_t>(word * 64 + static_cast<std::uint64_t>(std::countr_zero(slots))));
    }
  }
  return scorer.Finish();
}

}  // namespace vdb
