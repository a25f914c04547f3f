// Which kernels this process runs: the CPU's best, or the one that VDB_SIMD names.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "vdb/simd/kernel_tables.h"
#include "vdb/simd/supported_tables.h"

namespace vdb::simd {
namespace {

#if defined(__x86_64__)
constexpr std::array<std::string_view, 3> kCompiledNames = {"scalar", "avx2", "avx512"};

std::array<Candidate<FloatKernels>, 3> Candidates() {
  // The builtin also asks the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  return {{{&ScalarFloatKernels(), true},
           {&Avx2FloatKernels(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
           {&Avx512FloatKernels(), __builtin_cpu_supports("avx512f") != 0}}};
}
#elif defined(__aarch64__)
constexpr std::array<std::string_view, 2> kCompiledNames = {"scalar", "neon"};
std::array<Candidate<FloatKernels>, 2> Candidates() {
  return {{{&ScalarFloatKernels(), true}, {&NeonFloatKernels(), true}}};
}
#else
constexpr std::array<std::string_view, 1> kCompiledNames = {"scalar"};
std::array<Candidate<FloatKernels>, 1> Candidates() {
  return {{{&ScalarFloatKernels(), true}}};
}
#endif

const FloatKernels& Choose() {
  const std::span<const FloatKernels* const> tables = SupportedFloatKernels();
  const char* wanted = std::getenv("VDB_SIMD");
  if (wanted == nullptr || *wanted == '\0') return *tables.back();
  std::string supported;
  for (const FloatKernels* table : tables) {
    if (std::string_view(wanted) == table->name) return *table;
    supported.append(" ").append(table->name);
  }
  std::fprintf(stderr, "vdb: VDB_SIMD=%s is not a kernel of this CPU; it has%s; using %s\n", wanted, supported.c_str(),
               tables.back()->name);
  return *tables.back();
}

}  // namespace

const FloatKernels& ActiveFloatKernels() {
  static const FloatKernels& active = Choose();
  return active;
}

std::span<const FloatKernels* const> SupportedFloatKernels() {
  static const SupportedTables<FloatKernels, kCompiledNames.size()> supported(Candidates());
  return supported.tables();
}

std::span<const std::string_view> CompiledFloatKernelNames() {
  return kCompiledNames;
}

}  // namespace vdb::simd
