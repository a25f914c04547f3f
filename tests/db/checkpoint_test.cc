// Copies of a database in use, and the events it tells of.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/db/temp_folder.h"
#include "vdb/util/steady_time.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 128;

class Checkpoint : public ::testing::Test {
 protected:
  // No tick publishes what a test has not: on a slow machine there is a quiet moment between any two lines.
  static void SetUpTestSuite() { SteadyTime::SetTickPeriod(std::chrono::hours(1)); }
  static void TearDownTestSuite() { SteadyTime::SetTickPeriod(std::chrono::seconds(1)); }
  Checkpoint()
      : database_(Database::Open(folder_.Path("db")).value()),
        collection_(database_.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value()) {}

  // Writes records begin … end - 1, one commit each hundred.
  void Put(std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += 100) {
      std::vector<std::string> ids;
      std::vector<std::vector<float>> vectors;
      for (std::size_t i = first; i < std::min(end, first + 100); ++i) {
        ids.push_back(std::to_string(i));
        vectors.push_back(VectorOf(i));
      }
      std::vector<RecordView> records;
      for (std::size_t i = 0; i < ids.size(); ++i) records.push_back({.id = ids[i], .vector = vectors[i]});
      ASSERT_EQ(collection_.Upsert(records, {.durability = Durability::kOsBuffered}), OkStatus());
    }
  }
  static std::vector<float> VectorOf(std::size_t i) {
    std::mt19937 random(static_cast<std::uint32_t>(i));
    std::normal_distribution<float> normal;
    std::vector<float> v(kDim);
    for (float& x : v) x = normal(random);
    return v;
  }

  TempFolder folder_;
  Database database_;
  Collection collection_;
};

TEST_F(Checkpoint, OpensReadOnlyBeforeItWasOpenedForWriting) {
  Put(0, 100);
  ASSERT_EQ(database_.Checkpoint(folder_.Path("copy")), OkStatus());
  EXPECT_EQ(std::filesystem::status(folder_.Path("copy")).permissions(), std::filesystem::perms::owner_all);
  Database copy = Database::Open(folder_.Path("copy"), {.read_only = true}).value();
  EXPECT_EQ(copy.OpenCollection("c").value().Count().value(), 100U);
}

TEST_F(Checkpoint, IsADatabaseOfItsOwn) {
  Put(0, 9'000);
  ASSERT_EQ(collection_.WaitForIndex(), OkStatus());
  ASSERT_EQ(collection_.Publish(), OkStatus());
  Put(9'000, 9'200);
  ASSERT_TRUE(collection_.Delete("5").ok());
  ASSERT_EQ(collection_.SetDocument(R"({"a": 1})"), OkStatus());
  Collection other = database_.CreateCollection("other", {.dim = 1}).value();
  ASSERT_EQ(database_.Checkpoint(folder_.Path("copy")), OkStatus());
  Put(9'200, 9'300);
  ASSERT_EQ(collection_.Publish(), OkStatus());
  ASSERT_EQ(database_.DropCollection("other"), OkStatus());
  {
    Database copy = Database::Open(folder_.Path("copy")).value();
    Collection c = copy.OpenCollection("c").value();
    const CollectionStats stats = c.Stats().value();
    EXPECT_EQ(stats.damage, "");
    EXPECT_EQ(stats.published, 9'000U);
    EXPECT_EQ(c.Count().value(), 9'199U);
    EXPECT_EQ(c.GetDocument().value(), R"({"a": 1})");
    EXPECT_EQ(c.Search({.vector = VectorOf(9'100), .k = 1}).value().hits[0].id, "9100");
    EXPECT_EQ(c.Verify(), OkStatus());
    EXPECT_EQ(copy.ListCollections().value(), (std::vector<std::string>{"c", "other"}));
    ASSERT_TRUE(c.DeleteWhere("TRUE").ok());
    ASSERT_EQ(copy.Close(), OkStatus());
  }
  EXPECT_EQ(collection_.Count().value(), 9'299U);
  EXPECT_EQ(collection_.Verify(), OkStatus());
}

TEST_F(Checkpoint, BesideAWriterHoldsWholeCommits) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::size_t i = 0; !stop; ++i) Put(i * 100, i * 100 + 100);
  });
  for (int i = 0; i < 5; ++i) {
    while (collection_.Count().value() < static_cast<std::uint64_t>(i) * 300) std::this_thread::yield();
    EXPECT_EQ(database_.Checkpoint(folder_.Path("copy" + std::to_string(i))), OkStatus());
  }
  stop = true;
  writer.join();
  for (int i = 0; i < 5; ++i) {
    Database copy = Database::Open(folder_.Path("copy" + std::to_string(i))).value();
    Collection c = copy.OpenCollection("c").value();
    const std::uint64_t count = c.Count().value();
    EXPECT_EQ(count % 100, 0U);
    EXPECT_GE(count, static_cast<std::uint64_t>(i) * 300);
    EXPECT_EQ(c.Verify(), OkStatus());
  }
}

TEST_F(Checkpoint, LeavesWhatIsThereAlone) {
  std::filesystem::create_directory(folder_.Path("there"));
  EXPECT_EQ(database_.Checkpoint(folder_.Path("there")).code(), StatusCode::kAlreadyExists);
  EXPECT_FALSE(database_.Checkpoint(folder_.Path("no/such/parent")).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("no")));
}

TEST_F(Checkpoint, TakesOnlyWhatIsItsOwnAndLivesWithLostFiles) {
  Put(0, 300);
  ASSERT_EQ(collection_.Publish(), OkStatus());
  std::filesystem::create_directories(folder_.Path("copy.unfinished/precious"));
  ASSERT_EQ(database_.Checkpoint(folder_.Path("copy") + "/"), OkStatus());
  EXPECT_TRUE(std::filesystem::exists(folder_.Path("copy.unfinished/precious")));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.Path("db/index"))) {
    if (entry.path().filename().string().starts_with("columns")) std::filesystem::remove(entry.path());
  }
  ASSERT_EQ(database_.Checkpoint(folder_.Path("second")), OkStatus());
  Database copy = Database::Open(folder_.Path("second")).value();
  EXPECT_EQ(copy.OpenCollection("c").value().Count().value(), 300U);
}

TEST_F(Checkpoint, EventsTellWhatHappened) {
  Put(0, 300);
  ASSERT_EQ(collection_.Publish(), OkStatus());
  const auto drain = [&] {
    std::string texts;
    for (const Event& event : database_.DrainEvents().value()) texts += event.text + "\n";
    return texts;
  };
  EXPECT_EQ(drain(), "");
  ASSERT_EQ(collection_.Compact(), OkStatus());
  EXPECT_NE(drain().find("new generation of 300 records"), std::string::npos);
  EXPECT_EQ(drain(), "");
  ASSERT_EQ(database_.Close(), OkStatus());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.Path("db/index"))) {
    if (entry.path().filename().string().starts_with("columns")) std::filesystem::resize_file(entry.path(), 100);
  }
  database_ = Database::Open(folder_.Path("db")).value();
  collection_ = database_.OpenCollection("c").value();
  EXPECT_EQ(collection_.Count().value(), 300U);
  ASSERT_EQ(database_.Close(), OkStatus());  // events may still be asked for
  const std::vector<Event> events = database_.DrainEvents().value();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].level, EventLevel::kWarning);
  EXPECT_NE(events[0].text.find("columns"), std::string::npos) << events[0].text;
}

TEST_F(Checkpoint, EventsAreForTheHandleThatHasTheDatabaseOpen) {
  Put(0, 300);
  Database other = Database::Open(folder_.Path("db")).value();
  ASSERT_EQ(collection_.Compact(), OkStatus());
  ASSERT_EQ(database_.Close(), OkStatus());
  EXPECT_EQ(database_.DrainEvents().status().reason(), StatusReason::kClosed);
  EXPECT_EQ(other.DrainEvents().value().size(), 1U);
  ASSERT_EQ(other.Close(), OkStatus());
  EXPECT_EQ(database_.DrainEvents().status(), OkStatus());
}

}  // namespace
}  // namespace vdb
