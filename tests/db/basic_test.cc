// The public interface, verb by verb, with reopening in between.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <cmath>
#include <random>
#include <set>

#include "tests/db/one_collection.h"

namespace vdb {
namespace {

std::vector<std::string> IdsOf(const SearchResult& result) {
  std::vector<std::string> ids;
  for (const Hit& hit : result.hits) ids.push_back(hit.id);
  return ids;
}

using Strings = std::vector<std::string>;

class Basic : public OneCollection {
 protected:
  Basic() : OneCollection({.dim = 2, .metric = Metric::kL2Squared}) {}
  void Put(std::string_view id, float x, float y, std::string_view payload = "{}") {
    const std::vector<float> v = {x, y};
    ASSERT_EQ(c().Upsert({.id = id, .vector = v, .payload = payload}), OkStatus());
  }
  SearchResult Near(float x, float y, SearchRequest request = {}) {
    const std::vector<float> v = {x, y};
    request.vector = v;
    return c().Search(request).value();
  }
};

TEST_F(Basic, SearchFindsNearestFirstWithExactDistances) {
  Put("far", 3, 4);
  Put("near", 1, 0, R"({"a": 1})");
  const SearchResult result = Near(0, 0);
  EXPECT_EQ(IdsOf(result), (Strings{"near", "far"}));
  EXPECT_EQ(result.hits[0].distance, 1);
  EXPECT_EQ(result.hits[1].distance, 25);
  EXPECT_EQ(result.hits[0].payload, R"({"a": 1})");
  EXPECT_TRUE(result.exact);
  EXPECT_TRUE(result.complete);
}

TEST_F(Basic, UpsertReplacesAndSurvivesReopening) {
  Put("a", 1, 1, R"({"v": 1})");
  Put("a", 5, 5, R"({"v": 2})");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(c().Count().value(), 1U);
    const Record record = c().Get("a", true).value();
    EXPECT_EQ(record.payload, R"({"v": 2})");
    EXPECT_EQ(record.vector, (std::vector<float>{5, 5}));
    EXPECT_EQ(IdsOf(Near(1, 1)), Strings{"a"});
    EXPECT_EQ(Near(1, 1).hits[0].distance, 32);
    Reopen();
  }
}

TEST_F(Basic, DeleteRemovesAndCounts) {
  Put("a", 1, 1);
  Put("b", 2, 2);
  EXPECT_EQ(c().Delete("a").value(), 1U);
  EXPECT_EQ(c().Delete("a").value(), 0U);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(c().Get("a").status().code(), StatusCode::kNotFound);
    EXPECT_EQ(IdsOf(Near(0, 0)), Strings{"b"});
    Reopen();
  }
}

TEST_F(Basic, ReopenThenDeleteDoesNotReturnAfterTheNextReopen) {
  Put("a", 1, 1);
  Put("b", 2, 2);
  Reopen();
  EXPECT_EQ(c().Delete("a").value(), 1U);
  Reopen();
  EXPECT_EQ(c().Get("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(c().Count().value(), 1U);
}

TEST_F(Basic, LastWriteOfAnIdInABatchWins) {
  const std::vector<float> v1 = {1, 0};
  const std::vector<float> v2 = {2, 0};
  const std::vector<RecordView> records = {{"a", v1, R"({"n": 1})"}, {"b", v1, "{}"}, {"a", v2, R"({"n": 2})"}};
  ASSERT_EQ(c().Upsert(records), OkStatus());
  EXPECT_EQ(c().Count().value(), 2U);
  EXPECT_EQ(c().Get("a").value().payload, R"({"n": 2})");
}

TEST_F(Basic, BatchAcrossCollectionsAppliesInOrder) {
  Collection other = database_->CreateCollection("other", {.dim = 1, .metric = Metric::kInnerProduct}).value();
  const std::vector<float> v2 = {1, 2};
  const std::vector<float> v1 = {3};
  WriteBatch batch;
  batch.Upsert(c(), {"x", v2, "{}"});
  batch.Upsert(other, {"y", v1, "{}"});
  batch.Delete(c(), "x");
  batch.Upsert(c(), {"z", v2, "{}"});
  ASSERT_EQ(database_->Write(batch), OkStatus());
  EXPECT_EQ(c().Count().value(), 1U);
  EXPECT_EQ(other.Count().value(), 1U);
  EXPECT_EQ(other.Get("y", true).value().vector, v1);
}

TEST_F(Basic, FiltersWorkOnEveryFieldWithoutDeclarations) {
  Put("en1", 1, 0, R"({"lang": "en", "year": 2020, "author": {"name": "Ada"}, "tags": ["x", "y"]})");
  Put("en2", 2, 0, R"({"lang": "en", "year": 2010})");
  Put("de1", 3, 0, R"({"lang": "de", "year": 2024, "tags": []})");
  EXPECT_EQ(IdsOf(Near(0, 0, {.filter = "lang = $1 AND year >= 2015", .bind = {"en"}})), Strings{"en1"});
  EXPECT_EQ(IdsOf(Near(0, 0, {.filter = "author.name = 'Ada'"})), Strings{"en1"});
  EXPECT_EQ(IdsOf(Near(0, 0, {.filter = "tags CONTAINS 'y'"})), Strings{"en1"});
  EXPECT_EQ(c().Count("NOT lang = 'en'").value(), 1U);
  EXPECT_EQ(c().Count("author.name IS NULL").value(), 2U);
  EXPECT_EQ(Near(0, 0, {.filter = "year > 3000"}).hits.size(), 0U);
  EXPECT_TRUE(Near(0, 0, {.filter = "year > 3000"}).complete);
}

TEST_F(Basic, DeleteWhereRemovesWhatMatches) {
  for (int i = 0; i < 100; ++i) {
    Put("r" + std::to_string(i), static_cast<float>(i), 0, R"({"i": )" + std::to_string(i) + "}");
  }
  EXPECT_EQ(c().DeleteWhere("i >= 10").value(), 90U);
  EXPECT_EQ(c().Count().value(), 10U);
  Reopen();
  EXPECT_EQ(c().Count().value(), 10U);
  EXPECT_EQ(c().Count("i >= 10").value(), 0U);
}

TEST_F(Basic, SearchByIdLeavesTheRecordItselfOut) {
  Put("a", 1, 0);
  Put("b", 2, 0);
  Put("c", 9, 0);
  const SearchResult result = c().Search({.id = "a", .k = 2}).value();
  EXPECT_EQ(IdsOf(result), (Strings{"b", "c"}));
  EXPECT_EQ(c().Search({.id = "none"}).status().code(), StatusCode::kNotFound);
}

TEST_F(Basic, ScanSeesOneStateInOrderOfWriting) {
  Put("b", 1, 0, R"({"n": 1})");
  Put("a", 2, 0, R"({"n": 2})");
  Scanner scanner = c().Scan({.with_vector = true}).value();
  Put("late", 3, 0);
  ASSERT_EQ(c().Delete("a").value(), 1U);
  Strings ids;
  for (;;) {
    const std::optional<Record> record = scanner.Next().value();
    if (!record) break;
    ids.push_back(record->id);
    EXPECT_EQ(record->vector.size(), 2U);
  }
  EXPECT_EQ(ids, (Strings{"b", "a"}));
}

TEST_F(Basic, ScanFiltersAndPrefixes) {
  Put("x/1", 1, 0, R"({"n": 1})");
  Put("x/2", 1, 0, R"({"n": 2})");
  Put("y/1", 1, 0, R"({"n": 1})");
  Scanner scanner = c().Scan({.filter = "n = 1", .id_prefix = "x/"}).value();
  EXPECT_EQ(scanner.Next().value()->id, "x/1");
  EXPECT_FALSE(scanner.Next().value().has_value());
}

TEST_F(Basic, DropRemovesTheCollectionAndItsHandlesFail) {
  Put("a", 1, 0);
  ASSERT_EQ(database_->DropCollection("c"), OkStatus());
  EXPECT_EQ(c().Get("a").status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(c().Upsert({"b", std::vector<float>{1, 2}, "{}"}).code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(database_->ListCollections().value().empty());
  Reopen();
  EXPECT_EQ(c().Count().value(), 0U);  // a new one of the same name
}

TEST_F(Basic, MetricsAgreeWithTheirDefinition) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    const std::string name(MetricName(metric));
    Collection m = database_->CreateCollection("m-" + name, {.dim = 33, .metric = metric}).value();
    std::vector<float> a(33);
    std::vector<float> q(33);
    for (float& x : a) x = normal(random);
    for (float& x : q) x = normal(random);
    ASSERT_EQ(m.Upsert({"a", a, "{}"}), OkStatus());
    double l2 = 0;
    double dot = 0;
    double na = 0;
    double nq = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      l2 += std::pow(a[i] - q[i], 2);
      dot += a[i] * q[i];
      na += a[i] * a[i];
      nq += q[i] * q[i];
    }
    const double expected = metric == Metric::kL2Squared      ? l2
                            : metric == Metric::kInnerProduct ? 1 - dot
                                                              : 1 - dot / std::sqrt(na * nq);
    EXPECT_NEAR(m.Search({.vector = q}).value().hits[0].distance, expected, 1e-4) << name;
  }
}

TEST_F(Basic, ExplainShowsEstimatesBesideActuals) {
  Put("a", 1, 0, R"({"n": 1})");
  Put("b", 2, 0, R"({"n": 2})");
  const std::vector<float> q = {0, 0};
  const Explanation explanation = c().Explain({.vector = q, .filter = "n > 1"}).value();
  EXPECT_EQ(explanation.filter, "n > 1");
  EXPECT_EQ(explanation.details.matches, 1U);
  EXPECT_EQ(explanation.details.distances, 1U);
  EXPECT_NE(explanation.ToText().find("1 of 2 match"), std::string::npos) << explanation.ToText();
}

TEST_F(Basic, SearchBatchAnswersEachRequest) {
  for (int i = 0; i < 20; ++i) Put("r" + std::to_string(i), static_cast<float>(i), 0);
  std::vector<std::vector<float>> queries;
  std::vector<SearchRequest> requests;
  queries.reserve(20);
  requests.reserve(20);
  for (int i = 0; i < 20; ++i) queries.push_back({static_cast<float>(i), 0});
  for (const auto& q : queries) requests.push_back({.vector = q, .k = 1});
  const std::vector<SearchResult> results = c().SearchBatch(requests).value();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(IdsOf(results[static_cast<std::size_t>(i)]), Strings{"r" + std::to_string(i)});
  }
}

TEST_F(Basic, ClosedDatabaseFailsEveryCall) {
  Put("a", 1, 0);
  ASSERT_EQ(database_->Close(), OkStatus());
  EXPECT_EQ(c().Get("a").status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(c().Get("a").status().reason(), StatusReason::kClosed);
  EXPECT_EQ(database_->ListCollections().status().reason(), StatusReason::kClosed);
  EXPECT_EQ(database_->Close(), OkStatus());
  collection_.reset();
  database_.reset();
}

TEST_F(Basic, ForkedChildFailsAndReleasesTheLock) {
  Put("a", 1, 0);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool fails = c().Get("a").status().reason() == StatusReason::kForked;
    ::close(ready[1]);
    char byte = 0;
    // Lives on until the parent has closed and reopened.
    static_cast<void>(!::read(ready[0], &byte, 1));
    ::_exit(fails ? 0 : 1);
  }
  Reopen();  // fails if the child still held the lock
  EXPECT_EQ(c().Count().value(), 1U);
  ASSERT_EQ(::write(ready[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(Basic, ARadiusCutsOffWhatIsFarther) {
  for (int i = 0; i < 20; ++i)
    Put("r" + std::to_string(i), static_cast<float>(i), 0,
        R"({"even": )" + std::string(i % 2 == 0 ? "true}" : "false}"));
  const SearchResult result = Near(0, 0, {.k = 100, .radius = 9.0F});
  EXPECT_EQ(IdsOf(result), (Strings{"r0", "r1", "r2", "r3"}));  // squared distances 0, 1, 4, 9
  EXPECT_TRUE(result.exact && result.complete);
  EXPECT_EQ(result.plan, PlanKind::kExact);
  EXPECT_EQ(IdsOf(Near(0, 0, {.k = 2, .radius = 9.0F})), (Strings{"r0", "r1"}));
  EXPECT_EQ(IdsOf(Near(0, 0, {.k = 100, .filter = "even = TRUE", .radius = 9.0F})), (Strings{"r0", "r2"}));
  EXPECT_TRUE(Near(0.5F, 0, {.radius = 0.1F}).hits.empty());
  const std::vector<float> v = {0, 0};
  EXPECT_EQ(c().Search({.vector = v, .radius = NAN}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(Basic, ATimeoutEndsASearchAndALongerOneDoesNot) {
  for (int i = 0; i < 50; ++i) Put(std::to_string(i), static_cast<float>(i), 0);
  const std::vector<float> v = {0, 0};
  // Over before it has begun, whatever the machine.
  EXPECT_EQ(c().Search({.vector = v, .exact = true, .timeout = std::chrono::microseconds(1)}).status().code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(c().Search({.vector = v, .timeout = std::chrono::hours(1)}).value().hits.size(), 10U);
  EXPECT_EQ(c().Search({.vector = v, .timeout = std::chrono::microseconds::max()}).value().hits.size(), 10U);
  EXPECT_EQ(c().Search({.vector = v, .timeout = std::chrono::microseconds(-1)}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(Basic, ForkedChildMayLetGoOfItsHandles) {
  Put("a", 1, 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // a destructor that waits for a thread of the parent would wait for ever
    collection_.reset();
    const bool fails = !database_->Close().ok();
    database_.reset();
    ::_exit(fails ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  Put("b", 0, 1);
  EXPECT_EQ(c().Count().value(), 2U);
}

}  // namespace
}  // namespace vdb
