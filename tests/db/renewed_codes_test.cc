// Codes that leave components out, or no longer may, are made anew while the collection is in use, and stay through
// reopening.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>

#include "tests/db/gate.h"
#include "tests/db/one_collection.h"
#include "vdb/util/mutex.h"
#include "vdb/util/steady_time.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 512;
constexpr std::size_t kLoud = 96;

// The last components are alike in all rows of a quiet collection.
std::vector<float> VectorOf(int i, bool is_loud_everywhere) {
  std::mt19937 random(static_cast<unsigned>(i));
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDim, 2.0F);
  for (std::size_t c = 0; c < (is_loud_everywhere ? kDim : kLoud); ++c) vector[c] += normal(random);
  return vector;
}

class RenewedCodes : public OneCollection {
 protected:
  RenewedCodes() : OneCollection({.dim = kDim, .metric = Metric::kL2Squared, .m = 8, .ef_construction = 40}) {}

  void Put(int begin, int end, bool is_loud_everywhere = false) {
    WriteBatch batch;
    for (int i = begin; i < end; ++i) {
      batch.Upsert(c(), {"r" + std::to_string(i), VectorOf(i, is_loud_everywhere), "{}"});
    }
    ASSERT_EQ(database_->Write(batch, {.durability = Durability::kOsBuffered}), OkStatus());
  }

  std::uint64_t BytesOfARow() {
    const CollectionStats stats = c().Stats().value();
    EXPECT_EQ(stats.linked, stats.slots);
    return stats.anonymous_bytes / stats.slots;
  }

  // Of the ten nearest of rows that are a little off.
  double Recall(int begin, int end, bool is_loud_everywhere = false) {
    std::size_t found = 0;
    std::size_t wanted = 0;
    for (int i = begin; i < end; i += 37) {
      std::vector<float> query = VectorOf(i, is_loud_everywhere);
      query[3] += 0.5F;
      const SearchResult truth = c().Search({.vector = query, .k = 10, .exact = true}).value();
      const SearchResult result = c().Search({.vector = query, .k = 10, .ef = 128}).value();
      EXPECT_EQ(result.plan, PlanKind::kSweep) << result.why;
      for (const Hit& hit : result.hits) found += hit.distance <= truth.hits.back().distance * 1.00001F ? 1 : 0;
      wanted += truth.hits.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }
};

TEST_F(RenewedCodes, AreSmallerOnceThereAreRowsEnoughAndLargerWhereTheyMustBe) {
  Passages renewed({"codes.renewed"});
  Put(0, 3'000);
  WriteBatch others;  // their rows, which nobody looks at, have zeros
  for (int i = 0; i < 100; ++i) {
    others.Upsert(c(), {.id = "without" + std::to_string(i), .payload = "{}", .without_vector = true});
  }
  ASSERT_EQ(database_->Write(others, {.durability = Durability::kOsBuffered}), OkStatus());
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  EXPECT_EQ(renewed.count(), 0U);
  const std::uint64_t at_first = BytesOfARow();
  Put(3'000, 7'000);
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  renewed.WaitBeyond(0);
  EXPECT_LT(BytesOfARow() + 300, at_first) << "bytes a row; 112 components of 512";
  const double recall = Recall(0, 7'000);
  EXPECT_GT(recall, 0.8);

  Reopen();  // which publishes
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  EXPECT_EQ(c().Stats().value().damage, "");
  EXPECT_LT(BytesOfARow() + 300, at_first);
  EXPECT_NEAR(Recall(0, 7'000), recall, 0.02);
  EXPECT_EQ(renewed.count(), 1U);

  Put(7'000, 9'000, true);
  ASSERT_EQ(c().Publish(), OkStatus());  // so that codes alone are new afterwards
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  renewed.WaitBeyond(1);
  EXPECT_GT(BytesOfARow() + 100, at_first);
  EXPECT_GT(Recall(7'000, 9'000, true), 0.8);
  EXPECT_NEAR(Recall(0, 7'000), recall, 0.05);

  Reopen();
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  EXPECT_GT(BytesOfARow() + 100, at_first);
  EXPECT_EQ(renewed.count(), 2U);
}

TEST_F(RenewedCodes, WaitForNobodyWhoReadsOrWrites) {
  Put(0, 7'000);
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  Gate gate("codes.before_renewal");
  Put(7'000, 9'000, true);
  gate.WaitUntilReached();  // in the background: nobody asked for it
  Scanner scanner = c().Scan().value();
  EXPECT_EQ(c().Delete("r5", {.durability = Durability::kOsBuffered}).value(), 1U);
  Put(9'000, 9'100, true);
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    const std::vector<float> query = VectorOf(8'500, true);
    while (!stop.load()) EXPECT_EQ(c().Search({.vector = query, .k = 1}).value().hits.at(0).id, "r8500");
  });
  gate.Open();
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  stop.store(true);
  reader.join();
  EXPECT_GT(Recall(7'000, 9'100, true), 0.8);
  EXPECT_EQ(c().Stats().value().records, 9'099U);
  std::size_t scanned = 0;
  while (scanner.Next().value()) ++scanned;
  EXPECT_EQ(scanned, 9'000U) << "as it was when the scan began";
  const SearchResult result = c().Search({.vector = VectorOf(5, false), .k = 1, .exact = true}).value();
  EXPECT_NE(result.hits.at(0).id, "r5");
}

// Of few dimensions, spread over all components; near ones are around twenty rows, at a twentieth of their distances.
std::vector<float> ShallowVectorOf(int i, bool is_near) {
  constexpr std::size_t kIntrinsic = 16;
  static const std::vector<float> axes = [] {
    std::mt19937 random(77);
    std::normal_distribution<float> normal;
    std::vector<float> components(kIntrinsic * kDim);
    for (float& x : components) x = normal(random);
    return components;
  }();
  std::mt19937 centre(static_cast<unsigned>(i % 20));
  std::mt19937 own(static_cast<unsigned>(i));
  std::normal_distribution<float> of_centre;
  std::normal_distribution<float> of_own;
  std::vector<float> vector(kDim);
  for (std::size_t axis = 0; axis < kIntrinsic; ++axis) {
    const float from_centre = of_own(own);
    const float length = is_near ? of_centre(centre) + 0.05F * from_centre : from_centre;
    for (std::size_t c = 0; c < kDim; ++c) vector[c] += length * axes[axis * kDim + c];
  }
  return vector;
}

class PackedCodes : public RenewedCodes {
 protected:
  void Put(int begin, int end, bool is_near) {
    WriteBatch batch;
    for (int i = begin; i < end; ++i) {
      batch.Upsert(c(), {"r" + std::to_string(i), ShallowVectorOf(i, is_near), "{}"});
    }
    ASSERT_EQ(database_->Write(batch, {.durability = Durability::kOsBuffered}), OkStatus());
    ASSERT_EQ(c().WaitForIndex(), OkStatus());
  }
  double Recall(int begin, int end, bool is_near) {
    std::size_t found = 0;
    std::size_t wanted = 0;
    for (int i = begin; i < end; i += 37) {
      const std::vector<float> query = ShallowVectorOf(i, is_near);
      const SearchResult truth = c().Search({.vector = query, .k = 10, .exact = true}).value();
      const SearchResult result = c().Search({.vector = query, .k = 10, .ef = 128}).value();
      for (const Hit& hit : result.hits) found += hit.distance <= truth.hits.back().distance ? 1 : 0;
      wanted += truth.hits.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }
};

TEST_F(PackedCodes, ArePackedOnceThereAreRowsEnoughAndNotWhereRowsAreTooNearEachOther) {
  Passages renewed({"codes.renewed"});
  Put(0, 3'000, false);
  const std::uint64_t at_first = BytesOfARow();
  EXPECT_EQ(renewed.count(), 0U);
  Put(3'000, 6'000, false);
  renewed.WaitBeyond(0);
  EXPECT_LT(BytesOfARow() + 150, at_first) << "336 bytes instead of 528";
  EXPECT_GT(Recall(0, 6'000, false), 0.99);
  Reopen();
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  EXPECT_EQ(c().Stats().value().damage, "");
  EXPECT_LT(BytesOfARow() + 150, at_first);
  EXPECT_GT(Recall(0, 6'000, false), 0.99);

  Put(6'000, 16'000, true);
  renewed.WaitBeyond(1);
  EXPECT_GT(BytesOfARow() + 100, at_first);
  EXPECT_GT(Recall(6'000, 16'000, true), 0.9);
  EXPECT_GT(Recall(0, 6'000, false), 0.95);
}

// Nobody writes or closes: what is found in memory is for the next opening, too.
TEST_F(RenewedCodes, ArePublishedByTheClock) {
  SteadyTime::SetTickPeriod(std::chrono::milliseconds(5));
  Reopen();
  struct Order {
    Mutex mutex;
    CondVar changed;
    int renewed ABSL_GUARDED_BY(mutex) = 0;
    bool published ABSL_GUARDED_BY(mutex) = false;  // after the second time
  };
  const auto order = std::make_shared<Order>();
  SyncPoints::Set("codes.renewed", [order] {
    MutexLock lock(&order->mutex);
    ++order->renewed;
  });
  SyncPoints::Set("publish.after_catalog", [order] {
    MutexLock lock(&order->mutex);
    order->published = order->renewed == 2;
    order->changed.NotifyAll();
  });
  Put(0, 3'000);
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  Put(3'000, 7'000);
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  Put(7'000, 8'500, true);  // too few for a publication of their own
  {
    MutexLock lock(&order->mutex);
    while (!order->published) order->changed.Wait(&order->mutex);
  }
  SyncPoints::Clear();
  SteadyTime::SetTickPeriod(std::chrono::milliseconds(1'000));
}

}  // namespace
}  // namespace vdb
