// Exact search: every visible slot of a range, or of a set, is scored.
//
// Thread safety: pure functions over what a View holds.
#ifndef VDB_INDEX_FLAT_SEARCH_H_
#define VDB_INDEX_FLAT_SEARCH_H_

#include <cstddef>
#include <cstdint>

#include "vdb/index/distance.h"
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

// Adds the slots of the range that the clock sees, and that are in matches unless it is null, to nearest.
// query: dim float32. Returns the number of distances computed.
std::uint64_t ScanRange(const VectorView& vectors, const DistanceFunction& distance, const float* query,
                        const Deaths& deaths, Clock clock, const Bitset* matches, SlotRange range,
                        NearestList* nearest);

}  // namespace vdb

#endif  // VDB_INDEX_FLAT_SEARCH_H_
