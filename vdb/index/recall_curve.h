// Which stop factor a recall target needs: what Calibrate has measured of a graph.
//
// Thread safety: immutable.
#ifndef VDB_INDEX_RECALL_CURVE_H_
#define VDB_INDEX_RECALL_CURVE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace vdb {

// One measurement: mean recall@k with a stop factor (StopRule with rank k). In files as it is here.
struct CurvePoint {
  std::uint32_t k = 0;
  std::uint32_t rows = 0;  // linked when it was measured
  float factor = 0;
  float recall = 0;
};

// Whether points are what a RecallCurve takes.
bool IsRecallCurve(std::span<const CurvePoint> points);

class RecallCurve {
 public:
  // points: by k, then by factor, both ascending.
  explicit RecallCurve(std::vector<CurvePoint> points) : points_(std::move(points)) {}

  std::span<const CurvePoint> points() const { return points_; }
  // Rows that the graph had when it was measured.
  std::uint32_t rows() const { return points_.empty() ? 0 : points_.front().rows; }

  std::size_t largest_k() const { return points_.empty() ? 0 : points_.back().k; }

  // The smallest factor whose recall is at least min_recall, between measured k by their logarithms; nothing if no
  // measured one reached it.
  std::optional<float> FactorFor(std::size_t k, float min_recall) const;

 private:
  std::vector<CurvePoint> points_;
};

}  // namespace vdb

#endif  // VDB_INDEX_RECALL_CURVE_H_
