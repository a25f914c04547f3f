#include "vdb/query/executor.h"

#include <algorithm>

#include "vdb/index/flat_search.h"
#include "vdb/index/graph_search.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Slots scanned between two looks at the clock on the wall: some milliseconds.
constexpr std::uint32_t kSlotsPerLook = std::uint32_t{1} << 16;

const Bitset* SlotsOf(const MatchSet* set) {
  return set == nullptr ? nullptr : &set->slots;
}

// What a scan goes through. Walks need not be told of records without a vector: nothing links to them.
const MatchSet* ScannedSet(const SearchParameters& parameters) {
  return parameters.with_vector != nullptr ? parameters.with_vector : parameters.matches;
}

// P0: every matching record.
void Scan(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance,
          ExecutedSearch* result) {
  NearestList nearest(parameters.k);
  const std::uint32_t end = target.clock.committed;
  for (std::uint32_t begin = 0; begin < end; begin += std::min(kSlotsPerLook, end - begin)) {
    result->timed_out = parameters.deadline.Passed();
    if (result->timed_out) return;
    result->distances +=
        ScanRange(target.vectors, distance, parameters.query, *target.deaths, target.clock,
                  SlotsOf(ScannedSet(parameters)), {begin, begin + std::min(kSlotsPerLook, end - begin)}, &nearest);
  }
  result->hits = nearest.Take();
  if (parameters.radius) {
    std::erase_if(result->hits, [&](const ScoredSlot& hit) {
      return ReportedDistance(target.metric, hit.distance) > *parameters.radius;
    });
  }
  result->exact = target.verified;
  result->complete = true;
}

// From a recall target to a stop factor; without a measurement to a pool that is larger than most targets need.
void AimAt(float min_recall, const Graph& graph, GraphSearchOptions* options, ExecutedSearch* result) {
  options->ef = AdaptivePool(options->k);
  const RecallCurve* curve = graph.recall_curve();
  if (curve == nullptr) {
    result->plan.why += StrCat("; recall has not been measured yet: ef ", options->ef);
    return;
  }
  const std::optional<float> factor = curve->FactorFor(options->k, min_recall);
  if (!factor) {
    result->plan.why += StrCat("; no walk that was measured had the recall asked for: ef ", options->ef);
    return;
  }
  options->stop_factor = result->stop_factor = *factor;
  result->expected_recall = min_recall;
}

// P1: the graph, and the tail exactly. Returns false if it found too few or spent too much: then P0 answers.
bool Sweep(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance,
           ExecutedSearch* result) {
  GraphSearchOptions options;
  options.k = parameters.k;
  options.ef = parameters.ef;
  options.max_distances = result->plan.max_walk_distances;
  options.matches = SlotsOf(parameters.matches);
  options.deadline = parameters.deadline;
  if (parameters.min_recall > 0) AimAt(parameters.min_recall, *target.graph, &options, result);
  const GraphSearchResult walked =
      SearchGraph(*target.graph, target.vectors, distance, parameters.query, options, *target.deaths, target.clock);
  result->distances += walked.distances;
  result->visited += walked.expanded;
  result->timed_out = walked.timed_out;
  if (walked.gave_up || walked.timed_out) return false;
  NearestList nearest(parameters.k);
  for (const ScoredSlot& hit : walked.hits) nearest.Add(hit);
  // linked may be ahead of the clock: then there is no tail.
  const SlotRange tail{std::min(walked.linked, target.clock.committed), target.clock.committed};
  result->tail_rows = tail.end - tail.begin;
  result->distances += ScanRange(target.vectors, distance, parameters.query, *target.deaths, target.clock,
                                 SlotsOf(ScannedSet(parameters)), tail, &nearest);
  result->hits = nearest.Take();
  result->complete = result->hits.size() >= parameters.k;
  return result->complete;
}

}  // namespace

ExecutedSearch ExecuteSearch(const SearchTarget& target, const SearchParameters& parameters) {
  ExecutedSearch result;
  SearchEstimate estimate;
  const MatchSet* scanned = ScannedSet(parameters);
  estimate.live_rows = target.live_rows;
  estimate.matches = scanned == nullptr ? target.live_rows : scanned->count;
  estimate.linked_rows = std::min(target.graph->linked(), target.clock.committed);
  estimate.tail_rows = target.clock.committed - estimate.linked_rows;
  estimate.tail_matches = estimate.matches * estimate.tail_rows / std::max(1U, target.clock.committed);
  result.tail_rows = estimate.tail_rows;
  const CodeKind codes = target.graph->code_space() != nullptr ? CodeKind::kInt8 : CodeKind::kFloat32;
  result.plan = ChoosePlan(estimate, DefaultCosts(target.vectors.dim, codes),
                           {.k = parameters.k, .ef = parameters.ef, .exact = parameters.exact});
  const DistanceFunction distance(target.metric, target.vectors.dim);
  const bool swept = result.plan.kind == PlanKind::kSweep && Sweep(target, parameters, distance, &result);
  if (!swept && !result.timed_out) {
    result.fell_back = result.plan.kind != PlanKind::kExact;
    if (result.fell_back) result.plan.why += "; it found too few or cost too much, so every matching record was scored";
    result.plan.kind = PlanKind::kExact;
    Scan(target, parameters, distance, &result);
  }
  for (ScoredSlot& hit : result.hits) hit.distance = ReportedDistance(target.metric, hit.distance);
  return result;
}

}  // namespace vdb
