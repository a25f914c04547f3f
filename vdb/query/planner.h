// Which plan answers a search: a pure function of what is known before it runs.
//
// Thread safety: pure functions.
#ifndef VDB_QUERY_PLANNER_H_
#define VDB_QUERY_PLANNER_H_

#include <vdb/search.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace vdb {

// What the planner knows: counts are exact (the columns were read).
struct SearchEstimate {
  std::uint64_t live_rows = 0;     // visible records
  std::uint64_t matches = 0;       // of those, the ones that match the filter
  std::uint64_t linked_rows = 0;   // slots in the graph; 0: no graph
  std::uint64_t tail_rows = 0;     // slots that are not
  std::uint64_t tail_matches = 0;  // an estimate: matches among the tail
};

// Nanoseconds on this machine for this collection.
struct CostModel {
  double scan_ns = 0;         // one row of the tail scored by a scan
  double linked_scan_ns = 0;  // one row in the graph scored by a scan: there may be a code of it
  double walk_ns = 0;         // one row scored by a walk: its line comes from anywhere in memory
};

// What a row of `dim` components costs, by lines of 64 bytes touched. walked, scanned: what a walk and a scan compare
// of the rows in the graph; of the tail it is float32. Constants measured by bench/plan_costs.cc
// (bench/README.md).
CostModel DefaultCosts(std::size_t dim, CodeKind walked, CodeKind scanned);

struct PlannerOptions {
  std::size_t k = 0;
  std::size_t ef = 0;
  bool exact = false;
};

struct Plan {
  PlanKind kind = PlanKind::kExact;
  double exact_ns = 0;
  double sweep_ns = 0;                    // 0: there is no graph
  std::uint64_t estimated_distances = 0;  // of the chosen plan
  std::uint64_t max_walk_distances = 0;   // P1 gives up for P0 beyond this
  std::string why;
};

Plan ChoosePlan(const SearchEstimate& estimate, const CostModel& costs, const PlannerOptions& options);

}  // namespace vdb

#endif  // VDB_QUERY_PLANNER_H_
