// Measures a graph's recall curve on its own rows.
//
// A sample of rows are queries; each is hidden from its own walk, so that it is no easier to answer than a vector that
// is not stored, and exact search over the other rows is the truth. What comes out is an average over queries that are
// like the rows. Thread safety: reads what readers may read.
#ifndef VDB_INDEX_CALIBRATION_H_
#define VDB_INDEX_CALIBRATION_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/recall_curve.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/visibility.h"

namespace vdb {

struct CalibrationInput {
  const Graph& graph;
  const VectorView& vectors;
  const DistanceFunction& distance;
  const Deaths& deaths;
  Clock clock;
  std::function<bool(std::uint32_t)> has_row = nullptr;  // null: all
};

// Fewer linked rows are not measured.
inline constexpr std::uint32_t kMinCalibrationRows = 1'000;

// Nothing if stop() said so meanwhile, or there are too few rows. Cost: a scan of all rows for some hundred queries at
// once, and some thousand walks. Throws std::bad_alloc.
std::optional<RecallCurve> Calibrate(const CalibrationInput& input, const std::function<bool()>& stop);

}  // namespace vdb

#endif  // VDB_INDEX_CALIBRATION_H_
