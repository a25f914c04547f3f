// int8 codes of rows: what a walk compares instead of the float32 rows, at a quarter of their bytes.
//
// A row loses the mean that all rows of a graph share, and is scaled by its own largest component to 127:
// c = round((x - mean) / s). Where that tells neighbours apart, rows are scaled to 15 and packed, 5 bits a component
// (simd/packed_code.h), but no query is. Components in which rows hardly differ are left out (code_components.h). Where
// a few components would be so much larger that the others got hardly a bit, x - mean is rotated first. Distances
// between codes are those between the points mean + s c (turned back), exact but for float32 rounding: 0 between equal
// codes. They order as the metric's distances do (DistanceOf says which number they are). Thread safety: immutable.
// Source: per-vector scales as in LVQ (Aguerrebere et al. 2023, arXiv 2304.04759).
#ifndef VDB_INDEX_CODE_SPACE_H_
#define VDB_INDEX_CODE_SPACE_H_

#include <vdb/types.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "vdb/index/code_components.h"
#include "vdb/index/rotation.h"
#include "vdb/simd/code_kernels.h"

namespace vdb {

// Of a component in a row's code. Persistent: never renumber.
enum class CodeBits : std::uint8_t { kFive = 5, kEight = 8 };

// How the components of a code are held. With a rotation and for inner product 8 bits.
struct CodeForm {
  RotationKind rotation = RotationKind::kNone;
  CodeBits bits = CodeBits::kEight;
};

// A row's code, or a query's, with what its distances need. The bytes of the code follow it.
struct NodeCode {
  float scale = 0;       // s
  float term = 0;        // what the row adds to each of its distances
  float residual = 0;    // |x - mean - s c|, no less than that; components that are left out count in whole
  std::int32_t sum = 0;  // of the components

  const std::int8_t* bytes() const { return reinterpret_cast<const std::int8_t*>(this + 1); }
};

// By how much distances of codes may be greater than those of the rows: what grows with their root, and the rest.
struct CodeExcess {
  double per_root = 0;
  double constant = 0;

  float At(float distance) const {
    return static_cast<float>(distance > 0 ? per_root * std::sqrt(double{distance}) + constant : constant);
  }
};

class CodeSpace {
 public:
  // What is farther from the mean gets a code of zeros, so that distances of codes are always numbers. Those of the
  // float32 rows are infinite before that, except for inner products with something small.
  static constexpr float kMaxNormSquared = 1e37F;

  // largest_norm: of the rows, about; see LargestNorm. components: of rows of mean's size; all, for a rotation.
  CodeSpace(Metric metric, std::vector<float> mean, float largest_norm, const CodeComponents& components,
            CodeForm form = {});
  // With all components.
  CodeSpace(Metric metric, const std::vector<float>& mean, float largest_norm,
            RotationKind rotation = RotationKind::kNone);

  std::size_t dim() const { return mean_.size(); }
  std::span<const float> mean() const { return mean_; }
  Metric metric() const { return metric_; }
  const CodeComponents& components() const { return components_; }
  RotationKind rotation() const { return rotation_ ? RotationKind::kHadamard : RotationKind::kNone; }
  // |x| of the longest of the rows that were measured: no inner product of a query q is much above |q| times that.
  float LargestNorm() const { return largest_norm_; }
  // What makes distances of a query of this norm not negative: 0 but for inner product.
  float StopBase(float query_norm) const {
    return metric_ == Metric::kInnerProduct ? query_norm * largest_norm_ - metric_offset_ : 0;
  }
  // The same for a query that is a row.
  float StopBaseOf(const NodeCode& row) const {
    return metric_ == Metric::kInnerProduct ? StopBase(std::sqrt(PointNormSquared(row))) : 0;
  }
  CodeBits bits() const { return bits_; }
  // Components of a code, zeros at its end included; a multiple of simd::kCodeUnit.
  std::size_t code_size() const { return code_size_; }
  // Of a row's code, and with what stands before it.
  std::size_t code_bytes() const { return code_bytes_; }
  std::size_t node_bytes() const { return sizeof(NodeCode) + code_bytes_; }
  // Of a query: a byte a component.
  std::size_t query_bytes() const { return sizeof(NodeCode) + code_size_; }

  // out: node_bytes(), aligned as NodeCode. Throws std::bad_alloc: of rotated rows, of some components
  // and of long ones.
  void Encode(const float* row, NodeCode* out) const;
  // A walk's query; out: query_bytes(). Without the residual, which a walk does not need. To each of its distances it
  // adds what the components that are left out of codes do, as far as they are its own.
  void EncodeQuery(const float* row, NodeCode* out) const;
  // A scan's query, with its residual.
  void EncodeScanQuery(const float* row, NodeCode* out) const;
  // The query that stands where row's code does; out: query_bytes().
  void ToQuery(const NodeCode& row, NodeCode* out) const;

  // Sums over the components of a query's times a row's, for Distance.
  std::int32_t Dot(const NodeCode& query, const NodeCode& row) const {
    return dot_({.code = query.bytes(), .sum = query.sum}, row.bytes(), code_size_);
  }
  void DotFour(const NodeCode& query, const NodeCode* const rows[4], std::int32_t out[4]) const {
    const std::int8_t* const bytes[4] = {rows[0]->bytes(), rows[1]->bytes(), rows[2]->bytes(), rows[3]->bytes()};
    dot_x4_({.code = query.bytes(), .sum = query.sum}, bytes, code_size_, out);
  }
  float Distance(const NodeCode& a, const NodeCode& b, std::int32_t dot) const {
    return a.term + b.term - factor_ * a.scale * b.scale * static_cast<float>(dot);
  }
  // The distance that codes without error would have, from the metric's (see DistanceFunction).
  float DistanceOf(float metric_distance) const { return metric_scale_ * metric_distance + metric_offset_; }
  // What the errors of a query's code do to its distances, the same for all rows.
  struct QueryError {
    double variance = 0;      // of a component
    double norm_squared = 0;  // of the query; for inner product only
    double left_out = 0;      // length of what the query has in components that are left out
  };
  QueryError ErrorOf(const NodeCode& query) const;
  // By how much Distance between query and row may be greater than DistanceOf: what it is on the average and three
  // standard deviations, taking rounding errors as independent of rows and of each other; and as much as what query and
  // row have in components that are left out can be.
  CodeExcess ExcessOf(const QueryError& query, const NodeCode& row) const;
  // The same for any row whose rounding errors are like row's, or as the query's would be if it were a row, and which
  // may be all that the query is in what is left out.
  CodeExcess ExcessNear(const QueryError& query, const NodeCode& row) const;

  // Of what rows have in all components, |x - mean|^2, the most that may be in those that are left out, on the average;
  // with more, codes serve them badly. Ten times what is left out of the rows that are measured.
  static constexpr double kMostLeftOut = 5e-3;
  // A row that has more than this of its own in them is an odd one.
  static constexpr double kOddShare = 0.1;
  // What a row has in them, the error of the others included; 0 where all are held, and for inner product.
  double ShareLeftOut(const float* row, const NodeCode& code) const;

  // Whether a code is of few large components, and of the many others little is left. Never but for inner product: for
  // other metrics such rows are rotated.
  bool IsCoarse(const NodeCode& code) const;

  // Proofs, by the triangle inequality: not for inner products. A row is farther from the query than metric_distance,
  // as the float32 kernels compute it, if IsBeyond(query, row, Distance(query, row), BoundOf(query, metric_distance)),
  // whatever rounding did to rows, codes and distances. query: of EncodeScanQuery.
  static constexpr float kNoBound = std::numeric_limits<float>::infinity();
  float BoundOf(const NodeCode& query, float metric_distance) const;
  bool IsBeyond(const NodeCode& query, const NodeCode& row, float distance, float bound) const {
    const float radius = bound + row.residual;
    // Of no scale are also codes of rows that have none.
    return distance > radius * radius + kTermRounding * (query.term + row.term) && row.scale > 0;
  }

 private:
  // Distance is the sum of three numbers of float32, of which none is greater than the first two together: an error of
  // 2^-24 in each, in each operation and in the radius, and room for as much again.
  static constexpr float kTermRounding = 1e-6F;
  // What is encoded, with centre_ as its mean: the row's components, or those of row - mean rotated, in memory of the
  // thread. Null if that is too long to be rotated.
  const float* ToCodeSpace(const float* row) const;
  // Components of at most `largest`, into code; out gets what stands before it.
  void EncodeComponents(const float* components, float largest, std::int8_t* code, NodeCode* out) const;
  void EncodeWithResidual(const float* row, float largest, std::int8_t* code, NodeCode* out) const;
  // The code of what has none.
  void SetZero(std::int8_t* code, NodeCode* out) const;
  // The sum of the squares of a code's components, which are not packed; here and below.
  std::int32_t SquareOfCode(const std::int8_t* code, std::int32_t sum) const;
  // Of s c, without the mean.
  float NormSquared(const NodeCode& code) const;
  CodeExcess ExcessWith(const QueryError& query, const NodeCode& row, double residual) const;
  // Of mean + s c, for inner product.
  float PointNormSquared(const NodeCode& code) const;

  const Metric metric_;
  const std::vector<float> mean_;
  const float largest_norm_;
  const CodeComponents components_;
  const CodeBits bits_;
  const std::size_t code_size_;
  const std::size_t code_bytes_;
  const simd::CodeKernels& kernels_;
  decltype(simd::CodeKernels::dot) const dot_;  // of a query and a row
  decltype(simd::CodeKernels::dot_x4) const dot_x4_;
  std::optional<Rotation> rotation_;
  std::vector<float> centre_;        // the components' mean, or zeros where that is subtracted before the rotation
  std::vector<float> rotated_mean_;  // or the components' mean, without a rotation
  float factor_ = 2;
  float metric_scale_ = 1;
  float metric_offset_ = 0;
};

}  // namespace vdb

#endif  // VDB_INDEX_CODE_SPACE_H_
