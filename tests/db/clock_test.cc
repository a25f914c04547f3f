// What happens by itself as time passes: scans that are given up, collections that are unloaded. Time is set, not
// waited for.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <atomic>
#include <thread>

#include "tests/db/temp_folder.h"
#include "vdb/util/mutex.h"
#include "vdb/util/steady_time.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Counts how often a point was reached.
class Counter {
 public:
  explicit Counter(const std::string& point) {
    SyncPoints::Set(point, [this] {
      MutexLock lock(&mutex_);
      ++count_;
      changed_.NotifyAll();
    });
  }
  // Waits for this many more.
  void Await(int more) {
    MutexLock lock(&mutex_);
    const int wanted = count_ + more;
    while (count_ < wanted) changed_.Wait(&mutex_);
  }
  int count() const {
    MutexLock lock(&mutex_);
    return count_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

class PassingTime : public ::testing::Test {
 protected:
  void SetUp() override {
    SteadyTime::SetTickPeriod(std::chrono::milliseconds(5));
    database_.emplace(Database::Open(folder_.Path("db")).value());
    collection_.emplace(database_->CreateCollection("c", {.dim = 2, .metric = Metric::kL2Squared}).value());
    for (int i = 0; i < 20; ++i) Put(i);
  }
  void TearDown() override {
    collection_.reset();
    database_.reset();
    SyncPoints::Clear();
    SteadyTime::SetTickPeriod(std::chrono::milliseconds(1'000));
  }
  void Put(int i) {
    const std::vector<float> v = {static_cast<float>(i), 0};
    ASSERT_EQ(collection_->Upsert({"r" + std::to_string(i), v, "{}"}, {.durability = Durability::kOsBuffered}),
              OkStatus());
  }
  // Background work may hold the collection still: the time without use begins when it is done.
  void AdvanceUntilUnloaded() {
    while (unloads_.count() == 0) {
      ticks_.Await(2);
      SteadyTime::Advance(seconds(31));
    }
  }
  CollectionStats Stats() { return collection_->Stats().value(); }
  std::uint64_t Loaded() { return database_->Stats().value().loaded_collections; }

  Counter ticks_{"clock.ticked"};
  Counter unloads_{"catalog.unloaded"};
  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

// Two to begin a purge and see it through, one that may have been under way.
constexpr int kTicksToPurge = 3;

TEST_F(PassingTime, AScanOfMoreThanAnHourEndsWhereDeadRecordsWait) {
  Scanner scanner = collection_->Scan().value();
  EXPECT_EQ(scanner.Next().value()->id, "r0");
  EXPECT_EQ(collection_->Delete("r5").value(), 1U);
  SteadyTime::Advance(minutes(59));
  ticks_.Await(kTicksToPurge);
  EXPECT_EQ(Stats().purged, 0U);
  EXPECT_GE(Stats().oldest_view_seconds, 59U * 60);
  EXPECT_LT(Stats().oldest_view_seconds, 60U * 60);
  EXPECT_EQ(scanner.Next().value()->id, "r1");  // still on its state, r5 in it

  SteadyTime::Advance(minutes(2));
  ticks_.Await(kTicksToPurge);
  EXPECT_EQ(Stats().purged, 1U);
  EXPECT_EQ(Stats().oldest_view_seconds, 0U);
  for (int i = 0; i < 2; ++i) {
    const Status ended = scanner.Next().status();
    EXPECT_EQ(ended.code(), StatusCode::kAborted) << ended;
    EXPECT_NE(ended.message().find("more than an hour"), std::string::npos) << ended;
    EXPECT_NE(ended.message().find("begin it again"), std::string::npos) << ended;
  }
  int seen = 0;
  Scanner again = collection_->Scan().value();
  while (again.Next().value()) ++seen;
  EXPECT_EQ(seen, 19);
}

TEST_F(PassingTime, AScanThatNobodyWaitsForGoesOnForDays) {
  EXPECT_EQ(collection_->Delete("r5").value(), 1U);
  ticks_.Await(kTicksToPurge);
  EXPECT_EQ(Stats().purged, 1U);
  Scanner scanner = collection_->Scan().value();
  SteadyTime::Advance(hours(50));
  ticks_.Await(kTicksToPurge);
  EXPECT_GE(Stats().oldest_view_seconds, 50U * 3'600);
  int seen = 0;
  while (scanner.Next().value()) ++seen;
  EXPECT_EQ(seen, 19);
}

TEST_F(PassingTime, ACollectionThatNobodyHoldsIsUnloadedAndLoadedAgain) {
  EXPECT_EQ(Loaded(), 1U);
  ticks_.Await(2);
  SteadyTime::Advance(hours(1));
  ticks_.Await(3);
  EXPECT_EQ(Loaded(), 1U);  // there is a handle
  {
    Scanner scanner = collection_->Scan().value();
    collection_.reset();
    ticks_.Await(2);
    SteadyTime::Advance(hours(1));
    ticks_.Await(3);
    EXPECT_EQ(Loaded(), 1U);  // there is a scan
    EXPECT_EQ(scanner.Next().value()->id, "r0");
  }
  ticks_.Await(2);
  EXPECT_EQ(Loaded(), 1U);  // not for long enough
  AdvanceUntilUnloaded();
  EXPECT_EQ(Loaded(), 0U);

  collection_.emplace(database_->OpenCollection("c").value());
  EXPECT_EQ(Loaded(), 1U);
  EXPECT_EQ(collection_->Count().value(), 20U);
  Put(20);
  EXPECT_EQ(collection_->Get("r20").value().id, "r20");
  EXPECT_EQ(collection_->Delete("r0").value(), 1U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
  collection_.reset();
  ASSERT_EQ(database_->Close(), OkStatus());
  database_.emplace(Database::Open(folder_.Path("db")).value());
  EXPECT_EQ(database_->OpenCollection("c").value().Count().value(), 20U);
}

TEST_F(PassingTime, WhatIsWorthItIsPublishedBeforeUnloading) {
  WriteBatch batch;
  for (int i = 100; i < 2'500; ++i) {
    batch.Upsert(*collection_, {"r" + std::to_string(i), std::vector<float>{static_cast<float>(i), 1}, "{}"});
  }
  ASSERT_EQ(database_->Write(batch), OkStatus());
  batch = WriteBatch();  // it holds the collection too
  collection_.reset();
  AdvanceUntilUnloaded();
  collection_.emplace(database_->OpenCollection("c").value());
  EXPECT_EQ(Stats().published, 2'420U);
  EXPECT_EQ(Stats().damage, "");
  EXPECT_EQ(collection_->Count().value(), 2'420U);
}

TEST_F(PassingTime, AnUnloadedCollectionIsDropped) {
  collection_.reset();
  AdvanceUntilUnloaded();
  EXPECT_EQ(database_->DropCollection("c"), OkStatus());
  EXPECT_EQ(database_->OpenCollection("c").status().code(), StatusCode::kNotFound);
}

TEST_F(PassingTime, OpeningAndUnloadingAtOnceLosesNothing) {
  collection_.reset();
  std::atomic<bool> done{false};
  std::vector<std::thread> users;
  constexpr int kUsers = 3;
  users.reserve(kUsers);
  for (int u = 0; u < kUsers; ++u) {
    users.emplace_back([&, u] {
      for (int i = 0; i < 100; ++i) {
        Collection c = database_->OpenCollection("c").value();
        const std::vector<float> v = {static_cast<float>(i), static_cast<float>(u)};
        const std::string id = "u" + std::to_string(u) + "-" + std::to_string(i);
        ASSERT_EQ(c.Upsert({id, v, "{}"}, {.durability = Durability::kOsBuffered}), OkStatus());
        ASSERT_EQ(c.Get(id).value().id, id);
        ASSERT_EQ(c.Search({.vector = v, .k = 1}).value().hits.size(), 1U);
      }
    });
  }
  std::thread time([&] {
    while (!done.load()) {
      ticks_.Await(1);
      SteadyTime::Advance(minutes(1));
    }
  });
  for (std::thread& user : users) user.join();
  done.store(true);
  time.join();
  Collection c = database_->OpenCollection("c").value();
  EXPECT_EQ(c.Count().value(), 20U + kUsers * 100U);
  EXPECT_EQ(c.Verify(), OkStatus());
}

}  // namespace
}  // namespace vdb
