// Every table of code kernels that this CPU runs gives the scalar one's bits, and which table a process chooses.

#include "vdb/simd/code_kernels.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "vdb/simd/code_kernel_tables.h"
#include "vdb/simd/kernels.h"
#include "vdb/simd/packed_code.h"

namespace vdb::simd {
namespace {

using Code = std::vector<std::int8_t>;

// `count` values of type T that end where the readable memory ends: to touch one byte further is a fault.
template <typename T>
class Guarded {
 public:
  explicit Guarded(std::size_t count) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t readable = (count * sizeof(T) + page - 1) / page * page;
    bytes_ = page + readable + page;
    void* const memory = ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(static_cast<char*>(memory) + page, readable, PROT_READ | PROT_WRITE) != 0) {
      std::perror("guard pages");
      std::abort();
    }
    memory_ = static_cast<char*>(memory);
    data_ = reinterpret_cast<T*>(memory_ + page + readable) - count;
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~Guarded() { ::munmap(memory_, bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  T* data() const { return data_; }

 private:
  char* memory_;
  std::size_t bytes_;
  T* data_;
};

CodeQuery QueryOf(const std::int8_t* code, std::size_t n) {
  return {code, std::accumulate(code, code + n, std::int32_t{0})};
}

Code RandomCode(std::size_t n, std::mt19937& random) {
  Code code(n);
  for (std::int8_t& byte : code) byte = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  return code;
}

// Every kernel, one row and four rows at a time, against a sum of its own.
void CheckDots(const std::int8_t* code, const std::array<const std::int8_t*, 4>& rows, std::size_t n) {
  const CodeQuery query = QueryOf(code, n);
  std::array<std::int32_t, 4> exact{};
  for (std::size_t j = 0; j < 4; ++j) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::int64_t{code[i]} * rows[j][i];
    exact[j] = static_cast<std::int32_t>(sum);
    ASSERT_EQ(exact[j], sum);
  }
  for (const CodeKernels* kernels : SupportedCodeKernels()) {
    std::array<std::int32_t, 4> one{};
    for (std::size_t j = 0; j < 4; ++j) one[j] = kernels->dot(query, rows[j], n);
    EXPECT_EQ(one, exact) << kernels->name << ", n " << n;
    std::array<std::int32_t, 4> four{};
    kernels->dot_x4(query, rows.data(), n, four.data());
    EXPECT_EQ(four, exact) << kernels->name << " x4, n " << n;
  }
}

// All the remainders of every loop, 784 and more.
std::vector<std::size_t> Sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t n = kCodeUnit; n <= 1024; n += kCodeUnit) sizes.push_back(n);
  for (const std::size_t n : {1536, 4096, 4112}) sizes.push_back(n);
  return sizes;
}

// A pair that is alone in its code, at a place that changes, and the same pair everywhere.
TEST(CodeKernels, EveryPairOfBytes) {
  constexpr std::size_t kSize = 272;
  std::size_t place = 0;
  for (int a = -127; a <= 127; ++a) {
    const Code query(kSize, static_cast<std::int8_t>(a));
    Code lonely_query(kSize, 0);
    for (int b = -127; b <= 127; ++b) {
      place = (place + 1) % kSize;
      const Code row(kSize, static_cast<std::int8_t>(b));
      Code lonely(kSize, 0);
      lonely[place] = static_cast<std::int8_t>(b);
      CheckDots(query.data(), {row.data(), lonely.data(), query.data(), row.data()}, kSize);
      lonely_query[place] = static_cast<std::int8_t>(a);
      CheckDots(lonely_query.data(), {row.data(), lonely.data(), row.data(), lonely_query.data()}, kSize);
      lonely_query[place] = 0;
      if (HasFailure()) return;
    }
  }
}

TEST(CodeKernels, ExtremesOfTheLongestCodes) {
  for (const std::size_t n : {std::size_t{1024}, std::size_t{65'536}}) {
    const Code high(n, 127);
    const Code low(n, -127);
    Code alternating(n, 127);
    for (std::size_t i = 0; i < n; i += 2) alternating[i] = -127;
    for (const Code& query : {high, low, alternating}) {
      CheckDots(query.data(), {high.data(), low.data(), alternating.data(), query.data()}, n);
    }
  }
}

// Each pointer behind the memory's last readable byte: nothing beyond n is read.
TEST(CodeKernels, RandomCodesBeforeGuardPages) {
  std::mt19937 random(1);
  for (const std::size_t n : Sizes()) {
    for (int repetition = 0; repetition < 8; ++repetition) {
      const Guarded<std::int8_t> query(RandomCode(n, random));
      const Guarded<std::int8_t> r0(RandomCode(n, random));
      const Guarded<std::int8_t> r1(RandomCode(n, random));
      const Guarded<std::int8_t> r2(RandomCode(n, random));
      const Guarded<std::int8_t> r3(RandomCode(n, random));
      CheckDots(query.data(), {r0.data(), r1.data(), r2.data(), r3.data()}, n);
    }
  }
}

TEST(CodeKernels, RowsAtEveryOffset) {
  std::mt19937 random(2);
  constexpr std::size_t kStride = 1024 + 64;
  const Code memory = RandomCode(5 * kStride, random);
  const std::int8_t* const base = memory.data();
  for (std::size_t offset = 0; offset < 64; ++offset) {
    for (const std::size_t n : {16, 48, 64, 112, 128, 400, 784, 1024}) {
      CheckDots(base + offset,
                {base + kStride + (offset + 1) % 64, base + 2 * kStride + (offset + 2) % 64,
                 base + 3 * kStride + (offset + 3) % 64, base + 4 * kStride + (offset + 7) % 64},
                n);
    }
  }
}

TEST(CodeKernels, RowsThatAreEqualOrOverlap) {
  std::mt19937 random(3);
  const Code memory = RandomCode(2048, random);
  const std::int8_t* const p = memory.data();
  for (const std::size_t n : Sizes()) {
    if (n > 1024) continue;
    CheckDots(p, {p, p, p, p}, n);
    CheckDots(p + 5, {p + 5, p + 6, p + 4, p + 13}, n);
    CheckDots(p + 64, {p, p + n, p, p + 64}, n);
  }
}

// Of components in [-15, 15].
Code RandomPackable(std::size_t n, std::mt19937& random) {
  Code code(n);
  for (std::int8_t& component : code) component = static_cast<std::int8_t>(static_cast<int>(random() % 31) - 15);
  return code;
}

Code Packed(const Code& code) {
  Code packed(PackedBytes(code.size()));
  Pack(code.data(), code.size(), packed.data());
  return packed;
}

// Every kernel on packed rows, against sums over what was packed. Query and rows end where the memory does.
void CheckPackedDots(const Code& code, const std::array<Code, 4>& unpacked) {
  const std::size_t n = code.size();
  const Guarded<std::int8_t> guarded(code);
  const CodeQuery query = QueryOf(guarded.data(), n);
  std::array<std::int32_t, 4> exact{};
  for (std::size_t j = 0; j < 4; ++j) {
    exact[j] = std::inner_product(code.begin(), code.end(), unpacked[j].begin(), std::int32_t{0});
  }
  const std::array<Guarded<std::int8_t>, 4> rows = {
      Guarded<std::int8_t>(Packed(unpacked[0])), Guarded<std::int8_t>(Packed(unpacked[1])),
      Guarded<std::int8_t>(Packed(unpacked[2])), Guarded<std::int8_t>(Packed(unpacked[3]))};
  const std::array<const std::int8_t*, 4> pointers = {rows[0].data(), rows[1].data(), rows[2].data(), rows[3].data()};
  for (const CodeKernels* kernels : SupportedCodeKernels()) {
    std::array<std::int32_t, 4> one{};
    for (std::size_t j = 0; j < 4; ++j) one[j] = kernels->packed_dot(query, pointers[j], n);
    EXPECT_EQ(one, exact) << kernels->name << ", n " << n;
    std::array<std::int32_t, 4> four{};
    kernels->packed_dot_x4(query, pointers.data(), n, four.data());
    EXPECT_EQ(four, exact) << kernels->name << " x4, n " << n;
  }
}

std::vector<std::size_t> PackedSizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t n = kPackedUnit; n <= 1024; n += kPackedUnit) sizes.push_back(n);
  for (const std::size_t n : {1536, 4096, 4160}) sizes.push_back(n);
  return sizes;
}

TEST(PackedKernels, RandomCodesBeforeGuardPages) {
  std::mt19937 random(9);
  for (const std::size_t n : PackedSizes()) {
    for (int repetition = 0; repetition < 8; ++repetition) {
      CheckPackedDots(RandomCode(n, random), {RandomPackable(n, random), RandomPackable(n, random),
                                              RandomPackable(n, random), RandomPackable(n, random)});
    }
  }
}

// Each place by itself, so that none is taken for another.
TEST(PackedKernels, EveryPlace) {
  for (const std::size_t n : {64U, 128U, 192U, 448U}) {
    for (std::size_t place = 0; place < n; ++place) {
      Code query(n, 0);
      query[place] = 101;
      Code row(n, 0);
      row[place] = static_cast<std::int8_t>(static_cast<int>(place % 31) - 15);
      CheckPackedDots(query, {row, Code(n, 0), Code(n, 15), Code(n, -15)});
    }
  }
}

TEST(PackedKernels, ExtremesOfTheLongestCodes) {
  constexpr std::size_t kLongest = 65'536;
  for (const std::int8_t byte : {std::int8_t{127}, std::int8_t{-127}}) {
    const Code query(kLongest, byte);
    CheckPackedDots(query, {Code(kLongest, 15), Code(kLongest, -15), Code(kLongest, 1), Code(kLongest, 0)});
  }
}

TEST(PackedCode, IsUnpackedAsItWas) {
  std::mt19937 random(10);
  for (const std::size_t n : PackedSizes()) {
    const Code code = RandomPackable(n, random);
    const Guarded<std::int8_t> packed(Packed(code));
    const Guarded<std::int8_t> unpacked(n);
    Unpack(packed.data(), n, unpacked.data());
    EXPECT_EQ(Code(unpacked.data(), unpacked.data() + n), code) << n;
  }
}

// Where packed_code.h says that components are, written again.
Code PackedByDefinition(const Code& code) {
  Code packed(PackedBytes(code.size()));
  for (std::size_t place = 0; place < code.size(); ++place) {
    const std::size_t begin = place / 128 * 128;
    const std::size_t half = std::min<std::size_t>(128, code.size() - begin) / 2;
    std::int8_t* const block = packed.data() + begin / 128 * 80;
    const std::size_t i = place - begin;
    const int number = code[place] + 16;
    block[i % half] = static_cast<std::int8_t>(block[i % half] | (number & 15) << (i < half ? 0 : 4));
    block[half + i % 16] = static_cast<std::int8_t>(block[half + i % 16] | (number >> 4) << i / 16);
  }
  return packed;
}

TEST(PackedCode, HasItsComponentsInTheirPlaces) {
  std::mt19937 random(11);
  for (const std::size_t n : PackedSizes()) {
    const Code code = RandomPackable(n, random);
    EXPECT_EQ(Packed(code), PackedByDefinition(code)) << n;
  }
}

constexpr std::int8_t kUntouched = 99;

// The code and the scale of every table against the scalar table's and the definition's.
void CheckEncode(const std::vector<float>& row, const std::vector<float>& mean, float bound) {
  const std::size_t dim = row.size();
  const std::size_t padded = (dim + kCodeUnit - 1) / kCodeUnit * kCodeUnit;
  const Guarded<float> guarded_row(row);
  const Guarded<float> guarded_mean(mean);
  float largest = 0;
  for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(row[i] - mean[i]));
  const float factor = bound / largest;
  Code wanted(padded, 0);
  for (std::size_t i = 0; std::isfinite(factor) && i < dim; ++i) {
    const float rounded = std::nearbyint((row[i] - mean[i]) * factor);
    wanted[i] = static_cast<std::int8_t>(std::min(bound, std::max(-bound, rounded)));
  }
  const float wanted_scale = std::isfinite(factor) ? largest / bound : 0;
  for (const CodeKernels* kernels : SupportedCodeKernels()) {
    const Guarded<std::int8_t> code(padded + 1);  // one byte in front, to see whether it is written
    std::memset(code.data(), kUntouched, padded + 1);
    const float scale = kernels->encode(guarded_row.data(), guarded_mean.data(), dim, bound, code.data() + 1);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(scale), std::bit_cast<std::uint32_t>(wanted_scale))
        << kernels->name << ", dim " << dim << ": got " << scale << ", wanted " << wanted_scale;
    EXPECT_EQ(Code(code.data() + 1, code.data() + 1 + padded), wanted) << kernels->name << ", dim " << dim;
    EXPECT_EQ(code.data()[0], kUntouched) << kernels->name << ", dim " << dim;
  }
}

std::vector<std::size_t> Dims() {
  std::vector<std::size_t> dims;
  for (std::size_t dim = 1; dim <= 100; ++dim) dims.push_back(dim);
  for (const std::size_t dim : {127, 128, 384, 385, 783, 784, 1000, 1536}) dims.push_back(dim);
  return dims;
}

void CheckEncode(const std::vector<float>& row, const std::vector<float>& mean) {
  for (const float bound : {127.0F, float{kPackedLargest}}) CheckEncode(row, mean, bound);
}

// Rows drawn from row_next(), means from mean_next(), in every dimension.
template <typename RowNext, typename MeanNext>
void CheckEncodeInAllDims(RowNext row_next, MeanNext mean_next) {
  for (const std::size_t dim : Dims()) {
    std::vector<float> row(dim);
    std::vector<float> mean(dim);
    for (int repetition = 0; repetition < 20; ++repetition) {
      std::generate(row.begin(), row.end(), row_next);
      std::generate(mean.begin(), mean.end(), mean_next);
      CheckEncode(row, mean);
    }
  }
}

float Zero() {
  return 0;
}

TEST(Encode, RandomRows) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  const auto next = [&] { return normal(random); };
  CheckEncodeInAllDims(next, Zero);
  CheckEncodeInAllDims(next, [&] { return 0.3F * normal(random); });
}

TEST(Encode, OneDimensionOutweighsTheOthers) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const std::size_t dim : Dims()) {
    std::vector<float> row(dim);
    for (float outlier : {100.0F, -100.0F, 1e30F, -1e30F}) {
      std::generate(row.begin(), row.end(), [&] { return normal(random); });
      row[random() % dim] = outlier;
      CheckEncode(row, std::vector<float>(dim, 0.25F));
      std::fill(row.begin(), row.end(), 0.0F);
      row[dim - 1] = outlier;
      CheckEncode(row, std::vector<float>(dim, 0.0F));
    }
  }
}

TEST(Encode, ConstantRowsAndZeros) {
  for (const std::size_t dim : Dims()) {
    for (const float value : {0.0F, -0.0F, 1.0F, -3.5F, 1e30F, std::numeric_limits<float>::max()}) {
      CheckEncode(std::vector<float>(dim, value), std::vector<float>(dim, 0.0F));
      CheckEncode(std::vector<float>(dim, value), std::vector<float>(dim, value));
    }
  }
}

// Halves are rounded to the even neighbour: with 127 among the components the factor is 1.
TEST(Encode, TiesGoToTheEvenNeighbour) {
  for (const std::size_t dim : Dims()) {
    std::vector<float> row(dim);
    for (std::size_t i = 0; i < dim; ++i) row[i] = static_cast<float>(i * 37 % 253) - 126.5F;
    row[dim / 2] = 127;
    CheckEncode(row, std::vector<float>(dim, 0.0F));
    CheckEncode(row, std::vector<float>(dim, 0.5F));
  }
  const std::vector<float> row = {127, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F};
  const std::vector<float> mean(row.size(), 0.0F);
  for (const CodeKernels* kernels : SupportedCodeKernels()) {
    Code code(kCodeUnit, kUntouched);
    EXPECT_EQ(kernels->encode(row.data(), mean.data(), row.size(), 127, code.data()), 1.0F) << kernels->name;
    EXPECT_EQ(code, (Code{127, 0, 2, 2, 0, -2, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0})) << kernels->name;
  }
}

// Differences below 127 / FLT_MAX have a factor that is not finite; those a little above do not.
TEST(Encode, DenormalAndHugeComponents) {
  std::mt19937 random(6);
  for (const float unit : {std::numeric_limits<float>::denorm_min(), 1e-39F, 3.7e-37F, 4e-37F, 1e-30F, 1e30F}) {
    const auto next = [&] { return (static_cast<float>(random() % 2001) - 1000) / 1000 * unit; };
    CheckEncodeInAllDims(next, Zero);
    CheckEncodeInAllDims(next, next);
  }
}

// Many a factor is rounded up, so that the largest component's product lies beyond 127.
TEST(Encode, LargestComponentsThatRoundBeyondTheBound) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0.5F, 2.0F);
  for (int repetition = 0; repetition < 20'000; ++repetition) {
    const float largest = uniform(random);
    CheckEncode({largest, -largest, largest / 254, -largest / 254, largest / 127 * 1.5F, uniform(random) / 4},
                {0, 0, 0, 0, 0, uniform(random) / 4});
  }
}

// The scalar table against the definition, every table against the scalar one's bits.
TEST(Hadamard, EveryTableHasTheBitsOfTheScalarOne) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  for (std::size_t n = kCodeUnit; n <= 65'536; n *= 2) {
    std::vector<float> row(n);
    for (float& x : row) x = normal(random);
    std::vector<float> signs(n);
    for (float& sign : signs) sign = random() % 2 == 0 ? 0.3F : -0.3F;
    std::vector<float> wanted = row;
    SupportedCodeKernels().front()->hadamard(signs.data(), n, wanted.data());
    for (std::size_t i = 0; i < n; i += 1 + n / 256) {
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const double term = double{row[j]} * double{signs[j]};
        sum += std::popcount(i & j) % 2 == 0 ? term : -term;
      }
      ASSERT_NEAR(wanted[i], sum, 1e-6 * static_cast<double>(n)) << n << " " << i;
    }
    for (const CodeKernels* kernels : SupportedCodeKernels()) {
      const Guarded<float> x(row);
      const Guarded<float> guarded_signs(signs);
      kernels->hadamard(guarded_signs.data(), n, x.data());
      EXPECT_EQ(std::memcmp(x.data(), wanted.data(), n * sizeof(float)), 0) << kernels->name << " " << n;
    }
  }
}

TEST(CodeDispatch, BestOfAFamily) {
  for (const std::string_view family : CompiledFloatKernelNames()) {
    const auto families = CompiledFloatKernelNames();
    const auto rank = [&](std::string_view name) { return std::find(families.begin(), families.end(), name); };
    const CodeKernels& best = BestCodeKernels(SupportedCodeKernels(), family);
    EXPECT_LE(rank(best.family), rank(family)) << best.name << " for " << family;
    for (const CodeKernels* other : SupportedCodeKernels().subspan(1)) {
      if (rank(other->family) == rank(family)) {
        EXPECT_NE(std::string_view(best.name), "scalar") << family;
      }
    }
  }
  EXPECT_EQ(&BestCodeKernels(SupportedCodeKernels(), "scalar"), SupportedCodeKernels().front());
  EXPECT_EQ(&BestCodeKernels(SupportedCodeKernels(), CompiledFloatKernelNames().back()), SupportedCodeKernels().back());
}

#if defined(__x86_64__)
// To get a table is safe on any CPU: this says what CPUs other than this one choose.
TEST(CodeDispatch, CpusWithoutSomeOfTheInstructions) {
  const CodeKernels* const scalar = &ScalarCodeKernels();
  const CodeKernels* const avx2 = &Avx2CodeKernels();
  const CodeKernels* const avx2_vnni = &Avx2VnniCodeKernels();
  const CodeKernels* const avx512_vnni = &Avx512VnniCodeKernels();
  const std::array all = {scalar, avx2, avx2_vnni, avx512_vnni};
  EXPECT_EQ(&BestCodeKernels(all, "scalar"), scalar);
  EXPECT_EQ(&BestCodeKernels(all, "avx2"), avx2_vnni);
  EXPECT_EQ(&BestCodeKernels(all, "avx512"), avx512_vnni);
  const std::array server = {scalar, avx2, avx512_vnni};
  EXPECT_EQ(&BestCodeKernels(server, "avx2"), avx2);
  EXPECT_EQ(&BestCodeKernels(server, "avx512"), avx512_vnni);
  const std::array without_vnni = {scalar, avx2};
  EXPECT_EQ(&BestCodeKernels(without_vnni, "avx512"), avx2);
}
#endif

// Run with VDB_SIMD set it says what that chose; run_neon_under_qemu.sh reads it.
TEST(CodeDispatch, ActiveIsTheBestOfTheFloatKernelsFamily) {
  EXPECT_EQ(&ActiveCodeKernels(), &BestCodeKernels(SupportedCodeKernels(), ActiveFloatKernels().name));
  std::printf("active=%s;\n", ActiveCodeKernels().name);
}

TEST(CodeDispatch, PrintsWhatWasTested) {
  const auto tables = SupportedCodeKernels();
  ASSERT_EQ(std::string(tables.front()->name), "scalar");
  std::string tested;
  std::string not_tested;
  for (const std::string_view name : CompiledCodeKernelNames()) {
    const bool runs = std::any_of(tables.begin(), tables.end(), [&](const auto* table) { return table->name == name; });
    (runs ? tested : not_tested).append(" ").append(name);
  }
  EXPECT_EQ(static_cast<std::size_t>(std::count(tested.begin(), tested.end(), ' ')), tables.size());
  std::printf("code kernels tested:%s\n", tested.c_str());
  if (!not_tested.empty()) std::printf("code kernels not tested, this CPU does not run them:%s\n", not_tested.c_str());
}

}  // namespace
}  // namespace vdb::simd
