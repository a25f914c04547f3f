// AVX2 and FMA. Function-level target attributes, no shared inline functions without them, no lambdas: nothing of this
// file may run on a CPU without AVX2.

#include "vdb/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

#define VDB_TARGET_AVX2 __attribute__((target("avx2,fma")))

namespace vdb::simd {
namespace {

// A window of 8 lanes that ends at entry 8 + n has its first n lanes set.
alignas(32) constexpr std::int32_t kTailMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

VDB_TARGET_AVX2 __m256i TailMask(std::size_t lanes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTailMask + 8 - lanes));
}

VDB_TARGET_AVX2 float HorizontalSum(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
  return _mm_cvtss_f32(sum);
}

// Four horizontal sums at once.
VDB_TARGET_AVX2 void HorizontalSums(__m256 a, __m256 b, __m256 c, __m256 d, float out[4]) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
}

VDB_TARGET_AVX2 float L2Squared(const float* a, const float* b, std::size_t dim) {
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = s0;
  __m256 s2 = s0;
  __m256 s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    const __m256 d0 = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    const __m256 d1 = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));
    const __m256 d2 = _mm256_sub_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16));
    const __m256 d3 = _mm256_sub_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24));
    s0 = _mm256_fmadd_ps(d0, d0, s0);
    s1 = _mm256_fmadd_ps(d1, d1, s1);
    s2 = _mm256_fmadd_ps(d2, d2, s2);
    s3 = _mm256_fmadd_ps(d3, d3, s3);
  }
  for (; i + 8 <= dim; i += 8) {
    const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    s0 = _mm256_fmadd_ps(d, d, s0);
  }
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    const __m256 d = _mm256_sub_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask));
    s1 = _mm256_fmadd_ps(d, d, s1);
  }
  return HorizontalSum(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

VDB_TARGET_AVX2 float Dot(const float* a, const float* b, std::size_t dim) {
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = s0;
  __m256 s2 = s0;
  __m256 s3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
    s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
    s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
    s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
  }
  for (; i + 8 <= dim; i += 8) s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    s1 = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), s1);
  }
  return HorizontalSum(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

VDB_TARGET_AVX2 void L2SquaredX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  std::size_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    const __m256 q = _mm256_loadu_ps(query + i);
    for (int j = 0; j < 4; ++j) {
      const __m256 d = _mm256_sub_ps(q, _mm256_loadu_ps(rows[j] + i));
      s[j] = _mm256_fmadd_ps(d, d, s[j]);
    }
  }
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    const __m256 q = _mm256_maskload_ps(query + i, mask);
    for (int j = 0; j < 4; ++j) {
      const __m256 d = _mm256_sub_ps(q, _mm256_maskload_ps(rows[j] + i, mask));
      s[j] = _mm256_fmadd_ps(d, d, s[j]);
    }
  }
  HorizontalSums(s[0], s[1], s[2], s[3], out);
}

VDB_TARGET_AVX2 void DotX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  std::size_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    const __m256 q = _mm256_loadu_ps(query + i);
    for (int j = 0; j < 4; ++j) s[j] = _mm256_fmadd_ps(q, _mm256_loadu_ps(rows[j] + i), s[j]);
  }
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    const __m256 q = _mm256_maskload_ps(query + i, mask);
    for (int j = 0; j < 4; ++j) s[j] = _mm256_fmadd_ps(q, _mm256_maskload_ps(rows[j] + i, mask), s[j]);
  }
  HorizontalSums(s[0], s[1], s[2], s[3], out);
}

}  // namespace

const FloatKernels kAvx2FloatKernels = {"avx2", L2Squared, Dot, L2SquaredX4, DotX4};

}  // namespace vdb::simd

#endif  // __x86_64__
