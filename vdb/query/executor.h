// Runs a planned search: scan, walk, tail, and the fallback that makes row counts complete.
//
// Thread safety: pure functions over a pinned View.
#ifndef VDB_QUERY_EXECUTOR_H_
#define VDB_QUERY_EXECUTOR_H_

#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vdb/index/graph.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/vector_file.h"
#include "vdb/query/cardinality.h"
#include "vdb/query/planner.h"
#include "vdb/util/deadline.h"
#include "vdb/util/visibility.h"

namespace vdb {

// What is searched: parts of one View, and the clock loaded after pinning it.
struct SearchTarget {
  VectorView vectors;
  Metric metric = Metric::kCosine;
  const Deaths* deaths = nullptr;
  Clock clock;
  std::uint64_t live_rows = 0;
  const Graph* graph = nullptr;
  bool verified = true;  // false: rows may be damaged, no answer is called exact
};

struct SearchParameters {
  const float* query = nullptr;  // dim float32; normalised under cosine
  std::size_t k = 0;
  std::size_t ef = 0;
  float min_recall = 0;  // 0: by ef
  bool exact = false;
  std::optional<float> radius = {};  // reported distance; needs exact
  Deadline deadline = {};
  const MatchSet* matches = nullptr;      // null: every record matches
  const MatchSet* with_vector = nullptr;  // visible, matching and with a vector; null: all matching records have one
};

struct ExecutedSearch {
  std::vector<ScoredSlot> hits;  // nearest first
  Plan plan;
  bool exact = false;
  bool complete = false;
  bool fell_back = false;
  float stop_factor = 0;
  float expected_recall = 0;
  bool timed_out = false;       // the rest is unfinished
  std::uint64_t tail_rows = 0;  // slots that were not in the graph
  std::uint64_t distances = 0;
  std::uint64_t visited = 0;
};

// Throws std::bad_alloc.
ExecutedSearch ExecuteSearch(const SearchTarget& target, SearchParameters parameters);

}  // namespace vdb

#endif  // VDB_QUERY_EXECUTOR_H_
