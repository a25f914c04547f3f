// Counts of the values at one path: columns first, payloads where the columns keep no text.
//
// Thread safety: functions without state; the reader's must be safe for its caller.
#ifndef VDB_QUERY_FACETS_H_
#define VDB_QUERY_FACETS_H_

#include <vdb/facets.h>
#include <vdb/status.h>

#include <cstddef>

#include "vdb/fields/field_index.h"
#include "vdb/query/cardinality.h"
#include "vdb/query/filter_tree.h"
#include "vdb/util/visibility.h"

namespace vdb {

// The records that count. All of it must outlive the call; the clock was loaded before the matches were computed.
struct FacetScope {
  const FieldIndex& index;
  const Deaths& deaths;
  Clock clock;
  const MatchSet* matches = nullptr;  // null: every record that the clock sees
};

// Cost: a few ns per record (numbers: a hash table's access), and one payload read and parse per record whose string is
// kept as a hash, whose list is long, or whose path has no column; memory for each distinct value. Throws
// std::bad_alloc. Errors: those of payloads; DataLoss - a payload is not a JSON object.
Result<FacetResult> ComputeFacets(const FieldPath& path, const FacetScope& scope, std::size_t limit,
                                  PayloadReader& payloads);

}  // namespace vdb

#endif  // VDB_QUERY_FACETS_H_
