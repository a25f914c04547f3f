#include "vdb/index/code_space.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "vdb/simd/packed_code.h"
#include "vdb/util/round_up.h"

namespace vdb {
namespace {

// Of a component: beyond it the norm is.
constexpr float kMaxRotated = 3.2e18F;

constexpr float kDeviations = 3;

// The largest component of a code.
constexpr float kLargest = 127;
constexpr float kLargestPacked = simd::kPackedLargest;

// Of a rotation in float32, relative to the length: at most 4 rounds of 17 steps, each of which keeps lengths and adds
// an error of 2^-24 of it, and the subtraction of the mean.
constexpr double kRotationRounding = 5e-6;
// Of a float32 distance over n components, relative: as of a plain sum, whose error kernels stay below.
constexpr float kSumRounding = 6e-8F;
constexpr float kDistanceRounding = 1e-6F;
// By how much the squared length of a normalised vector differs from 1.
constexpr float kNormRounding = 1e-6F;

// Mean square of a code's bytes below which it is coarse. Normally distributed components have 1,800, and an error of
// 1/12 of a step in each of them is twice as large, relative to the row, at a quarter of that.
constexpr double kCoarseSquare = 450;

double SquareOf(const float* x, std::size_t size) {
  double squares = 0;
  for (std::size_t i = 0; i < size; ++i) squares += double{x[i]} * x[i];
  return squares;
}

}  // namespace

CodeSpace::CodeSpace(Metric metric, const std::vector<float>& mean, float largest_norm, RotationKind rotation)
    : CodeSpace(metric, mean, largest_norm, CodeComponents(mean.size()), {.rotation = rotation}) {}

CodeSpace::CodeSpace(Metric metric, std::vector<float> mean, float largest_norm, const CodeComponents& components,
                     CodeForm form)
    : metric_(metric),
      mean_(std::move(mean)),
      largest_norm_(largest_norm),
      components_(components),
      bits_(form.bits),
      code_size_(RoundUp(components_.size(), bits_ == CodeBits::kFive ? simd::kPackedUnit : simd::kCodeUnit)),
      code_bytes_(bits_ == CodeBits::kFive ? simd::PackedBytes(code_size_) : code_size_),
      kernels_(simd::ActiveCodeKernels()),
      dot_(bits_ == CodeBits::kFive ? kernels_.packed_dot : kernels_.dot),
      dot_x4_(bits_ == CodeBits::kFive ? kernels_.packed_dot_x4 : kernels_.dot_x4),
      centre_(mean_) {
  if (!components_.AreAll()) {
    centre_.resize(components_.size());
    components_.Gather(mean_.data(), centre_.data());
  }
  rotated_mean_ = centre_;
  if (form.rotation != RotationKind::kNone) {
    rotation_.emplace(code_size_);
    centre_.assign(code_size_, 0.0F);
    rotated_mean_.resize(code_size_);
    rotation_->Apply(rotated_mean_.data());
  }
  // Under cosine rows have length 1: |a - b|^2 = 2 (1 - a.b). For inner product -a.b with a = mean + a' is
  // -|mean|^2 - mean.a' - mean.b' - a'.b', of which the first is left out.
  if (metric_ == Metric::kCosine) metric_scale_ = 2;
  if (metric_ == Metric::kInnerProduct) {
    factor_ = 1;
    double norm = 0;
    for (const float x : mean_) norm += double{x} * x;
    metric_offset_ = static_cast<float>(norm);
  }
}

void CodeSpace::Encode(const float* row, NodeCode* out) const {
  auto* const bytes = const_cast<std::int8_t*>(out->bytes());
  if (bits_ == CodeBits::kEight) {
    EncodeWithResidual(row, kLargest, bytes, out);
    return;
  }
  std::array<std::int8_t, 4'096> short_code;
  std::vector<std::int8_t> long_code(code_size_ > short_code.size() ? code_size_ : 0);
  std::int8_t* const code = long_code.empty() ? short_code.data() : long_code.data();
  EncodeWithResidual(row, kLargestPacked, code, out);
  simd::Pack(code, code_size_, bytes);
}

void CodeSpace::EncodeScanQuery(const float* row, NodeCode* out) const {
  EncodeWithResidual(row, kLargest, const_cast<std::int8_t*>(out->bytes()), out);
}

void CodeSpace::ToQuery(const NodeCode& row, NodeCode* out) const {
  *out = row;
  auto* const code = const_cast<std::int8_t*>(out->bytes());
  if (bits_ == CodeBits::kFive) {
    simd::Unpack(row.bytes(), code_size_, code);
  } else {
    std::memcpy(code, row.bytes(), code_size_);
  }
}

void CodeSpace::EncodeWithResidual(const float* row, float largest, std::int8_t* code, NodeCode* out) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float* const components = ToCodeSpace(row);
  if (components == nullptr) {
    SetZero(code, out);
    out->residual = kInfinity;
    return;
  }
  EncodeComponents(components, largest, code, out);
  double squares = 0;
  for (std::size_t i = 0; i < centre_.size(); ++i) {
    const double error = double{components[i]} - double{centre_[i]} - double{out->scale} * code[i];
    squares += error * error;
  }
  if (!components_.AreAll()) squares += components_.SquareOfOthers(row, mean_.data());
  double residual = std::sqrt(squares);
  if (rotation_) residual += kRotationRounding * std::sqrt(SquareOf(components, centre_.size()));
  out->residual = std::nextafter(static_cast<float>(residual), kInfinity);
}

void CodeSpace::EncodeQuery(const float* row, NodeCode* out) const {
  const float* const components = ToCodeSpace(row);
  auto* const code = const_cast<std::int8_t*>(out->bytes());
  if (components == nullptr) {
    SetZero(code, out);
  } else {
    EncodeComponents(components, kLargest, code, out);
    if (components_.AreAll()) return;
    const double others = components_.SquareOfOthers(row, mean_.data());
    out->term = std::min(out->term + static_cast<float>(std::min(others, double{kMaxNormSquared})), kMaxNormSquared);
  }
}

const float* CodeSpace::ToCodeSpace(const float* row) const {
  if (!rotation_ && components_.AreAll()) return row;
  thread_local std::vector<float> scratch;
  if (scratch.size() < code_size_) scratch.resize(code_size_);
  float* const x = scratch.data();
  if (!components_.AreAll()) {
    components_.Gather(row, x);
    return x;
  }
  // Magnitudes order as their bits do, and what is no number comes last.
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    x[i] = row[i] - mean_[i];
    largest = std::max(largest, std::bit_cast<std::int32_t>(x[i]) & 0x7FFF'FFFF);
  }
  std::fill(x + mean_.size(), x + code_size_, 0.0F);
  if (largest > std::bit_cast<std::int32_t>(kMaxRotated)) return nullptr;
  rotation_->Apply(x);
  return x;
}

void CodeSpace::SetZero(std::int8_t* code, NodeCode* out) const {
  std::memset(code, 0, code_size_);
  out->scale = 0;
  out->sum = 0;
  out->term = metric_ == Metric::kInnerProduct ? 0 : kMaxNormSquared;
}

void CodeSpace::EncodeComponents(const float* components, float largest, std::int8_t* code, NodeCode* out) const {
  // The kernel's zeros end with its unit, which is shorter than that of packed codes.
  std::memset(code + centre_.size(), 0, code_size_ - centre_.size());
  out->scale = kernels_.encode(components, centre_.data(), centre_.size(), largest, code);
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < code_size_; ++i) sum += code[i];
  out->sum = sum;
  const float norm = out->scale * out->scale * static_cast<float>(SquareOfCode(code, sum));
  if (!(norm <= kMaxNormSquared)) {  // or it is no number, in a row that is damaged
    SetZero(code, out);
    return;
  }
  if (metric_ != Metric::kInnerProduct) {
    out->term = norm;
    return;
  }
  double product = 0;
  for (std::size_t i = 0; i < rotated_mean_.size(); ++i) product += double{rotated_mean_[i]} * code[i];
  out->term = static_cast<float>(-double{out->scale} * product);
}

std::int32_t CodeSpace::SquareOfCode(const std::int8_t* code, std::int32_t sum) const {
  return kernels_.dot({.code = code, .sum = sum}, code, code_size_);
}

float CodeSpace::NormSquared(const NodeCode& code) const {
  return code.scale * code.scale * static_cast<float>(SquareOfCode(code.bytes(), code.sum));
}

double CodeSpace::ShareLeftOut(const float* row, const NodeCode& code) const {
  if (components_.AreAll() || metric_ == Metric::kInnerProduct) return 0;
  const double left_out = components_.SquareOfOthers(row, mean_.data());
  if (left_out < 1e-60) return 0;  // a row that is the mean
  return std::isfinite(left_out) ? left_out / (left_out + double{code.term}) : 1;
}

bool CodeSpace::IsCoarse(const NodeCode& code) const {
  if (metric_ != Metric::kInnerProduct) return false;
  const std::int32_t squares = SquareOfCode(code.bytes(), code.sum);
  return squares > 0 && static_cast<double>(squares) < kCoarseSquare * static_cast<double>(mean_.size());
}

float CodeSpace::PointNormSquared(const NodeCode& code) const {
  return std::max(0.0F, metric_offset_ - 2 * code.term + NormSquared(code));
}

CodeSpace::QueryError CodeSpace::ErrorOf(const NodeCode& query) const {
  // A component of the query is wrong by up to s / 2, s^2 / 12 on the average of squares.
  QueryError error{.variance = double{query.scale} * query.scale / 12};
  if (metric_ == Metric::kInnerProduct) {
    error.norm_squared = PointNormSquared(query);
  } else if (!components_.AreAll()) {
    error.left_out = std::sqrt(std::max(0.0F, query.term - NormSquared(query)));
  }
  return error;
}

CodeExcess CodeSpace::ExcessWith(const QueryError& query, const NodeCode& row, double residual) const {
  // Each side's error is spread over all directions. In double: products of four lengths may be beyond float32.
  const auto components = static_cast<double>(centre_.size());
  const double row_variance = residual * residual / components;
  const double both = row_variance + query.variance;
  // With rows a, b and errors d, e: |a + d - b - e|^2 - |a - b|^2 = 2 (a - b).(d - e) + |d - e|^2.
  if (metric_ != Metric::kInnerProduct) {
    const double of_others = query.left_out > 0 ? 2 * query.left_out * residual : 0;  // a residual may be infinite
    return {.per_root = kDeviations * 2 * std::sqrt(both), .constant = both * components + of_others};
  }
  // (a + d).(b + e) - a.b = a.e + b.d + d.e.
  const double variance = row_variance * query.norm_squared + query.variance * PointNormSquared(row);
  return {.per_root = 0, .constant = kDeviations * std::sqrt(variance)};
}

CodeExcess CodeSpace::ExcessOf(const QueryError& query, const NodeCode& row) const {
  return ExcessWith(query, row, row.residual);
}

CodeExcess CodeSpace::ExcessNear(const QueryError& query, const NodeCode& row) const {
  const double steps = bits_ == CodeBits::kFive ? kLargest / kLargestPacked : 1;  // of rows, in the query's
  const double rounding = steps * std::sqrt(query.variance * static_cast<double>(centre_.size()));
  CodeExcess excess = ExcessWith(query, row, std::max<double>(row.residual, rounding));
  excess.constant += 2 * query.left_out * query.left_out;
  return excess;
}

float CodeSpace::BoundOf(const NodeCode& query, float metric_distance) const {
  // A code of zeros stands for what is too far away.
  if (query.term >= kMaxNormSquared) return kNoBound;
  const float sum_rounding = kSumRounding * static_cast<float>(mean_.size()) + kDistanceRounding;
  float square = std::max(0.0F, DistanceOf(metric_distance));
  if (metric_ == Metric::kCosine) {
    // |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, of lengths near 1.
    square += 2 * (sum_rounding + kNormRounding);
  } else {
    square *= 1 + sum_rounding;
  }
  return (std::sqrt(square) + query.residual) * (1 + kDistanceRounding);
}

}  // namespace vdb
