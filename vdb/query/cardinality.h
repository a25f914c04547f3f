// Exactly which visible slots match a filter: columns first, payloads where the columns cannot decide.
//
// Thread safety: functions without state; the reader's must be safe for its caller.
#ifndef VDB_QUERY_CARDINALITY_H_
#define VDB_QUERY_CARDINALITY_H_

#include <vdb/status.h>

#include <cstdint>
#include <string>

#include "vdb/query/filter_program.h"
#include "vdb/util/bitset.h"
#include "vdb/util/visibility.h"

namespace vdb {

// Payload texts by slot, from the store.
class PayloadReader {
 public:
  virtual ~PayloadReader() = default;
  // The payload of a visible slot. A NotFound ends the query like any other error.
  virtual Status ReadPayload(std::uint32_t slot, std::string* out) = 0;
};

struct MatchSet {
  Bitset slots;                     // clock.committed bits
  std::uint64_t count = 0;          // set bits
  std::uint64_t payloads_read = 0;  // rows that the columns could not decide
};

// Matching slots that the clock sees. The clock must be the one that was loaded before program was compiled.
// Cost: about 1 ns per slot and comparison, and one payload read and parse per undecided row. Throws std::bad_alloc.
Result<MatchSet> ComputeMatches(const FilterProgram& program, const Deaths& deaths, Clock clock,
                                PayloadReader& payloads);

// Whether one visible slot matches.
Result<bool> SlotMatches(const FilterProgram& program, std::uint32_t slot, PayloadReader& payloads);

}  // namespace vdb

#endif  // VDB_QUERY_CARDINALITY_H_
