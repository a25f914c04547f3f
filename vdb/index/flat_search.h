// Exact search: every visible slot of a range, or of a set, is scored, on its row or, where a graph has int8 codes, on
// its code and only where that cannot rule it out on its row.
//
// Thread safety: pure functions over what a View holds.
#ifndef VDB_INDEX_FLAT_SEARCH_H_
#define VDB_INDEX_FLAT_SEARCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/scored_slot.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/bitset.h"
#include "vdb/util/visibility.h"

namespace vdb {

// Slots [begin, end), end at most clock.committed.
struct SlotRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// The parts of one View and one query.
struct ScanInput {
  const VectorView& vectors;
  const DistanceFunction& distance;
  const float* query;  // dim float32
  const Deaths& deaths;
  Clock clock;
  const Bitset* matches = nullptr;  // null: all
};

// Adds the slots of the range that the clock sees, and that are in matches, to nearest. Returns how many there were.
std::uint64_t ScanRange(const ScanInput& input, SlotRange range, NearestList* nearest);

// The same with the same result, on codes. Thread safety: none.
class CodeScan {
 public:
  // Whether codes can rule rows out: the graph has some in memory, and the metric is not the inner product.
  static bool IsFor(const Graph& graph, Metric metric);
  // Nothing where it is not.
  static std::optional<CodeScan> Begin(const Graph& graph, const ScanInput& input);

  // Slots below it have codes.
  std::uint32_t end() const { return end_; }

  // range.end is at most end().
  std::uint64_t Scan(const ScanInput& input, SlotRange range, NearestList* nearest);

  // Rows that were looked at, of all that were scanned: with more than every other one codes cost more than they save.
  bool IsOfUse() const { return 2 * rows_read_ <= scanned_; }

 private:
  CodeScan(const Graph& graph, std::uint32_t end) : graph_(&graph), end_(end) {}

  const Graph* graph_;
  std::uint32_t end_;
  std::vector<NodeCode> query_;  // a code with its bytes behind it
  std::uint64_t scanned_ = 0;
  std::uint64_t rows_read_ = 0;
};

}  // namespace vdb

#endif  // VDB_INDEX_FLAT_SEARCH_H_
