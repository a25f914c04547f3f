// Writers and readers while linking stands still: rows wait in the tail, where every search scores them, and a writer
// has to wait only beyond the tail's bound.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <chrono>
#include <future>
#include <thread>

#include "tests/db/gate.h"
#include "tests/db/temp_folder.h"
#include "vdb/util/steady_time.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 256;
constexpr int kLinkedRows = 4'096;  // the fewest that make a graph
constexpr int kTailBound = 24'000;

std::string Id(int i) {
  return "r" + std::to_string(i);
}

// Points on a spiral: no two are equal, and the nearest of a point is the point itself.
std::vector<float> VectorOf(int i) {
  std::vector<float> vector(kDim);
  vector[static_cast<std::size_t>(i) % kDim] = 1 + static_cast<float>(i) / 1'000;
  vector[static_cast<std::size_t>(i / 7) % kDim] += 1;
  return vector;
}

class Tail : public ::testing::Test {
 protected:
  void SetUp() override {
    database_.emplace(Database::Open(folder_.Path("db")).value());
    collection_.emplace(
        database_->CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared, .m = 4, .ef_construction = 8})
            .value());
  }
  Status Put(int begin, int end) {
    WriteBatch batch;
    for (int i = begin; i < end; ++i) batch.Upsert(*collection_, {Id(i), VectorOf(i), "{}"});
    return database_->Write(batch, {.durability = Durability::kOsBuffered});
  }
  // By an exact search and by one that the planner chooses: the record is its own nearest.
  void ExpectFound(int i) {
    const std::vector<float> query = VectorOf(i);
    for (const bool exact : {false, true}) {
      const SearchResult result = collection_->Search({.vector = query, .k = 3, .exact = exact}).value();
      EXPECT_EQ(result.hits.at(0).id, Id(i));
      EXPECT_EQ(result.hits.at(0).distance, 0);
      EXPECT_EQ(result.hits.size(), 3U);
      EXPECT_TRUE(result.exact || !exact);
    }
  }

  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(Tail, WritesGoOnUpToTheBoundWhileLinkingIsBlocked) {
  for (int i = 0; i < kLinkedRows; i += 512) ASSERT_EQ(Put(i, i + 512), OkStatus());
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  ASSERT_EQ(collection_->Stats().value().linked, std::uint64_t{kLinkedRows});
  const Passages helps({"index.writer_helps"});
  Gate gate("index.before_batch");
  constexpr int kEnd = kLinkedRows + kTailBound;
  for (int i = kLinkedRows; i < kEnd; i += 1'000) ASSERT_EQ(Put(i, i + 1'000), OkStatus());
  gate.WaitUntilReached();
  EXPECT_EQ(helps.count(), 0U);
  EXPECT_EQ(collection_->Stats().value().linked, std::uint64_t{kLinkedRows});
  for (const int i : {kLinkedRows, kLinkedRows + kTailBound / 2, kEnd - 1}) ExpectFound(i);
  EXPECT_EQ(collection_->Count().value(), std::uint64_t{kEnd});
  EXPECT_EQ(collection_->Delete(Id(kEnd - 1)).value(), 1U);

  // Beyond the bound a writer waits for the linker; what it wrote is seen meanwhile.
  std::future<Status> beyond = std::async(std::launch::async, [&] { return Put(kEnd, kEnd + 1); });
  helps.WaitBeyond(0);
  EXPECT_EQ(beyond.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  ExpectFound(kEnd);
  EXPECT_EQ(collection_->Get(Id(kEnd)).value().id, Id(kEnd));
  gate.Open();
  EXPECT_EQ(beyond.get(), OkStatus());

  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().linked, std::uint64_t{kEnd + 1});
  const std::vector<float> query = VectorOf(kEnd);
  EXPECT_EQ(collection_->Search({.vector = query, .k = 1}).value().details.tail_rows, 0U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

// Threads of the background may be starved by other processes: who waits for a batch of theirs does not wait for long.
class BatchInTheBackground : public Tail {
 protected:
  void SetUp() override {
    Tail::SetUp();
    for (int i = 0; i < kLinkedRows; i += 512) ASSERT_EQ(Put(i, i + 512), OkStatus());
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  }
  static constexpr int kEnd = kLinkedRows + 512;
};

TEST_F(BatchInTheBackground, IsGivenUpForWhoeverWaitsForIt) {
  const Passages wanted({"priority_mutex.wanted"});
  const Passages gave_up({"index.gave_up"});
  SyncPoints::Set("index.batch_is_wanted", [] { SteadyTime::Advance(std::chrono::seconds(1)); });
  Gate gate("index.before_batch");
  ASSERT_EQ(Put(kLinkedRows, kEnd), OkStatus());
  gate.WaitUntilReached();
  const std::uint64_t before = wanted.count();
  std::future<Status> publishing = std::async(std::launch::async, [&] { return collection_->Publish(); });
  wanted.WaitBeyond(before);
  gate.Open();
  gave_up.WaitBeyond(0);
  EXPECT_EQ(publishing.get(), OkStatus());

  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().linked, std::uint64_t{kEnd});
  for (const int i : {0, kLinkedRows, kEnd - 1}) ExpectFound(i);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

// Of the first batch codes stay behind, without a node that has one: published like that, and opened again.
TEST_F(Tail, TheFirstBatchOfAGraphMayBeGivenUp) {
  const Passages wanted({"priority_mutex.wanted"});
  const Passages gave_up({"index.gave_up"});
  SyncPoints::Set("index.batch_is_wanted", [] { SteadyTime::Advance(std::chrono::seconds(1)); });
  Gate gate("index.before_batch");
  ASSERT_EQ(Put(0, kLinkedRows), OkStatus());
  gate.WaitUntilReached();
  const std::uint64_t before = wanted.count();
  std::future<Status> publishing = std::async(std::launch::async, [&] { return collection_->Publish(); });
  wanted.WaitBeyond(before);
  gate.Open();
  gave_up.WaitBeyond(0);
  EXPECT_EQ(publishing.get(), OkStatus());
  ASSERT_EQ(database_->Close(), OkStatus());

  database_.emplace(Database::Open(folder_.Path("db")).value());
  collection_.emplace(database_->OpenCollection("c").value());
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().damage, "");
  EXPECT_EQ(collection_->Stats().value().linked, std::uint64_t{kLinkedRows});
  for (const int i : {0, kLinkedRows / 2, kLinkedRows - 1}) ExpectFound(i);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(BatchInTheBackground, IsGivenUpByClose) {
  const Passages gave_up({"index.gave_up"});
  Gate gate("index.before_batch");
  ASSERT_EQ(Put(kLinkedRows, kEnd), OkStatus());
  gate.WaitUntilReached();
  std::future<Status> closing = std::async(std::launch::async, [&] { return database_->Close(); });
  while (collection_->Count().ok()) std::this_thread::yield();
  gate.Open();
  gave_up.WaitBeyond(0);
  EXPECT_EQ(closing.get(), OkStatus());

  database_.emplace(Database::Open(folder_.Path("db")).value());
  collection_.emplace(database_->OpenCollection("c").value());
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().linked, std::uint64_t{kEnd});
  for (const int i : {0, kLinkedRows, kEnd - 1}) ExpectFound(i);
}

}  // namespace
}  // namespace vdb
