#include "vdb/query/planner.h"

#include <algorithm>
#include <cmath>

#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Distances of an unfiltered walk: about kPerEf for each candidate kept and kPerLevel for each doubling of the rows
// (the descent). Fitted to walks with M = 16 over 10,000 to 1,000,000 rows.
constexpr double kPerEf = 9;
constexpr double kPerLevel = 12;
// A sweep that has to skip rows that do not match visits s^-0.83 as many; fitted to 8 million rows at k = 100
// (Lucene pull request 14160), error below 1 % from s = 0.05 to 0.95.
constexpr double kSelectivityExponent = -0.83;

}  // namespace

CostModel DefaultCosts(std::size_t dim, CodeKind codes) {
  const double lines = std::max(1.0, static_cast<double>(dim) / 16);
  const double walk_lines = codes == CodeKind::kInt8 ? lines / 4 : lines;
  return {.scan_ns = 4 + 2.2 * lines, .walk_ns = 45 + 4.2 * walk_lines};
}

Plan ChoosePlan(const SearchEstimate& estimate, const CostModel& costs, const PlannerOptions& options) {
  Plan plan;
  const auto matches = static_cast<double>(estimate.matches);
  plan.exact_ns = matches * costs.scan_ns;
  plan.estimated_distances = estimate.matches;
  if (options.exact) {
    plan.why = "an exact answer was asked for";
    return plan;
  }
  if (estimate.linked_rows == 0) {
    plan.why = "nothing is in the graph yet: every matching record is scored";
    return plan;
  }
  const auto live = static_cast<double>(std::max<std::uint64_t>(1, estimate.live_rows));
  const double selectivity = std::max(1e-9, matches / live);
  const double unfiltered =
      kPerEf * static_cast<double>(options.ef) + kPerLevel * std::log2(static_cast<double>(estimate.linked_rows) + 1);
  const double walk =
      std::min(unfiltered * std::pow(selectivity, kSelectivityExponent), static_cast<double>(estimate.linked_rows));
  plan.sweep_ns = walk * costs.walk_ns + static_cast<double>(estimate.tail_matches) * costs.scan_ns;
  if (matches <= static_cast<double>(options.k) || plan.exact_ns <= plan.sweep_ns) {
    plan.why = matches <= static_cast<double>(options.k)
                   ? StrCat("only ", estimate.matches, " records match")
                   : StrCat("scoring the ", estimate.matches, " matching records is cheaper than a walk");
    return plan;
  }
  plan.kind = PlanKind::kSweep;
  plan.estimated_distances = static_cast<std::uint64_t>(walk) + estimate.tail_matches;
  // Twice the exact cost in all, if the walk is given up.
  plan.max_walk_distances = static_cast<std::uint64_t>(std::max(unfiltered, plan.exact_ns / costs.walk_ns)) + 1;
  plan.why = StrCat("a walk is cheaper than scoring ", estimate.matches, " matching records");
  return plan;
}

}  // namespace vdb
