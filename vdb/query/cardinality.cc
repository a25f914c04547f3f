#include "vdb/query/cardinality.h"

#include <algorithm>
#include <bit>

#include "vdb/query/filter_evaluator.h"
#include "vdb/util/status_macros.h"

namespace vdb {
namespace {

constexpr std::uint32_t kBlockSlots = 4'096;  // keeps the three words of truth in the first cache

Result<bool> PayloadMatches(const FilterProgram& program, std::uint32_t slot, PayloadReader& payloads) {
  std::string payload;
  VDB_RETURN_IF_ERROR(payloads.ReadPayload(slot, &payload));
  VDB_ASSIGN_OR_RETURN(const Tri truth, EvaluateFilter(program.filter(), payload));
  return truth == Tri::kTrue;
}

}  // namespace

Result<bool> SlotMatches(const FilterProgram& program, std::uint32_t slot, PayloadReader& payloads) {
  const Verdict verdict = program.EvaluateSlot(slot);
  if (verdict == Verdict::kUnknown) return PayloadMatches(program, slot, payloads);
  return verdict == Verdict::kTrue;
}

Result<MatchSet> ComputeMatches(const FilterProgram& program, const Deaths& deaths, Clock clock,
                                PayloadReader& payloads) {
  MatchSet matches;
  matches.slots = Bitset(clock.committed);
  TriWords truth;
  for (std::uint64_t begin = 0; begin < clock.committed; begin += kBlockSlots) {
    const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(clock.committed, begin + kBlockSlots));
    program.Evaluate(static_cast<std::uint32_t>(begin), end, &truth);
    for (std::size_t w = 0; w < truth.is_true.size(); ++w) {
      const std::uint64_t word = begin / 64 + w;
      const std::uint64_t visible = deaths.VisibleWord(word, clock);
      std::uint64_t found = truth.is_true[w] & visible;
      std::uint64_t unknown = visible & ~(truth.is_true[w] | truth.is_false[w] | truth.is_null[w]);
      for (; unknown != 0; unknown &= unknown - 1) {
        const auto bit = static_cast<std::uint64_t>(std::countr_zero(unknown));
        VDB_ASSIGN_OR_RETURN(const bool is_match,
                             PayloadMatches(program, static_cast<std::uint32_t>(word * 64 + bit), payloads));
        ++matches.payloads_read;
        if (is_match) found |= std::uint64_t{1} << bit;
      }
      matches.slots.words()[word] = found;
      matches.count += static_cast<std::uint64_t>(std::popcount(found));
    }
  }
  return matches;
}

}  // namespace vdb
