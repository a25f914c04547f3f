// The tables of code kernels that exist, for code_dispatch.cc. Private to vdb/simd.
#ifndef VDB_SIMD_CODE_KERNEL_TABLES_H_
#define VDB_SIMD_CODE_KERNEL_TABLES_H_

#include "vdb/simd/code_kernels.h"

namespace vdb::simd {

const CodeKernels& ScalarCodeKernels();

}  // namespace vdb::simd

#endif  // VDB_SIMD_CODE_KERNEL_TABLES_H_
