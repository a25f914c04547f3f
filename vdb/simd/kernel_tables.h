// The tables of kernels that exist, for dispatch.cc. Private to vdb/simd.
#ifndef VDB_SIMD_KERNEL_TABLES_H_
#define VDB_SIMD_KERNEL_TABLES_H_

#include "vdb/simd/kernels.h"

namespace vdb::simd {

extern const FloatKernels kScalarFloatKernels;
#if defined(__x86_64__)
extern const FloatKernels kAvx2FloatKernels;    // needs AVX2 and FMA
extern const FloatKernels kAvx512FloatKernels;  // needs AVX-512F
#elif defined(__aarch64__)
extern const FloatKernels kNeonFloatKernels;
#endif

}  // namespace vdb::simd

#endif  // VDB_SIMD_KERNEL_TABLES_H_
