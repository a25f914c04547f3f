// NEON, part of every AArch64 CPU.

#include "vdb/simd/kernel_tables.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace vdb::simd {
namespace {

float L2Squared(const float* a, const float* b, std::size_t dim) {
  float32x4_t s0 = vdupq_n_f32(0);
  float32x4_t s1 = s0;
  std::size_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    const float32x4_t d0 = vsubq_f32(vld1q_f32(a + i), vld1q_f32(b + i));
    const float32x4_t d1 = vsubq_f32(vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    s0 = vfmaq_f32(s0, d0, d0);
    s1 = vfmaq_f32(s1, d1, d1);
  }
  float tail = 0;
  for (; i < dim; ++i) tail += (a[i] - b[i]) * (a[i] - b[i]);
  return vaddvq_f32(vaddq_f32(s0, s1)) + tail;
}

float Dot(const float* a, const float* b, std::size_t dim) {
  float32x4_t s0 = vdupq_n_f32(0);
  float32x4_t s1 = s0;
  std::size_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    s1 = vfmaq_f32(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
  }
  float tail = 0;
  for (; i < dim; ++i) tail += a[i] * b[i];
  return vaddvq_f32(vaddq_f32(s0, s1)) + tail;
}

void L2SquaredX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  float32x4_t s[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  float tail[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) {
    const float32x4_t q = vld1q_f32(query + i);
    for (int j = 0; j < 4; ++j) {
      const float32x4_t d = vsubq_f32(q, vld1q_f32(rows[j] + i));
      s[j] = vfmaq_f32(s[j], d, d);
    }
  }
  for (; i < dim; ++i) {
    for (int j = 0; j < 4; ++j) tail[j] += (query[i] - rows[j][i]) * (query[i] - rows[j][i]);
  }
  for (int j = 0; j < 4; ++j) out[j] = vaddvq_f32(s[j]) + tail[j];
}

void DotX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  float32x4_t s[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  float tail[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) {
    const float32x4_t q = vld1q_f32(query + i);
    for (int j = 0; j < 4; ++j) s[j] = vfmaq_f32(s[j], q, vld1q_f32(rows[j] + i));
  }
  for (; i < dim; ++i) {
    for (int j = 0; j < 4; ++j) tail[j] += query[i] * rows[j][i];
  }
  for (int j = 0; j < 4; ++j) out[j] = vaddvq_f32(s[j]) + tail[j];
}

}  // namespace

const FloatKernels kNeonFloatKernels = {"neon", L2Squared, Dot, L2SquaredX4, DotX4};

}  // namespace vdb::simd

#endif  // __aarch64__
