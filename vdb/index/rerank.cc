#include "vdb/index/rerank.h"

#include <algorithm>

#include "vdb/util/prefetch.h"

namespace vdb {
namespace {

// Rows asked for ahead of the one that is scored.
constexpr std::size_t kAhead = 3;

}  // namespace

std::vector<ScoredSlot> Rerank(const RerankSource& source, const float* query, const NodeCode& query_code,
                               std::span<const ScoredSlot> candidates, std::size_t k) {
  const CodeSpace& space = *source.graph.code_space();
  const CodeSpace::QueryError query_error = space.ErrorOf(query_code);
  NearestList nearest(k);
  const auto prefetch = [&](std::size_t i) {
    PrefetchRow(source.vectors.row(candidates[i].slot), source.vectors.dim * sizeof(float));
  };
  for (std::size_t i = 0; i < std::min(kAhead, candidates.size()); ++i) prefetch(i);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const ScoredSlot candidate = candidates[i];
    bool enters = true;
    if (nearest.size() == k) {
      const NodeCode& code = source.graph.Code(candidate.slot);
      const float behind = candidate.distance - space.DistanceOf(nearest.Farthest());
      enters = !(behind > space.ExcessOf(query_error, code).At(candidate.distance));
      if (!enters && behind > space.ExcessNear(query_error, code).At(candidate.distance)) break;
    }
    if (i + kAhead < candidates.size()) prefetch(i + kAhead);
    if (!enters) continue;
    nearest.Add({.distance = source.distance(query, source.vectors.row(candidate.slot)), .slot = candidate.slot});
  }
  return nearest.Take();
}

}  // namespace vdb
