#include "vdb/query/executor.h"

#include "vdb/index/flat_search.h"

namespace vdb {
namespace {

// P0: every matching record.
void Scan(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance,
          ExecutedSearch* result) {
  NearestList nearest(parameters.k);
  const Bitset* matches = parameters.matches == nullptr ? nullptr : &parameters.matches->slots;
  result->distances += ScanRange(target.vectors, distance, parameters.query, *target.deaths, target.clock, matches,
                                 {0, target.clock.committed}, &nearest);
  result->hits = nearest.Take();
  result->exact = true;
  result->complete = true;
}

}  // namespace

ExecutedSearch ExecuteSearch(const SearchTarget& target, const SearchParameters& parameters) {
  ExecutedSearch result;
  SearchEstimate estimate;
  estimate.live_rows = target.live_rows;
  estimate.matches = parameters.matches == nullptr ? target.live_rows : parameters.matches->count;
  estimate.tail_rows = target.clock.committed;
  result.plan = ChoosePlan(estimate, DefaultCosts(target.vectors.dim),
                           {.k = parameters.k, .ef = parameters.ef, .exact = parameters.exact});
  const DistanceFunction distance(target.metric, target.vectors.dim);
  Scan(target, parameters, distance, &result);
  for (ScoredSlot& hit : result.hits) hit.distance = ReportedDistance(target.metric, hit.distance);
  return result;
}

}  // namespace vdb
