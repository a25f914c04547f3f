// The one insertion algorithm: batches of consecutive slots, linked in parallel without locks.
//
// For each row of a batch the candidates are what a search of the graph as it was before the batch finds, and every
// other live row of the batch, exactly: rows of one topic that arrive together must find each other. The heuristic
// chooses each row's own links; then the reverse edges, grouped by target, are appended or pruned once per target. The
// result depends on the batches, the dead set and the kernels, not on the number of threads. Thread safety: one call at
// a time per graph, beside any number of readers. Source: Malkov & Yashunin 2018, Algorithms 1 (INSERT) and 4
// (SELECT-NEIGHBORS-HEURISTIC); batches as in ParlayANN (Manohar et al., PPoPP 2024).
#ifndef VDB_INDEX_GRAPH_BUILDER_H_
#define VDB_INDEX_GRAPH_BUILDER_H_

#include <cstdint>
#include <functional>

#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/thread_pool.h"
#include "vdb/util/visibility.h"

namespace vdb {

inline constexpr std::uint32_t kMaxBatchRows = 512;

struct BuildContext {
  VectorView vectors;
  Metric metric = Metric::kCosine;
  // What a graph that is empty is built on: kFloat32 or kInt8. One that has nodes goes on as it began.
  CodeKind codes = CodeKind::kFloat32;
  std::uint32_t rows = 0;  // of vectors, readable: int8 codes take their mean from them; at least end
  std::uint32_t ef_construction = 0;
  const Deaths* deaths = nullptr;                        // slots dead when their batch is linked get no links
  std::function<bool(std::uint32_t)> has_row = nullptr;  // nor do those for which this says no; null: all have a row
  ThreadPool* pool = nullptr;
  // Asked now and then, on any thread of the pool, if it is not null: yes gives the batch up.
  std::function<bool()> give_up = nullptr;
};

// Links slots [graph->linked(), end), at most kMaxBatchRows of them; their rows must be readable. Returns false if the
// batch was given up, and throws std::bad_alloc: the graph is then as before, but for memory.
bool LinkBatch(Graph* graph, const BuildContext& context, std::uint32_t end);

// Links slots [graph->linked(), end) at levels above 0 only, for a graph whose level 0 comes from elsewhere and is set
// afterwards. Not to be given up. Throws std::bad_alloc.
void LinkUpperLevels(Graph* graph, const BuildContext& context, std::uint32_t end);

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_BUILDER_H_
