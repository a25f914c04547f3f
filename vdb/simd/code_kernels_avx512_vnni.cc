// AVX-512 VNNI, whose instruction multiplies unsigned by signed bytes: the row's bytes, moved up by 128, are the
// unsigned side, and 128 times the sum of the query's bytes comes off at the end. As kernels_avx512.cc: target
// attributes on local functions, no lambdas, no compile flag.

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/packed_code.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>

#define VDB_TARGET_AVX512 __attribute__((target("avx512f")))
#define VDB_TARGET_VNNI __attribute__((target("avx512f,avx512vnni")))

namespace vdb::simd {
namespace {

// The plain intrinsics of maximum, minimum, conversion and shifts make g++ 12 warn of an uninitialised value in its own
// header; those with a mask do not.
constexpr __mmask16 kAllLanes = 0xFFFF;

VDB_TARGET_AVX512 inline __m512i Load(const std::int8_t* p) {
  return _mm512_loadu_si512(p);
}

// The first `bytes` bytes, a multiple of 4, then zeros.
VDB_TARGET_AVX512 inline __m512i LoadTail(const std::int8_t* p, std::size_t bytes) {
  return _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << (bytes / 4)) - 1), p);
}

// The query's bytes from i on, fewer than 64, behind zeros; its row's are Load(row + n - 64). A masked load of the row
// would reach beyond it, and where that is another line of the cache Zen 4 waits for it.
VDB_TARGET_AVX512 inline __m512i LoadEnd(const std::int8_t* query, std::size_t i, std::size_t n) {
  return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(0xFFFFU << (16 - (n - i) / 4)), query + n - 64);
}

// Where the query is zero, it does not matter that the row's zeros become 128.
VDB_TARGET_VNNI inline __m512i Add(__m512i sum, __m512i query, __m512i row) {
  return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(row, _mm512_set1_epi32(static_cast<int>(0x80808080))), query);
}

// Adds the upper half to the lower; see Fold in kernels_avx512.cc.
VDB_TARGET_AVX512 inline __m256i Fold(__m512i v) {
  return _mm256_add_epi32(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7));
}

VDB_TARGET_AVX512 inline std::uint32_t Total(__m512i lanes) {
  const __m256i half = Fold(lanes);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(sum));
}

// The sums of the lanes of each.
VDB_TARGET_AVX512 inline __m128i Totals(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m256i low = _mm256_hadd_epi32(Fold(a), Fold(b));
  const __m256i halves = _mm256_hadd_epi32(low, _mm256_hadd_epi32(Fold(c), Fold(d)));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

// Four sums in flight: an addition takes four cycles or five.
VDB_TARGET_VNNI std::int32_t Dot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  const std::int8_t* const q = query.code;
  __m512i s0 = _mm512_setzero_si512();
  __m512i s1 = _mm512_setzero_si512();
  __m512i s2 = _mm512_setzero_si512();
  __m512i s3 = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 256 <= n; i += 256) {
    s0 = Add(s0, Load(q + i), Load(row + i));
    s1 = Add(s1, Load(q + i + 64), Load(row + i + 64));
    s2 = Add(s2, Load(q + i + 128), Load(row + i + 128));
    s3 = Add(s3, Load(q + i + 192), Load(row + i + 192));
  }
  if (i + 128 <= n) {
    s0 = Add(s0, Load(q + i), Load(row + i));
    s1 = Add(s1, Load(q + i + 64), Load(row + i + 64));
    i += 128;
  }
  if (i + 64 <= n) {
    s2 = Add(s2, Load(q + i), Load(row + i));
    i += 64;
  }
  if (i < n && n >= 64) {
    s3 = Add(s3, LoadEnd(q, i, n), Load(row + n - 64));
  } else if (i < n) {
    s3 = Add(s3, LoadTail(q, n), LoadTail(row, n));
  }
  // Unsigned, as the instructions count: what wraps on the way unwraps here.
  const __m512i all = _mm512_add_epi32(_mm512_add_epi32(s0, s1), _mm512_add_epi32(s2, s3));
  return static_cast<std::int32_t>(Total(all) - 128U * static_cast<std::uint32_t>(query.sum));
}

// Two sums a row, eight in flight. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
VDB_TARGET_VNNI void DotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                             std::int32_t out[4]) {
  const std::int8_t* const r0 = rows[0];
  const std::int8_t* const r1 = rows[1];
  const std::int8_t* const r2 = rows[2];
  const std::int8_t* const r3 = rows[3];
  __m512i s0 = _mm512_setzero_si512();
  __m512i s1 = _mm512_setzero_si512();
  __m512i s2 = _mm512_setzero_si512();
  __m512i s3 = _mm512_setzero_si512();
  __m512i t0 = _mm512_setzero_si512();
  __m512i t1 = _mm512_setzero_si512();
  __m512i t2 = _mm512_setzero_si512();
  __m512i t3 = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    const __m512i q = Load(query.code + i);
    s0 = Add(s0, q, Load(r0 + i));
    s1 = Add(s1, q, Load(r1 + i));
    s2 = Add(s2, q, Load(r2 + i));
    s3 = Add(s3, q, Load(r3 + i));
    const __m512i next = Load(query.code + i + 64);
    t0 = Add(t0, next, Load(r0 + i + 64));
    t1 = Add(t1, next, Load(r1 + i + 64));
    t2 = Add(t2, next, Load(r2 + i + 64));
    t3 = Add(t3, next, Load(r3 + i + 64));
  }
  if (i + 64 <= n) {
    const __m512i q = Load(query.code + i);
    s0 = Add(s0, q, Load(r0 + i));
    s1 = Add(s1, q, Load(r1 + i));
    s2 = Add(s2, q, Load(r2 + i));
    s3 = Add(s3, q, Load(r3 + i));
    i += 64;
  }
  if (i < n && n >= 64) {
    const __m512i q = LoadEnd(query.code, i, n);
    t0 = Add(t0, q, Load(r0 + n - 64));
    t1 = Add(t1, q, Load(r1 + n - 64));
    t2 = Add(t2, q, Load(r2 + n - 64));
    t3 = Add(t3, q, Load(r3 + n - 64));
  } else if (i < n) {
    const __m512i q = LoadTail(query.code, n);
    t0 = Add(t0, q, LoadTail(r0, n));
    t1 = Add(t1, q, LoadTail(r1, n));
    t2 = Add(t2, q, LoadTail(r2, n));
    t3 = Add(t3, q, LoadTail(r3, n));
  }
  const __m128i sums =
      Totals(_mm512_add_epi32(s0, t0), _mm512_add_epi32(s1, t1), _mm512_add_epi32(s2, t2), _mm512_add_epi32(s3, t3));
  const __m128i excess = _mm_slli_epi32(_mm_set1_epi32(query.sum), 7);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_sub_epi32(sums, excess));
}

// Of a packed code 64 numbers in [1, 31]. Shifts of whole words move bits of one byte into the next, which the masks
// drop.
VDB_TARGET_AVX512 inline __m512i Numbers(__m512i low, __m512i fifth) {
  return _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi32(0x0F0F0F0F)),
                         _mm512_and_si512(fifth, _mm512_set1_epi32(0x10101010)));
}
// 16 bytes, four times.
VDB_TARGET_AVX512 inline __m512i LoadBits(const std::int8_t* p) {
  return _mm512_maskz_broadcast_i32x4(kAllLanes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// Bits 0 to 3 of the bytes, one in each quarter of the register, as fifth bits; and bits 4 to 7.
VDB_TARGET_AVX512 inline __m512i Fifth0To3(__m512i bits) {
  return _mm512_maskz_sllv_epi32(kAllLanes, bits, _mm512_setr_epi32(4, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1));
}
VDB_TARGET_AVX512 inline __m512i Fifth4To7(__m512i bits) {
  return _mm512_maskz_srlv_epi32(kAllLanes, bits, _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));
}

VDB_TARGET_VNNI inline __m512i AddBlock(__m512i sum, __m512i query, __m512i next, const std::int8_t* row) {
  const __m512i bytes = Load(row);
  const __m512i bits = LoadBits(row + 64);
  sum = _mm512_dpbusd_epi32(sum, Numbers(bytes, Fifth0To3(bits)), query);
  return _mm512_dpbusd_epi32(sum, Numbers(_mm512_maskz_srli_epi32(kAllLanes, bytes, 4), Fifth4To7(bits)), next);
}
VDB_TARGET_VNNI inline __m512i AddUnit(__m512i sum, __m512i query, const std::int8_t* row) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
  const __m512i both = __builtin_shufflevector(low, _mm256_srli_epi32(low, 4), 0, 1, 2, 3, 4, 5, 6, 7);
  return _mm512_dpbusd_epi32(sum, Numbers(both, Fifth0To3(LoadBits(row + 32))), query);
}

VDB_TARGET_VNNI std::int32_t PackedDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  __m512i s0 = _mm512_setzero_si512();
  __m512i s1 = _mm512_setzero_si512();
  const std::int8_t* q = query.code;
  const std::int8_t* const end = q + n;
  for (; q + 2 * kPackedBlock <= end; q += 2 * kPackedBlock, row += 2 * kPackedBlockBytes) {
    s0 = AddBlock(s0, Load(q), Load(q + 64), row);
    s1 = AddBlock(s1, Load(q + 128), Load(q + 192), row + kPackedBlockBytes);
  }
  if (q + kPackedBlock <= end) {
    s0 = AddBlock(s0, Load(q), Load(q + 64), row);
    q += kPackedBlock;
    row += kPackedBlockBytes;
  }
  if (q < end) s1 = AddUnit(s1, Load(q), row);
  return static_cast<std::int32_t>(Total(_mm512_add_epi32(s0, s1))) - kPackedOffset * query.sum;
}

VDB_TARGET_VNNI void PackedDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                                   std::int32_t out[4]) {
  const std::int8_t* const r0 = rows[0];
  const std::int8_t* const r1 = rows[1];
  const std::int8_t* const r2 = rows[2];
  const std::int8_t* const r3 = rows[3];
  __m512i s0 = _mm512_setzero_si512();
  __m512i s1 = _mm512_setzero_si512();
  __m512i s2 = _mm512_setzero_si512();
  __m512i s3 = _mm512_setzero_si512();
  const std::int8_t* q = query.code;
  const std::int8_t* const end = q + n;
  std::size_t at = 0;
  for (; q + kPackedBlock <= end; q += kPackedBlock, at += kPackedBlockBytes) {
    const __m512i first = Load(q);
    const __m512i second = Load(q + 64);
    s0 = AddBlock(s0, first, second, r0 + at);
    s1 = AddBlock(s1, first, second, r1 + at);
    s2 = AddBlock(s2, first, second, r2 + at);
    s3 = AddBlock(s3, first, second, r3 + at);
  }
  if (q < end) {
    const __m512i last = Load(q);
    s0 = AddUnit(s0, last, r0 + at);
    s1 = AddUnit(s1, last, r1 + at);
    s2 = AddUnit(s2, last, r2 + at);
    s3 = AddUnit(s3, last, r3 + at);
  }
  const __m128i offset = _mm_set1_epi32(kPackedOffset * query.sum);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_sub_epi32(Totals(s0, s1, s2, s3), offset));
}

// Lanes beyond the row are zeros.
VDB_TARGET_AVX512 inline __m512 Difference(const float* row, const float* mean, std::size_t left) {
  const __mmask16 mask = left >= 16 ? kAllLanes : static_cast<__mmask16>((1U << left) - 1);
  return _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, row), _mm512_maskz_loadu_ps(mask, mean));
}

VDB_TARGET_AVX512 inline float Greatest(__m512 v) {
  const __m256 half = _mm256_max_ps(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                                    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  __m128 greatest = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  greatest = _mm_max_ps(greatest, _mm_movehl_ps(greatest, greatest));
  return _mm_cvtss_f32(_mm_max_ss(greatest, _mm_movehdup_ps(greatest)));
}

VDB_TARGET_AVX512 float Encode(const float* row, const float* mean, std::size_t dim, float largest, std::int8_t* code) {
  __m512 magnitudes = _mm512_setzero_ps();
  for (std::size_t i = 0; i < dim; i += 16) {
    const __m512 magnitude = _mm512_abs_ps(Difference(row + i, mean + i, dim - i));
    magnitudes = _mm512_maskz_max_ps(kAllLanes, magnitudes, magnitude);
  }
  const float greatest = Greatest(magnitudes);
  const float factor = largest / greatest;
  const bool finite = std::isfinite(factor);
  const __m512 factors = _mm512_set1_ps(finite ? factor : 0.0F);
  const __m512 bound = _mm512_set1_ps(largest);
  const __m512 negative_bound = _mm512_set1_ps(-largest);
  for (std::size_t i = 0; i < dim; i += 16) {
    __m512 scaled = _mm512_mul_ps(Difference(row + i, mean + i, dim - i), factors);
    scaled = _mm512_maskz_max_ps(kAllLanes, _mm512_maskz_min_ps(kAllLanes, scaled, bound), negative_bound);
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(kAllLanes, _mm512_maskz_cvtps_epi32(kAllLanes, scaled));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(code + i), bytes);
  }
  return finite ? greatest / largest : 0.0F;
}

}  // namespace

const CodeKernels& Avx512VnniCodeKernels() {
  static const CodeKernels kernels = {"avx512-vnni", "avx512",      Dot,    DotFour,
                                      PackedDot,     PackedDotFour, Encode, Avx2CodeKernels().hadamard};
  return kernels;
}

}  // namespace vdb::simd

#endif  // __x86_64__
