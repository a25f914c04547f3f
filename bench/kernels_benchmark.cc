// Nanoseconds per distance of every kernel that this CPU runs, one row and four rows at a time, beside hnswlib's, and
// of the kernels over int8 codes (code/..., packed/... where rows are packed, and encode/... for the encoding of one
// row).
//
// The rows and the query fit the first-level cache, so the figures show arithmetic and not memory. hnswlib picks its
// kernels by compile flags: this file must be compiled with -O3 -march=native, and says what hnswlib made of it. It is
// the one file of its program that includes hnswlib, whose headers define functions that are not inline.

#include <benchmark/benchmark.h>
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "vdb/simd/code_kernels.h"
#include "vdb/simd/kernels.h"
#include "vdb/simd/packed_code.h"
#include "vdb/util/round_up.h"

namespace vdb::simd {
namespace {

constexpr std::size_t kRows = 8;  // 8 rows and a query of 784 components are 28 KiB

enum class Form { kL2, kDot };

// vectors: (kRows + 1) * dim float32, row-major, each row on a cache line of its own; the last one is the query.
class Vectors {
 public:
  explicit Vectors(std::size_t dim)
      : stride_((dim + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine),
        memory_((kRows + 1) * stride_ + kFloatsPerLine) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& x : memory_) x = normal(random);
    const std::uintptr_t misaligned = reinterpret_cast<std::uintptr_t>(memory_.data()) / sizeof(float) % kFloatsPerLine;
    first_ = memory_.data() + (kFloatsPerLine - misaligned) % kFloatsPerLine;
  }
  Vectors(const Vectors&) = delete;
  Vectors& operator=(const Vectors&) = delete;

  const float* row(std::size_t i) const { return first_ + i * stride_; }
  const float* query() const { return row(kRows); }

 private:
  static constexpr std::size_t kFloatsPerLine = 64 / sizeof(float);
  std::size_t stride_;
  std::vector<float> memory_;
  const float* first_;
};

enum class Packing { kNone, kFiveBits };

// The codes of the same vectors, each on cache lines of its own.
class Codes {
 public:
  Codes(const CodeKernels& kernels, std::size_t dim, Packing packing)
      : size_(RoundUp(dim, packing == Packing::kNone ? kCodeUnit : kPackedUnit)),
        row_bytes_(packing == Packing::kNone ? size_ : PackedBytes(size_)),
        lines_(kRows * LinesPerCode()),
        query_code_(size_) {
    const Vectors vectors(dim);
    const std::vector<float> mean(dim);
    std::vector<std::int8_t> code(size_);
    for (std::size_t i = 0; i < kRows; ++i) {
      std::int8_t* const bytes = lines_[i * LinesPerCode()].bytes;
      kernels.encode(vectors.row(i), mean.data(), dim, packing == Packing::kNone ? 127 : kPackedLargest, code.data());
      if (packing == Packing::kNone) {
        std::copy(code.begin(), code.end(), bytes);
      } else {
        Pack(code.data(), size_, bytes);
      }
    }
    kernels.encode(vectors.row(kRows), mean.data(), dim, 127, query_code_.data());
    query_ = {query_code_.data(), std::accumulate(query_code_.begin(), query_code_.end(), std::int32_t{0})};
  }
  Codes(const Codes&) = delete;
  Codes& operator=(const Codes&) = delete;

  std::size_t size() const { return size_; }
  std::size_t row_bytes() const { return row_bytes_; }
  const std::int8_t* row(std::size_t i) const { return lines_[i * LinesPerCode()].bytes; }
  const CodeQuery& query() const { return query_; }

 private:
  struct alignas(64) Line {
    std::int8_t bytes[64];
  };
  std::size_t LinesPerCode() const { return (row_bytes_ + sizeof(Line) - 1) / sizeof(Line); }

  std::size_t size_;
  std::size_t row_bytes_;
  std::vector<Line> lines_;
  std::vector<std::int8_t> query_code_;
  CodeQuery query_;
};

// bytes_per_second counts the rows, not the query.
void SetCounters(benchmark::State& state, std::size_t bytes_per_row) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kRows * bytes_per_row));
  state.counters["seconds_per_distance"] = benchmark::Counter(
      static_cast<double>(kRows), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void MeasureOne(benchmark::State& state, const FloatKernels* kernels, Form form, std::size_t dim) {
  const Vectors vectors(dim);
  const auto distance = form == Form::kL2 ? kernels->l2_squared : kernels->dot;
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; ++i) {
      float d = distance(vectors.query(), vectors.row(i), dim);
      benchmark::DoNotOptimize(d);
    }
  }
  SetCounters(state, dim * sizeof(float));
}

void MeasureFour(benchmark::State& state, const FloatKernels* kernels, Form form, std::size_t dim) {
  const Vectors vectors(dim);
  const auto distances = form == Form::kL2 ? kernels->l2_squared_x4 : kernels->dot_x4;
  const float* rows[kRows];
  for (std::size_t i = 0; i < kRows; ++i) rows[i] = vectors.row(i);
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; i += 4) {
      float d[4];
      distances(vectors.query(), rows + i, dim, d);
      benchmark::DoNotOptimize(d);
    }
  }
  SetCounters(state, dim * sizeof(float));
}

void MeasureCode(benchmark::State& state, const CodeKernels* kernels, Packing packing, std::size_t dim) {
  const Codes codes(*kernels, dim, packing);
  const auto dot = packing == Packing::kNone ? kernels->dot : kernels->packed_dot;
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; ++i) {
      std::int32_t d = dot(codes.query(), codes.row(i), codes.size());
      benchmark::DoNotOptimize(d);
    }
  }
  SetCounters(state, codes.row_bytes());
}

void MeasureFourCodes(benchmark::State& state, const CodeKernels* kernels, Packing packing, std::size_t dim) {
  const Codes codes(*kernels, dim, packing);
  const auto dot_x4 = packing == Packing::kNone ? kernels->dot_x4 : kernels->packed_dot_x4;
  const std::int8_t* rows[kRows];
  for (std::size_t i = 0; i < kRows; ++i) rows[i] = codes.row(i);
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; i += 4) {
      std::int32_t d[4];
      dot_x4(codes.query(), rows + i, codes.size(), d);
      benchmark::DoNotOptimize(d);
    }
  }
  SetCounters(state, codes.row_bytes());
}

void MeasureEncode(benchmark::State& state, const CodeKernels* kernels, std::size_t dim) {
  const Vectors vectors(dim);
  const std::vector<float> mean(dim, 0.1F);
  std::vector<std::int8_t> code(dim + kCodeUnit);
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; ++i) {
      float scale = kernels->encode(vectors.row(i), mean.data(), dim, 127, code.data());
      benchmark::DoNotOptimize(scale);
      benchmark::ClobberMemory();
    }
  }
  SetCounters(state, dim * sizeof(float));
}

template <typename Space>
void MeasureHnswlib(benchmark::State& state, std::size_t dim) {
  const Vectors vectors(dim);
  Space space(dim);
  const auto distance = space.get_dist_func();
  const void* parameter = space.get_dist_func_param();
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kRows; ++i) {
      float d = distance(vectors.query(), vectors.row(i), parameter);
      benchmark::DoNotOptimize(d);
    }
  }
  SetCounters(state, dim * sizeof(float));
}

double Least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

// The least of several runs, with --benchmark_repetitions: what the kernel needs when no other process is in its way.
void Register(benchmark::internal::Benchmark* measurement) {
  measurement->ComputeStatistics("min", Least);
}

void RegisterDim(std::size_t dim) {
  std::string at = "/";
  at += std::to_string(dim);  // not operator+, of which g++ 12 warns wrongly at -O3
  std::string four_at = "_x4";
  four_at += at;
  for (const FloatKernels* kernels : SupportedFloatKernels()) {
    for (const Form form : {Form::kL2, Form::kDot}) {
      const std::string name = std::string(form == Form::kL2 ? "l2/" : "dot/") + kernels->name;
      Register(benchmark::RegisterBenchmark((name + at).c_str(), MeasureOne, kernels, form, dim));
      Register(benchmark::RegisterBenchmark((name + four_at).c_str(), MeasureFour, kernels, form, dim));
    }
  }
  for (const CodeKernels* kernels : SupportedCodeKernels()) {
    const auto name = [&](const char* what, const std::string& where) {
      return std::string(what).append(kernels->name).append(where);
    };
    for (const Packing packing : {Packing::kNone, Packing::kFiveBits}) {
      const char* const what = packing == Packing::kNone ? "code/" : "packed/";
      Register(benchmark::RegisterBenchmark(name(what, at).c_str(), MeasureCode, kernels, packing, dim));
      Register(benchmark::RegisterBenchmark(name(what, four_at).c_str(), MeasureFourCodes, kernels, packing, dim));
    }
    Register(benchmark::RegisterBenchmark(name("encode/", at).c_str(), MeasureEncode, kernels, dim));
  }
  Register(benchmark::RegisterBenchmark(("l2/hnswlib" + at).c_str(), MeasureHnswlib<hnswlib::L2Space>, dim));
  Register(benchmark::RegisterBenchmark(("dot/hnswlib" + at).c_str(), MeasureHnswlib<hnswlib::InnerProductSpace>, dim));
}

std::string CpuModel() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  }
  return "unknown";
}

// What hnswlib's preprocessor conditions chose, and its own check of the CPU where it makes one.
std::string HnswlibInstructionSet() {
#if defined(USE_AVX512)
  return AVX512Capable() ? "AVX-512" : "compiled for AVX-512, not run by this CPU";
#elif defined(USE_AVX)
  return "AVX";
#elif defined(USE_SSE)
  return "SSE";
#else
  return "none";
#endif
}

void AddContext() {
  std::string supported;
  for (const FloatKernels* kernels : SupportedFloatKernels()) supported += std::string(" ") + kernels->name;
  benchmark::AddCustomContext("cpu", CpuModel());
  benchmark::AddCustomContext("kernels active", ActiveFloatKernels().name);
  benchmark::AddCustomContext("kernels measured", supported.substr(1));
  benchmark::AddCustomContext("code kernels active", ActiveCodeKernels().name);
  benchmark::AddCustomContext("hnswlib's instruction set", HnswlibInstructionSet());
}

}  // namespace
}  // namespace vdb::simd

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  vdb::simd::AddContext();
  for (const std::size_t dim : {100, 128, 384, 784, 1536}) vdb::simd::RegisterDim(dim);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
