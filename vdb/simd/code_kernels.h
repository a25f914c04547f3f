// Kernels over int8 codes: dot products of signed bytes, the encoding of a float32 row and its rotation.
//
// A code is `n` signed bytes in [-127, 127], n a multiple of kCodeUnit, zeros behind its components; a row's may be
// packed (packed_code.h). Results are whole
// numbers or element by element: every table gives the same bits. Pointers need no alignment; nothing beyond n is
// read. -128 is no code: the AVX2 kernel would take it for +128. Thread safety: as kernels.h.
#ifndef VDB_SIMD_CODE_KERNELS_H_
#define VDB_SIMD_CODE_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace vdb::simd {

inline constexpr std::size_t kCodeUnit = 16;

// One side of many dot products. sum: of the code's bytes; instructions that multiply unsigned by signed bytes need it.
struct CodeQuery {
  const std::int8_t* code = nullptr;
  std::int32_t sum = 0;
};

struct CodeKernels {
  const char* name;    // "scalar", "avx2", "avx2-vnni", "avx512-vnni", "neon", "neon-dotprod"
  const char* family;  // the table of float32 kernels that VDB_SIMD names along with it

  // Sum over i of query[i] * row[i]: below 2^31 for n up to 65,536 and more.
  std::int32_t (*dot)(const CodeQuery& query, const std::int8_t* row, std::size_t n);
  // out[j] = dot(query, rows[j]), j in 0..3. Rows may overlap or be the same.
  void (*dot_x4)(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]);

  // The same of rows that are packed codes; n is a multiple of kPackedUnit, the query is not packed.
  std::int32_t (*packed_dot)(const CodeQuery& query, const std::int8_t* row, std::size_t n);
  void (*packed_dot_x4)(const CodeQuery& query, const std::int8_t* const rows[4], std::size_t n, std::int32_t out[4]);

  // code[i] = (row[i] - mean[i]) * (largest / m), rounded to the nearest, ties to even, for i < dim; m is the greatest
  // |row[i] - mean[i]|. Zeros up to the next multiple of kCodeUnit; all zeros where m is 0 or largest / m is not
  // finite. Returns the scale m / largest (0 for a code of zeros). row, mean: dim float32, finite, differences too.
  // largest: at most 127.
  float (*encode)(const float* row, const float* mean, std::size_t dim, float largest, std::int8_t* code);

  // x[i] *= signs[i], then the Walsh-Hadamard transform of x without a scale: for h = 1, 2, 4, ... < n all pairs
  // (x[i], x[i + h]) with i / h even become (x[i] + x[i + h], x[i] - x[i + h]). n: a power of two, at least kCodeUnit.
  void (*hadamard)(const float* signs, std::size_t n, float* x);
};

// The table of this process: the best one that the CPU runs of the family that VDB_SIMD allows (kernels.h), or of all.
const CodeKernels& ActiveCodeKernels();

// The tables compiled for this architecture that this CPU can run, slowest (scalar) first.
std::span<const CodeKernels* const> SupportedCodeKernels();

}  // namespace vdb::simd

#endif  // VDB_SIMD_CODE_KERNELS_H_
