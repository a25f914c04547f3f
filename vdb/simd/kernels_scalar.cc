// The oracle: plain loops, four sums so that the order of additions is fixed whatever the compiler does.

#include "vdb/simd/kernel_tables.h"

namespace vdb::simd {
namespace {

float L2Squared(const float* a, const float* b, std::size_t dim) {
  float sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      const float difference = a[i + j] - b[i + j];
      sums[j] += difference * difference;
    }
  }
  for (; i < dim; ++i) {
    const float difference = a[i] - b[i];
    sums[0] += difference * difference;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

float Dot(const float* a, const float* b, std::size_t dim) {
  float sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < dim; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void L2SquaredX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = L2Squared(query, rows[j], dim);
}

void DotX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = Dot(query, rows[j], dim);
}

}  // namespace

const FloatKernels& ScalarFloatKernels() {
  static constexpr FloatKernels kKernels = {"scalar", L2Squared, Dot, L2SquaredX4, DotX4};
  return kKernels;
}

}  // namespace vdb::simd
