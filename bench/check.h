// What the benchmarks do with an error: they end by an exception that says what it was.
//
// Thread safety: pure functions.
#ifndef VDB_BENCH_CHECK_H_
#define VDB_BENCH_CHECK_H_

#include <vdb/status.h>

#include <stdexcept>
#include <utility>

namespace vdb::bench {

// Throws std::runtime_error.
inline void Check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

template <typename T>
T Check(Result<T> result) {
  Check(result.status());
  return std::move(result).value();
}

}  // namespace vdb::bench

#endif  // VDB_BENCH_CHECK_H_
