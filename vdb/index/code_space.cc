#include "vdb/index/code_space.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace vdb {
namespace {

// Enough for a mean: its error is a hundredth of the rows' spread.
constexpr std::uint32_t kMeanRows = 10'000;

// What is farther from the mean gets a code of zeros, so that distances of codes are always numbers. Those of the
// float32 rows are infinite before that, except for inner products with something small.
constexpr float kMaxNormSquared = 1e37F;

constexpr float kDeviations = 3;

}  // namespace

CodeSpace::CodeSpace(Metric metric, std::vector<float> mean, float largest_norm)
    : metric_(metric),
      mean_(std::move(mean)),
      largest_norm_(largest_norm),
      code_bytes_((mean_.size() + simd::kCodeUnit - 1) / simd::kCodeUnit * simd::kCodeUnit),
      kernels_(simd::ActiveCodeKernels()) {
  // Under cosine rows have length 1: |a - b|^2 = 2 (1 - a.b). For inner product 1 - a.b with a = mean + a' is
  // 1 - |mean|^2 - mean.a' - mean.b' - a'.b', of which the first two are left out.
  if (metric_ == Metric::kCosine) metric_scale_ = 2;
  if (metric_ == Metric::kInnerProduct) {
    factor_ = 1;
    double norm = 0;
    for (const float x : mean_) norm += double{x} * x;
    metric_offset_ = static_cast<float>(norm - 1);
  }
}

CodeSpace CodeSpace::Measure(Metric metric, const VectorView& vectors, std::uint32_t rows,
                             const std::function<bool(std::uint32_t)>& use) {
  std::vector<double> sums(vectors.dim);
  std::uint32_t count = 0;
  double largest_square = 0;
  const std::uint32_t step = std::max(1U, rows / kMeanRows);
  for (std::uint64_t slot = 0; slot < rows; slot += step) {
    if (!use(static_cast<std::uint32_t>(slot))) continue;
    const float* row = vectors.row(static_cast<std::uint32_t>(slot));
    double square = 0;
    for (std::size_t i = 0; i < vectors.dim; ++i) {
      sums[i] += double{row[i]};
      square += double{row[i]} * row[i];
    }
    largest_square = std::max(largest_square, square);
    ++count;
  }
  std::vector<float> mean(vectors.dim);
  double norm = 0;
  for (std::size_t i = 0; i < vectors.dim && count > 0; ++i) {
    mean[i] = static_cast<float>(sums[i] / count);
    norm += double{mean[i]} * mean[i];
  }
  if (!(norm <= kMaxNormSquared)) mean.assign(vectors.dim, 0.0F);
  return {metric, std::move(mean), static_cast<float>(std::sqrt(std::min(largest_square, double{kMaxNormSquared})))};
}

void CodeSpace::Encode(const float* row, NodeCode* out) const {
  EncodeQuery(row, out);
  double squares = 0;
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    const double error = double{row[i]} - double{mean_[i]} - double{out->scale} * out->bytes()[i];
    squares += error * error;
  }
  out->residual = std::nextafter(static_cast<float>(std::sqrt(squares)), std::numeric_limits<float>::infinity());
}

void CodeSpace::EncodeQuery(const float* row, NodeCode* out) const {
  auto* code = const_cast<std::int8_t*>(out->bytes());
  out->scale = kernels_.encode(row, mean_.data(), mean_.size(), code);
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < code_bytes_; ++i) sum += code[i];
  out->sum = sum;
  const float norm = NormSquared(*out);
  if (!(norm <= kMaxNormSquared)) {  // or it is no number, in a row that is damaged
    std::memset(code, 0, code_bytes_);
    out->scale = 0;
    out->sum = 0;
    out->term = metric_ == Metric::kInnerProduct ? 0 : kMaxNormSquared;
    return;
  }
  if (metric_ != Metric::kInnerProduct) {
    out->term = norm;
    return;
  }
  double product = 0;
  for (std::size_t i = 0; i < mean_.size(); ++i) product += double{mean_[i]} * code[i];
  out->term = static_cast<float>(-double{out->scale} * product);
}

float CodeSpace::NormSquared(const NodeCode& code) const {
  const std::int32_t squares = kernels_.dot({.code = code.bytes(), .sum = code.sum}, code.bytes(), code_bytes_);
  return code.scale * code.scale * static_cast<float>(squares);
}

float CodeSpace::ExcessOf(const NodeCode& query, const NodeCode& row, float distance) const {
  // Variance of a component: each side's error is spread over all directions. A component of the query is wrong by up
  // to s / 2, s^2 / 12 on the average of squares.
  const auto components = static_cast<float>(dim());
  const float row_error = row.residual * row.residual / components;
  const float query_error = query.scale * query.scale / 12;
  const float both = row_error + query_error;
  // With rows a, b and errors d, e: |a + d - b - e|^2 - |a - b|^2 = 2 (a - b).(d - e) + |d - e|^2.
  if (metric_ != Metric::kInnerProduct) {
    return kDeviations * 2 * std::sqrt(both * std::max(distance, 0.0F)) + both * components;
  }
  // (a + d).(b + e) - a.b = a.e + b.d + d.e.
  const auto norm_squared = [&](const NodeCode& code) {
    return std::max(0.0F, metric_offset_ + 1 - 2 * code.term + NormSquared(code));
  };
  return kDeviations * std::sqrt(row_error * norm_squared(query) + query_error * norm_squared(row));
}

}  // namespace vdb
