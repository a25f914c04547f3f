// The next multiple of a unit.
//
// Thread safety: pure function.
#ifndef VDB_UTIL_ROUND_UP_H_
#define VDB_UTIL_ROUND_UP_H_

#include <cstdint>

namespace vdb {

// The smallest multiple of unit (not 0) that is no less than value; value + unit - 1 must be a 64-bit number.
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace vdb

#endif  // VDB_UTIL_ROUND_UP_H_
