// NEON, part of every AArch64 CPU: no target attribute is needed.

#include "vdb/simd/kernel_tables.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace vdb::simd {
namespace {

// What a pair of components adds to the sum. The loops below are the same for both.
struct L2Term {
  static inline float32x4_t Add(float32x4_t sum, float32x4_t a, float32x4_t b) {
    const float32x4_t difference = vsubq_f32(a, b);
    return vfmaq_f32(sum, difference, difference);
  }
};

struct DotTerm {
  static inline float32x4_t Add(float32x4_t sum, float32x4_t a, float32x4_t b) { return vfmaq_f32(sum, a, b); }
};

// The last 1, 2 or 3 components, then zeros.
inline float32x4_t LoadTail(const float* p, std::size_t count) {
  const float32x2_t zero = vdup_n_f32(0);
  if (count == 1) return vcombine_f32(vld1_lane_f32(p, zero, 0), zero);
  const float32x2_t pair = vld1_f32(p);
  return vcombine_f32(pair, count == 2 ? zero : vld1_lane_f32(p + 2, zero, 0));
}

// Four sums in flight: an addition takes four cycles.
template <typename Term>
float One(const float* a, const float* b, std::size_t dim) {
  float32x4_t s0 = vdupq_n_f32(0);
  float32x4_t s1 = s0;
  float32x4_t s2 = s0;
  float32x4_t s3 = s0;
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    s0 = Term::Add(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    s1 = Term::Add(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    s2 = Term::Add(s2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
    s3 = Term::Add(s3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
  }
  if (i + 8 <= dim) {
    s0 = Term::Add(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    s1 = Term::Add(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    i += 8;
  }
  if (i + 4 <= dim) {
    s2 = Term::Add(s2, vld1q_f32(a + i), vld1q_f32(b + i));
    i += 4;
  }
  if (i < dim) s3 = Term::Add(s3, LoadTail(a + i, dim - i), LoadTail(b + i, dim - i));
  return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
}

// Two sums a row, eight in flight. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
template <typename Term>
void Four(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  const float* const r0 = rows[0];
  const float* const r1 = rows[1];
  const float* const r2 = rows[2];
  const float* const r3 = rows[3];
  float32x4_t s0 = vdupq_n_f32(0);
  float32x4_t s1 = s0;
  float32x4_t s2 = s0;
  float32x4_t s3 = s0;
  float32x4_t t0 = s0;
  float32x4_t t1 = s0;
  float32x4_t t2 = s0;
  float32x4_t t3 = s0;
  std::size_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    const float32x4_t q = vld1q_f32(query + i);
    s0 = Term::Add(s0, q, vld1q_f32(r0 + i));
    s1 = Term::Add(s1, q, vld1q_f32(r1 + i));
    s2 = Term::Add(s2, q, vld1q_f32(r2 + i));
    s3 = Term::Add(s3, q, vld1q_f32(r3 + i));
    const float32x4_t next = vld1q_f32(query + i + 4);
    t0 = Term::Add(t0, next, vld1q_f32(r0 + i + 4));
    t1 = Term::Add(t1, next, vld1q_f32(r1 + i + 4));
    t2 = Term::Add(t2, next, vld1q_f32(r2 + i + 4));
    t3 = Term::Add(t3, next, vld1q_f32(r3 + i + 4));
  }
  if (i + 4 <= dim) {
    const float32x4_t q = vld1q_f32(query + i);
    s0 = Term::Add(s0, q, vld1q_f32(r0 + i));
    s1 = Term::Add(s1, q, vld1q_f32(r1 + i));
    s2 = Term::Add(s2, q, vld1q_f32(r2 + i));
    s3 = Term::Add(s3, q, vld1q_f32(r3 + i));
    i += 4;
  }
  if (i < dim) {
    const float32x4_t q = LoadTail(query + i, dim - i);
    t0 = Term::Add(t0, q, LoadTail(r0 + i, dim - i));
    t1 = Term::Add(t1, q, LoadTail(r1 + i, dim - i));
    t2 = Term::Add(t2, q, LoadTail(r2 + i, dim - i));
    t3 = Term::Add(t3, q, LoadTail(r3 + i, dim - i));
  }
  const float32x4_t low = vpaddq_f32(vaddq_f32(s0, t0), vaddq_f32(s1, t1));
  const float32x4_t high = vpaddq_f32(vaddq_f32(s2, t2), vaddq_f32(s3, t3));
  vst1q_f32(out, vpaddq_f32(low, high));
}

}  // namespace

const FloatKernels& NeonFloatKernels() {
  static constexpr FloatKernels kKernels = {"neon", One<L2Term>, One<DotTerm>, Four<L2Term>, Four<DotTerm>};
  return kKernels;
}

}  // namespace vdb::simd

#endif  // __aarch64__
