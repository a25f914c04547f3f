// The tables of kernels that exist, for dispatch.cc. Private to vdb/simd. To get a table is safe on any CPU; to call
// its kernels needs what is said beside it.
#ifndef VDB_SIMD_KERNEL_TABLES_H_
#define VDB_SIMD_KERNEL_TABLES_H_

#include "vdb/simd/kernels.h"

namespace vdb::simd {

const FloatKernels& ScalarFloatKernels();
#if defined(__x86_64__)
const FloatKernels& Avx2FloatKernels();    // needs AVX2 and FMA
const FloatKernels& Avx512FloatKernels();  // needs AVX-512F
#elif defined(__aarch64__)
const FloatKernels& NeonFloatKernels();
#endif

}  // namespace vdb::simd

#endif  // VDB_SIMD_KERNEL_TABLES_H_
