// AVX2 and FMA. Every function here carries the target attribute, is local to this file and holds no lambda (lambdas
// lose the attribute): nothing of it can run on a CPU without AVX2, and the file needs no compile flag of its own.

#include "vdb/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

#define VDB_TARGET_AVX2 __attribute__((target("avx2,fma")))

namespace vdb::simd {
namespace {

// What a pair of components adds to the sum. The loops below are the same for both.
struct L2Term {
  VDB_TARGET_AVX2 static inline __m256 Add(__m256 sum, __m256 a, __m256 b) {
    const __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
};

struct DotTerm {
  VDB_TARGET_AVX2 static inline __m256 Add(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
};

// A window of 8 lanes that ends at entry 8 + n has its first n lanes set.
alignas(32) constexpr std::int32_t kTailMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

VDB_TARGET_AVX2 inline __m256i TailMask(std::size_t lanes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTailMask + 8 - lanes));
}

VDB_TARGET_AVX2 inline float HorizontalSum(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
  return _mm_cvtss_f32(sum);
}

// Four sums in flight: two loads a cycle feed one addition a cycle, and an addition takes four.
template <typename Term>
VDB_TARGET_AVX2 float One(const float* a, const float* b, std::size_t dim) {
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = _mm256_setzero_ps();
  __m256 s2 = _mm256_setzero_ps();
  __m256 s3 = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    s0 = Term::Add(s0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    s1 = Term::Add(s1, _mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));
    s2 = Term::Add(s2, _mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16));
    s3 = Term::Add(s3, _mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24));
  }
  if (i + 16 <= dim) {
    s0 = Term::Add(s0, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    s1 = Term::Add(s1, _mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));
    i += 16;
  }
  if (i + 8 <= dim) {
    s2 = Term::Add(s2, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    i += 8;
  }
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    s3 = Term::Add(s3, _mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask));
  }
  return HorizontalSum(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

// Two sums a row: eight in flight and the query's two registers are what sixteen registers hold. The rows and sums are
// named one by one because -O2 keeps an array of sums in memory.
template <typename Term>
VDB_TARGET_AVX2 void Four(const float* query, const float* const rows[4], std::size_t dim, float out[4]) {
  const float* const r0 = rows[0];
  const float* const r1 = rows[1];
  const float* const r2 = rows[2];
  const float* const r3 = rows[3];
  __m256 s0 = _mm256_setzero_ps();
  __m256 s1 = _mm256_setzero_ps();
  __m256 s2 = _mm256_setzero_ps();
  __m256 s3 = _mm256_setzero_ps();
  __m256 t0 = _mm256_setzero_ps();
  __m256 t1 = _mm256_setzero_ps();
  __m256 t2 = _mm256_setzero_ps();
  __m256 t3 = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m256 q = _mm256_loadu_ps(query + i);
    s0 = Term::Add(s0, q, _mm256_loadu_ps(r0 + i));
    s1 = Term::Add(s1, q, _mm256_loadu_ps(r1 + i));
    s2 = Term::Add(s2, q, _mm256_loadu_ps(r2 + i));
    s3 = Term::Add(s3, q, _mm256_loadu_ps(r3 + i));
    const __m256 next = _mm256_loadu_ps(query + i + 8);
    t0 = Term::Add(t0, next, _mm256_loadu_ps(r0 + i + 8));
    t1 = Term::Add(t1, next, _mm256_loadu_ps(r1 + i + 8));
    t2 = Term::Add(t2, next, _mm256_loadu_ps(r2 + i + 8));
    t3 = Term::Add(t3, next, _mm256_loadu_ps(r3 + i + 8));
  }
  if (i + 8 <= dim) {
    const __m256 q = _mm256_loadu_ps(query + i);
    s0 = Term::Add(s0, q, _mm256_loadu_ps(r0 + i));
    s1 = Term::Add(s1, q, _mm256_loadu_ps(r1 + i));
    s2 = Term::Add(s2, q, _mm256_loadu_ps(r2 + i));
    s3 = Term::Add(s3, q, _mm256_loadu_ps(r3 + i));
    i += 8;
  }
  if (i < dim) {
    const __m256i mask = TailMask(dim - i);
    const __m256 q = _mm256_maskload_ps(query + i, mask);
    t0 = Term::Add(t0, q, _mm256_maskload_ps(r0 + i, mask));
    t1 = Term::Add(t1, q, _mm256_maskload_ps(r1 + i, mask));
    t2 = Term::Add(t2, q, _mm256_maskload_ps(r2 + i, mask));
    t3 = Term::Add(t3, q, _mm256_maskload_ps(r3 + i, mask));
  }
  const __m256 low = _mm256_hadd_ps(_mm256_add_ps(s0, t0), _mm256_add_ps(s1, t1));
  const __m256 high = _mm256_hadd_ps(_mm256_add_ps(s2, t2), _mm256_add_ps(s3, t3));
  const __m256 halves = _mm256_hadd_ps(low, high);
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

}  // namespace

const FloatKernels& Avx2FloatKernels() {
  static constexpr FloatKernels kKernels = {"avx2", One<L2Term>, One<DotTerm>, Four<L2Term>, Four<DotTerm>};
  return kKernels;
}

}  // namespace vdb::simd

#endif  // __x86_64__
