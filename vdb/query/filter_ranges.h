// Comparisons with numbers and times as ranges of what they accept, exact in every number type.
//
// Thread safety: pure functions.
#ifndef VDB_QUERY_FILTER_RANGES_H_
#define VDB_QUERY_FILTER_RANGES_H_

#include <optional>

#include "vdb/query/filter_leaf.h"
#include "vdb/query/filter_tree.h"

namespace vdb {

// For cells that are numbers; nothing if the predicate has no number in it (its verdict is then the same for all).
std::optional<NumberRanges> MakeNumberRanges(const FilterNode& leaf);

// For strings that are times, as int64 µs; nothing if the predicate has no TIMESTAMP in it.
std::optional<NumberRanges> MakeTimeRanges(const FilterNode& leaf);

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_RANGES_H_
