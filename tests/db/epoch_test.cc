// The end of the 32 bits that count commits: the count begins anew beside readers, and never wraps.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <atomic>
#include <thread>

#include "tests/db/temp_folder.h"
#include "vdb/db/generation.h"
#include "vdb/util/mutex.h"
#include "vdb/util/steady_time.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

class Flag {
 public:
  void Set() {
    MutexLock lock(&mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  void Await() {
    MutexLock lock(&mutex_);
    while (!set_) changed_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

class Epochs : public ::testing::Test {
 protected:
  void SetUp() override {
    SteadyTime::SetTickPeriod(std::chrono::milliseconds(5));
    SyncPoints::Set("epochs.before_renewal", [this] { may_renew_.Await(); });
    SyncPoints::Set("epochs.renewed", [this] { renewed_.Set(); });
  }
  void TearDown() override {
    may_renew_.Set();
    collection_.reset();
    database_.reset();
    SyncPoints::Clear();
    Generation::SetFirstEpoch(1);
    SteadyTime::SetTickPeriod(std::chrono::milliseconds(1'000));
  }
  void Begin(std::uint32_t first_epoch) {
    Generation::SetFirstEpoch(first_epoch);
    database_.emplace(Database::Open(folder_.Path("db")).value());
    collection_.emplace(database_->CreateCollection("c", {.dim = 1, .metric = Metric::kL2Squared}).value());
  }
  Status Put(const std::string& id, float x) {
    const std::vector<float> v = {x};
    return collection_->Upsert({id, v, "{}"}, {.durability = Durability::kOsBuffered});
  }
  std::vector<std::string> Found() {
    std::vector<std::string> ids;
    const std::vector<float> v = {0};
    const SearchResult result = collection_->Search({.vector = v, .k = 1'000}).value();
    for (const Hit& hit : result.hits) ids.push_back(hit.id);
    return ids;
  }

  Flag may_renew_;
  Flag renewed_;
  Flag purged_;
  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

using Strings = std::vector<std::string>;

TEST_F(Epochs, TheCountBeginsAnewBesideReadersAndGoesOnPastItsEnd) {
  Begin(Generation::kLastEpoch - 8);
  ASSERT_EQ(Put("a", 1), OkStatus());
  ASSERT_EQ(Put("b", 2), OkStatus());
  ASSERT_EQ(Put("c", 3), OkStatus());
  ASSERT_EQ(Put("b", 4), OkStatus());
  ASSERT_EQ(collection_->Delete("c").value(), 1U);
  std::optional<Scanner> scanner = collection_->Scan().value();
  ASSERT_EQ(collection_->Delete("a").value(), 1U);  // after the scan began
  may_renew_.Set();
  renewed_.Await();
  EXPECT_EQ(Found(), (Strings{"b"}));
  // What died before and after, far beyond where the old count would have ended.
  for (int i = 0; i < 50; ++i) ASSERT_EQ(Put("b", static_cast<float>(10 + i)), OkStatus()) << i;
  ASSERT_EQ(Put("d", 5), OkStatus());
  EXPECT_EQ(Found(), (Strings{"d", "b"}));
  EXPECT_EQ(collection_->Get("b", true).value().vector[0], 59);
  EXPECT_EQ(collection_->Get("a").status().code(), StatusCode::kNotFound);
  // The scan reads on in its state, and nothing that it sees is purged.
  ASSERT_EQ(collection_->Publish(), OkStatus());
  EXPECT_EQ(scanner->Next().value()->id, "a");
  EXPECT_EQ(scanner->Next().value()->id, "b");
  EXPECT_FALSE(scanner->Next().value().has_value());
  SyncPoints::Set("purge.before_write", [this] { purged_.Set(); });
  scanner.reset();
  purged_.Await();
  EXPECT_EQ(collection_->Verify(), OkStatus());
  ASSERT_EQ(database_->Close(), OkStatus());
  Generation::SetFirstEpoch(1);
  database_.emplace(Database::Open(folder_.Path("db")).value());
  collection_.emplace(database_->OpenCollection("c").value());
  EXPECT_EQ(Found(), (Strings{"d", "b"}));
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(Epochs, CommitsAreRefusedRatherThanMiscounted) {
  Begin(Generation::kLastEpoch - 3);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Put("r" + std::to_string(i), 1), OkStatus());
  for (int i = 0; i < 2; ++i) {
    const Status refused = Put("r3", 1);
    EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused;
    EXPECT_NE(refused.message().find("4294967294 commits"), std::string::npos) << refused;
    EXPECT_NE(refused.message().find("open it again"), std::string::npos) << refused;
    EXPECT_EQ(collection_->Delete("r0").status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(collection_->DeleteWhere("x IS NULL").status().code(), StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(Found().size(), 3U);
  EXPECT_EQ(database_->WritableStatus(), OkStatus());
  may_renew_.Set();
  renewed_.Await();
  EXPECT_EQ(Put("r3", 1), OkStatus());
  EXPECT_EQ(collection_->Delete("r0").value(), 1U);
  EXPECT_EQ(Found().size(), 3U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(Epochs, ReadersAndWritersDoNotNoticeTheRenewal) {
  Begin(Generation::kRenewEpoch);
  ASSERT_EQ(Put("x", 0), OkStatus());
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      while (!done.load()) {
        ASSERT_EQ(Found().size(), 1U);
        ASSERT_TRUE(collection_->Get("x").ok());
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !done.load(); ++i) ASSERT_EQ(Put("x", static_cast<float>(i % 100)), OkStatus());
  });
  threads.emplace_back([&] {
    while (!done.load()) ASSERT_TRUE(collection_->DeleteWhere("missing = 1").ok());
  });
  may_renew_.Set();
  renewed_.Await();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Found().size(), 1U);
  done.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

}  // namespace
}  // namespace vdb
