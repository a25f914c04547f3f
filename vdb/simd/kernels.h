// Distance kernels over float32 vectors: one table of functions per instruction set, chosen once at run time.
//
// Every kernel takes pointers, aligned as floats and no more, to `dim` float32 components, dim >= 1, reads nothing
// beyond them, and returns a float32 sum. Its rounding depends on the instruction set, and the x4 form of a kernel may
// round otherwise than the single form. The scalar table is the oracle of the tests. Inputs must be finite. Thread
// safety: all functions are safe from any thread; tables are constant.
#ifndef VDB_SIMD_KERNELS_H_
#define VDB_SIMD_KERNELS_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace vdb::simd {

struct FloatKernels {
  const char* name;  // "scalar", "avx2", "avx512", "neon"

  // Sum over i of (a[i] - b[i])^2.
  float (*l2_squared)(const float* a, const float* b, std::size_t dim);

  // Sum over i of a[i] * b[i].
  float (*dot)(const float* a, const float* b, std::size_t dim);

  // Four rows against one query: out[j] = kernel(query, rows[j], dim), j in 0..3. Shares the loads of the query and the
  // additions across lanes: with the rows in cache, 1.5 to 2 times the speed except in the scalar table
  // (bench/kernels_benchmark.cc). Rows may overlap or be the same.
  void (*l2_squared_x4)(const float* query, const float* const rows[4], std::size_t dim, float out[4]);
  void (*dot_x4)(const float* query, const float* const rows[4], std::size_t dim, float out[4]);
};

// The table used by this process: the best one that the CPU runs, or the one named by the environment variable
// VDB_SIMD ("scalar", "avx2", "avx512", "neon") if the CPU can run it. An unknown or unsupported name is reported once
// on stderr and the best table is used; an empty one counts as unset. Decided at the first call.
const FloatKernels& ActiveFloatKernels();

// The tables compiled for this architecture that this CPU can run, slowest (scalar) first.
std::span<const FloatKernels* const> SupportedFloatKernels();

// Names of the tables compiled for this architecture, whether or not this CPU can run them, slowest first.
std::span<const std::string_view> CompiledFloatKernelNames();

}  // namespace vdb::simd

#endif  // VDB_SIMD_KERNELS_H_
