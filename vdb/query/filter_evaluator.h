// A filter on one record's id and payload text, the plain way: the oracle of the columns, and the judge where they
// cannot decide.
//
// Thread safety: pure functions.
#ifndef VDB_QUERY_FILTER_EVALUATOR_H_
#define VDB_QUERY_FILTER_EVALUATOR_H_

#include <vdb/filter.h>
#include <vdb/status.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "vdb/query/filter_tree.h"

namespace vdb {

// SQL's truth values.
enum class Tri : std::uint8_t { kFalse, kTrue, kNull };

// A JSON value as far as predicates look at it.
struct ScalarRef {
  enum class Kind : std::uint8_t { kNull, kBool, kInt64, kUint64, kDouble, kString, kOther };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t int64 = 0;
  std::uint64_t uint64 = 0;
  double number = 0;
  std::string_view text;
};

// A comparison (kEq … kGe, kIn, kBetween, kLike, kILike, kIsNull; kContainsAny compares one element, as kIn) of one
// value.
Tri EvaluateScalar(const FilterNode& leaf, const ScalarRef& value);

// What a filter looks at in one record.
struct RecordText {
  std::string_view id;
  std::string_view payload;  // empty: {}
};

// The whole tree (bound, see BindFilter) on a record. Throws std::bad_alloc.
// Errors: DataLoss - the payload is not a JSON object.
Result<Tri> EvaluateFilter(const FilterNode& filter, const RecordText& record);

// Calls visit with the value at path (not $id) in a payload, or with each element where a list is there; nested lists
// are kOther. Throws std::bad_alloc. Errors: as EvaluateFilter.
Status VisitValues(const FieldPath& path, std::string_view payload, const std::function<void(const ScalarRef&)>& visit);

// Whether text matches a LIKE pattern: % any text, _ one UTF-8 character.
bool LikeMatches(std::string_view text, std::string_view pattern, char escape = '\0');

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_EVALUATOR_H_
