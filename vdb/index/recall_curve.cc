#include "vdb/index/recall_curve.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace vdb {
namespace {

// Linear between the last point below the target and the first that reaches it.
std::optional<float> FactorOf(std::span<const CurvePoint> points, float min_recall) {
  const auto reached = std::ranges::find_if(points, [&](const CurvePoint& p) { return p.recall >= min_recall; });
  if (reached == points.end()) return std::nullopt;
  if (reached == points.begin()) return reached->factor;
  const CurvePoint& below = *std::prev(reached);
  const float part = (min_recall - below.recall) / (reached->recall - below.recall);
  return below.factor + part * (reached->factor - below.factor);
}

}  // namespace

bool IsRecallCurve(std::span<const CurvePoint> points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const CurvePoint& point = points[i];
    if (point.k == 0 || !(point.factor >= 1) || !(point.recall >= 0 && point.recall <= 1)) return false;
    if (i == 0) continue;
    const CurvePoint& before = points[i - 1];
    if (before.k > point.k || (before.k == point.k && !(before.factor < point.factor))) return false;
  }
  return !points.empty();
}

std::optional<float> RecallCurve::FactorFor(std::size_t k, float min_recall) const {
  std::optional<float> smaller;
  std::uint32_t smaller_k = 0;
  for (auto begin = points_.begin(); begin != points_.end();) {
    const std::uint32_t measured = begin->k;
    const auto end = std::find_if(begin, points_.end(), [&](const CurvePoint& p) { return p.k != measured; });
    const std::optional<float> factor = FactorOf({begin, end}, min_recall);
    if (measured == k || (measured > k && smaller_k == 0)) return factor;
    if (measured > k && !(smaller && factor)) return std::nullopt;
    if (measured > k) {
      const double part =
          std::log(static_cast<double>(k) / smaller_k) / std::log(static_cast<double>(measured) / smaller_k);
      return static_cast<float>(*smaller + part * (*factor - *smaller));
    }
    smaller = factor;
    smaller_k = measured;
    begin = end;
  }
  return smaller;
}

}  // namespace vdb
