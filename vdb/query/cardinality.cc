#include "vdb/query/cardinality.h"

#include <algorithm>
#include <bit>
#include <string>

#include "vdb/query/filter_evaluator.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Slots per evaluation: enough to amortise the call, little enough to stay in cache.
constexpr std::uint64_t kStrideSlots = std::uint64_t{1} << 16;

Result<bool> PayloadMatches(const FilterProgram& program, std::uint32_t slot, PayloadReader& payloads,
                            std::string* payload) {
  VDB_RETURN_IF_ERROR(payloads.ReadPayload(slot, payload));
  const Result<Tri> truth = EvaluateFilter(program.filter(), {program.index().ids().Get(slot), *payload});
  if (!truth.ok()) {
    return truth.status().WithMessage(StrCat("record in slot ", slot, ": ", truth.status().message()));
  }
  return *truth == Tri::kTrue;
}

}  // namespace

Result<MatchSet> ComputeMatches(const FilterProgram& program, const Deaths& deaths, Clock clock,
                                PayloadReader& payloads) {
  MatchSet matches;
  matches.slots = Bitset(clock.committed);
  TriWords truth;
  std::string payload;
  for (std::uint64_t begin = 0; begin < clock.committed; begin += kStrideSlots) {
    const std::uint64_t end = std::min<std::uint64_t>(clock.committed, begin + kStrideSlots);
    program.Evaluate(static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), &truth);
    for (std::size_t i = 0; i < truth.is_true.size(); ++i) {
      const std::uint64_t word = begin / 64 + i;
      const std::uint64_t visible = deaths.VisibleWord(word, clock);
      std::uint64_t match = truth.is_true[i] & visible;
      std::uint64_t unknown = visible & ~(truth.is_true[i] | truth.is_false[i] | truth.is_null[i]);
      for (; unknown != 0; unknown &= unknown - 1) {
        const auto bit = static_cast<unsigned>(std::countr_zero(unknown));
        ++matches.payloads_read;
        VDB_ASSIGN_OR_RETURN(const bool is_match,
                             PayloadMatches(program, static_cast<std::uint32_t>(word * 64 + bit), payloads, &payload));
        if (is_match) match |= std::uint64_t{1} << bit;
      }
      matches.slots.words()[word] = match;
      matches.count += static_cast<std::uint64_t>(std::popcount(match));
    }
  }
  return matches;
}

Result<bool> SlotMatches(const FilterProgram& program, std::uint32_t slot, PayloadReader& payloads) {
  const Verdict verdict = program.EvaluateSlot(slot);
  if (verdict != Verdict::kUnknown) return verdict == Verdict::kTrue;
  std::string payload;
  return PayloadMatches(program, slot, payloads, &payload);
}

}  // namespace vdb
