// Filters on ids, lists as parameters and facets, through the public interface.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/db/one_collection.h"

namespace vdb {
namespace {

class FilterOnCollection : public OneCollection {
 protected:
  FilterOnCollection() : OneCollection({.dim = 1, .metric = Metric::kL2Squared}) {}
  void Put(std::string_view id, std::string_view payload) {
    const std::vector<float> v = {1};
    ASSERT_EQ(c().Upsert({.id = id, .vector = v, .payload = payload}), OkStatus());
  }
  std::uint64_t Count(const Filter& filter, const std::vector<Value>& bind = {}) {
    return c().Count(filter, bind).value();
  }
};

TEST_F(FilterOnCollection, IdsAreAskedLikePaths) {
  Put("doc/1", R"({"n": 1})");
  Put("doc/2", R"({"n": 2})");
  Put("img/1", R"({"n": 3})");
  Put("doc/2", R"({"n": 4})");  // replaced: its old slot is dead
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Count("$id LIKE 'doc/%'"), 2U);
    EXPECT_EQ(Count(Filter::Eq("$id", "doc/2") && Filter::Gt("n", 3)), 1U);
    EXPECT_EQ(Count("$id = $1", {"doc/2"}), 1U);
    EXPECT_EQ(Count("$id IN $1", {Value::List({"doc/1", "img/1", "none"})}), 2U);
    EXPECT_EQ(Count("$id ILIKE '%G/_'"), 1U);
    const std::vector<float> query = {1};
    const SearchResult found = c().Search({.vector = query, .filter = "$id > 'doc/2'"}).value();
    ASSERT_EQ(found.hits.size(), 1U);
    EXPECT_EQ(found.hits[0].id, "img/1");
    EXPECT_EQ(found.details.rechecked, 0U);
    ASSERT_EQ(c().Publish(), OkStatus());
    Reopen();  // ids from the published files
  }
  EXPECT_EQ(c().DeleteWhere("$id IN $1 OR n = 3", std::vector<Value>{Value::List({"doc/1"})}).value(), 2U);
  EXPECT_EQ(Count({}), 1U);
}

TEST_F(FilterOnCollection, IdsAreKnownWherePayloadsAreRead) {
  const std::string text(300, 'x');
  Put("a", "{\"s\": \"" + text + "1\"}");
  Put("b", "{\"s\": \"" + text + "1\"}");
  const Filter filter = Filter::Like("s", "x%1") && Filter::Ne("$id", "b");
  EXPECT_EQ(Count(filter), 1U);
  EXPECT_EQ(c().DeleteWhere(filter).value(), 1U);
  EXPECT_EQ(Count("$id = 'b'"), 1U);
}

TEST_F(FilterOnCollection, FacetsCountLiveRecords) {
  Put("a", R"({"t": ["x", "y"], "n": 1, "s": "2024-01-02T00:00:00Z"})");
  Put("b", R"({"t": ["x"], "n": 2.5, "s": "2023-05-06"})");
  Put("c", R"({"t": ["z"], "n": 2.5})");
  Put("c", R"({"t": ["y"], "n": 7, "s": ")" + std::string(300, 'z') + "\"}");
  Put("d", R"({"t": ["gone"], "n": 100})");
  ASSERT_EQ(c().Delete("d").value(), 1U);
  for (int round = 0; round < 2; ++round) {
    const FacetResult tags = c().Facets({.path = "t"}).value();
    EXPECT_EQ(tags.values, (std::vector<FacetValue>{{"x", 2}, {"y", 2}}));
    EXPECT_EQ(tags.distinct, 2U);
    EXPECT_EQ(tags.records, 3U);
    EXPECT_EQ(tags.missing, 0U);
    const FacetResult some =
        c().Facets({.path = "n", .filter = "t CONTAINS ANY $1", .bind = {Value::List({"x"})}, .limit = 1}).value();
    EXPECT_EQ(some.values, (std::vector<FacetValue>{{1, 1}}));
    EXPECT_EQ(some.distinct, 2U);
    EXPECT_EQ(some.min, Value(1));
    EXPECT_EQ(some.max, Value(2.5));
    const FacetResult texts = c().Facets({.path = "s"}).value();
    EXPECT_EQ(texts.min, Value("2023-05-06"));
    EXPECT_EQ(texts.max, Value(std::string(300, 'z')));
    EXPECT_EQ(texts.payloads_read, 1U);
    ASSERT_EQ(c().Publish(), OkStatus());
    Reopen();
  }
  EXPECT_EQ(c().Facets({.path = "n", .filter = "FALSE"}).value().records, 0U);
  EXPECT_EQ(c().Facets({.path = "a b"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(c().Facets({.path = ""}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(c().Facets({.path = "n", .filter = "n >"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(c().Facets({.path = "n", .filter = "n = $1"}).status().code(), StatusCode::kInvalidArgument);
  ASSERT_EQ(database_->Close(), OkStatus());
  EXPECT_EQ(c().Facets({.path = "n"}).status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vdb
