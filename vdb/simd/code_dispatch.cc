// Which code kernels this process runs: the best ones of the family of its float32 kernels, which VDB_SIMD may name.

#include <algorithm>
#include <array>

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/kernels.h"
#include "vdb/simd/supported_tables.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(VDB_SIMD_NEON_DOTPROD) && !defined(__ARM_FEATURE_DOTPROD)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace vdb::simd {
namespace {

#if defined(__x86_64__)
constexpr std::array<std::string_view, 4> kCompiledNames = {"scalar", "avx2", "avx2-vnni", "avx512-vnni"};

// __builtin_cpu_supports of clang 14 does not know this one.
bool HasAvxVnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & bit_AVXVNNI) != 0;
}

std::array<Candidate<CodeKernels>, 4> Candidates() {
  // The builtin also asks the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return {{{&ScalarCodeKernels(), true},
           {&Avx2CodeKernels(), avx2},
           {&Avx2VnniCodeKernels(), avx2 && HasAvxVnni()},
           {&Avx512VnniCodeKernels(), __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")}}};
}
#elif defined(VDB_SIMD_NEON_DOTPROD)
constexpr std::array<std::string_view, 3> kCompiledNames = {"scalar", "neon", "neon-dotprod"};

bool HasDotprod() {
#if defined(__ARM_FEATURE_DOTPROD)
  return true;  // The compiler may have used it anywhere.
#else
  return (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
}

std::array<Candidate<CodeKernels>, 3> Candidates() {
  return {{{&ScalarCodeKernels(), true}, {&NeonCodeKernels(), true}, {&NeonDotprodCodeKernels(), HasDotprod()}}};
}
#elif defined(__aarch64__)
constexpr std::array<std::string_view, 2> kCompiledNames = {"scalar", "neon"};
std::array<Candidate<CodeKernels>, 2> Candidates() {
  return {{{&ScalarCodeKernels(), true}, {&NeonCodeKernels(), true}}};
}
#else
constexpr std::array<std::string_view, 1> kCompiledNames = {"scalar"};
std::array<Candidate<CodeKernels>, 1> Candidates() {
  return {{{&ScalarCodeKernels(), true}}};
}
#endif

}  // namespace

std::span<const std::string_view> CompiledCodeKernelNames() {
  return kCompiledNames;
}

const CodeKernels& BestCodeKernels(std::span<const CodeKernels* const> tables, std::string_view family) {
  const std::span<const std::string_view> families = CompiledFloatKernelNames();
  const auto rank = [&](std::string_view name) { return std::find(families.begin(), families.end(), name); };
  const CodeKernels* best = tables.front();
  for (const CodeKernels* table : tables) {
    if (rank(table->family) <= rank(family)) best = table;
  }
  return *best;
}

const CodeKernels& ActiveCodeKernels() {
  static const CodeKernels& active = BestCodeKernels(SupportedCodeKernels(), ActiveFloatKernels().name);
  return active;
}

std::span<const CodeKernels* const> SupportedCodeKernels() {
  static const SupportedTables<CodeKernels, kCompiledNames.size()> supported(Candidates());
  return supported.tables();
}

}  // namespace vdb::simd
