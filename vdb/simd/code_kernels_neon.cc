// NEON, with and without the dot product instruction. As kernels_neon.cc; what needs the instruction carries a target
// attribute.

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/packed_code.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cmath>

namespace vdb::simd {
namespace {

// The sums of two products fit 16 bits as long as no byte is -128.
inline int32x4_t Add(int32x4_t sum, int8x16_t a, int8x16_t b) {
  const int16x8_t products = vmull_s8(vget_low_s8(a), vget_low_s8(b));
  return vpadalq_s16(sum, vmlal_s8(products, vget_high_s8(a), vget_high_s8(b)));
}

// Two sums in flight: most of the time goes into the products.
std::int32_t Dot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  const std::int8_t* const q = query.code;
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 = Add(s0, vld1q_s8(q + i), vld1q_s8(row + i));
    s1 = Add(s1, vld1q_s8(q + i + 16), vld1q_s8(row + i + 16));
  }
  if (i < n) s0 = Add(s0, vld1q_s8(q + i), vld1q_s8(row + i));
  return vaddvq_s32(vaddq_s32(s0, s1));
}

void DotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]) {
  const std::int8_t* const r0 = rows[0];
  const std::int8_t* const r1 = rows[1];
  const std::int8_t* const r2 = rows[2];
  const std::int8_t* const r3 = rows[3];
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  for (std::size_t i = 0; i < n; i += 16) {
    const int8x16_t q = vld1q_s8(query.code + i);
    s0 = Add(s0, q, vld1q_s8(r0 + i));
    s1 = Add(s1, q, vld1q_s8(r1 + i));
    s2 = Add(s2, q, vld1q_s8(r2 + i));
    s3 = Add(s3, q, vld1q_s8(r3 + i));
  }
  vst1q_s32(out, vpaddq_s32(vpaddq_s32(s0, s1), vpaddq_s32(s2, s3)));
}

// Of a packed code 16 numbers in [1, 31]: `halves` are their low four bits, the fifth ones are bits `column` of `bits`.
inline int8x16_t Numbers(uint8x16_t halves, uint8x16_t bits, std::size_t column) {
  const uint8x16_t fifth = vshlq_u8(bits, vdupq_n_s8(static_cast<std::int8_t>(4 - static_cast<int>(column))));
  return vreinterpretq_s8_u8(vorrq_u8(halves, vandq_u8(fifth, vdupq_n_u8(0x10))));
}
inline uint8x16_t LoadBytes(const std::int8_t* p) {
  return vreinterpretq_u8_s8(vld1q_s8(p));
}

// Adds the products of 2 * 16 * kColumns components of a query and a packed row.
template <std::size_t kColumns>
inline int32x4_t AddPacked(int32x4_t sum, const std::int8_t* query, const std::int8_t* row) {
  const uint8x16_t bits = LoadBytes(row + 16 * kColumns);
  for (std::size_t column = 0; column < kColumns; ++column) {
    const uint8x16_t bytes = LoadBytes(row + 16 * column);
    const int8x16_t low = Numbers(vandq_u8(bytes, vdupq_n_u8(0x0F)), bits, column);
    sum = Add(sum, vld1q_s8(query + 16 * column), low);
    const int8x16_t high = Numbers(vshrq_n_u8(bytes, 4), bits, kColumns + column);
    sum = Add(sum, vld1q_s8(query + 16 * (kColumns + column)), high);
  }
  return sum;
}

std::int32_t PackedDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  int32x4_t sum = vdupq_n_s32(0);
  std::size_t i = 0;
  for (; i + kPackedBlock <= n; i += kPackedBlock, row += kPackedBlockBytes) {
    sum = AddPacked<4>(sum, query.code + i, row);
  }
  if (i < n) sum = AddPacked<2>(sum, query.code + i, row);
  return vaddvq_s32(sum) - kPackedOffset * query.sum;
}

void PackedDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = PackedDot(query, rows[j], n);
}

#if defined(VDB_SIMD_NEON_DOTPROD)
#if defined(__ARM_FEATURE_DOTPROD)
#define VDB_TARGET_DOTPROD
#else
#define VDB_TARGET_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

// Four sums in flight: an addition takes up to four cycles.
VDB_TARGET_DOTPROD std::int32_t DotprodDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  const std::int8_t* const q = query.code;
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = vdotq_s32(s0, vld1q_s8(q + i), vld1q_s8(row + i));
    s1 = vdotq_s32(s1, vld1q_s8(q + i + 16), vld1q_s8(row + i + 16));
    s2 = vdotq_s32(s2, vld1q_s8(q + i + 32), vld1q_s8(row + i + 32));
    s3 = vdotq_s32(s3, vld1q_s8(q + i + 48), vld1q_s8(row + i + 48));
  }
  for (; i < n; i += 16) s0 = vdotq_s32(s0, vld1q_s8(q + i), vld1q_s8(row + i));
  return vaddvq_s32(vaddq_s32(vaddq_s32(s0, s1), vaddq_s32(s2, s3)));
}

// Two sums a row, eight in flight. The rows and sums are named one by one because -O2 keeps an array of sums in memory.
VDB_TARGET_DOTPROD void DotprodDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                                       std::int32_t out[4]) {
  const std::int8_t* const r0 = rows[0];
  const std::int8_t* const r1 = rows[1];
  const std::int8_t* const r2 = rows[2];
  const std::int8_t* const r3 = rows[3];
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  int32x4_t t0 = s0;
  int32x4_t t1 = s0;
  int32x4_t t2 = s0;
  int32x4_t t3 = s0;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const int8x16_t q = vld1q_s8(query.code + i);
    s0 = vdotq_s32(s0, q, vld1q_s8(r0 + i));
    s1 = vdotq_s32(s1, q, vld1q_s8(r1 + i));
    s2 = vdotq_s32(s2, q, vld1q_s8(r2 + i));
    s3 = vdotq_s32(s3, q, vld1q_s8(r3 + i));
    const int8x16_t next = vld1q_s8(query.code + i + 16);
    t0 = vdotq_s32(t0, next, vld1q_s8(r0 + i + 16));
    t1 = vdotq_s32(t1, next, vld1q_s8(r1 + i + 16));
    t2 = vdotq_s32(t2, next, vld1q_s8(r2 + i + 16));
    t3 = vdotq_s32(t3, next, vld1q_s8(r3 + i + 16));
  }
  if (i < n) {
    const int8x16_t q = vld1q_s8(query.code + i);
    s0 = vdotq_s32(s0, q, vld1q_s8(r0 + i));
    s1 = vdotq_s32(s1, q, vld1q_s8(r1 + i));
    s2 = vdotq_s32(s2, q, vld1q_s8(r2 + i));
    s3 = vdotq_s32(s3, q, vld1q_s8(r3 + i));
  }
  const int32x4_t low = vpaddq_s32(vaddq_s32(s0, t0), vaddq_s32(s1, t1));
  const int32x4_t high = vpaddq_s32(vaddq_s32(s2, t2), vaddq_s32(s3, t3));
  vst1q_s32(out, vpaddq_s32(low, high));
}

template <std::size_t kColumns>
VDB_TARGET_DOTPROD inline int32x4_t DotprodAddPacked(int32x4_t sum, const std::int8_t* query, const std::int8_t* row) {
  const uint8x16_t bits = LoadBytes(row + 16 * kColumns);
  for (std::size_t column = 0; column < kColumns; ++column) {
    const uint8x16_t bytes = LoadBytes(row + 16 * column);
    const int8x16_t low = Numbers(vandq_u8(bytes, vdupq_n_u8(0x0F)), bits, column);
    sum = vdotq_s32(sum, vld1q_s8(query + 16 * column), low);
    const int8x16_t high = Numbers(vshrq_n_u8(bytes, 4), bits, kColumns + column);
    sum = vdotq_s32(sum, vld1q_s8(query + 16 * (kColumns + column)), high);
  }
  return sum;
}

VDB_TARGET_DOTPROD std::int32_t DotprodPackedDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  int32x4_t sum = vdupq_n_s32(0);
  std::size_t i = 0;
  for (; i + kPackedBlock <= n; i += kPackedBlock, row += kPackedBlockBytes) {
    sum = DotprodAddPacked<4>(sum, query.code + i, row);
  }
  if (i < n) sum = DotprodAddPacked<2>(sum, query.code + i, row);
  return vaddvq_s32(sum) - kPackedOffset * query.sum;
}

VDB_TARGET_DOTPROD void DotprodPackedDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n,
                                             std::int32_t out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = DotprodPackedDot(query, rows[j], n);
}
#endif  // VDB_SIMD_NEON_DOTPROD

// row - mean of the 4 components from `first` on; lanes beyond dim are zeros.
inline float32x4_t Difference(const float* row, const float* mean, std::size_t first, std::size_t dim) {
  if (first + 4 <= dim) return vsubq_f32(vld1q_f32(row + first), vld1q_f32(mean + first));
  float lanes[4] = {0, 0, 0, 0};
  for (std::size_t i = first; i < dim; ++i) lanes[i - first] = row[i] - mean[i];
  return vld1q_f32(lanes);
}

inline int16x4_t Round(float32x4_t difference, float factor, float bound) {
  const float32x4_t scaled = vminq_f32(vmulq_n_f32(difference, factor), vdupq_n_f32(bound));
  return vmovn_s32(vcvtnq_s32_f32(vmaxq_f32(scaled, vdupq_n_f32(-bound))));
}

float Encode(const float* row, const float* mean, std::size_t dim, float largest, std::int8_t* code) {
  float32x4_t magnitudes = vdupq_n_f32(0);
  for (std::size_t i = 0; i < dim; i += 4) {
    magnitudes = vmaxq_f32(magnitudes, vabsq_f32(Difference(row, mean, i, dim)));
  }
  const float greatest = vmaxvq_f32(magnitudes);
  const float factor = largest / greatest;
  const bool finite = std::isfinite(factor);
  const float used = finite ? factor : 0.0F;
  for (std::size_t i = 0; i < dim; i += kCodeUnit) {
    const int16x4_t w0 = Round(Difference(row, mean, i, dim), used, largest);
    const int16x4_t w1 = Round(Difference(row, mean, i + 4, dim), used, largest);
    const int16x4_t w2 = Round(Difference(row, mean, i + 8, dim), used, largest);
    const int16x4_t w3 = Round(Difference(row, mean, i + 12, dim), used, largest);
    vst1q_s8(code + i, vcombine_s8(vmovn_s16(vcombine_s16(w0, w1)), vmovn_s16(vcombine_s16(w2, w3))));
  }
  return finite ? greatest / largest : 0.0F;
}

// The steps of 1 and 2, within a register: a pair's sum and difference are its swap plus itself with the second one
// negated.
inline float32x4_t FirstSteps(float32x4_t x) {
  static constexpr std::uint32_t kSecondOf2[4] = {0, 0x8000'0000, 0, 0x8000'0000};
  static constexpr std::uint32_t kSecondOf4[4] = {0, 0, 0x8000'0000, 0x8000'0000};
  const auto negate = [](float32x4_t v, const std::uint32_t* lanes) {
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(v), vld1q_u32(lanes)));
  };
  x = vaddq_f32(vrev64q_f32(x), negate(x, kSecondOf2));
  return vaddq_f32(vextq_f32(x, x, 2), negate(x, kSecondOf4));
}

void Hadamard(const float* signs, std::size_t n, float* x) {
  for (std::size_t i = 0; i < n; i += 4) {
    vst1q_f32(x + i, FirstSteps(vmulq_f32(vld1q_f32(x + i), vld1q_f32(signs + i))));
  }
  for (std::size_t h = 4; h < n; h *= 2) {
    for (std::size_t first = 0; first < n; first += 2 * h) {
      for (float* p = x + first; p < x + first + h; p += 4) {
        const float32x4_t a = vld1q_f32(p);
        const float32x4_t b = vld1q_f32(p + h);
        vst1q_f32(p, vaddq_f32(a, b));
        vst1q_f32(p + h, vsubq_f32(a, b));
      }
    }
  }
}

}  // namespace

const CodeKernels& NeonCodeKernels() {
  static constexpr CodeKernels kKernels = {"neon", "neon", Dot, DotFour, PackedDot, PackedDotFour, Encode, Hadamard};
  return kKernels;
}

#if defined(VDB_SIMD_NEON_DOTPROD)
const CodeKernels& NeonDotprodCodeKernels() {
  static constexpr CodeKernels kKernels = {"neon-dotprod",       "neon", DotprodDot, DotprodDotFour, DotprodPackedDot,
                                           DotprodPackedDotFour, Encode, Hadamard};
  return kKernels;
}
#endif

}  // namespace vdb::simd

#endif  // __aarch64__
