// The oracle of the code kernels, written to be read.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/packed_code.h"

namespace vdb::simd {
namespace {

std::int32_t Dot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::int32_t{query.code[i]} * row[i];
  return sum;
}

void DotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = Dot(query, rows[j], n);
}

std::int32_t PackedDot(const CodeQuery& query, const std::int8_t* row, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t first = 0; first < n; first += kPackedBlock, row += kPackedBlockBytes) {
    const std::size_t count = std::min(kPackedBlock, n - first);
    std::int8_t code[kPackedBlock];
    Unpack(row, count, code);
    sum += Dot({.code = query.code + first}, code, count);
  }
  return sum;
}

void PackedDotFour(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]) {
  for (std::size_t j = 0; j < 4; ++j) out[j] = PackedDot(query, rows[j], n);
}

float Encode(const float* row, const float* mean, std::size_t dim, float largest, std::int8_t* code) {
  float greatest = 0;
  for (std::size_t i = 0; i < dim; ++i) greatest = std::max(greatest, std::fabs(row[i] - mean[i]));
  const float factor = largest / greatest;
  const std::size_t padded = (dim + kCodeUnit - 1) / kCodeUnit * kCodeUnit;
  std::memset(code, 0, padded);
  if (!std::isfinite(factor)) return 0;
  for (std::size_t i = 0; i < dim; ++i) {
    // Rounding of the factor may take the greatest a little beyond.
    code[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint((row[i] - mean[i]) * factor), -largest, largest));
  }
  return greatest / largest;
}

void Hadamard(const float* signs, std::size_t n, float* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= signs[i];
  for (std::size_t h = 1; h < n; h *= 2) {
    for (std::size_t first = 0; first < n; first += 2 * h) {
      for (std::size_t i = first; i < first + h; ++i) {
        const float a = x[i];
        const float b = x[i + h];
        x[i] = a + b;
        x[i + h] = a - b;
      }
    }
  }
}

}  // namespace

const CodeKernels& ScalarCodeKernels() {
  static constexpr CodeKernels kKernels = {"scalar",  "scalar",      Dot,    DotFour,
                                           PackedDot, PackedDotFour, Encode, Hadamard};
  return kKernels;
}

}  // namespace vdb::simd
