#include "vdb/query/executor.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "vdb/index/flat_search.h"
#include "vdb/index/graph_search.h"
#include "vdb/index/scaled_query.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Slots scanned between two looks at the clock on the wall: some milliseconds.
constexpr std::uint32_t kSlotsPerLook = std::uint32_t{1} << 16;
// Of fewer rows for each hit nearly all are looked at, whatever their codes say.
constexpr std::uint64_t kRowsPerHitForCodes = 8;

// Whether an exact search can go by the codes of the rows in the graph.
bool ScansCodes(const SearchTarget& target, std::uint64_t matches, std::size_t k) {
  return matches >= kRowsPerHitForCodes * k && CodeScan::IsFor(*target.graph, target.metric);
}

const Bitset* SlotsOf(const MatchSet* set) {
  return set == nullptr ? nullptr : &set->slots;
}

// What a scan goes through. Walks need not be told of records without a vector: nothing links to them.
const MatchSet* ScannedSet(const SearchParameters& parameters) {
  return parameters.with_vector != nullptr ? parameters.with_vector : parameters.matches;
}

ScanInput InputOf(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance) {
  return {.vectors = target.vectors,
          .distance = distance,
          .query = parameters.query,
          .deaths = *target.deaths,
          .clock = target.clock,
          .matches = SlotsOf(ScannedSet(parameters))};
}

// P0: every matching record.
void Scan(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance,
          bool by_codes, ExecutedSearch* result) {
  NearestList nearest(parameters.k);
  const ScanInput input = InputOf(target, parameters, distance);
  std::optional<CodeScan> codes;
  if (by_codes) codes = CodeScan::Begin(*target.graph, input);
  for (SlotRange range; range.begin < target.clock.committed; range.begin = range.end) {
    result->timed_out = parameters.deadline.Passed();
    if (result->timed_out) return;
    const bool has_codes = codes && range.begin < codes->end() && codes->IsOfUse();
    const std::uint32_t end = has_codes ? std::min(codes->end(), target.clock.committed) : target.clock.committed;
    range.end = range.begin + std::min(kSlotsPerLook, end - range.begin);
    result->distances += has_codes ? codes->Scan(input, range, &nearest) : ScanRange(input, range, &nearest);
  }
  result->hits = nearest.Take();
  result->exact = target.verified;
  result->complete = true;
}

// How a walk ends.
struct Aim {
  std::size_t ef = 0;
  float stop_factor = 0;
  float expected_recall = 0;
  std::string_view why_not_measured = {};
};

// From a recall target to a stop factor; without a measurement to a pool that is larger than most targets need.
Aim AimAt(const SearchTarget& target, const SearchParameters& parameters) {
  if (parameters.min_recall == 0) return {.ef = parameters.ef};
  Aim aim{.ef = AdaptivePool(parameters.k)};
  const RecallCurve* curve = target.graph->recall_curve();
  if (curve == nullptr) {
    aim.why_not_measured = "recall has not been measured here";
    return aim;
  }
  const std::optional<float> factor = curve->FactorFor(parameters.k, parameters.min_recall);
  if (!factor) {
    aim.why_not_measured = "no walk that was measured had the recall asked for";
    return aim;
  }
  aim.stop_factor = *factor;
  if (parameters.matches != nullptr) {
    aim.why_not_measured = "recall was measured without a filter";
  } else if (parameters.k > curve->largest_k() || target.graph->linked() / 2 >= curve->rows()) {
    aim.why_not_measured = "recall was measured for fewer hits or rows";
  } else {
    aim.expected_recall = parameters.min_recall;
  }
  return aim;
}

// P1: the graph, and the tail exactly. Returns false if it found too few or spent too much: then P0 answers.
bool Sweep(const SearchTarget& target, const SearchParameters& parameters, const DistanceFunction& distance,
           const Aim& aim, ExecutedSearch* result) {
  GraphSearchOptions options;
  options.k = parameters.k;
  options.ef = aim.ef;
  options.stop_factor = aim.stop_factor;
  options.max_distances = result->plan.max_walk_distances;
  options.matches = SlotsOf(parameters.matches);
  options.deadline = parameters.deadline;
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
  result->distances += ScanRange(InputOf(target, parameters, distance), tail, &nearest);
  result->hits = nearest.Take();
  result->complete = result->hits.size() >= parameters.k;
  return result->complete;
}

}  // namespace

ExecutedSearch ExecuteSearch(const SearchTarget& target, SearchParameters parameters) {
  ExecutedSearch result;
  const DistanceFunction distance(target.metric, target.vectors.dim);
  const ScaledQuery query(distance, parameters.query, target.vectors.dim, target.graph->code_space());
  parameters.query = query.data();
  SearchEstimate estimate;
  const MatchSet* set = ScannedSet(parameters);
  estimate.live_rows = target.live_rows;
  estimate.matches = set == nullptr ? target.live_rows : set->count;
  estimate.linked_rows = std::min(target.graph->linked(), target.clock.committed);
  estimate.tail_rows = target.clock.committed - estimate.linked_rows;
  estimate.tail_matches = estimate.matches * estimate.tail_rows / std::max(1U, target.clock.committed);
  result.tail_rows = estimate.tail_rows;
  const CodeKind walked = target.graph->code_space() != nullptr ? CodeKind::kInt8 : CodeKind::kFloat32;
  const bool by_codes = ScansCodes(target, estimate.matches, parameters.k);
  const CodeKind scanned = by_codes ? CodeKind::kInt8 : CodeKind::kFloat32;
  const Aim aim = AimAt(target, parameters);
  // A walk that a factor ends expands about as much as one with the usual ef.
  const std::size_t planned_ef = aim.stop_factor > 0 ? parameters.ef : aim.ef;
  result.plan = ChoosePlan(estimate, DefaultCosts(target.vectors.dim, walked, scanned),
                           {.k = parameters.k, .ef = planned_ef, .exact = parameters.exact});
  const bool swept = result.plan.kind == PlanKind::kSweep && Sweep(target, parameters, distance, aim, &result);
  if (swept) {
    result.stop_factor = aim.stop_factor;
    result.expected_recall = aim.expected_recall;
    if (!aim.why_not_measured.empty()) result.plan.why += StrCat("; ", aim.why_not_measured);
  }
  if (!swept && !result.timed_out) {
    result.fell_back = result.plan.kind != PlanKind::kExact;
    if (result.fell_back) result.plan.why += "; it found too few or cost too much, so every matching record was scored";
    result.plan.kind = PlanKind::kExact;
    Scan(target, parameters, distance, by_codes, &result);
  }
  for (ScoredSlot& hit : result.hits) hit.distance = ReportedDistance(target.metric, query.DistanceOf(hit.distance));
  if (parameters.radius) {
    std::erase_if(result.hits, [&](const ScoredSlot& hit) { return hit.distance > *parameters.radius; });
  }
  return result;
}

}  // namespace vdb
