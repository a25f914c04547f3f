// Named interleavings: one thread is stopped at a point in the code while others look.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <future>
#include <thread>

#include "tests/db/gate.h"
#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

class Interleaving : public ::testing::Test {
 protected:
  void SetUp() override {
    database_.emplace(Database::Open(folder_.Path("db")).value());
    collection_.emplace(database_->CreateCollection("c", {.dim = 1, .metric = Metric::kL2Squared}).value());
  }
  Status Put(std::string_view id, float x, std::string_view payload = "{}") {
    const std::vector<float> v = {x};
    return collection_->Upsert({id, v, payload});
  }
  SearchResult Near(float x) {
    const std::vector<float> v = {x};
    return collection_->Search({.vector = v, .k = 100}).value();
  }
  std::vector<std::string> ScanIds() {
    std::vector<std::string> ids;
    Scanner scanner = collection_->Scan().value();
    while (std::optional<Record> record = scanner.Next().value()) ids.push_back(record->id + record->payload);
    return ids;
  }

  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

using Strings = std::vector<std::string>;

TEST_F(Interleaving, ReadersAnswerWhileACommitStandsBetweenStoreAndClock) {
  ASSERT_EQ(Put("a", 1, R"({"v":1})"), OkStatus());
  ASSERT_EQ(Put("gone", 5), OkStatus());
  Gate gate("commit.after_write");
  std::thread writer([&] {
    WriteBatch batch;
    const std::vector<float> v = {9};
    batch.Upsert(*collection_, {"a", v, R"({"v":2})"});
    batch.Upsert(*collection_, {"new", v, "{}"});
    batch.Delete(*collection_, "gone");
    ASSERT_EQ(database_->Write(batch), OkStatus());
  });
  gate.WaitUntilReached();
  // The state before, whole.
  EXPECT_EQ(collection_->Get("a").value().payload, R"({"v":1})");
  EXPECT_EQ(collection_->Get("new").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->Get("gone").value().id, "gone");
  EXPECT_EQ(Near(0).hits.size(), 2U);
  EXPECT_EQ(Near(0).hits[0].distance, 1);
  EXPECT_EQ(ScanIds(), (Strings{R"(a{"v":1})", "gone{}"}));
  // In every other way to read, too.
  EXPECT_EQ(collection_->Search({.id = "a"}).value().hits.at(0).id, "gone");
  EXPECT_EQ(collection_->Search({.id = "gone"}).value().hits.at(0).distance, 16);
  EXPECT_EQ(collection_->Search({.id = "new"}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(collection_->Search({.vector = std::vector<float>{9}, .filter = "v >= 1"}).value().hits.at(0).distance, 64);
  EXPECT_EQ(collection_->Count().value(), 2U);
  EXPECT_EQ(collection_->Count("v = 2").value(), 0U);
  EXPECT_EQ(collection_->Get("a", true).value().vector, std::vector<float>{1});
  EXPECT_EQ(collection_->Stats().value().records, 2U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
  gate.Open();
  writer.join();
  EXPECT_EQ(collection_->Get("a").value().payload, R"({"v":2})");
  EXPECT_EQ(collection_->Get("gone").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ScanIds(), (Strings{R"(a{"v":2})", "new{}"}));
}

TEST_F(Interleaving, ReadersAnswerWhileACommitStandsBetweenClockAndWithdrawal) {
  ASSERT_EQ(Put("a", 1, R"({"v":1})"), OkStatus());
  Gate gate("commit.after_clock");
  std::thread writer([&] { ASSERT_EQ(Put("a", 2, R"({"v":2})"), OkStatus()); });
  gate.WaitUntilReached();
  EXPECT_EQ(collection_->Get("a").value().payload, R"({"v":2})");
  EXPECT_EQ(Near(2).hits[0].distance, 0);
  gate.Open();
  writer.join();
}

TEST_F(Interleaving, TwoUpsertsOfOneIdInOneGroupLeaveTheLater) {
  ASSERT_EQ(Put("x", 0), OkStatus());
  Gate gate("commit.before_write");
  std::thread leader([&] { ASSERT_EQ(Put("x", 1, R"({"v":1})"), OkStatus()); });
  gate.WaitUntilReached();
  // These wait behind the leader and then go as one group.
  std::vector<std::thread> writers;
  writers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back(
        [&, i] { ASSERT_EQ(Put("same", static_cast<float>(i), R"({"w":)" + std::to_string(i) + "}"), OkStatus()); });
  }
  gate.Open();
  leader.join();
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(collection_->Count().value(), 2U);
  const Record same = collection_->Get("same", true).value();
  EXPECT_EQ(same.payload, R"({"w":)" + std::to_string(static_cast<int>(same.vector[0])) + "}");
  EXPECT_EQ(Near(0).hits.size(), 2U);
}

TEST_F(Interleaving, DeleteByFilterSeesUpsertsThatCameBeforeItInTheQueue) {
  for (const char* filter : {"kill = TRUE", "$id LIKE 'r%' OR $id = 'late'"}) {
    for (int i = 0; i < 10; ++i) ASSERT_EQ(Put("r" + std::to_string(i), 1, R"({"kill": true})"), OkStatus());
    Gate gate("commit.before_write");
    // Holds the queue while a delete by filter has looked at the state before.
    std::thread first([&] { ASSERT_EQ(Put("late", 2, R"({"kill": true})"), OkStatus()); });
    gate.WaitUntilReached();
    std::future<Result<std::uint64_t>> removed =
        std::async(std::launch::async, [&] { return collection_->DeleteWhere(filter); });
    gate.Open();
    first.join();
    EXPECT_EQ(removed.get().value(), 11U) << filter;
    EXPECT_EQ(collection_->Count().value(), 0U) << filter;
  }
}

TEST_F(Interleaving, UpsertAndDeleteNeverMakeARecordVanishOrAppearTwice) {
  constexpr int kWrites = 2'000;
  ASSERT_EQ(Put("x", 0), OkStatus());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 1; i <= kWrites; ++i) {
      const std::vector<float> v = {static_cast<float>(i)};
      ASSERT_EQ(collection_->Upsert({"x", v, "{}"}, {.durability = Durability::kOsBuffered}), OkStatus());
    }
    done.store(true);
  });
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      while (!done.load()) {
        ASSERT_EQ(Near(0).hits.size(), 1U);
        ASSERT_TRUE(collection_->Get("x").ok());
        if (r == 0) {
          ASSERT_EQ(ScanIds().size(), 1U);
        } else {
          ASSERT_EQ(collection_->Verify(), OkStatus());
        }
      }
    });
  }
  writer.join();
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace vdb
