// Which code kernels this process runs.

#include <array>

#include "vdb/simd/code_kernel_tables.h"

namespace vdb::simd {

std::span<const CodeKernels* const> SupportedCodeKernels() {
  static const std::array<const CodeKernels*, 1> tables = {&ScalarCodeKernels()};
  return tables;
}

const CodeKernels& ActiveCodeKernels() {
  return *SupportedCodeKernels().back();
}

}  // namespace vdb::simd
