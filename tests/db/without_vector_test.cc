// Records without a vector, and collections that get their dimension from the first one.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <atomic>
#include <barrier>
#include <random>
#include <set>
#include <thread>

#include "tests/db/one_collection.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

class WithoutVector : public OneCollection {
 protected:
  WithoutVector() : OneCollection({.metric = Metric::kL2Squared}) {}
  Status PutBare(std::string_view id, std::string_view payload = "{}") {
    return c().Upsert({.id = id, .payload = payload, .without_vector = true});
  }
  Status Put(std::string_view id, std::vector<float> v, std::string_view payload = "{}") {
    return c().Upsert({.id = id, .vector = v, .payload = payload});
  }
  SearchResult Search(std::vector<float> query, SearchRequest request = {}) {
    request.vector = query;
    return c().Search(request).value();
  }
  std::set<std::string> Found(std::vector<float> query, const SearchRequest& request = {}) {
    std::set<std::string> ids;
    for (const Hit& hit : Search(std::move(query), request).hits) ids.insert(hit.id);
    return ids;
  }
};

using Ids = std::set<std::string>;

TEST_F(WithoutVector, IsFilteredCountedScannedAndNeverAHit) {
  ASSERT_EQ(PutBare("bare", R"({"n": 1})"), OkStatus());
  ASSERT_EQ(Put("full", {1, 2}, R"({"n": 1})"), OkStatus());
  ASSERT_EQ(PutBare("bare2", R"({"n": 2})"), OkStatus());
  const auto check = [&] {
    EXPECT_EQ(c().Count().value(), 3U);
    EXPECT_EQ(c().Count("n = 1").value(), 2U);
    EXPECT_EQ(Found({0, 0}), (Ids{"full"}));
    EXPECT_EQ(Found({0, 0}, {.filter = "n = 1"}), (Ids{"full"}));
    const SearchResult none = Search({0, 0}, {.filter = "n = 2"});
    EXPECT_TRUE(none.hits.empty() && none.complete && none.exact);
    const Record record = c().Get("bare", true).value();
    EXPECT_EQ(record.payload, R"({"n": 1})");
    EXPECT_TRUE(record.vector.empty());
    Scanner scanner = c().Scan({.with_vector = true}).value();
    std::size_t with = 0;
    std::size_t without = 0;
    for (auto next = scanner.Next().value(); next; next = scanner.Next().value())
      ++(next->vector.empty() ? without : with);
    EXPECT_EQ(with, 1U);
    EXPECT_EQ(without, 2U);
    EXPECT_EQ(c().Verify(), OkStatus());
  };
  check();
  Reopen();
  check();
  ASSERT_EQ(c().Publish(), OkStatus());
  Reopen();
  EXPECT_EQ(c().Stats().value().published, 3U);
  check();
  ASSERT_EQ(c().Compact(), OkStatus());
  check();
  Reopen();
  check();
  const Status near_it = c().Search({.id = "bare"}).status();
  EXPECT_EQ(near_it.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(near_it.message().find("has no vector"), std::string::npos) << near_it.message();
}

TEST_F(WithoutVector, AVectorComesAndGoesWithTheRecord) {
  ASSERT_EQ(Put("a", {1, 0}), OkStatus());
  ASSERT_EQ(PutBare("a"), OkStatus());
  EXPECT_EQ(Found({1, 0}), Ids{});
  ASSERT_EQ(Put("a", {3, 0}), OkStatus());
  EXPECT_EQ(Found({1, 0}), Ids{"a"});
  EXPECT_EQ(c().Count().value(), 1U);
}

TEST_F(WithoutVector, AnEmptyVectorMustBeMeant) {
  ASSERT_EQ(Put("a", {1, 0}), OkStatus());
  EXPECT_EQ(c().Upsert({.id = "a"}).code(), StatusCode::kInvalidArgument);
  const std::vector<float> v = {1, 2};
  EXPECT_EQ(c().Upsert({.id = "a", .vector = v, .without_vector = true}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Found({1, 0}), Ids{"a"});
}

TEST_F(WithoutVector, GraphAndTailLeaveThemOut) {
  constexpr std::size_t kDim = 256;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const auto put = [&](std::size_t begin, std::size_t end) {
    std::vector<std::vector<float>> vectors;
    std::vector<std::string> ids;
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<float>& v = vectors.emplace_back(i % 3 == 0 ? 0 : kDim);
      for (float& x : v) x = normal(random);
      ids.push_back(std::to_string(i));
    }
    std::vector<RecordView> records;
    for (std::size_t i = begin; i < end; ++i) {
      records.push_back({ids[i - begin], vectors[i - begin], R"({"x": 1})", vectors[i - begin].empty()});
    }
    ASSERT_EQ(c().Upsert(records, {.durability = Durability::kOsBuffered}), OkStatus());
  };
  for (std::size_t i = 0; i < 9'000; i += 1'000) put(i, i + 1'000);
  ASSERT_EQ(c().WaitForIndex(), OkStatus());
  put(9'000, 9'300);
  const auto check = [&] {
    std::size_t walks = 0;
    for (int q = 0; q < 20; ++q) {
      std::vector<float> query(kDim);
      for (float& x : query) x = normal(random);
      for (const Filter& filter : {Filter(), Filter("x = 1")}) {
        SearchRequest request{.vector = query, .k = 50, .filter = filter};
        const SearchResult result = c().Search(request).value();
        walks += result.plan == PlanKind::kSweep ? 1 : 0;
        ASSERT_EQ(result.hits.size(), 50U);
        for (const Hit& hit : result.hits) ASSERT_NE(std::stoi(hit.id) % 3, 0);
        request.exact = true;
        request.k = 7'000;
        EXPECT_EQ(c().Search(request).value().hits.size(), 6'200U);
      }
    }
    EXPECT_GT(walks, 0U);
    EXPECT_EQ(c().Verify(), OkStatus());
  };
  check();
  ASSERT_EQ(c().Publish(), OkStatus());
  Reopen();
  EXPECT_EQ(c().Stats().value().damage, "");
  check();
}

TEST_F(WithoutVector, TheFirstVectorFixesTheDimension) {
  EXPECT_EQ(c().options().dim, 0U);
  const SearchResult nothing = Search({1, 2, 3});
  EXPECT_TRUE(nothing.hits.empty() && nothing.complete && nothing.exact);
  ASSERT_EQ(PutBare("bare"), OkStatus());
  ASSERT_EQ(c().Publish(), OkStatus());
  Reopen();
  EXPECT_EQ(c().options().dim, 0U);
  EXPECT_TRUE(Search({1}).hits.empty());
  ASSERT_EQ(Put("a", {1, 2, 3}), OkStatus());
  EXPECT_EQ(c().options().dim, 3U);
  const Status other = Put("b", {1, 2});
  EXPECT_EQ(other.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(other.message().find("stores 3"), std::string::npos) << other.message();
  const std::vector<float> short_query = {1, 2};
  EXPECT_EQ(c().Search({.vector = short_query}).status().code(), StatusCode::kInvalidArgument);
  Reopen();
  EXPECT_EQ(c().Stats().value().damage, "");
  EXPECT_EQ(c().options().dim, 3U);
  EXPECT_EQ(Found({0, 0, 0}), Ids{"a"});
  EXPECT_EQ(c().Count().value(), 2U);
  EXPECT_EQ(c().Verify(), OkStatus());
}

TEST_F(WithoutVector, ABadFirstWriteFixesNothing) {
  const std::vector<float> two = {1, 2};
  const std::vector<float> three = {1, 2, 3};
  const std::vector<RecordView> mixed = {{.id = "a", .vector = two}, {.id = "b", .vector = three}};
  EXPECT_EQ(c().Upsert(mixed).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(c().options().dim, 0U);
  EXPECT_EQ(c().Count().value(), 0U);
}

TEST_F(WithoutVector, WritersThatRaceForTheDimensionAgree) {
  for (int turn = 0; turn < 50; ++turn) {
    Collection collection = database_->CreateCollection("race" + std::to_string(turn), {}).value();
    std::vector<std::thread> writers;
    std::atomic<int> written{0};
    std::barrier together(4);
    for (std::size_t t = 1; t <= 4; ++t) {
      writers.emplace_back([&, t] {
        const std::vector<float> vector(t, 1.0F);
        together.arrive_and_wait();
        const WriteOptions buffered{.durability = Durability::kOsBuffered};
        written += collection.Upsert({.id = std::to_string(t), .vector = vector}, buffered).ok() ? 1 : 0;
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(written, 1);
    EXPECT_EQ(collection.Count().value(), 1U);
    const std::vector<float> query(collection.options().dim, 1.0F);
    EXPECT_EQ(collection.Search({.vector = query}).value().hits.size(), 1U);
    EXPECT_EQ(collection.Verify(), OkStatus());
  }
}

TEST_F(WithoutVector, AnotherFirstVectorMayComeBetweenCheckAndWrite) {
  std::atomic<bool> came{false};
  SyncPoints::Set("commit.before_gate", [&] {
    if (!came.exchange(true)) {
      EXPECT_EQ(Put("first", {1, 2, 3}), OkStatus());
    }
  });
  EXPECT_EQ(Put("second", {1, 2}).code(), StatusCode::kInvalidArgument);
  SyncPoints::Clear();
  EXPECT_EQ(Found({1, 2, 3}), Ids{"first"});
  EXPECT_EQ(c().Verify(), OkStatus());
}

TEST_F(WithoutVector, SlotsWithoutARowArePublishedAfterReopening) {
  for (const bool with_one : {false, true}) {
    const std::string name = with_one ? "one" : "none";
    {
      Collection collection = database_->CreateCollection(name, {.dim = 1'536}).value();
      if (with_one) {
        const std::vector<float> v(1'536, 1.0F);
        ASSERT_EQ(collection.Upsert({.id = "v", .vector = v}), OkStatus());
      }
      std::vector<std::string> ids;
      ids.reserve(1'500);
      for (int i = 0; i < 1'500; ++i) ids.push_back(std::to_string(i));
      std::vector<RecordView> records;
      records.reserve(ids.size());
      for (const std::string& id : ids) records.push_back({.id = id, .without_vector = true});
      ASSERT_EQ(collection.Upsert(records), OkStatus());
    }
    Reopen();
    Collection collection = database_->OpenCollection(name).value();
    ASSERT_EQ(collection.Publish(), OkStatus());
    Reopen();
    collection = database_->OpenCollection(name).value();
    EXPECT_EQ(collection.Stats().value().damage, "");
    EXPECT_EQ(collection.Stats().value().published, with_one ? 1'501U : 1'500U);
    EXPECT_EQ(collection.Verify(), OkStatus());
  }
}

TEST_F(WithoutVector, AFirstVectorAfterManyWithoutCanBePublished) {
  for (int i = 0; i < 200; ++i) ASSERT_EQ(PutBare(std::to_string(i)), OkStatus());
  ASSERT_EQ(Put("v", std::vector<float>(1'536, 1.0F)), OkStatus());
  ASSERT_EQ(c().Publish(), OkStatus());
  Reopen();
  EXPECT_EQ(c().Stats().value().damage, "");
  EXPECT_EQ(Found(std::vector<float>(1'536, 1.0F)), Ids{"v"});
}

// The generation that a load builds may bring another dimension than the writer that waits for it wanted.
TEST_F(WithoutVector, AWriterThatWaitsForALoadIsCheckedAgain) {
  BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
  const std::vector<float> two = {1, 2};
  ASSERT_EQ(loader.Add(std::vector<RecordView>{{.id = "two", .vector = two}}), OkStatus());
  std::atomic<bool> at_gate{false};
  SyncPoints::Set("commit.before_gate", [&] { at_gate = true; });
  Status written;
  std::thread writer([&] { written = Put("three", {1, 2, 3}); });
  while (!at_gate) std::this_thread::yield();
  ASSERT_TRUE(loader.Finish().ok());
  writer.join();
  SyncPoints::Clear();
  EXPECT_EQ(written.code(), StatusCode::kInvalidArgument) << written;
  EXPECT_EQ(Found({1, 2}), Ids{"two"});
  Reopen();
  EXPECT_EQ(Found({1, 2}), Ids{"two"});
}

TEST_F(WithoutVector, ABulkLoadTakesBoth) {
  const std::vector<float> v = {1, 2, 3, 4};
  const std::vector<float> other = {1, 2};
  for (const BulkMode mode : {BulkMode::kCreate, BulkMode::kReplace}) {
    const std::string name = mode == BulkMode::kCreate ? "new" : "c";
    BulkLoader loader = BulkLoader::Begin(&*database_, name, mode, {.metric = Metric::kL2Squared}).value();
    ASSERT_EQ(loader.Add(std::vector<RecordView>{{.id = "bare", .without_vector = true}}), OkStatus());
    ASSERT_EQ(loader.Add(std::vector<RecordView>{{.id = "full", .vector = v}}), OkStatus());
    EXPECT_EQ(loader.Add(std::vector<RecordView>{{.id = "odd", .vector = other}}).code(), StatusCode::kInvalidArgument);
    Collection loaded = loader.Finish().value();
    EXPECT_EQ(loaded.options().dim, 4U);
    EXPECT_EQ(loaded.Count().value(), 2U);
    EXPECT_EQ(loaded.Search({.vector = v}).value().hits.size(), 1U);
    EXPECT_EQ(loaded.Verify(), OkStatus());
  }
}

}  // namespace
}  // namespace vdb
