// AVX2, whose instruction multiplies unsigned by signed bytes: the query's magnitudes by the row's bytes with the
// query's signs. The pairs of products that it adds fit 16 bits as long as no byte is -128. As kernels_avx2.cc: target
// attributes on local functions, no lambdas, no compile flag.

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/packed_code.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>

#define VDB_TARGET_AVX2 __attribute__((target("avx2")))

namespace vdb::simd {
namespace {

VDB_TARGET_AVX2 inline __m256i Load(const std::int8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// The last kCodeUnit bytes, then zeros.
VDB_TARGET_AVX2 inline __m256i LoadUnit(const std::int8_t* p) {
  return _mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

VDB_TARGET_AVX2 inline __m256i Add(__m256i sum, __m256i query, __m256i row) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(query), _mm256_sign_epi8(row, query));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

VDB_TARGET_AVX2 inline std::int32_t Total(__m256i lanes) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1));
  return _mm_cvtsi128_si32(sum);
}

// The sums of the lanes of each.
VDB_TARGET_AVX2 inline __m128i Totals(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

// Four sums in flight: an addition takes one cycle, the products before it five each.
VDB_TARGET_AVX2 std::int32_t Dot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
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
  return Total(_mm256_add_epi32(_mm256_add_epi32(s0, s1), _mm256_add_epi32(s2, s3)));
}

// Two sums a row. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
VDB_TARGET_AVX2 void DotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
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
  const __m128i sums =
      Totals(_mm256_add_epi32(s0, t0), _mm256_add_epi32(s1, t1), _mm256_add_epi32(s2, t2), _mm256_add_epi32(s3, t3));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums);
}

// Four components at a time of a packed code: registers of 32 numbers in [1, 31]. Shifts of whole words move bits of
// one byte into the next, which the masks drop.
VDB_TARGET_AVX2 inline __m256i Numbers(__m256i low, __m256i fifth) {
  return _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(0x0F)),
                         _mm256_and_si256(fifth, _mm256_set1_epi8(0x10)));
}
VDB_TARGET_AVX2 inline __m256i UpperHalves(__m256i bytes) {
  return _mm256_srli_epi16(bytes, 4);
}
// Bits `first` and first + 1 of the bytes, in the lower and in the upper half of the register, as fifth bits.
VDB_TARGET_AVX2 inline __m256i Fifth01(__m256i bits) {
  return _mm256_sllv_epi32(bits, _mm256_setr_epi32(4, 4, 4, 4, 3, 3, 3, 3));
}
VDB_TARGET_AVX2 inline __m256i Fifth23(__m256i bits) {
  return _mm256_sllv_epi32(bits, _mm256_setr_epi32(2, 2, 2, 2, 1, 1, 1, 1));
}
VDB_TARGET_AVX2 inline __m256i Fifth45(__m256i bits) {
  return _mm256_srlv_epi32(bits, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
}
VDB_TARGET_AVX2 inline __m256i Fifth67(__m256i bits) {
  return _mm256_srlv_epi32(bits, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3));
}
VDB_TARGET_AVX2 inline __m256i LoadBits(const std::int8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

// The sum of 8 products fits 16 bits: 8 * 31 * 127.
VDB_TARGET_AVX2 inline __m256i AddBlock(__m256i sum, const std::int8_t* query, const std::int8_t* row) {
  const __m256i first = Load(row);
  const __m256i second = Load(row + 32);
  const __m256i bits = LoadBits(row + 64);
  const __m256i a = _mm256_maddubs_epi16(Numbers(first, Fifth01(bits)), Load(query));
  const __m256i b = _mm256_maddubs_epi16(Numbers(second, Fifth23(bits)), Load(query + 32));
  const __m256i c = _mm256_maddubs_epi16(Numbers(UpperHalves(first), Fifth45(bits)), Load(query + 64));
  const __m256i d = _mm256_maddubs_epi16(Numbers(UpperHalves(second), Fifth67(bits)), Load(query + 96));
  const __m256i products = _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
}
VDB_TARGET_AVX2 inline __m256i AddUnit(__m256i sum, const std::int8_t* query, const std::int8_t* row) {
  const __m256i bytes = Load(row);
  const __m256i bits = LoadBits(row + 32);
  const __m256i a = _mm256_maddubs_epi16(Numbers(bytes, Fifth01(bits)), Load(query));
  const __m256i b = _mm256_maddubs_epi16(Numbers(UpperHalves(bytes), Fifth23(bits)), Load(query + 32));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(1)));
}

VDB_TARGET_AVX2 std::int32_t PackedDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  __m256i s0 = _mm256_setzero_si256();
  __m256i s1 = _mm256_setzero_si256();
  const std::int8_t* q = query.code;
  const std::int8_t* const end = q + n;
  for (; q + 2 * kPackedBlock <= end; q += 2 * kPackedBlock, row += 2 * kPackedBlockBytes) {
    s0 = AddBlock(s0, q, row);
    s1 = AddBlock(s1, q + kPackedBlock, row + kPackedBlockBytes);
  }
  if (q + kPackedBlock <= end) {
    s0 = AddBlock(s0, q, row);
    q += kPackedBlock;
    row += kPackedBlockBytes;
  }
  if (q < end) s1 = AddUnit(s1, q, row);
  return Total(_mm256_add_epi32(s0, s1)) - kPackedOffset * query.sum;
}

VDB_TARGET_AVX2 void PackedDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                                   std::int32_t out[4]) {
  const std::int8_t* r0 = rows[0];
  const std::int8_t* r1 = rows[1];
  const std::int8_t* r2 = rows[2];
  const std::int8_t* r3 = rows[3];
  __m256i s0 = _mm256_setzero_si256();
  __m256i s1 = _mm256_setzero_si256();
  __m256i s2 = _mm256_setzero_si256();
  __m256i s3 = _mm256_setzero_si256();
  const std::int8_t* q = query.code;
  const std::int8_t* const end = q + n;
  std::size_t at = 0;
  for (; q + kPackedBlock <= end; q += kPackedBlock, at += kPackedBlockBytes) {
    s0 = AddBlock(s0, q, r0 + at);
    s1 = AddBlock(s1, q, r1 + at);
    s2 = AddBlock(s2, q, r2 + at);
    s3 = AddBlock(s3, q, r3 + at);
  }
  if (q < end) {
    s0 = AddUnit(s0, q, r0 + at);
    s1 = AddUnit(s1, q, r1 + at);
    s2 = AddUnit(s2, q, r2 + at);
    s3 = AddUnit(s3, q, r3 + at);
  }
  const __m128i offset = _mm_set1_epi32(kPackedOffset * query.sum);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_sub_epi32(Totals(s0, s1, s2, s3), offset));
}

// A window of 8 lanes that ends at entry 8 + n has its first n lanes set.
alignas(32) constexpr std::int32_t kTailMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

// row - mean of the 8 components from `first` on; lanes beyond dim are zeros.
VDB_TARGET_AVX2 inline __m256 Difference(const float* row, const float* mean, std::size_t first, std::size_t dim) {
  if (first + 8 <= dim) return _mm256_sub_ps(_mm256_loadu_ps(row + first), _mm256_loadu_ps(mean + first));
  if (first >= dim) return _mm256_setzero_ps();
  const __m256i mask = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kTailMask + 8 - (dim - first)));
  return _mm256_sub_ps(_mm256_maskload_ps(row + first, mask), _mm256_maskload_ps(mean + first, mask));
}

VDB_TARGET_AVX2 inline __m256i Round(__m256 difference, __m256 factor, __m256 bound) {
  const __m256 scaled = _mm256_min_ps(_mm256_mul_ps(difference, factor), bound);
  return _mm256_cvtps_epi32(_mm256_max_ps(scaled, _mm256_xor_ps(bound, _mm256_set1_ps(-0.0F))));
}

VDB_TARGET_AVX2 float Encode(const float* row, const float* mean, std::size_t dim, float largest, std::int8_t* code) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  __m256 magnitudes = _mm256_setzero_ps();
  for (std::size_t i = 0; i < dim; i += 8) {
    magnitudes = _mm256_max_ps(magnitudes, _mm256_andnot_ps(sign, Difference(row, mean, i, dim)));
  }
  __m128 maxima = _mm_max_ps(_mm256_castps256_ps128(magnitudes), _mm256_extractf128_ps(magnitudes, 1));
  maxima = _mm_max_ps(maxima, _mm_movehl_ps(maxima, maxima));
  maxima = _mm_max_ss(maxima, _mm_movehdup_ps(maxima));
  const float greatest = _mm_cvtss_f32(maxima);
  const float factor = largest / greatest;
  const bool finite = std::isfinite(factor);
  const __m256 factors = _mm256_set1_ps(finite ? factor : 0.0F);
  const __m256 bound = _mm256_set1_ps(largest);
  for (std::size_t i = 0; i < dim; i += kCodeUnit) {
    const __m256i low = Round(Difference(row, mean, i, dim), factors, bound);
    const __m256i high = Round(Difference(row, mean, i + 8, dim), factors, bound);
    // Packing goes by halves of the register; the permutation puts the components back in order.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11'01'10'00);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(code + i), bytes);
  }
  return finite ? greatest / largest : 0.0F;
}

// Signs and the steps of 1, 2 and 4, within a register: a pair's sum and difference are its swap plus itself with the
// second one negated.
VDB_TARGET_AVX2 inline __m256 FirstSteps(__m256 x) {
  const __m256 second_of_2 = _mm256_setr_ps(0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F, 0.0F, -0.0F);
  const __m256 second_of_4 = _mm256_setr_ps(0.0F, 0.0F, -0.0F, -0.0F, 0.0F, 0.0F, -0.0F, -0.0F);
  const __m256 second_of_8 = _mm256_setr_ps(0.0F, 0.0F, 0.0F, 0.0F, -0.0F, -0.0F, -0.0F, -0.0F);
  x = _mm256_add_ps(_mm256_permute_ps(x, 0b10'11'00'01), _mm256_xor_ps(x, second_of_2));
  x = _mm256_add_ps(_mm256_permute_ps(x, 0b01'00'11'10), _mm256_xor_ps(x, second_of_4));
  return _mm256_add_ps(_mm256_permute2f128_ps(x, x, 1), _mm256_xor_ps(x, second_of_8));
}

// Two steps in one pass over x, as long as there are two.
VDB_TARGET_AVX2 void Hadamard(const float* signs, std::size_t n, float* x) {
  for (std::size_t i = 0; i < n; i += 8) {
    _mm256_storeu_ps(x + i, FirstSteps(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(signs + i))));
  }
  std::size_t h = 8;
  for (; 4 * h <= n; h *= 4) {
    for (std::size_t first = 0; first < n; first += 4 * h) {
      for (float* p = x + first; p < x + first + h; p += 8) {
        const __m256 a = _mm256_loadu_ps(p);
        const __m256 b = _mm256_loadu_ps(p + h);
        const __m256 c = _mm256_loadu_ps(p + 2 * h);
        const __m256 d = _mm256_loadu_ps(p + 3 * h);
        const __m256 sum = _mm256_add_ps(a, b);
        const __m256 difference = _mm256_sub_ps(a, b);
        const __m256 other_sum = _mm256_add_ps(c, d);
        const __m256 other_difference = _mm256_sub_ps(c, d);
        _mm256_storeu_ps(p, _mm256_add_ps(sum, other_sum));
        _mm256_storeu_ps(p + h, _mm256_add_ps(difference, other_difference));
        _mm256_storeu_ps(p + 2 * h, _mm256_sub_ps(sum, other_sum));
        _mm256_storeu_ps(p + 3 * h, _mm256_sub_ps(difference, other_difference));
      }
    }
  }
  for (float* p = x; h < n && p < x + h; p += 8) {
    const __m256 a = _mm256_loadu_ps(p);
    const __m256 b = _mm256_loadu_ps(p + h);
    _mm256_storeu_ps(p, _mm256_add_ps(a, b));
    _mm256_storeu_ps(p + h, _mm256_sub_ps(a, b));
  }
}

}  // namespace

const CodeKernels& Avx2CodeKernels() {
  static constexpr CodeKernels kKernels = {"avx2", "avx2", Dot, DotFour, PackedDot, PackedDotFour, Encode, Hadamard};
  return kKernels;
}

}  // namespace vdb::simd

#endif  // __x86_64__
