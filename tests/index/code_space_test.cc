// int8 codes of rows: their distances against double arithmetic, and what they say of their own errors.

#include "vdb/index/code_space.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/index/index_under_test.h"

namespace vdb {
namespace {

constexpr std::uint32_t kRows = 400;

std::vector<NodeCode> Encoded(const CodeSpace& space, const float* row, bool is_query = false) {
  std::vector<NodeCode> code((space.node_bytes() + sizeof(NodeCode) - 1) / sizeof(NodeCode));
  if (is_query) {
    space.EncodeQuery(row, code.data());
  } else {
    space.Encode(row, code.data());
  }
  return code;
}

float DistanceBetween(const CodeSpace& space, const NodeCode& a, const NodeCode& b) {
  const simd::CodeQuery side{.code = a.bytes(), .sum = a.sum};
  return space.Distance(a, b, simd::ActiveCodeKernels().dot(side, b.bytes(), space.code_bytes()));
}

// The point that a code stands for.
std::vector<double> Point(const CodeSpace& space, const NodeCode& code) {
  std::vector<double> point(space.mean().begin(), space.mean().end());
  for (std::size_t i = 0; i < point.size(); ++i) point[i] += double{code.scale} * code.bytes()[i];
  return point;
}

double Difference(const std::vector<double>& a, const float* b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - double{b[i]}) * (a[i] - double{b[i]});
  return std::sqrt(sum);
}

// In double: of float32 rows or of points.
template <typename A, typename B>
double MetricDistance(Metric metric, std::size_t dim, const A* a, const B* b) {
  double sum = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    const double x = double{a[i]};
    const double y = double{b[i]};
    sum += metric == Metric::kL2Squared ? (x - y) * (x - y) : x * y;
  }
  return metric == Metric::kL2Squared ? sum : 1 - sum;
}

struct Case {
  Metric metric;
  std::size_t dim;
};

class Codes : public ::testing::TestWithParam<Case> {
 protected:
  Codes() : index_(GetParam().metric, GetParam().dim) { index_.Add(MakeRows()); }

  // Away from the origin, where the mean matters.
  static Rows MakeRows() {
    Rows rows = ClusteredRows(kRows, {.clusters = 8, .dim = GetParam().dim, .intrinsic = GetParam().dim});
    for (std::vector<float>& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) row[i] += i % 3 == 0 ? 2.0F : -0.5F;
    }
    return rows;
  }

  IndexUnderTest index_;
};

std::vector<Case> Cases(const std::vector<std::size_t>& dims) {
  std::vector<Case> cases;
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    for (const std::size_t dim : dims) cases.push_back({metric, dim});
  }
  return cases;
}
std::string CaseName(const ::testing::TestParamInfo<Case>& test) {
  return std::string(MetricName(test.param.metric)) + "_" + std::to_string(test.param.dim);
}
INSTANTIATE_TEST_SUITE_P(All, Codes, ::testing::ValuesIn(Cases({1, 7, 64, 100, 384, 784})), CaseName);

// Errors of few components are not spread over all directions.
class Excess : public Codes {};
INSTANTIATE_TEST_SUITE_P(All, Excess, ::testing::ValuesIn(Cases({64, 100, 384, 784})), CaseName);

bool All(std::uint32_t slot) {
  static_cast<void>(slot);
  return true;
}

// Between codes, under cosine too, distances are those between the points; cosine's own is of rows of length 1.
TEST_P(Codes, DistancesAreThoseBetweenTheirPoints) {
  const VectorView view = index_.vectors().view();
  const auto [metric, dim] = GetParam();
  const CodeSpace space = CodeSpace::Measure(metric, view, kRows, All);
  const Metric of_points = metric == Metric::kInnerProduct ? metric : Metric::kL2Squared;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto a = Encoded(space, view.row(i));
    const std::vector<double> point = Point(space, a[0]);
    double mean_norm = 0;
    for (const float x : space.mean()) mean_norm += double{x} * x;
    for (std::uint32_t j = 0; j < 40; ++j) {
      const auto b = Encoded(space, view.row(j));
      const std::vector<double> other = Point(space, b[0]);
      const double exact = MetricDistance(of_points, dim, point.data(), other.data());
      const double wanted = metric == Metric::kInnerProduct ? exact + mean_norm - 1 : exact;
      const double sizes = std::abs(a[0].term) + std::abs(b[0].term) + std::abs(wanted) + 1e-3;
      EXPECT_NEAR(DistanceBetween(space, a[0], b[0]), wanted, 4e-6 * sizes) << i << " " << j;
      EXPECT_EQ(DistanceBetween(space, a[0], b[0]), DistanceBetween(space, b[0], a[0]));
    }
  }
}

TEST_P(Codes, EqualRowsHaveEqualCodesAtDistanceZero) {
  const VectorView view = index_.vectors().view();
  const CodeSpace space = CodeSpace::Measure(GetParam().metric, view, kRows, All);
  for (std::uint32_t i = 0; i < kRows; i += 3) {
    const std::vector<float> copy(view.row(i), view.row(i) + view.dim);
    const auto a = Encoded(space, view.row(i));
    const auto b = Encoded(space, copy.data());
    EXPECT_EQ(std::memcmp(&a[0], &b[0], space.node_bytes()), 0);
    if (GetParam().metric != Metric::kInnerProduct) {
      EXPECT_EQ(DistanceBetween(space, a[0], b[0]), 0.0F);
    }
    const auto query = Encoded(space, view.row(i), true);
    EXPECT_EQ(query[0].term, a[0].term);
    EXPECT_EQ(query[0].sum, std::accumulate(a[0].bytes(), a[0].bytes() + space.code_bytes(), 0));
  }
}

TEST_P(Codes, TheResidualBoundsTheDistanceFromRowToPoint) {
  const VectorView view = index_.vectors().view();
  const CodeSpace space = CodeSpace::Measure(GetParam().metric, view, kRows, All);
  for (std::uint32_t i = 0; i < kRows; ++i) {
    const auto code = Encoded(space, view.row(i));
    const double error = Difference(Point(space, code[0]), view.row(i));
    EXPECT_GE(code[0].residual, error);
    EXPECT_LE(code[0].residual, error * (1 + 1e-6) + 1e-30);
    // No component is wrong by more than half a step.
    EXPECT_LE(error, 0.501 * code[0].scale * std::sqrt(static_cast<double>(view.dim)) + 1e-12);
  }
}

// Excess is three deviations beyond the average: the root of the mean square of errors is a third of it.
TEST_P(Excess, IsThreeTimesWhatIsMeasured) {
  const VectorView view = index_.vectors().view();
  const auto [metric, dim] = GetParam();
  const CodeSpace space = CodeSpace::Measure(metric, view, kRows, All);
  double squares = 0;
  int pairs = 0;
  int beyond = 0;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto query = Encoded(space, view.row(i), true);
    for (std::uint32_t j = 60; j < kRows; ++j) {
      const auto row = Encoded(space, view.row(j));
      const double exact = MetricDistance(metric, dim, view.row(i), view.row(j));
      // In double: DistanceOf takes the metric's distance, whose own rounding is no error of the codes.
      const double wanted =
          (double{space.DistanceOf(1)} - double{space.DistanceOf(0)}) * exact + double{space.DistanceOf(0)};
      const float distance = DistanceBetween(space, query[0], row[0]);
      const double share = (distance - wanted) / double{space.ExcessOf(query[0], row[0], distance)};
      squares += share * share;
      ++pairs;
      beyond += share > 1 ? 1 : 0;
    }
  }
  const double root = std::sqrt(squares / pairs);
  EXPECT_GE(root, 0.8 / 3);
  EXPECT_LE(root, 1.2 / 3);
  EXPECT_LE(beyond, pairs / 200);
}

TEST_P(Codes, TheMeanIsThatOfTheRowsInUse) {
  const VectorView view = index_.vectors().view();
  const auto odd = [](std::uint32_t slot) { return slot % 2 == 1; };
  const CodeSpace space = CodeSpace::Measure(GetParam().metric, view, 301, odd);
  for (std::size_t i = 0; i < view.dim; ++i) {
    double sum = 0;
    for (std::uint32_t slot = 1; slot < 301; slot += 2) sum += double{view.row(slot)[i]};
    EXPECT_EQ(space.mean()[i], static_cast<float>(sum / 150));
  }
  const CodeSpace of_none = CodeSpace::Measure(GetParam().metric, view, kRows, [](std::uint32_t) { return false; });
  for (const float x : of_none.mean()) EXPECT_EQ(x, 0.0F);
}

// Squares of such rows are beyond float32, and what a damaged file holds may be no number at all. Distances stay
// numbers: a pool or a sort that met a NaN would be lost.
TEST_P(Codes, DistancesAreFiniteWhateverTheRows) {
  const auto [metric, dim] = GetParam();
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Rows rows = MakeRows();
  rows.resize(5);
  for (const float odd : {1e-38F, 1e15F, 1e19F, 1e25F, kMax, -kMax, kInfinity, -kInfinity, std::nanf("")}) {
    rows.emplace_back(dim, odd);
    rows.emplace_back(rows.front())[dim / 2] = odd;
  }
  IndexUnderTest index(Metric::kL2Squared, dim);  // rows as they are
  index.Add(rows);
  const VectorView view = index.vectors().view();
  for (const std::uint32_t mean_of : {5U, 13U, 17U, static_cast<std::uint32_t>(rows.size())}) {
    const CodeSpace space = CodeSpace::Measure(metric, view, mean_of, All);
    for (const float x : space.mean()) EXPECT_TRUE(std::isfinite(x));
    std::vector<std::vector<NodeCode>> codes;
    for (std::uint32_t i = 0; i < rows.size(); ++i) codes.push_back(Encoded(space, view.row(i)));
    for (const auto& a : codes) {
      for (const auto& b : codes) EXPECT_TRUE(std::isfinite(DistanceBetween(space, a[0], b[0])));
    }
    for (int i = 0; i < 5 && mean_of == 5; ++i) EXPECT_GT(codes[i][0].scale, 0) << "ordinary rows have a code";
  }
}

}  // namespace
}  // namespace vdb
