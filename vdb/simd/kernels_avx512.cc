// AVX-512F. As kernels_avx2.cc: target attributes on local functions, no lambdas, no compile flag.

#include "vdb/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define VDB_TARGET_AVX512 __attribute__((target("avx512f")))

namespace vdb::simd {
namespace {

// What a pair of components adds to the sum. The loops below are the same for both.
struct L2Term {
  VDB_TARGET_AVX512 static inline __m512 Add(__m512 sum, __m512 a, __m512 b) {
    const __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};

struct DotTerm {
  VDB_TARGET_AVX512 static inline __m512 Add(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
};

// The last components of a row, from i on, fewer than 16, and zeros. A masked load that reaches beyond the row would
// touch another line of the cache, for which Zen 4 waits: where there are 16 components, the last 16 are read instead.
VDB_TARGET_AVX512 inline __m512 LoadEnd(const float* row, std::size_t i, std::size_t dim) {
  const unsigned lanes = (1U << (dim - i)) - 1;
  if (dim < 16) return _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes), row);
  return _mm512_maskz_mov_ps(static_cast<__mmask16>(lanes << (16 - (dim - i))), _mm512_loadu_ps(row + dim - 16));
}

// Adds the upper half to the lower. The intrinsics for this make g++ 12 warn of an uninitialised value in its own
// header.
VDB_TARGET_AVX512 inline __m256 Fold(__m512 v) {
  const __m256 lower = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 upper = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm256_add_ps(lower, upper);
}

VDB_TARGET_AVX512 inline float HorizontalSum(__m512 v) {
  const __m256 half = Fold(v);
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
  return _mm_cvtss_f32(sum);
}

// Four sums in flight: two loads a cycle feed one addition a cycle, and an addition takes four.
template <typename Term>
VDB_TARGET_AVX512 float One(const float* a, const float* b, std::size_t dim) {
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = _mm512_setzero_ps();
  __m512 s2 = _mm512_setzero_ps();
  __m512 s3 = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 64 <= dim; i += 64) {
    s0 = Term::Add(s0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s1 = Term::Add(s1, _mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    s2 = Term::Add(s2, _mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32));
    s3 = Term::Add(s3, _mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48));
  }
  if (i + 32 <= dim) {
    s0 = Term::Add(s0, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s1 = Term::Add(s1, _mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16));
    i += 32;
  }
  if (i + 16 <= dim) {
    s2 = Term::Add(s2, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    i += 16;
  }
  if (i < dim) s3 = Term::Add(s3, LoadEnd(a, i, dim), LoadEnd(b, i, dim));
  return HorizontalSum(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

// Two sums a row, eight in flight. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
template <typename Term>
VDB_TARGET_AVX512 void Four(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  const float* const r0 = rows[0];
  const float* const r1 = rows[1];
  const float* const r2 = rows[2];
  const float* const r3 = rows[3];
  __m512 s0 = _mm512_setzero_ps();
  __m512 s1 = _mm512_setzero_ps();
  __m512 s2 = _mm512_setzero_ps();
  __m512 s3 = _mm512_setzero_ps();
  __m512 t0 = _mm512_setzero_ps();
  __m512 t1 = _mm512_setzero_ps();
  __m512 t2 = _mm512_setzero_ps();
  __m512 t3 = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    const __m512 q = _mm512_loadu_ps(query + i);
    s0 = Term::Add(s0, q, _mm512_loadu_ps(r0 + i));
    s1 = Term::Add(s1, q, _mm512_loadu_ps(r1 + i));
    s2 = Term::Add(s2, q, _mm512_loadu_ps(r2 + i));
    s3 = Term::Add(s3, q, _mm512_loadu_ps(r3 + i));
    const __m512 next = _mm512_loadu_ps(query + i + 16);
    t0 = Term::Add(t0, next, _mm512_loadu_ps(r0 + i + 16));
    t1 = Term::Add(t1, next, _mm512_loadu_ps(r1 + i + 16));
    t2 = Term::Add(t2, next, _mm512_loadu_ps(r2 + i + 16));
    t3 = Term::Add(t3, next, _mm512_loadu_ps(r3 + i + 16));
  }
  if (i + 16 <= dim) {
    const __m512 q = _mm512_loadu_ps(query + i);
    s0 = Term::Add(s0, q, _mm512_loadu_ps(r0 + i));
    s1 = Term::Add(s1, q, _mm512_loadu_ps(r1 + i));
    s2 = Term::Add(s2, q, _mm512_loadu_ps(r2 + i));
    s3 = Term::Add(s3, q, _mm512_loadu_ps(r3 + i));
    i += 16;
  }
  if (i < dim) {
    const __m512 q = LoadEnd(query, i, dim);
    t0 = Term::Add(t0, q, LoadEnd(r0, i, dim));
    t1 = Term::Add(t1, q, LoadEnd(r1, i, dim));
    t2 = Term::Add(t2, q, LoadEnd(r2, i, dim));
    t3 = Term::Add(t3, q, LoadEnd(r3, i, dim));
  }
  const __m256 low = _mm256_hadd_ps(Fold(_mm512_add_ps(s0, t0)), Fold(_mm512_add_ps(s1, t1)));
  const __m256 high = _mm256_hadd_ps(Fold(_mm512_add_ps(s2, t2)), Fold(_mm512_add_ps(s3, t3)));
  const __m256 halves = _mm256_hadd_ps(low, high);
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

}  // namespace

const FloatKernels& Avx512FloatKernels() {
  static constexpr FloatKernels kKernels = {"avx512", One<L2Term>, One<DotTerm>, Four<L2Term>, Four<DotTerm>};
  return kKernels;
}

}  // namespace vdb::simd

#endif  // __x86_64__
