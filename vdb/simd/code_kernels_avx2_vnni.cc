// AVX-VNNI: as code_kernels_avx512_vnni.cc, on registers of 256 bits. Target attributes on local functions, no lambdas,
// no compile flag.

#include "vdb/simd/code_kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define VDB_TARGET_AVX_VNNI __attribute__((target("avx2,avxvnni")))

namespace vdb::simd {
namespace {

VDB_TARGET_AVX_VNNI inline __m256i Load(const std::int8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// The last kCodeUnit bytes, then zeros.
VDB_TARGET_AVX_VNNI inline __m256i LoadUnit(const std::int8_t* p) {
  return _mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

// Where the query is zero, it does not matter that the row's zeros become 128.
VDB_TARGET_AVX_VNNI inline __m256i Add(__m256i sum, __m256i query, __m256i row) {
  const __m256i shifted = _mm256_xor_si256(row, _mm256_set1_epi32(static_cast<int>(0x80808080)));
  return _mm256_dpbusd_avx_epi32(sum, shifted, query);
}

// Four sums in flight: an addition takes four cycles or five.
VDB_TARGET_AVX_VNNI std::int32_t Dot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  const std::int8_t* const q = query.code;
  __m256i s0 = _mm256_setzero_si256();
  __m256i s1 = _mm256_setzero_si256();
  __m256i s2 = _mm256_setzero_si256();
  __m256i s3 = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    s0 = Add(s0, Load(q + i), Load(row + i));
    s1 = Add(s1, Load(q + i + 32), Load(row + i + 32));
    s2 = Add(s2, Load(q + i + 64), Load(row + i + 64));
    s3 = Add(s3, Load(q + i + 96), Load(row + i + 96));
  }
  if (i + 64 <= n) {
    s0 = Add(s0, Load(q + i), Load(row + i));
    s1 = Add(s1, Load(q + i + 32), Load(row + i + 32));
    i += 64;
  }
  if (i + 32 <= n) {
    s2 = Add(s2, Load(q + i), Load(row + i));
    i += 32;
  }
  if (i < n) s3 = Add(s3, LoadUnit(q + i), LoadUnit(row + i));
  const __m256i all = _mm256_add_epi32(_mm256_add_epi32(s0, s1), _mm256_add_epi32(s2, s3));
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1));
  // Unsigned, as the instructions count: what wraps on the way unwraps here.
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(_mm_cvtsi128_si32(sum)) -
                                   128U * static_cast<std::uint32_t>(query.sum));
}

// Two sums a row, eight in flight. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
VDB_TARGET_AVX_VNNI void DotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                                 std::int32_t out[4]) {
  const std::int8_t* const r0 = rows[0];
  const std::int8_t* const r1 = rows[1];
  const std::int8_t* const r2 = rows[2];
  const std::int8_t* const r3 = rows[3];
  __m256i s0 = _mm256_setzero_si256();
  __m256i s1 = _mm256_setzero_si256();
  __m256i s2 = _mm256_setzero_si256();
  __m256i s3 = _mm256_setzero_si256();
  __m256i t0 = _mm256_setzero_si256();
  __m256i t1 = _mm256_setzero_si256();
  __m256i t2 = _mm256_setzero_si256();
  __m256i t3 = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m256i q = Load(query.code + i);
    s0 = Add(s0, q, Load(r0 + i));
    s1 = Add(s1, q, Load(r1 + i));
    s2 = Add(s2, q, Load(r2 + i));
    s3 = Add(s3, q, Load(r3 + i));
    const __m256i next = Load(query.code + i + 32);
    t0 = Add(t0, next, Load(r0 + i + 32));
    t1 = Add(t1, next, Load(r1 + i + 32));
    t2 = Add(t2, next, Load(r2 + i + 32));
    t3 = Add(t3, next, Load(r3 + i + 32));
  }
  if (i + 32 <= n) {
    const __m256i q = Load(query.code + i);
    s0 = Add(s0, q, Load(r0 + i));
    s1 = Add(s1, q, Load(r1 + i));
    s2 = Add(s2, q, Load(r2 + i));
    s3 = Add(s3, q, Load(r3 + i));
    i += 32;
  }
  if (i < n) {
    const __m256i q = LoadUnit(query.code + i);
    t0 = Add(t0, q, LoadUnit(r0 + i));
    t1 = Add(t1, q, LoadUnit(r1 + i));
    t2 = Add(t2, q, LoadUnit(r2 + i));
    t3 = Add(t3, q, LoadUnit(r3 + i));
  }
  const __m256i low = _mm256_hadd_epi32(_mm256_add_epi32(s0, t0), _mm256_add_epi32(s1, t1));
  const __m256i high = _mm256_hadd_epi32(_mm256_add_epi32(s2, t2), _mm256_add_epi32(s3, t3));
  const __m256i halves = _mm256_hadd_epi32(low, high);
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  const __m128i excess = _mm_slli_epi32(_mm_set1_epi32(query.sum), 7);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_sub_epi32(sums, excess));
}

}  // namespace

const CodeKernels& Avx2VnniCodeKernels() {
  static const CodeKernels& avx2 = Avx2CodeKernels();
  static const CodeKernels kernels = {"avx2-vnni",        "avx2",      Dot,          DotFour, avx2.packed_dot,
                                      avx2.packed_dot_x4, avx2.encode, avx2.hadamard};
  return kernels;
}

}  // namespace vdb::simd

#endif  // __x86_64__
