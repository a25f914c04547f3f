// AVX-512F. As kernels_avx2.cc: target attributes on functions only.

#include "vdb/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define VDB_TARGET_AVX512 __attribute__((target("avx512f")))

namespace vdb::simd {
namespace {

VDB_TARGET_AVX512 __mmask16 TailMask(std::size_t lanes) {
  return static_cast<__mmask16>((1U << lanes) - 1);
}

// Through memory: the extracting intrinsics make g++ 12 warn of an uninitialised value in its own header.
VDB_TARGET_AVX512 float HorizontalSum(__m512 v) {
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, v);
  const __m256 half = _mm256_add_ps(_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8));
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
  return _mm_cvtss_f32(sum);
}

VDB_TARGET_AVX512 float L2Squared(const float* a, const float* b, std::size_t dim) {
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = s0;
  __m512 s2 = s0;
  __m512 s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= dim; i += 64) {
    const __m512 d0 = _mm512_sub_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    const __m512 d1 = _mm512_sub_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    const __m512 d2 = _mm512_sub_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32));
    const __m512 d3 = _mm512_sub_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48));
    s0 = _mm512_fmadd_ps(d0, d0, s0);
    s1 = _mm512_fmadd_ps(d1, d1, s1);
    s2 = _mm512_fmadd_ps(d2, d2, s2);
    s3 = _mm512_fmadd_ps(d3, d3, s3);
  }
  for (; i + 16 <= dim; i += 16) {
    const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s0 = _mm512_fmadd_ps(d, d, s0);
  }
  if (i < dim) {
    const __mmask16 mask = TailMask(dim - i);
    const __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i));
    s1 = _mm512_fmadd_ps(d, d, s1);
  }
  return HorizontalSum(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

VDB_TARGET_AVX512 float Dot(const float* a, const float* b, std::size_t dim) {
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = s0;
  __m512 s2 = s0;
  __m512 s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= dim; i += 64) {
    s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
    s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    s2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), s2);
    s3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), s3);
  }
  for (; i + 16 <= dim; i += 16) s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
  if (i < dim) {
    const __mmask16 mask = TailMask(dim - i);
    s1 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), s1);
  }
  return HorizontalSum(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

VDB_TARGET_AVX512 void L2SquaredX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m512 q = _mm512_loadu_ps(query + i);
    for (int j = 0; j < 4; ++j) {
      const __m512 d = _mm512_sub_ps(q, _mm512_loadu_ps(rows[j] + i));
      s[j] = _mm512_fmadd_ps(d, d, s[j]);
    }
  }
  if (i < dim) {
    const __mmask16 mask = TailMask(dim - i);
    const __m512 q = _mm512_maskz_loadu_ps(mask, query + i);
    for (int j = 0; j < 4; ++j) {
      const __m512 d = _mm512_sub_ps(q, _mm512_maskz_loadu_ps(mask, rows[j] + i));
      s[j] = _mm512_fmadd_ps(d, d, s[j]);
    }
  }
  for (int j = 0; j < 4; ++j) out[j] = HorizontalSum(s[j]);
}

VDB_TARGET_AVX512 void DotX4(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m512 q = _mm512_loadu_ps(query + i);
    for (int j = 0; j < 4; ++j) s[j] = _mm512_fmadd_ps(q, _mm512_loadu_ps(rows[j] + i), s[j]);
  }
  if (i < dim) {
    const __mmask16 mask = TailMask(dim - i);
    const __m512 q = _mm512_maskz_loadu_ps(mask, query + i);
    for (int j = 0; j < 4; ++j) s[j] = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, rows[j] + i), s[j]);
  }
  for (int j = 0; j < 4; ++j) out[j] = HorizontalSum(s[j]);
}

}  // namespace

const FloatKernels kAvx512FloatKernels = {"avx512", L2Squared, Dot, L2SquaredX4, DotX4};

}  // namespace vdb::simd

#endif  // __x86_64__
