// Updates of payloads that keep the vectors, and the collection's document.

#include <gtest/gtest.h>
#include <vdb/limits.h>
#include <vdb/vdb.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/db/one_collection.h"

namespace vdb {
namespace {

class Update : public OneCollection {
 protected:
  Update() : OneCollection({.dim = 2, .metric = Metric::kCosine}) {}
  void SetUp() override {
    OneCollection::SetUp();
    Put("a", {1, 0}, R"({"n": 1, "tags": ["x"], "o": {"p": 1, "q": 2}})");
    Put("b", {0, 1}, R"({"n": 2})");
  }
  void Put(std::string_view id, std::vector<float> v, std::string_view payload) {
    ASSERT_EQ(c().Upsert({.id = id, .vector = v, .payload = payload}), OkStatus());
  }
  std::string Payload(std::string_view id) { return c().Get(id).value().payload; }
};

using Updates = std::vector<PayloadUpdate>;

TEST_F(Update, MergesAndKeepsTheVector) {
  const Updates updates = {{"a", R"({"n": 5, "tags": null, "o": {"q": 3, "r": 4}})"}, {"gone", R"({"n": 7})"}};
  EXPECT_EQ(c().Update(updates).value(), 1U);
  const auto check = [&] {
    EXPECT_EQ(Payload("a"), R"({"n":5,"o":{"p":1,"q":3,"r":4}})");
    EXPECT_EQ(c().Get("a", true).value().vector, (std::vector<float>{1, 0}));
    EXPECT_EQ(c().Count("n = 5").value(), 1U);
    EXPECT_EQ(c().Count("n = 1").value(), 0U);
    EXPECT_EQ(c().Count().value(), 2U);
    const std::vector<float> query = {1, 0.1F};
    EXPECT_EQ(c().Search({.vector = query, .k = 1}).value().hits[0].id, "a");
    EXPECT_EQ(c().Verify(), OkStatus());
  };
  check();
  Reopen();
  check();
}

TEST_F(Update, ReplacesWhenAsked) {
  EXPECT_EQ(c().Update(Updates{{"a", R"({"z": 0})"}}, {.mode = UpdateMode::kReplace}).value(), 1U);
  EXPECT_EQ(Payload("a"), R"({"z": 0})");
}

TEST_F(Update, TwoChangesOfOneRecordAddUp) {
  EXPECT_EQ(c().Update(Updates{{"b", R"({"x": 1})"}, {"b", R"({"y": 2})"}}).value(), 1U);
  EXPECT_EQ(Payload("b"), R"({"n":2,"x":1,"y":2})");
}

TEST_F(Update, ByFilterChangesEveryMatchAndNoOther) {
  Put("c", {1, 1}, R"({"n": 2, "k": "v"})");
  ASSERT_EQ(c().Upsert({.id = "bare", .payload = R"({"n": 2})", .without_vector = true}), OkStatus());
  const std::vector<Value> bind = {2};
  EXPECT_EQ(c().UpdateWhere("n = $1", R"({"seen": true})", bind).value(), 3U);
  EXPECT_EQ(c().Count("seen = TRUE").value(), 3U);
  EXPECT_EQ(c().Count("seen IS NULL").value(), 1U);
  EXPECT_TRUE(c().Get("bare", true).value().vector.empty());
  EXPECT_EQ(c().UpdateWhere("n = 99", R"({"seen": false})").value(), 0U);
  EXPECT_EQ(c().Verify(), OkStatus());
}

TEST_F(Update, BadChangesChangeNothing) {
  for (const char* bad : {"[1]", "{", R"({"a": 1)", "1"}) {
    EXPECT_EQ(c().Update(Updates{{"b", R"({"ok": 1})"}, {"a", bad}}).status().code(), StatusCode::kInvalidArgument)
        << bad;
    EXPECT_EQ(c().UpdateWhere("n = 1", bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(c().Update(Updates{{"", "{}"}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Payload("b"), R"({"n": 2})");
}

// Every increment of a counter member must survive: readers of old payloads may not come between.
TEST_F(Update, ConcurrentUpdatesLoseNothing) {
  std::vector<std::thread> writers;
  writers.reserve(4);
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string change = R"({"m)" + std::to_string(t) + "_" + std::to_string(i) + R"(": 1})";
        EXPECT_EQ(c().Update(Updates{{"a", change}}, {.durability = Durability::kOsBuffered}).value(), 1U);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(nlohmann::json::parse(Payload("a")).size(), 3U + 100U);
}

TEST_F(Update, TheDocumentLastsAndGoesWithItsCollection) {
  EXPECT_EQ(c().GetDocument().value(), "{}");
  ASSERT_EQ(c().SetDocument(R"({"embedder": "local"})"), OkStatus());
  Reopen();
  EXPECT_EQ(c().GetDocument().value(), R"({"embedder": "local"})");
  EXPECT_EQ(c().SetDocument("[]").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(c().SetDocument(R"({"x": ")" + std::string(kMaxDocumentBytes, 'x') + R"("})").code(),
            StatusCode::kInvalidArgument);
  ASSERT_EQ(c().Compact(), OkStatus());
  EXPECT_EQ(c().GetDocument().value(), R"({"embedder": "local"})");
  ASSERT_EQ(database_->DropCollection("c"), OkStatus());
  EXPECT_EQ(c().GetDocument().status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(database_->CreateCollection("c", {.dim = 2}).value().GetDocument().value(), "{}");
}

}  // namespace
}  // namespace vdb
