// int8 codes of rows: their distances against double arithmetic, and what they say of their own errors.

#include "vdb/index/code_space.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "tests/index/index_under_test.h"
#include "vdb/index/measured_code_space.h"

namespace vdb {
namespace {

constexpr std::uint32_t kRows = 400;

std::vector<NodeCode> Encoded(const CodeSpace& space, const float* row, bool is_query = false) {
  std::vector<NodeCode> code((is_query ? space.query_bytes() : space.node_bytes()) / sizeof(NodeCode));
  if (is_query) {
    space.EncodeQuery(row, code.data());
  } else {
    space.Encode(row, code.data());
  }
  return code;
}

std::vector<NodeCode> AsQuery(const CodeSpace& space, const NodeCode& row) {
  std::vector<NodeCode> query(space.query_bytes() / sizeof(NodeCode));
  space.ToQuery(row, query.data());
  return query;
}

float DistanceTo(const CodeSpace& space, const NodeCode& query, const NodeCode& row) {
  return space.Distance(query, row, space.Dot(query, row));
}
float DistanceBetween(const CodeSpace& space, const NodeCode& a, const NodeCode& b) {
  return DistanceTo(space, AsQuery(space, a).front(), b);
}

// The points that codes of a space stand for; a rotation adds components, which are 0 in rows.
class Points {
 public:
  explicit Points(const CodeSpace& space) : space_(space) {
    const bool is_rotated = space.rotation() != RotationKind::kNone;
    const std::size_t components = is_rotated ? space.code_size() : space.dim();
    for (std::size_t i = 0; i < components; ++i) {
      std::vector<float>& axis = axes_.emplace_back(components);
      axis[i] = 1;
      if (is_rotated) Rotation(components).Apply(axis.data());
    }
  }

  std::vector<double> operator()(const NodeCode& code) const {
    std::vector<double> point(space_.mean().begin(), space_.mean().end());
    point.resize(axes_.size());
    const std::vector<NodeCode> query = AsQuery(space_, code);
    for (std::size_t i = 0; i < point.size(); ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < point.size(); ++j) sum += double{axes_[i][j]} * query.front().bytes()[j];
      point[i] += double{code.scale} * sum;
    }
    return point;
  }

 private:
  const CodeSpace& space_;
  Rows axes_;  // where each component went
};

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
  if (metric == Metric::kInnerProduct) return -sum;
  return metric == Metric::kL2Squared ? sum : 1 - sum;
}

struct Case {
  Metric metric;
  std::size_t dim;
  RotationKind rotation;
  CodeBits bits = CodeBits::kEight;
};

bool All(std::uint32_t slot) {
  static_cast<void>(slot);
  return true;
}

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

  // Of the first rows, with the rotation and the bits of this case whatever the rows are.
  static CodeSpace MakeSpace(const VectorView& view, std::uint32_t rows = kRows) {
    const CodeSpace measured = MeasureCodeSpace(GetParam().metric, view, rows, All);
    const std::vector<float> mean(measured.mean().begin(), measured.mean().end());
    return {GetParam().metric,
            mean,
            measured.LargestNorm(),
            CodeComponents(mean.size()),
            {.rotation = GetParam().rotation, .bits = GetParam().bits}};
  }

  IndexUnderTest index_;
};

std::vector<Case> Cases(const std::vector<std::size_t>& dims, const std::vector<std::size_t>& rotated_dims) {
  std::vector<Case> cases;
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    for (const std::size_t dim : dims) cases.push_back({metric, dim, RotationKind::kNone});
    for (const std::size_t dim : rotated_dims) cases.push_back({metric, dim, RotationKind::kHadamard});
    if (metric == Metric::kInnerProduct) continue;
    for (const std::size_t dim : dims) cases.push_back({metric, dim, RotationKind::kNone, CodeBits::kFive});
  }
  return cases;
}
std::string CaseName(const ::testing::TestParamInfo<Case>& test) {
  return std::string(MetricName(test.param.metric)) + "_" + std::to_string(test.param.dim) +
         (test.param.rotation == RotationKind::kNone ? "" : "_rotated") +
         (test.param.bits == CodeBits::kEight ? "" : "_packed");
}
INSTANTIATE_TEST_SUITE_P(All, Codes, ::testing::ValuesIn(Cases({1, 7, 64, 100, 384, 784}, {1, 7, 64, 100, 384})),
                         CaseName);

// Errors of few components are not spread over all directions.
class Excess : public Codes {};
INSTANTIATE_TEST_SUITE_P(All, Excess, ::testing::ValuesIn(Cases({64, 100, 384, 784}, {64, 100, 384})), CaseName);

// Between codes, under cosine too, distances are those between the points; cosine's own is of rows of length 1.
TEST_P(Codes, DistancesAreThoseBetweenTheirPoints) {
  const VectorView view = index_.vectors().view();
  const Metric metric = GetParam().metric;
  const CodeSpace space = MakeSpace(view);
  ASSERT_EQ(space.rotation(), GetParam().rotation);
  const Points point_of(space);
  const Metric of_points = metric == Metric::kInnerProduct ? metric : Metric::kL2Squared;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto a = Encoded(space, view.row(i));
    const std::vector<double> point = point_of(a[0]);
    double mean_norm = 0;
    for (const float x : space.mean()) mean_norm += double{x} * x;
    for (std::uint32_t j = 0; j < 40; ++j) {
      const auto b = Encoded(space, view.row(j));
      const std::vector<double> other = point_of(b[0]);
      const double exact = MetricDistance(of_points, point.size(), point.data(), other.data());
      const double wanted = metric == Metric::kInnerProduct ? exact + mean_norm : exact;
      const double sizes = std::abs(a[0].term) + std::abs(b[0].term) + std::abs(wanted) + 1e-3;
      EXPECT_NEAR(DistanceBetween(space, a[0], b[0]), wanted, 4e-6 * sizes) << i << " " << j;
      EXPECT_EQ(DistanceBetween(space, a[0], b[0]), DistanceBetween(space, b[0], a[0]));
    }
  }
}

TEST_P(Codes, EqualRowsHaveEqualCodesAtDistanceZero) {
  const VectorView view = index_.vectors().view();
  const CodeSpace space = MakeSpace(view);
  for (std::uint32_t i = 0; i < kRows; i += 3) {
    const std::vector<float> copy(view.row(i), view.row(i) + view.dim);
    const auto a = Encoded(space, view.row(i));
    const auto b = Encoded(space, copy.data());
    EXPECT_EQ(std::memcmp(&a[0], &b[0], space.node_bytes()), 0);
    if (GetParam().metric != Metric::kInnerProduct) {
      EXPECT_EQ(DistanceBetween(space, a[0], b[0]), 0.0F);
    }
    const auto query = Encoded(space, view.row(i), true);
    EXPECT_EQ(query[0].sum, std::accumulate(query[0].bytes(), query[0].bytes() + space.code_size(), 0));
    if (space.bits() == CodeBits::kEight) {
      EXPECT_EQ(std::memcmp(query[0].bytes(), a[0].bytes(), space.code_bytes()), 0);
      EXPECT_EQ(query[0].term, a[0].term);
    }
  }
}

TEST_P(Codes, TheResidualBoundsTheDistanceFromRowToPoint) {
  const VectorView view = index_.vectors().view();
  const CodeSpace space = MakeSpace(view);
  const Points point_of(space);
  const bool is_rotated = GetParam().rotation != RotationKind::kNone;
  const auto components = static_cast<double>(is_rotated ? space.code_size() : view.dim);
  for (std::uint32_t i = 0; i < kRows; i += is_rotated ? 7 : 1) {
    const auto code = Encoded(space, view.row(i));
    std::vector<float> row(view.row(i), view.row(i) + view.dim);
    row.resize(space.code_size());
    const double error = Difference(point_of(code[0]), row.data());
    // What rounding adds in a rotation, and what residuals have room for.
    const double length = double{code[0].scale} * 127 * std::sqrt(components);
    EXPECT_GE(code[0].residual, error);
    EXPECT_LE(code[0].residual, error * (1 + 1e-6) + 1e-30 + (is_rotated ? 6e-6 * length : 0));
    // No component is wrong by more than half a step.
    EXPECT_LE(error, 0.501 * code[0].scale * std::sqrt(components) + 1e-12);
  }
}

// Such a row is ranked again, whatever its code says.
TEST_P(Excess, IsInfiniteForARowOutOfRange) {
  const VectorView view = index_.vectors().view();
  const CodeSpace space = MakeSpace(view);
  const std::vector<float> far(view.dim, 3e38F);
  const auto row = Encoded(space, far.data());
  const CodeSpace::QueryError error = space.ErrorOf(Encoded(space, view.row(0), true)[0]);
  EXPECT_EQ(space.ExcessOf(error, row[0]).At(1), std::numeric_limits<float>::infinity());
  EXPECT_EQ(space.ExcessOf(error, row[0]).At(0), std::numeric_limits<float>::infinity());
}

// Excess is three deviations beyond the average: the root of the mean square of errors is a third of it.
TEST_P(Excess, IsThreeTimesWhatIsMeasured) {
  const VectorView view = index_.vectors().view();
  const auto [metric, dim, rotation, bits] = GetParam();
  const CodeSpace space = MakeSpace(view);
  ASSERT_EQ(space.rotation(), rotation);
  ASSERT_EQ(space.bits(), bits);
  double squares = 0;
  int pairs = 0;
  int beyond = 0;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto query = Encoded(space, view.row(i), true);
    const CodeSpace::QueryError error = space.ErrorOf(query[0]);
    for (std::uint32_t j = 60; j < kRows; ++j) {
      const auto row = Encoded(space, view.row(j));
      const double exact = MetricDistance(metric, dim, view.row(i), view.row(j));
      // In double: DistanceOf takes the metric's distance, whose own rounding is no error of the codes.
      const double wanted =
          (double{space.DistanceOf(1)} - double{space.DistanceOf(0)}) * exact + double{space.DistanceOf(0)};
      const float distance = DistanceTo(space, query[0], row[0]);
      const double share = (distance - wanted) / double{space.ExcessOf(error, row[0]).At(distance)};
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
  const CodeSpace space = MeasureCodeSpace(GetParam().metric, view, 301, odd);
  for (std::size_t i = 0; i < view.dim; ++i) {
    double sum = 0;
    for (std::uint32_t slot = 1; slot < 301; slot += 2) sum += double{view.row(slot)[i]};
    EXPECT_EQ(space.mean()[i], static_cast<float>(sum / 150));
  }
  const CodeSpace of_none = MeasureCodeSpace(GetParam().metric, view, kRows, [](std::uint32_t) { return false; });
  for (const float x : of_none.mean()) EXPECT_EQ(x, 0.0F);
}

// Squares of such rows are beyond float32, and what a damaged file holds may be no number at all. Distances stay
// numbers: a pool or a sort that met a NaN would be lost.
TEST_P(Codes, DistancesAreFiniteWhateverTheRows) {
  const std::size_t dim = GetParam().dim;
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
    const CodeSpace space = MakeSpace(view, mean_of);
    for (const float x : space.mean()) EXPECT_TRUE(std::isfinite(x));
    std::vector<std::vector<NodeCode>> codes;
    for (std::uint32_t i = 0; i < rows.size(); ++i) codes.push_back(Encoded(space, view.row(i)));
    for (const auto& a : codes) {
      for (const auto& b : codes) EXPECT_TRUE(std::isfinite(DistanceBetween(space, a[0], b[0])));
    }
    for (int i = 0; i < 5 && mean_of == 5; ++i) EXPECT_GT(codes[i][0].scale, 0) << "ordinary rows have a code";
  }
}

// Lengths and distances are kept, and a vector that lies along one axis is spread over all components.
TEST(Rotations, KeepDistancesAndSpreadWhatIsInOnePlace) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (const std::size_t size : {16, 32, 48, 112, 384, 784, 1'008, 1'024, 1'536, 4'112}) {
    const Rotation rotation(size);
    EXPECT_EQ(rotation.size(), size);
    std::vector<float> a(size);
    std::vector<float> b(size);
    for (float& x : a) x = normal(random);
    for (float& x : b) x = normal(random);
    const std::vector<double> a_before(a.begin(), a.end());
    const double distance = Difference(a_before, b.data());
    const double length = Difference(a_before, std::vector<float>(size).data());
    rotation.Apply(a.data());
    rotation.Apply(b.data());
    const std::vector<double> a_after(a.begin(), a.end());
    EXPECT_NEAR(Difference(a_after, b.data()), distance, 1e-6 * distance) << size;
    EXPECT_NEAR(Difference(a_after, std::vector<float>(size).data()), length, 1e-6 * length) << size;
    for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
      std::vector<float> axis(size);
      axis[place] = 1;
      rotation.Apply(axis.data());
      float largest = 0;
      for (const float x : axis) largest = std::max(largest, std::abs(x));
      EXPECT_LE(largest, 7 / std::sqrt(static_cast<float>(size))) << size << " " << place;
    }
  }
}

// Rows of 384 components, three of them `factor` times as large.
Rows OutlierRows(float factor, float offset) {
  Rows rows = ClusteredRows(2'000, {.clusters = 40, .dim = 384, .intrinsic = 32});
  for (std::vector<float>& row : rows) {
    for (std::size_t i = 5; i < row.size(); i += 128) row[i] = row[i] * factor + offset;
  }
  return rows;
}

RotationKind Chosen(const Rows& rows, const std::function<bool(std::uint32_t)>& use,
                    Metric metric = Metric::kL2Squared) {
  IndexUnderTest index(metric, rows.front().size());
  index.Add(rows);
  return MeasureCodeSpace(metric, index.vectors().view(), static_cast<std::uint32_t>(rows.size()), use).rotation();
}

TEST(Rotations, AreChosenWhereAFewComponentsOutweighTheOthers) {
  EXPECT_EQ(Chosen(OutlierRows(1, 0), All), RotationKind::kNone);
  EXPECT_EQ(Chosen(OutlierRows(1, 50), All), RotationKind::kNone) << "the mean takes it away";
  EXPECT_EQ(Chosen(OutlierRows(3, 0), All), RotationKind::kNone);
  EXPECT_EQ(Chosen(OutlierRows(10, 0), All), RotationKind::kHadamard);
  EXPECT_EQ(Chosen(OutlierRows(50, 50), All), RotationKind::kHadamard);
  EXPECT_EQ(Chosen(OutlierRows(50, 0), All, Metric::kCosine), RotationKind::kHadamard);
  EXPECT_EQ(Chosen(OutlierRows(50, 0), All, Metric::kInnerProduct), RotationKind::kNone);
  EXPECT_EQ(Chosen(OutlierRows(50, 0), [](std::uint32_t) { return false; }), RotationKind::kNone);
  EXPECT_EQ(Chosen(Rows(100, std::vector<float>(384, 1.5F)), All), RotationKind::kNone);
  Rows mixed = OutlierRows(1, 0);
  const Rows outliers = OutlierRows(50, 0);
  for (std::size_t i = 0; i < mixed.size(); i += 10) mixed[i] = outliers[i];
  EXPECT_EQ(Chosen(mixed, All), RotationKind::kHadamard) << "a tenth of the rows";
  EXPECT_EQ(Chosen(mixed, [](std::uint32_t slot) { return slot % 10 != 0; }), RotationKind::kNone);
}

}  // namespace
}  // namespace vdb
