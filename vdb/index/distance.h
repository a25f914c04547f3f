// From kernels to a metric's distance: L2 as it is, inner product and cosine (over normalised rows) as 1 - dot.
//
// Thread safety: values over constant tables.
#ifndef VDB_INDEX_DISTANCE_H_
#define VDB_INDEX_DISTANCE_H_

#include <vdb/types.h>

#include <algorithm>
#include <cstddef>

#include "vdb/simd/kernels.h"

namespace vdb {

// Smaller is nearer. Distances of one metric compare with each other only.
class DistanceFunction {
 public:
  DistanceFunction(Metric metric, std::size_t dim)
      : one_(metric == Metric::kL2Squared ? simd::ActiveFloatKernels().l2_squared : simd::ActiveFloatKernels().dot),
        four_(metric == Metric::kL2Squared ? simd::ActiveFloatKernels().l2_squared_x4
                                           : simd::ActiveFloatKernels().dot_x4),
        dim_(dim),
        metric_(metric),
        is_dot_(metric != Metric::kL2Squared) {}

  Metric metric() const { return metric_; }

  float operator()(const float* a, const float* b) const {
    const float value = one_(a, b, dim_);
    return is_dot_ ? 1.0F - value : value;
  }

  void Four(const float* query, const float* const rows[4], float out[4]) const {
    four_(query, rows, dim_, out);
    if (!is_dot_) return;
    for (std::size_t j = 0; j < 4; ++j) out[j] = 1.0F - out[j];
  }

 private:
  float (*one_)(const float*, const float*, std::size_t);
  void (*four_)(const float*, const float* const[4], std::size_t, float[4]);
  std::size_t dim_;
  Metric metric_;
  bool is_dot_;
};

// What is reported: rounding may take a cosine distance a little below 0 or above 2.
inline float ReportedDistance(Metric metric, float distance) {
  return metric == Metric::kCosine ? std::clamp(distance, 0.0F, 2.0F) : distance;
}

}  // namespace vdb

#endif  // VDB_INDEX_DISTANCE_H_
