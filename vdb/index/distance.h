// From kernels to a metric's distance: L2 as it is, cosine (over normalised rows) as 1 - dot, inner product as -dot: it
// orders as what is reported, 1 - dot, and products of any size keep their bits.
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
        is_dot_(metric != Metric::kL2Squared),
        offset_(metric == Metric::kCosine ? 1.0F : 0.0F) {}

  Metric metric() const { return metric_; }

  float operator()(const float* a, const float* b) const {
    const float value = one_(a, b, dim_);
    return is_dot_ ? offset_ - value : value;
  }

  void Four(const float* query, const float* const rows[4], float out[4]) const {
    four_(query, rows, dim_, out);
    if (!is_dot_) return;
    for (std::size_t j = 0; j < 4; ++j) out[j] = offset_ - out[j];
  }

 private:
  float (*one_)(const float*, const float*, std::size_t);
  void (*four_)(const float*, const float* const[4], std::size_t, float[4]);
  std::size_t dim_;
  Metric metric_;
  bool is_dot_;
  float offset_;
};

// What is reported: rounding may take a cosine distance a little below 0 or above 2.
inline float ReportedDistance(Metric metric, float distance) {
  if (metric == Metric::kInnerProduct) return 1.0F + distance;
  return metric == Metric::kCosine ? std::clamp(distance, 0.0F, 2.0F) : distance;
}

}  // namespace vdb

#endif  // VDB_INDEX_DISTANCE_H_
