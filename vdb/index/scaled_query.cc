#include "vdb/index/scaled_query.h"

#include <algorithm>
#include <cmath>

namespace vdb {
namespace {

// Squares of float32 between them have lost nothing.
constexpr float kMinSquare = 1e-30F;
constexpr float kMaxSquare = 1e30F;

double LengthOf(const DistanceFunction& distance, const float* query, std::size_t dim) {
  const float square = -distance(query, query);
  if (square >= kMinSquare && square <= kMaxSquare) return std::sqrt(double{square});
  double squares = 0;
  for (std::size_t i = 0; i < dim; ++i) squares += double{query[i]} * query[i];
  return std::sqrt(squares);
}

}  // namespace

ScaledQuery::ScaledQuery(const DistanceFunction& distance, const float* query, std::size_t dim, const CodeSpace* space)
    : query_(query) {
  if (distance.metric() != Metric::kInnerProduct) return;
  const double length = LengthOf(distance, query, dim);
  if (!(length > 0)) return;
  // Longer than the rows is as good, and where these are short products must not come near what float32 ends with.
  const double wanted = space == nullptr ? 1 : std::max(1.0, double{space->LargestNorm()});
  exponent_ = static_cast<int>(std::lround(std::log2(wanted / length)));
  if (exponent_ == 0) return;
  const double factor = std::ldexp(1.0, exponent_);
  scaled_.resize(dim);
  for (std::size_t i = 0; i < dim; ++i) scaled_[i] = static_cast<float>(query[i] * factor);
}

float ScaledQuery::DistanceOf(float distance) const {
  return std::ldexp(distance, -exponent_);
}

}  // namespace vdb
