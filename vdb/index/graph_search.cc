#include "vdb/index/graph_search.h"

#include <algorithm>
#include <cmath>

#include "vdb/index/rerank.h"
#include "vdb/index/walk.h"

namespace vdb {
namespace {

// Above it a heap takes fewer steps than moving half of a sorted array.
constexpr std::size_t kSortedPoolEf = 512;

// Codes that leave hardly a bit to most components bring candidates in the wrong order, and rows that belong to the
// best ef are cut off. Three components of 384 being 50 times as large, inner product: recall at ef 32 is 0.953 on
// rows, 0.919 on codes, 0.959 on codes with twice the ef; at ef 64 it is 0.984, 0.959, 0.993.
constexpr std::size_t kCoarseBreadth = 2;

SearchScratch& ThreadScratch() {
  thread_local SearchScratch scratch;
  return scratch;
}

// Candidates of which the rows are looked at, for k results, however early the walk stops.
std::size_t RerankPool(std::size_t k) {
  return std::max(2 * k, k + 16);
}

// Candidates that packed codes take for k results at least: the error of their distances brings some that are among the
// k nearest behind others. Of MNIST and WordNet two or three in ten rows, at k 10.
std::size_t PackedPool(std::size_t k) {
  return k + k / 4 + 6;
}

// How long a walk goes on after it has k results. Distances that may be negative need the codes' base.
StopRule StopRuleFor(const GraphSearchOptions& options, const DistanceFunction& distance, const CodeSpace* space,
                     const float* query) {
  if (options.stop_factor <= 0) return {};
  StopRule rule{.rank = options.k, .factor = options.stop_factor};
  if (distance.metric() != Metric::kInnerProduct) return rule;
  if (space == nullptr) return {};
  rule.base = space->StopBase(std::sqrt(std::max(0.0F, -distance(query, query))));
  return rule;
}

// By how much candidates may look farther than they are: known where they are like `start`, the first of them. With
// components left out of codes, or of any length under inner product, they need not be.
CodeExcess ExcessOfCandidates(const CodeSpace& space, const NodeCode& query, const NodeCode& start) {
  if (space.metric() == Metric::kInnerProduct || !space.components().AreAll()) return kAnyExcess;
  return space.ExcessNear(space.ErrorOf(query), start);
}

// excess: of what may be among the k nearest, beyond the stop.
WalkLimits LimitsFor(const GraphSearchOptions& options, StopRule stop, CodeExcess excess) {
  WalkLimits limits{
      .ef = options.ef, .level = 0, .stop = stop, .max_distances = options.max_distances, .deadline = options.deadline};
  if (stop.rank > 0) limits.keep = {.most = RerankPool(options.k), .excess = excess};
  return limits;
}

// One search: level 0 from `start`, with either pool. Hits get the distances of the codes.
template <typename Codes, typename Visible>
GraphSearchResult RunWalk(Walk<Codes>* walk, ScoredSlot start, const WalkLimits& limits, const Bitset* matches,
                          const Visible& visible) {
  GraphSearchResult result;
  const auto search = [&](const auto& accept, auto* pool) {
    result.gave_up = !walk->template Search<1>(start, limits, accept, PaperRules(), pool);
    if (!result.gave_up) pool->Take(&result.hits, nullptr);
  };
  if (matches == nullptr && limits.ef <= kSortedPoolEf) {
    search(visible, &ThreadScratch().sorted);
  } else {
    const auto accept = [&](std::uint32_t slot) {
      return visible(slot) && (matches == nullptr || matches->Test(slot));
    };
    search(accept, &ThreadScratch().heaps);
  }
  result.timed_out = result.gave_up && limits.deadline.Passed();
  result.distances = walk->counts().distances;
  result.expanded = walk->counts().expanded;
  return result;
}

}  // namespace

// 7 parameters: the parts of one View and one query, on the hot path, each by reference.
GraphSearchResult SearchGraph(const Graph& graph, const VectorView& vectors, const DistanceFunction& distance,
                              const float* query, const GraphSearchOptions& options, const Deaths& deaths,
                              Clock clock) {
  EntryPoint entry;
  // The entry point first: linked() then covers it. Without one nothing is looked at, whatever linked() is by now.
  if (!graph.LoadEntryPoint(&entry)) return {};
  const std::uint32_t linked = std::min(graph.linked(), vectors.rows);
  if (entry.slot >= linked) return {};
  const CodeSpace* space = graph.code_space();
  const StopRule stop = StopRuleFor(options, distance, space, query);
  const auto visible = [&](std::uint32_t slot) { return deaths.IsVisible(slot, clock); };
  SearchScratch& scratch = ThreadScratch();
  GraphSearchResult result;
  // Nodes in a mapped file have no codes: until they are in memory the rows themselves are compared.
  if (space == nullptr || graph.MappedLevel0() != nullptr) {
    const RowsAre rows = graph.MappedLevel0() == nullptr ? RowsAre::kInMemory : RowsAre::kPerhapsOnDisk;
    const Float32Codes codes(vectors, distance, query, rows);
    Walk<Float32Codes> walk(graph, codes, linked, &scratch.visited);
    StopRule metric_stop = stop;
    if (distance.metric() == Metric::kInnerProduct && space != nullptr)
      metric_stop.base += space->DistanceOf(0);  // the codes' distances are that much larger
    if (options.hidden != kNoSlot) walk.Hide(options.hidden);
    result = RunWalk(&walk, walk.Descend(entry, 0), LimitsFor(options, metric_stop, {}), options.matches, visible);
    if (result.hits.size() > options.k) result.hits.resize(options.k);
  } else {
    NodeCode* const query_code = scratch.query.Resize(space->query_bytes());
    space->EncodeQuery(query, query_code);
    const Int8Codes codes(graph, *query_code);
    Walk<Int8Codes> walk(graph, codes, linked, &scratch.visited);
    GraphSearchOptions breadth = options;
    // Any row tells how coarse codes are: the one where the walk begins is in the cache.
    if (space->IsCoarse(*query_code) || space->IsCoarse(graph.Code(entry.slot))) breadth.ef *= kCoarseBreadth;
    if (space->bits() == CodeBits::kFive) breadth.ef = std::max(breadth.ef, PackedPool(options.k));
    if (options.hidden != kNoSlot) walk.Hide(options.hidden);
    const ScoredSlot start = walk.Descend(entry, 0);
    const CodeExcess excess =
        options.matches == nullptr ? ExcessOfCandidates(*space, *query_code, graph.Code(start.slot)) : kAnyExcess;
    result = RunWalk(&walk, start, LimitsFor(breadth, stop, excess), options.matches, visible);
    result.hits = Rerank({graph, vectors, distance}, query, *query_code, result.hits, options.k);
  }
  result.linked = linked;
  return result;
}

}  // namespace vdb
