// Every kernel that this CPU runs against a sum in double, and against the others.

#include "vdb/simd/kernels.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace vdb::simd {
namespace {

std::vector<std::size_t> Dims() {
  std::vector<std::size_t> dims;
  for (std::size_t dim = 1; dim <= 130; ++dim) dims.push_back(dim);
  for (const std::size_t dim : {383, 384, 385, 784, 1000, 1536, 4097}) dims.push_back(dim);
  return dims;
}

// A vector that ends where the readable memory ends: one component further is a fault.
class GuardedVector {
 public:
  explicit GuardedVector(std::size_t dim) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bytes_ = (dim * sizeof(float) + page - 1) / page * page + page;
    memory_ = static_cast<char*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(memory_ + bytes_ - page, page, PROT_NONE);
    data_ = reinterpret_cast<float*>(memory_ + bytes_ - page) - dim;
  }
  ~GuardedVector() { ::munmap(memory_, bytes_); }
  GuardedVector(const GuardedVector&) = delete;
  GuardedVector& operator=(const GuardedVector&) = delete;
  float* data() { return data_; }

 private:
  char* memory_;
  std::size_t bytes_;
  float* data_;
};

struct Reference {
  double l2 = 0;
  double dot = 0;
  double l2_size = 0;  // sum of the terms' magnitudes: what rounding is relative to
  double dot_size = 0;
};

Reference Compute(const float* a, const float* b, std::size_t dim) {
  Reference r;
  for (std::size_t i = 0; i < dim; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    const double product = static_cast<double>(a[i]) * b[i];
    r.l2 += difference * difference;
    r.l2_size += difference * difference;
    r.dot += product;
    r.dot_size += std::abs(product);
  }
  return r;
}

// A float32 sum of n terms, added in any order, is off by at most about n * epsilon of the magnitudes; kernels add in
// several lanes, so the square root would do. The last term is for denormal products, which may be rounded to zero.
double Bound(double size, std::size_t dim) {
  return size * std::numeric_limits<float>::epsilon() * (2 + std::sqrt(static_cast<double>(dim))) +
         static_cast<double>(dim) * std::numeric_limits<float>::denorm_min();
}

void CheckKernels(const FloatKernels& kernels, const float* query, const float* const rows[4], std::size_t dim) {
  float l2[4];
  float dot[4];
  kernels.l2_squared_x4(query, rows, dim, l2);
  kernels.dot_x4(query, rows, dim, dot);
  for (int j = 0; j < 4; ++j) {
    const Reference r = Compute(query, rows[j], dim);
    EXPECT_NEAR(kernels.l2_squared(query, rows[j], dim), r.l2, Bound(r.l2_size, dim)) << kernels.name << ' ' << dim;
    EXPECT_NEAR(kernels.dot(query, rows[j], dim), r.dot, Bound(r.dot_size, dim)) << kernels.name << ' ' << dim;
    EXPECT_NEAR(l2[j], r.l2, Bound(r.l2_size, dim)) << kernels.name << " x4 " << dim;
    EXPECT_NEAR(dot[j], r.dot, Bound(r.dot_size, dim)) << kernels.name << " x4 " << dim;
  }
}

// Fills five vectors by `next` and checks every kernel on them.
template <typename Next>
void CheckAllKernels(Next next) {
  for (const std::size_t dim : Dims()) {
    GuardedVector query(dim);
    GuardedVector r0(dim);
    GuardedVector r1(dim);
    GuardedVector r2(dim);
    GuardedVector r3(dim);
    float* const all[5] = {query.data(), r0.data(), r1.data(), r2.data(), r3.data()};
    for (float* vector : all) std::generate_n(vector, dim, next);
    const float* const rows[4] = {all[1], all[2], all[3], all[4]};
    for (const FloatKernels* kernels : SupportedFloatKernels()) CheckKernels(*kernels, query.data(), rows, dim);
  }
}

TEST(Kernels, NormalValuesInEveryDimension) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  CheckAllKernels([&] { return normal(random); });
}

TEST(Kernels, Denormals) {
  std::mt19937 random(2);
  CheckAllKernels([&] { return static_cast<float>(random() % 1000) * std::numeric_limits<float>::denorm_min(); });
}

TEST(Kernels, LargeMagnitudesAndZeros) {
  std::mt19937 random(3);
  CheckAllKernels([&] { return random() % 2 == 0 ? 0.0F : (random() % 2 == 0 ? 1e15F : -1e15F); });
}

TEST(Kernels, UnalignedPointers) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> memory(5 * 512);
  for (float& x : memory) x = normal(random);
  for (std::size_t offset = 0; offset < 4; ++offset) {
    for (const std::size_t dim : {31, 64, 100, 384}) {
      const float* base = memory.data() + offset;
      const float* const rows[4] = {base + 512, base + 1025, base + 1538, base + 2048};
      for (const FloatKernels* kernels : SupportedFloatKernels()) CheckKernels(*kernels, base, rows, dim);
    }
  }
}

TEST(Kernels, SaysWhichDidNotRun) {
  std::string supported;
  for (const FloatKernels* kernels : SupportedFloatKernels()) supported += std::string(" ") + kernels->name;
  std::printf("kernels tested:%s\n", supported.c_str());
  for (const std::string_view name : CompiledFloatKernelNames()) {
    if (supported.find(name) == std::string::npos) {
      std::printf("not run, this CPU has no %.*s\n", static_cast<int>(name.size()), name.data());
    }
  }
  EXPECT_STREQ(SupportedFloatKernels().front()->name, "scalar");
  EXPECT_LE(SupportedFloatKernels().size(), CompiledFloatKernelNames().size());
}

// The name that is active in a child with VDB_SIMD set so, and what it says on stderr.
std::string ActiveNameWith(const std::string& wanted) {
  std::string command = "VDB_SIMD='" + wanted + "' '" + std::string(std::getenv("VDB_TEST_SELF")) +
                        "' --gtest_filter=Dispatch.PrintsActive 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  char buffer[256];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  ::pclose(pipe);
  return output;
}

TEST(Dispatch, PrintsActive) {
  std::printf("active=%s;\n", ActiveFloatKernels().name);
  const auto supported = SupportedFloatKernels();
  EXPECT_NE(std::find(supported.begin(), supported.end(), &ActiveFloatKernels()), supported.end());
}

TEST(Dispatch, EnvironmentForcesEachKernel) {
  char self[4096] = {};
  ASSERT_GT(::readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
  ::setenv("VDB_TEST_SELF", self, 1);
  for (const FloatKernels* kernels : SupportedFloatKernels()) {
    const std::string output = ActiveNameWith(kernels->name);
    EXPECT_NE(output.find("active=" + std::string(kernels->name) + ";"), std::string::npos) << output;
  }
  const std::string best = SupportedFloatKernels().back()->name;
  const std::string output = ActiveNameWith("mmx");
  EXPECT_NE(output.find("VDB_SIMD=mmx is not a kernel of this CPU"), std::string::npos) << output;
  EXPECT_NE(output.find("active=" + best + ";"), std::string::npos) << output;
}

}  // namespace
}  // namespace vdb::simd
