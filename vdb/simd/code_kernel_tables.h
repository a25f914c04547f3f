// The tables of code kernels that exist, and the choice among them, for code_dispatch.cc and the tests. Private to
// vdb/simd. To get a table is safe on any CPU; to call its kernels needs what is said beside it. Thread safety: as
// kernels.h.
#ifndef VDB_SIMD_CODE_KERNEL_TABLES_H_
#define VDB_SIMD_CODE_KERNEL_TABLES_H_

#include <string_view>

#include "vdb/simd/code_kernels.h"

// clang 14 has the instruction's intrinsic only where the compile flags allow the instruction everywhere.
#if defined(__aarch64__) && (defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__))
#define VDB_SIMD_NEON_DOTPROD 1
#endif

namespace vdb::simd {

const CodeKernels& ScalarCodeKernels();
#if defined(__x86_64__)
const CodeKernels& Avx2CodeKernels();        // needs AVX2
const CodeKernels& Avx2VnniCodeKernels();    // needs AVX2 and AVX-VNNI
const CodeKernels& Avx512VnniCodeKernels();  // needs AVX-512F and AVX-512 VNNI
#elif defined(__aarch64__)
const CodeKernels& NeonCodeKernels();
#if defined(VDB_SIMD_NEON_DOTPROD)
const CodeKernels& NeonDotprodCodeKernels();  // needs FEAT_DotProd
#endif
#endif

// Names of the tables compiled for this architecture, whether or not this CPU can run them, slowest first.
std::span<const std::string_view> CompiledCodeKernelNames();

// The last of `tables` (slowest first, with the scalar one at the front) whose family is `family` or a slower one.
const CodeKernels& BestCodeKernels(std::span<const CodeKernels* const> tables, std::string_view family);

}  // namespace vdb::simd

#endif  // VDB_SIMD_CODE_KERNEL_TABLES_H_
