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

// Of a code in a scan, its few rows that are read included, and of each 64 bytes of float32 that it stands for. Between
// what was measured with AVX-512, where a scan of 384 dimensions takes 0.3 times as long on codes, and with AVX2 (Zen
// 3, a machine with other work), where those of 64, 384 and 784 take 0.4 to 0.8, 0.3 to 0.5 and 0.4 to 0.5 times as
// long.
constexpr double kCodeScanNs = 5;
constexpr double kCodeScanNsPerLine = 0.7;

}  // namespace

CostModel DefaultCosts(std::size_t dim, CodeKind walked, CodeKind scanned) {
  const double lines = std::max(1.0, static_cast<double>(dim) / 16);
  const double scan_ns = 4 + 2.2 * lines;
  const double walked_lines = walked == CodeKind::kInt8 ? lines / 4 : lines;
  return {.scan_ns = scan_ns,
          .linked_scan_ns = scanned == CodeKind::kInt8 ? kCodeScanNs + kCodeScanNsPerLine * lines : scan_ns,
          .walk_ns = 45 + 4.2 * walked_lines};
}

Plan ChoosePlan(const SearchEstimate& estimate, const CostModel& costs, const PlannerOptions& options) {
  Plan plan;
  const auto matches = static_cast<double>(estimate.matches);
  const auto tail_matches = static_cast<double>(std::min(estimate.tail_matches, estimate.matches));
  const double tail_ns = tail_matches * costs.scan_ns;
  plan.exact_ns = (matches - tail_matches) * costs.linked_scan_ns + tail_ns;
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
  plan.sweep_ns = walk * costs.walk_ns + tail_ns;
  if (matches <= static_cast<double>(options.k) || plan.exact_ns <= plan.sweep_ns) {
    plan.why = matches <= static_cast<double>(options.k)
                   ? StrCat("only ", estimate.matches, " records match")
                   : StrCat("scoring the ", estimate.matches, " matching records is cheaper than a walk");
    return plan;
  }
  plan.kind = PlanKind::kSweep;
  plan.estimated_distances = static_cast<std::uint64_t>(walk) + estimate.tail_matches;
  // What scoring all matches on their rows takes, though codes may be cheaper: walks past dead rows, and among rows
  // without clusters, take more than is expected of them.
  plan.max_walk_distances =
      static_cast<std::uint64_t>(std::max(unfiltered, matches * costs.scan_ns / costs.walk_ns)) + 1;
  plan.why = StrCat("a walk is cheaper than scoring ", estimate.matches, " matching records");
  return plan;
}

}  // namespace vdb
