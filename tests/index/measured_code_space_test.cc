// Which components codes hold: those in which neighbours differ. And what codes without the others are good for.

#include "vdb/index/measured_code_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "tests/index/index_under_test.h"
#include "vdb/index/graph_copy.h"
#include "vdb/index/rerank.h"

namespace vdb {
namespace {

constexpr std::uint32_t kRows = 5'000;
constexpr std::size_t kDim = 256;
constexpr std::size_t kLoud = 100;
// What fits into the lines that codes of so many components take: two of 64 bytes, of which 16 say what they mean.
constexpr std::size_t kHeld = 112;

// Every other component, up to so many; the others are spread by `quiet`.
bool IsLoud(std::size_t component) {
  return component % 2 == 0 && component < 2 * kLoud;
}
Rows RowsWith(float quiet, std::size_t count = kRows, std::uint32_t seed = 2, float offset = 1.5F) {
  const Rows loud =
      ClusteredRows(count, {.clusters = 40, .dim = kLoud, .row_seed = seed, .spread = 0.7F, .intrinsic = kLoud});
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, quiet);
  Rows rows;
  for (const std::vector<float>& row : loud) {
    std::vector<float>& wide = rows.emplace_back(kDim, offset);
    for (std::size_t i = 0; i < kDim; ++i) wide[i] += IsLoud(i) ? row[i / 2] : normal(random);
  }
  return rows;
}

std::vector<std::uint32_t> Held(const Rows& rows, Metric metric = Metric::kL2Squared, std::uint32_t use_every = 1) {
  IndexUnderTest index(metric, rows.front().size());
  index.Add(rows);
  const CodeSpace space = MeasureCodeSpace(metric, index.vectors().view(), static_cast<std::uint32_t>(rows.size()),
                                           [&](std::uint32_t slot) { return slot % use_every == 0; });
  return {space.components().held().begin(), space.components().held().end()};
}

TEST(MeasuredComponents, AreThoseInWhichNeighboursDiffer) {
  for (const Metric metric : {Metric::kL2Squared, Metric::kCosine}) {
    for (const float quiet : {0.0F, 0.001F, 0.01F}) {
      // Divided by its length, what all rows have differs from row to row.
      const float offset = metric == Metric::kCosine ? 0 : 1.5F;
      const std::vector<std::uint32_t> held = Held(RowsWith(quiet, kRows, 2, offset), metric);
      ASSERT_EQ(held.size(), kHeld) << quiet;
      for (std::uint32_t i = 0; i < 2 * kLoud; i += 2) EXPECT_TRUE(std::ranges::binary_search(held, i)) << i;
    }
  }
}

TEST(MeasuredComponents, AreAllWhereNoneMayBeLeftOut) {
  const std::vector<std::uint32_t> all;
  EXPECT_EQ(Held(RowsWith(1)), all);
  EXPECT_EQ(Held(RowsWith(0.1F)), all) << "a hundredth of the square of a row";
  EXPECT_EQ(Held(RowsWith(0), Metric::kInnerProduct), all);
  EXPECT_EQ(Held(RowsWith(0, kMinRowsToMeasure - 1)), all);
  EXPECT_EQ(Held(RowsWith(0), Metric::kL2Squared, 2), all) << "too few rows that may be looked at";
  // Within a cluster rows agree in all that is loud.
  Rows rows;
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.01F);
  const Rows centres = RowsWith(0, 50);
  for (std::uint32_t i = 0; i < kRows; ++i) {
    std::vector<float>& row = rows.emplace_back(centres[i % centres.size()]);
    for (std::size_t c = 0; c < kDim; ++c) row[c] += IsLoud(c) ? 0 : normal(random);
  }
  EXPECT_EQ(Held(rows), all);
  rows = RowsWith(0);
  for (std::uint32_t i = 0; i < 3; ++i) {
    for (std::size_t c = 2 * kLoud; c < kDim; ++c) rows[100 * i + 51][c] += 1.2F;
  }
  EXPECT_EQ(Held(rows), all) << "three rows that have a quarter of their own elsewhere";
  EXPECT_EQ(Held(Rows(kRows, std::vector<float>(kDim, 1.5F))), all) << "rows that are all alike";
}

TEST(MeasuredComponents, SaveALineOrNothing) {
  Rows rows = ClusteredRows(kRows, {.clusters = 40, .dim = 128, .intrinsic = 128});
  for (std::vector<float>& row : rows) std::fill(row.begin(), row.begin() + 12, 3.0F);
  EXPECT_TRUE(Held(rows).empty()) << "116 take three lines, as 128 do";
  for (std::vector<float>& row : rows) std::fill(row.begin(), row.begin() + 16, 3.0F);
  EXPECT_EQ(Held(rows).size(), 112U);
}

CodeBits Bits(const Rows& rows, Metric metric = Metric::kL2Squared) {
  IndexUnderTest index(metric, rows.front().size());
  index.Add(rows);
  return MeasureCodeSpace(metric, index.vectors().view(), static_cast<std::uint32_t>(rows.size()),
                          [](std::uint32_t) { return true; })
      .bits();
}

// Of 16 dimensions, spread over all components, as embeddings are.
Rows ShallowRows(std::size_t count, std::size_t dim) {
  constexpr std::size_t kIntrinsic = 16;
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  Rows axes(kIntrinsic, std::vector<float>(dim));
  for (std::vector<float>& axis : axes) std::ranges::generate(axis, [&] { return normal(random); });
  Rows rows;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float>& row = rows.emplace_back(dim);
    for (const std::vector<float>& axis : axes) {
      const float length = normal(random);
      for (std::size_t c = 0; c < dim; ++c) row[c] += length * axis[c];
    }
  }
  return rows;
}

TEST(MeasuredBits, AreFiveWhereTheyTellNeighboursApart) {
  for (const std::size_t dim : {128U, 384U, 768U}) {
    EXPECT_EQ(Bits(ShallowRows(kRows, dim)), CodeBits::kFive) << dim;
    EXPECT_EQ(Bits(ShallowRows(kRows, dim), Metric::kCosine), CodeBits::kFive) << dim;
    EXPECT_EQ(Bits(ShallowRows(kRows, dim), Metric::kInnerProduct), CodeBits::kEight) << dim;
    EXPECT_EQ(Bits(ShallowRows(kMinRowsToMeasure - 1, dim)), CodeBits::kEight) << dim;
  }
  EXPECT_EQ(Bits(ShallowRows(kRows, 48)), CodeBits::kEight) << "one line of the cache either way";
  EXPECT_EQ(Bits(ShallowRows(kRows, 100)), CodeBits::kEight) << "two";
}

TEST(MeasuredBits, AreEightWhereMeasuringWasGivenUp) {
  IndexUnderTest index(Metric::kL2Squared, 384);
  index.Add(ShallowRows(kRows, 384));
  int asked = 0;
  const CodeSpace space = MeasureCodeSpace(
      Metric::kL2Squared, index.vectors().view(), kRows, [](std::uint32_t) { return true; },
      [&] { return ++asked == 2; });
  EXPECT_EQ(asked, 2) << "not at once";
  EXPECT_EQ(space.bits(), CodeBits::kEight);
  EXPECT_TRUE(space.components().AreAll());
}

// Fifty rows that differ by a thousandth of what they have in common: any five bits are those of all fifty.
TEST(MeasuredBits, AreEightAmongRowsThatAreNearlyTheSame) {
  Rows rows;
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  const Rows centres = ShallowRows(100, 384);
  for (std::uint32_t i = 0; i < kRows; ++i) {
    std::vector<float>& row = rows.emplace_back(centres[i % centres.size()]);
    for (float& x : row) x += 0.001F * normal(random);
  }
  EXPECT_EQ(Bits(rows), CodeBits::kEight);
}

// Of rows that are the same the codes are the same, too: they say nothing against five bits, and alone nothing for
// them.
TEST(MeasuredBits, AreNotDecidedByCopies) {
  Rows rows = ShallowRows(kRows, 384);
  for (std::size_t i = 0; i < rows.size(); i += 5) rows[i] = rows[0];
  EXPECT_EQ(Bits(rows), CodeBits::kFive);
  EXPECT_EQ(Bits(Rows(kRows, rows[0])), CodeBits::kEight);
}

class CodesOfSome : public ::testing::Test {
 protected:
  explicit CodesOfSome(float quiet = 0.01F) : index_(Metric::kL2Squared, kDim, 12, 2, CodeKind::kInt8) {
    index_.Add(RowsWith(quiet));
    index_.LinkAll(60);
  }

  const CodeSpace& space() const { return *index_.graph().code_space(); }
  std::vector<NodeCode> Room() const { return std::vector<NodeCode>(space().node_bytes() / sizeof(NodeCode)); }
  float Between(const NodeCode& a, const NodeCode& b) const { return space().Distance(a, b, space().Dot(a, b)); }

  IndexUnderTest index_;
};

// With queries that are large in what is left out, too: no row is farther than itself.
TEST_F(CodesOfSome, ProofsHold) {
  ASSERT_EQ(space().components().size(), kHeld);
  std::vector<NodeCode> memory = Room();
  std::size_t proven = 0;
  constexpr std::uint32_t kCompared = 1'000;
  Rows queries = RowsWith(0.01F, 20, 7);
  const Rows odd = RowsWith(0.5F, 20, 8);
  queries.insert(queries.end(), odd.begin(), odd.end());
  for (const std::vector<float>& query : queries) {
    space().EncodeScanQuery(query.data(), memory.data());
    const NodeCode& code = memory.front();
    for (std::uint32_t slot = 0; slot < kCompared; ++slot) {
      const NodeCode& row = index_.graph().Code(slot);
      const float distance = index_.distance()(query.data(), index_.vectors().view().row(slot));
      const float of_codes = Between(code, row);
      EXPECT_FALSE(space().IsBeyond(code, row, of_codes, space().BoundOf(code, distance))) << slot;
      proven += space().IsBeyond(code, row, of_codes, space().BoundOf(code, 0.9F * distance)) ? 1 : 0;
    }
  }
  EXPECT_GT(proven, 20 * kCompared * 8 / 10) << "of ordinary queries at least";
}

TEST_F(CodesOfSome, AQueryAddsWhatIsItsOwn) {
  const std::vector<float> row(index_.vectors().view().row(3), index_.vectors().view().row(3) + kDim);
  std::vector<NodeCode> memory = Room();
  space().Encode(row.data(), memory.data());
  EXPECT_EQ(Between(memory.front(), index_.graph().Code(3)), 0.0F);
  std::vector<float> query = row;
  query[255] = space().mean()[255] + 100;
  ASSERT_FALSE(std::ranges::binary_search(space().components().held(), 255U));
  space().EncodeQuery(query.data(), memory.data());
  EXPECT_NEAR(Between(memory.front(), index_.graph().Code(3)), 10'000, 1);
  query[255] = 3e38F;
  space().EncodeQuery(query.data(), memory.data());
  EXPECT_TRUE(std::isfinite(Between(memory.front(), index_.graph().Code(3))));
}

TEST_F(CodesOfSome, AreOutgrownByRowsThatDifferInTheOthers) {
  EXPECT_FALSE(index_.graph().CodesAreOutgrown());
  index_.Add(RowsWith(0.01F, 2'000, 3));
  index_.LinkAll(60);
  EXPECT_FALSE(index_.graph().CodesAreOutgrown()) << "rows as before";
  std::vector<float> far(kDim, 1.5F);
  far[255] = 3e38F;
  index_.Add(Rows{far});
  index_.LinkAll(60);
  EXPECT_FALSE(index_.graph().CodesAreOutgrown()) << "one row, however far";
  index_.Add(RowsWith(1, 500, 4));
  for (std::uint32_t slot = 7'001; slot < 7'501; slot += 50) index_.Kill(slot);
  index_.LinkAll(60);
  EXPECT_TRUE(index_.graph().CodesAreOutgrown());
}

TEST_F(CodesOfSome, AreOutgrownByMoreOddRowsThanAPoolHolds) {
  Rows odd = RowsWith(0.01F, 70, 9);
  for (std::vector<float>& row : odd) row[255] += 7;
  index_.Add(std::span(odd).first(60));
  index_.LinkAll(60);
  EXPECT_FALSE(index_.graph().CodesAreOutgrown());
  index_.Add(std::span(odd).subspan(60));
  index_.LinkAll(60);
  EXPECT_TRUE(index_.graph().CodesAreOutgrown());
}

TEST_F(CodesOfSome, AreNotOutgrownByRowsThatNobodyLooksAt) {
  const Rows loud = RowsWith(1, 500, 4);
  index_.Add(loud);
  for (std::uint32_t i = 0; i < loud.size(); ++i) index_.Kill(kRows + i);
  index_.LinkAll(60);
  EXPECT_FALSE(index_.graph().CodesAreOutgrown());
}

// Candidates are ranked again as far as query and rows may agree in what is left out.
TEST_F(CodesOfSome, RankingAgainReachesAsFarAsTheyMayBeWrong) {
  std::vector<NodeCode> query_code = Room();
  std::vector<NodeCode> row_code = Room();
  for (std::vector<float> query : RowsWith(0.01F, 20, 7)) {
    query[255] += 40;
    space().EncodeQuery(query.data(), query_code.data());
    const CodeSpace::QueryError error = space().ErrorOf(query_code.front());
    EXPECT_NEAR(error.left_out, 40, 1);
    for (std::vector<float> row : RowsWith(0.01F, 100, 8)) {
      row[255] += 0.5F;  // 40 times as much nearer than it looks
      space().Encode(row.data(), row_code.data());
      const float distance = Between(query_code.front(), row_code.front());
      const float exact = index_.distance()(query.data(), row.data());
      EXPECT_GT(distance, exact + 20);
      EXPECT_LE(distance - space().ExcessOf(error, row_code.front()).At(distance), exact);
    }
  }
}

// Rows around one that was measured, which differ in what codes hold; and some of them in a component that they leave
// out, in which the query is as those rows or as the others.
class RowsBesideOddOnes : public CodesOfSome {
 protected:
  static constexpr float kOdd = 10;

  std::vector<float> Near(float spread, float odd) {
    std::vector<float> row = base_;
    for (std::size_t c = 0; c < kDim; ++c) row[c] += IsLoud(c) ? normal_(random_) * spread : 0;
    row[255] += odd;
    return row;
  }
  // Twelve rows that look nearer and ten that are: a walk that stops before those has to keep them for rows to tell.
  void ExpectAllFound(float odd_nearer, float odd_farther, float odd_query) {
    Rows rows = RowsWith(0.01F, 4, 22);  // the walk begins at a raised node, which is none of the odd ones
    for (int i = 0; i < 12; ++i) rows.push_back(Near(0.4F, odd_nearer));
    for (int i = 0; i < 10; ++i) rows.push_back(Near(0.6F, odd_farther));
    index_.Add(rows);
    index_.LinkAll(60);
    for (std::uint32_t slot = kRows + 4; slot < kRows + 26; ++slot) ASSERT_EQ(index_.graph().LevelOf(slot), 0U);
    std::vector<float> query = base_;
    query[255] += odd_query;
    const GraphSearchResult found = index_.Walk(query, {.k = 10, .ef = AdaptivePool(10), .stop_factor = 1});
    ASSERT_EQ(found.hits.size(), 10U);
    for (const ScoredSlot& hit : found.hits) EXPECT_GE(hit.slot, kRows + 16) << hit.distance;
    EXPECT_EQ(found.hits, index_.Truth(query, 10));
  }

  std::vector<float> base_ = RowsWith(0.01F, 1, 21).front();
  std::mt19937 random_{13};
  std::normal_distribution<float> normal_;
};

TEST_F(RowsBesideOddOnes, AWalkKeepsThoseThatLookTooFar) {
  ExpectAllFound(0, kOdd, kOdd);
}

TEST_F(RowsBesideOddOnes, AWalkKeepsThoseBehindOthersThatLookTooNear) {
  ExpectAllFound(kOdd, 0, 0);
}

TEST_F(RowsBesideOddOnes, RankingAgainGoesOnBehindOneThatCannotEnter) {
  index_.Add(Rows{Near(0.4F, 0), Near(0.6F, 0), Near(0.75F, kOdd)});
  index_.LinkAll(60);
  std::vector<float> query = base_;
  query[255] += kOdd;
  std::vector<NodeCode> code = Room();
  space().EncodeQuery(query.data(), code.data());
  std::vector<ScoredSlot> candidates;
  for (std::uint32_t slot = kRows; slot < kRows + 3; ++slot) {
    candidates.push_back({.distance = Between(code.front(), index_.graph().Code(slot)), .slot = slot});
  }
  ASSERT_TRUE(std::is_sorted(candidates.begin(), candidates.end()));
  const CodeExcess excess = space().ExcessOf(space().ErrorOf(code.front()), index_.graph().Code(kRows + 1));
  ASSERT_GT(candidates[1].distance - candidates[0].distance, 2 * excess.At(candidates[1].distance));
  const std::vector<ScoredSlot> hits =
      Rerank({index_.graph(), index_.vectors().view(), index_.distance()}, query.data(), code.front(), candidates, 1);
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits.front().slot, kRows + 2);
}

// A graph whose rows have outgrown its codes gets codes of all components, and finds them again.
TEST_F(CodesOfSome, AreReplacedByCodesOfAll) {
  // Rows that are alike but for what is left out.
  Rows alike;
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 2'000; ++i) {
    std::vector<float>& row = alike.emplace_back(kDim, 1.5F);
    for (std::size_t c = 0; c < kDim; ++c) row[c] += IsLoud(c) ? 0 : normal(random);
  }
  const auto middle = alike.begin() + 1'900;
  index_.Add(std::span(alike.begin(), middle));
  index_.LinkAll(60);
  ASSERT_TRUE(index_.graph().CodesAreOutgrown());
  const Rows queries(middle, alike.end());
  const double before = index_.Recall(queries, 64);
  const auto all = std::make_shared<const CodeSpace>(WithAllComponents(space()));
  const VectorView view = index_.vectors().view();
  GraphCopy made(index_.shared_graph(), all);
  EXPECT_FALSE(made.Encode(view, &index_.pool(), [] { return true; }));
  EXPECT_TRUE(made.Encode(view, &index_.pool(), [] { return false; }));
  index_.Add(RowsWith(0.01F, 700, 5));  // linked meanwhile
  index_.LinkAll(60);
  const std::shared_ptr<Graph> copy = made.Finish(index_.vectors().view(), &index_.pool());
  EXPECT_FALSE(copy->CodesAreOutgrown());
  EXPECT_EQ(copy->linked(), index_.graph().linked());
  for (std::uint32_t slot = 0; slot < copy->linked(); ++slot) {
    for (std::uint32_t level = 0; level <= copy->LevelOf(slot); ++level) {
      ASSERT_TRUE(std::equal(copy->Links(slot, level), copy->Links(slot, level) + copy->Degree(level),
                             index_.graph().Links(slot, level)));
    }
  }
  std::vector<NodeCode> memory(all->node_bytes() / sizeof(NodeCode));
  for (const std::uint32_t slot : {7U, copy->linked() - 1}) {
    all->Encode(index_.vectors().view().row(slot), memory.data());
    EXPECT_EQ(std::memcmp(memory.data(), &copy->Code(slot), all->node_bytes()), 0);
  }
  index_.set_graph(copy);
  EXPECT_GT(index_.Recall(queries, 64), before + 0.1);
}

}  // namespace
}  // namespace vdb
