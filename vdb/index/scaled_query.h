// A query as it is searched with: under inner product scaled, by a power of two, to be about as long as the rows.
//
// How long such a query is puts no row before another: it scales all distances. But beside the rows' mean, which codes
// are relative to, a short one is lost, and products with a long one may be beyond float32.
// Thread safety: immutable.
#ifndef VDB_INDEX_SCALED_QUERY_H_
#define VDB_INDEX_SCALED_QUERY_H_

#include <cstddef>
#include <vector>

#include "vdb/index/code_space.h"
#include "vdb/index/distance.h"

namespace vdb {

class ScaledQuery {
 public:
  // query: dim float32, finite, outlives this. space: of the graph; null: none, then the length is about 1. Throws
  // std::bad_alloc.
  ScaledQuery(const DistanceFunction& distance, const float* query, std::size_t dim, const CodeSpace* space);
  ScaledQuery(const ScaledQuery&) = delete;
  ScaledQuery& operator=(const ScaledQuery&) = delete;

  // dim float32.
  const float* data() const { return scaled_.empty() ? query_ : scaled_.data(); }
  // The metric's distance from the query, from that from data(). It may be infinite.
  float DistanceOf(float distance) const;

 private:
  const float* query_;
  int exponent_ = 0;  // of the power
  std::vector<float> scaled_;
};

}  // namespace vdb

#endif  // VDB_INDEX_SCALED_QUERY_H_
