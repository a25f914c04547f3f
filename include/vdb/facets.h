// What values a path of the payloads has, and how many records have each.
//
// Thread safety: values. A FacetRequest's views must stay valid during the call.
#ifndef VDB_FACETS_H_
#define VDB_FACETS_H_

#include <vdb/filter.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace vdb {

struct FacetRequest {
  // As in filters: "year", "author.name", "items[].sku", "$id".
  std::string_view path = {};
  // Which records count; the default counts every record. See <vdb/filter.h>.
  Filter filter = {};
  // Values of $1, $2, … in the filter's text.
  std::vector<Value> bind = {};
  // Values listed at most; the statistics beside them are of all. 0: only the statistics.
  std::size_t limit = 10;
};

// One distinct value: a bool, number or string.
struct FacetValue {
  Value value;
  std::uint64_t count = 0;  // records that have it

  friend bool operator==(const FacetValue&, const FacetValue&) = default;
};

// All counts are exact, on one state of the collection. Of a list each element is a value, once per record. Numbers are
// equal by value, whatever their type: 3 and 3.0 are one, written as an integer if any record does. Null, objects and
// lists in lists are no values. Order: FALSE < TRUE < numbers < strings, bytewise; times are strings.
struct FacetResult {
  std::vector<FacetValue> values;   // most frequent first; equally frequent ones in order
  std::uint64_t distinct = 0;       // distinct values, listed or not
  std::uint64_t records = 0;        // records that match the filter
  std::uint64_t missing = 0;        // of those, records without any value at the path
  Value min;                        // of all values; NULL if there is none
  Value max;                        // likewise
  std::uint64_t payloads_read = 0;  // payloads read where columns could not decide the filter or tell the values
};

}  // namespace vdb

#endif  // VDB_FACETS_H_
