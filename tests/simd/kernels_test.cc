// Every kernel that this CPU runs against sums in double and against the scalar kernels, and which kernels a process
// chooses.

#include "vdb/simd/kernels.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace vdb::simd {
namespace {

constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr double kDenormMin = std::numeric_limits<float>::denorm_min();

// All the remainders of every loop, sizes of real models, and 1024: a page to the byte, guarded at both ends.
std::vector<std::size_t> Dims() {
  std::vector<std::size_t> dims;
  for (std::size_t dim = 1; dim <= 130; ++dim) dims.push_back(dim);
  for (const std::size_t dim : {383, 384, 385, 784, 1000, 1024, 1536, 4097}) dims.push_back(dim);
  return dims;
}

// A vector that ends where the readable memory ends: to read one component further is a fault. The page before the
// vector's first page faults too.
class GuardedVector {
 public:
  explicit GuardedVector(std::size_t dim) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t readable = (dim * sizeof(float) + page - 1) / page * page;
    bytes_ = page + readable + page;
    void* const memory = ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(static_cast<char*>(memory) + page, readable, PROT_READ | PROT_WRITE) != 0) {
      std::perror("guard pages");
      std::abort();
    }
    memory_ = static_cast<char*>(memory);
    data_ = reinterpret_cast<float*>(memory_ + page + readable) - dim;
  }
  ~GuardedVector() { ::munmap(memory_, bytes_); }
  GuardedVector(const GuardedVector&) = delete;
  GuardedVector& operator=(const GuardedVector&) = delete;
  float* data() const { return data_; }

 private:
  char* memory_;
  std::size_t bytes_;
  float* data_;
};

// One query and four rows of `dim` components, each guarded.
class Inputs {
 public:
  explicit Inputs(std::size_t dim) : query_(dim), r0_(dim), r1_(dim), r2_(dim), r3_(dim) {}
  float* query() const { return query_.data(); }
  std::array<float*, 4> rows() const { return {r0_.data(), r1_.data(), r2_.data(), r3_.data()}; }

 private:
  GuardedVector query_, r0_, r1_, r2_, r3_;
};

struct Results {
  std::array<float, 4> l2, dot, l2_x4, dot_x4;
};

Results Evaluate(const FloatKernels& kernels, const float* query, const std::array<const float*, 4>& rows,
                 std::size_t dim) {
  Results results;
  for (std::size_t j = 0; j < 4; ++j) {
    results.l2[j] = kernels.l2_squared(query, rows[j], dim);
    results.dot[j] = kernels.dot(query, rows[j], dim);
  }
  kernels.l2_squared_x4(query, rows.data(), dim, results.l2_x4.data());
  kernels.dot_x4(query, rows.data(), dim, results.dot_x4.data());
  return results;
}

struct Reference {
  double l2 = 0;
  double dot = 0;
  double l2_size = 0;  // sums of the terms' magnitudes, what rounding is relative to
  double dot_size = 0;
};

Reference Compute(const float* a, const float* b, std::size_t dim) {
  Reference r;
  for (std::size_t i = 0; i < dim; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    const double product = static_cast<double>(a[i]) * b[i];
    r.l2 += difference * difference;
    r.dot += product;
    r.dot_size += std::abs(product);
  }
  r.l2_size = r.l2;
  return r;
}

// How far a kernel may be from the exact sum. Each term passes at most 3 roundings before it is added (of the
// difference, which the square doubles, and of the square), and then at most dim / 4 + 6 additions, because every
// kernel adds in at least 4 lanes: that many times half an epsilon of the terms' magnitudes. A term that is denormal is
// off by half the smallest denormal instead.
double Bound(double size, std::size_t dim) {
  const double roundings = 3 + static_cast<double>(dim) / 4 + 6;
  return roundings * kEpsilon / 2 * size + static_cast<double>(dim) * kDenormMin;
}

void CheckAgainstReference(const Results& results, const std::array<Reference, 4>& references, std::size_t dim) {
  for (std::size_t j = 0; j < 4; ++j) {
    const Reference& r = references[j];
    EXPECT_NEAR(results.l2[j], r.l2, Bound(r.l2_size, dim)) << "l2, row " << j;
    EXPECT_NEAR(results.dot[j], r.dot, Bound(r.dot_size, dim)) << "dot, row " << j;
    EXPECT_NEAR(results.l2_x4[j], r.l2, Bound(r.l2_size, dim)) << "l2 x4, row " << j;
    EXPECT_NEAR(results.dot_x4[j], r.dot, Bound(r.dot_size, dim)) << "dot x4, row " << j;
  }
}

// Against the scalar kernels, and the x4 form against the single one: both may be off, so twice the bound.
void CheckAgainstScalar(const Results& results, const Results& scalar, const std::array<Reference, 4>& references,
                        std::size_t dim) {
  for (std::size_t j = 0; j < 4; ++j) {
    const double l2_bound = 2 * Bound(references[j].l2_size, dim);
    const double dot_bound = 2 * Bound(references[j].dot_size, dim);
    EXPECT_NEAR(results.l2[j], scalar.l2[j], l2_bound) << "l2 and scalar, row " << j;
    EXPECT_NEAR(results.dot[j], scalar.dot[j], dot_bound) << "dot and scalar, row " << j;
    EXPECT_NEAR(results.l2_x4[j], results.l2[j], l2_bound) << "l2 x4 and l2, row " << j;
    EXPECT_NEAR(results.dot_x4[j], results.dot[j], dot_bound) << "dot x4 and dot, row " << j;
  }
}

void CheckKernels(const float* query, const std::array<const float*, 4>& rows, std::size_t dim) {
  std::array<Reference, 4> references;
  for (std::size_t j = 0; j < 4; ++j) references[j] = Compute(query, rows[j], dim);
  const Results scalar = Evaluate(*SupportedFloatKernels().front(), query, rows, dim);
  for (const FloatKernels* kernels : SupportedFloatKernels()) {
    SCOPED_TRACE(std::string(kernels->name) + ", dim " + std::to_string(dim));
    const Results results = Evaluate(*kernels, query, rows, dim);
    CheckAgainstReference(results, references, dim);
    CheckAgainstScalar(results, scalar, references, dim);
  }
}

// Checks every kernel in every dimension on components drawn from query_next() and row_next().
template <typename QueryNext, typename RowNext>
void CheckAllDims(QueryNext query_next, RowNext row_next) {
  for (const std::size_t dim : Dims()) {
    const Inputs inputs(dim);
    std::generate_n(inputs.query(), dim, query_next);
    for (float* row : inputs.rows()) std::generate_n(row, dim, row_next);
    const auto rows = inputs.rows();
    CheckKernels(inputs.query(), {rows[0], rows[1], rows[2], rows[3]}, dim);
  }
}

TEST(Kernels, NormalValues) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto next = [&] { return normal(random); };
  CheckAllDims(next, next);
}

// Sums of small whole numbers have no rounding: a component left out, or counted twice, cannot hide in a bound.
TEST(Kernels, WholeNumbersAreExact) {
  std::mt19937 random(2);
  for (const std::size_t dim : Dims()) {
    const Inputs inputs(dim);
    const auto next = [&] { return static_cast<float>(random() % 41) - 20.5F; };
    std::generate_n(inputs.query(), dim, next);
    for (float* row : inputs.rows()) std::generate_n(row, dim, next);
    const auto rows = inputs.rows();
    for (const FloatKernels* kernels : SupportedFloatKernels()) {
      SCOPED_TRACE(std::string(kernels->name) + ", dim " + std::to_string(dim));
      const Results results = Evaluate(*kernels, inputs.query(), {rows[0], rows[1], rows[2], rows[3]}, dim);
      for (std::size_t j = 0; j < 4; ++j) {
        const Reference r = Compute(inputs.query(), rows[j], dim);
        EXPECT_EQ(results.l2[j], r.l2) << "row " << j;
        EXPECT_EQ(results.dot[j], r.dot) << "row " << j;
        EXPECT_EQ(results.l2_x4[j], r.l2) << "row " << j;
        EXPECT_EQ(results.dot_x4[j], r.dot) << "row " << j;
      }
    }
  }
}

TEST(Kernels, ZerosAndEqualVectors) {
  for (const std::size_t dim : Dims()) {
    const Inputs inputs(dim);  // anonymous mappings are zeros
    std::fill_n(inputs.rows()[3], dim, 3.0F);
    const float* const zero = inputs.query();
    const float* const three = inputs.rows()[3];
    for (const FloatKernels* kernels : SupportedFloatKernels()) {
      SCOPED_TRACE(std::string(kernels->name) + ", dim " + std::to_string(dim));
      const Results of_zero = Evaluate(*kernels, zero, {zero, inputs.rows()[1], zero, three}, dim);
      const float nine = 9.0F * static_cast<float>(dim);
      EXPECT_EQ(of_zero.l2, (std::array<float, 4>{0, 0, 0, nine}));
      EXPECT_EQ(of_zero.l2_x4, (std::array<float, 4>{0, 0, 0, nine}));
      EXPECT_EQ(of_zero.dot, (std::array<float, 4>{0, 0, 0, 0}));
      EXPECT_EQ(of_zero.dot_x4, (std::array<float, 4>{0, 0, 0, 0}));
      const Results of_three = Evaluate(*kernels, three, {three, three, zero, three}, dim);
      EXPECT_EQ(of_three.l2, (std::array<float, 4>{0, 0, nine, 0}));
      EXPECT_EQ(of_three.l2_x4, (std::array<float, 4>{0, 0, nine, 0}));
      EXPECT_EQ(of_three.dot_x4, (std::array<float, 4>{nine, nine, 0, nine}));
    }
  }
}

// Denormal components times large ones are normal numbers: a kernel that read denormals as zeros would be far off.
TEST(Kernels, DenormalComponents) {
  std::mt19937 random(3);
  CheckAllDims([&] { return static_cast<float>(1 + random() % 1000) * static_cast<float>(kDenormMin); },
               [&] { return static_cast<float>(1 + random() % 1000) * 1e12F; });
}

// Squares and products of these are denormal: a kernel that flushed them to zero would be far off.
TEST(Kernels, DenormalTerms) {
  std::mt19937 random(4);
  const auto next = [&] { return (static_cast<float>(random() % 1000) - 500) * 1e-22F; };
  CheckAllDims(next, next);
}

TEST(Kernels, LargeMagnitudesAmongZeros) {
  std::mt19937 random(5);
  const auto next = [&] { return random() % 2 == 0 ? 0.0F : (random() % 2 == 0 ? 1e17F : -1e17F); };
  CheckAllDims(next, next);
}

TEST(Kernels, PointersAlignedAsFloatsOnly) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  constexpr std::size_t kStride = 1536 + 16;
  std::vector<float> memory(5 * kStride);
  std::generate(memory.begin(), memory.end(), [&] { return normal(random); });
  for (std::size_t offset = 0; offset < 16; ++offset) {
    for (const std::size_t dim : {1, 7, 31, 64, 100, 384, 785, 1536}) {
      const float* const base = memory.data();
      // Each pointer is off by a different number of floats.
      CheckKernels(base + offset,
                   {base + kStride + (offset + 1) % 16, base + 2 * kStride + (offset + 2) % 16,
                    base + 3 * kStride + (offset + 3) % 16, base + 4 * kStride + (offset + 7) % 16},
                   dim);
    }
  }
}

bool IsSupported(std::string_view name) {
  const auto tables = SupportedFloatKernels();
  return std::any_of(tables.begin(), tables.end(), [&](const FloatKernels* table) { return table->name == name; });
}

TEST(Dispatch, SupportedAreTheCompiledThatThisCpuRuns) {
  std::string tested;
  for (const FloatKernels* kernels : SupportedFloatKernels()) tested.append(" ").append(kernels->name);
  std::printf("kernels tested:%s\n", tested.c_str());
  std::vector<std::string_view> in_order;
  for (const std::string_view name : CompiledFloatKernelNames()) {
    if (IsSupported(name)) {
      in_order.push_back(name);
    } else {
      std::printf("not run, this CPU has no %.*s\n", static_cast<int>(name.size()), name.data());
    }
  }
  ASSERT_EQ(in_order.size(), SupportedFloatKernels().size()) << "a supported table that is not among the compiled";
  for (std::size_t i = 0; i < in_order.size(); ++i) EXPECT_EQ(in_order[i], SupportedFloatKernels()[i]->name);
  EXPECT_EQ(in_order.front(), "scalar");
#if defined(__x86_64__)
  EXPECT_EQ(IsSupported("avx2"), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(IsSupported("avx512"), __builtin_cpu_supports("avx512f") != 0);
#elif defined(__aarch64__)
  EXPECT_TRUE(IsSupported("neon"));
#endif
}

// The tests below read what this one prints in processes of their own.
TEST(Dispatch, PrintsActive) {
  std::printf("active=%s;\n", ActiveFloatKernels().name);
  std::printf("again=%s;\n", ActiveFloatKernels().name);
  EXPECT_TRUE(IsSupported(ActiveFloatKernels().name));
}

struct ChildOutput {
  int exit_code;
  std::string text;
};

// Runs Dispatch.PrintsActive in a new process with VDB_SIMD=wanted; `redirection` says which of its streams to read.
ChildOutput PrintActiveInChild(const std::string& wanted, const std::string& redirection) {
  std::string self(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
  self.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::string command =
      "VDB_SIMD='" + wanted + "' '" + self + "' --gtest_filter=Dispatch.PrintsActive " + redirection;
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  ChildOutput output{-1, ""};
  std::array<char, 256> buffer;
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) output.text += buffer.data();
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) output.exit_code = WEXITSTATUS(status);
  return output;
}

TEST(Dispatch, EnvironmentForcesEachKernel) {
  for (const FloatKernels* kernels : SupportedFloatKernels()) {
    const ChildOutput output = PrintActiveInChild(kernels->name, "");
    EXPECT_EQ(output.exit_code, 0) << output.text;
    EXPECT_NE(output.text.find("active=" + std::string(kernels->name) + ";"), std::string::npos) << output.text;
    EXPECT_EQ(PrintActiveInChild(kernels->name, "2>&1 >/dev/null").text, "");
  }
}

TEST(Dispatch, UnsetOrEmptyChoosesTheBest) {
  const ChildOutput output = PrintActiveInChild("", "2>&1");
  const std::string best = SupportedFloatKernels().back()->name;
  EXPECT_NE(output.text.find("active=" + best + ";"), std::string::npos) << output.text;
  EXPECT_EQ(output.text.find("vdb:"), std::string::npos) << output.text;
}

TEST(Dispatch, UnknownOrUnsupportedNameIsReportedOnceAndTheBestIsUsed) {
  std::vector<std::string> names = {"mmx", "AVX2", "avx", "scalar "};
  for (const std::string_view name : CompiledFloatKernelNames()) {
    if (!IsSupported(name)) names.emplace_back(name);
  }
  const std::string best = SupportedFloatKernels().back()->name;
  for (const std::string& name : names) {
    const ChildOutput output = PrintActiveInChild(name, "2>/dev/null");
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_NE(output.text.find("active=" + best + ";"), std::string::npos) << output.text;
    const std::string errors = PrintActiveInChild(name, "2>&1 >/dev/null").text;
    EXPECT_TRUE(errors.starts_with("vdb: VDB_SIMD=" + name + " is not a kernel of this CPU; it has scalar")) << errors;
    EXPECT_TRUE(errors.ends_with("; using " + best + "\n")) << errors;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
}

}  // namespace
}  // namespace vdb::simd
