#include "vdb/query/filter_parser.h"

#include <gtest/gtest.h>
#include <vdb/filter.h>
#include <vdb/limits.h>

#include <limits>
#include <string>
#include <vector>

#include "vdb/query/filter_tree.h"

namespace vdb {
namespace {

std::string Canonical(const std::string& text) {
  const Result<FilterNodePtr> node = ParseFilter(text);
  return node.ok() ? FilterText(**node) : node.status().ToString();
}

struct TextCase {
  const char* text;
  const char* canonical;
};

TEST(FilterParser, ReadsTheWholeLanguage) {
  constexpr TextCase kCases[] = {
      {"", "TRUE"},
      {"  \n", "TRUE"},
      {"a=1", "a = 1"},
      {"a == 1", "a = 1"},
      {"a <> -2", "a != -2"},
      {"a<+3", "a < 3"},
      {"a <= 1.5e3", "a <= 1500.0"},
      {"a > 5.", "a > 5.0"},
      {"a >= -.5", "a >= -0.5"},
      {"a = 9223372036854775807", "a = 9223372036854775807"},
      {"a = -9223372036854775808", "a = -9223372036854775808"},
      {"a = 18446744073709551615", "a = 18446744073709551615"},
      {"a = 1e23", "a = 1e+23"},
      {"a = 'it''s'", "a = 'it''s'"},
      {"a = ''", "a = ''"},
      {"a = True or b = nUll", "a = TRUE OR b = NULL"},
      {"a in (1,'x', NULL,$3)", "a IN (1, 'x', NULL, $3)"},
      {"a Not In (1)", "a NOT IN (1)"},
      {"a BETWEEN 1 AND 2 AND b = 3", "a BETWEEN 1 AND 2 AND b = 3"},
      {"a NOT BETWEEN $1 AND $2", "a NOT BETWEEN $1 AND $2"},
      {"a LIKE 'x%'", "a LIKE 'x%'"},
      {"a not like $1", "a NOT LIKE $1"},
      {"a ilike '%x' and a not ILike $1", "a ILIKE '%x' AND a NOT ILIKE $1"},
      {"ilike = 1 AND NOT ilike ILIKE 'x'", "ilike = 1 AND ilike NOT ILIKE 'x'"},  // a name, too
      {"a CONTAINS 'x'", "a CONTAINS 'x'"},
      {"a[] CONTAINS 'x'", "a CONTAINS 'x'"},
      {"a CONTAINS ANY ('x', 2)", "a CONTAINS ANY ('x', 2)"},
      {"a CONTAINS ANY ('x')", "a CONTAINS 'x'"},
      {"a not contains all (1, 2)", "a NOT CONTAINS ALL (1, 2)"},
      {"a in $1 AND a not in $2", "a IN $1 AND a NOT IN $2"},
      {"a contains any $1 OR a CONTAINS ALL $2", "a CONTAINS ANY $1 OR a CONTAINS ALL $2"},
      {"a IN ($1) AND a CONTAINS ANY ($2)", "a IN ($1) AND a CONTAINS $2"},
      {"a IS NULL", "a IS NULL"},
      {"a is not null", "a IS NOT NULL"},
      {"NOT a = 1", "NOT a = 1"},
      {"NOT NOT a = 1", "a = 1"},
      {"NOT (a = 1 OR b = 2)", "NOT (a = 1 OR b = 2)"},
      {"a = 1 OR b = 2 AND NOT c = 3", "a = 1 OR b = 2 AND NOT c = 3"},
      {"(a = 1 OR b = 2) AND (c = 3 AND d = 4)", "(a = 1 OR b = 2) AND c = 3 AND d = 4"},
      {"(((a = 1)))", "a = 1"},
      {"TRUE AND NOT FALSE OR NULL", "TRUE AND NOT FALSE OR NULL"},
      {"author.name = 'x'", "author.name = 'x'"},
      {"items[].sku CONTAINS 7", "items[].sku CONTAINS 7"},
      {"a[].b[].c IS NULL", "a[].b[].c IS NULL"},
      {"\"odd name\".\"x y\"[].\"q\"\"q\" CONTAINS 1", "\"odd name\".\"x y\"[].\"q\"\"q\" CONTAINS 1"},
      {"\"plain\" = 1", "plain = 1"},
      {"\"in\" = 1 AND a.in = 2", "\"in\" = 1 AND a.\"in\" = 2"},
      {"\"\" = 1", "\"\" = 1"},
      {"größe = 'ä'", "größe = 'ä'"},
      {"timestamp > 5 AND any = 1 AND all = 2", "timestamp > 5 AND any = 1 AND all = 2"},
      {"$id='a/1'", "$id = 'a/1'"},
      {"$id in ($1,'b') and $id like 'x%'", "$id IN ($1, 'b') AND $id LIKE 'x%'"},
      {"NOT $id BETWEEN 'a' AND $2", "$id NOT BETWEEN 'a' AND $2"},
      {"$id IS NOT NULL", "$id IS NOT NULL"},
      {"\"$id\" = 1 AND a.\"$id\" = 2", "\"$id\" = 1 AND a.\"$id\" = 2"},
      {"a > TIMESTAMP '2024-01-02'", "a > TIMESTAMP '2024-01-02T00:00:00Z'"},
      {"a > timestamp '2024-01-02 03:04:05.25+01:00'", "a > TIMESTAMP '2024-01-02T02:04:05.25Z'"},
  };
  for (const TextCase& c : kCases) {
    EXPECT_EQ(Canonical(c.text), c.canonical) << c.text;
    EXPECT_EQ(Canonical(c.canonical), c.canonical) << "read again";
  }
}

TEST(FilterParser, ReadsEscapesAndTestsOfTruth) {
  constexpr TextCase kCases[] = {
      {"a like $1 escape '\\'", "a LIKE $1 ESCAPE '\\'"},
      {"a NOT ILIKE 'x!%' ESCAPE '!' AND escape = 1", "a NOT ILIKE 'x!%' ESCAPE '!' AND escape = 1"},
      {"(a = 1) is true", "(a = 1) IS TRUE"},
      {"(a = 1 OR b = 2) IS NOT TRUE AND c = 3", "(a = 1 OR b = 2) IS NOT TRUE AND c = 3"},
      {"NOT ((a = 1) IS TRUE)", "(a = 1) IS NOT TRUE"},
      {"NOT (a = 1) IS NOT TRUE", "(a = 1) IS TRUE"},
      {"((a = 1) IS TRUE) IS TRUE", "(a = 1) IS TRUE"},
      {"(NOT (a = 1 AND b = 2)) IS TRUE", "(NOT (a = 1 AND b = 2)) IS TRUE"},
  };
  for (const TextCase& c : kCases) {
    EXPECT_EQ(Canonical(c.text), c.canonical) << c.text;
    EXPECT_EQ(Canonical(c.canonical), c.canonical) << "read again";
  }
}

struct ErrorCase {
  const char* text;
  std::size_t column;
  const char* wanted;  // in the message
};

TEST(FilterParser, NamesTheColumnAndWhatWasExpected) {
  constexpr ErrorCase kCases[] = {
      {"a", 2, "expected an operator"},
      {"a = ", 5, "expected a value"},
      {"a = b", 5, "expected a value"},
      {"a = \"b\"", 5, "single quotes"},
      {"= 1", 1, "expected a field path or '('"},
      {"AND a = 1", 1, "expected a field path or '(', found AND"},
      {"a = 1 AND", 10, "expected a field path or '(', found the end"},
      {"a = 1 b = 2", 7, "expected AND, OR or the end, found b"},
      {"(a = 1", 7, "expected AND, OR or ')', found the end"},
      {"a = 1)", 6, "expected AND, OR or the end, found )"},
      {"a IN 1", 6, "expected '(' or a parameter that is bound to a list, found 1"},
      {"a CONTAINS ANY 'x'", 16, "expected '(' or a parameter that is bound to a list"},
      {"a IN $1, $2", 8, "expected AND, OR or the end"},
      {"a IN ()", 7, "expected a value"},
      {"a IN (1 2)", 9, "expected ',' or ')'"},
      {"a NOT = 1", 7, "expected IN, BETWEEN, LIKE, ILIKE or CONTAINS"},
      {"a ILIKE 5", 9, "expected a pattern in single quotes after ILIKE"},
      {"tags[] ILIKE 'x'", 1, "use CONTAINS"},
      {"a BETWEEN 1 OR 2", 13, "expected AND"},
      {"a LIKE 5", 8, "expected a pattern"},
      {"a LIKE 'x' ESCAPE", 18, "one character in single quotes after ESCAPE"},
      {"a LIKE 'x' ESCAPE 'ab'", 19, "one character in single quotes after ESCAPE"},
      {"a LIKE 'x' ESCAPE '%'", 19, "no letter, digit, % or _"},
      {"a ILIKE 'x' ESCAPE 'A'", 20, "no letter, digit, % or _"},
      {"a LIKE 'x' ESCAPE $1", 19, "one character in single quotes after ESCAPE"},
      {"(a = 1) IS NULL", 12, "expected TRUE or NOT TRUE after a condition's IS, found NULL"},
      {"(a = 1) IS NOT FALSE", 16, "expected TRUE, found FALSE"},
      {"a = 1 IS TRUE", 7, "expected AND, OR or the end"},
      {"a IS 5", 6, "expected NULL or NOT NULL"},
      {"a IS NOT 5", 10, "expected NULL"},
      {"a. = 1", 4, "expected a name"},
      {"a[0] = 1", 3, "expected ']'"},
      {"a[][] CONTAINS 1", 4, "arrays in arrays"},
      {"items[].sku = 'x'", 1, "items[].sku is a list; use CONTAINS"},
      {"b = 1 OR items[].sku IN ('x')", 10, "use CONTAINS"},
      {"tags[] LIKE 'x'", 1, "use CONTAINS"},
      {"a = 'open", 5, "closing '"},
      {"\"open = 1", 1, "closing \""},
      {"a = 1e", 7, "exponent"},
      {"a = 1e999", 5, "range of a double"},
      {"a = 12abc", 7, "number to end"},
      {"a = $0", 5, "$1"},
      {"a = $", 5, "$1"},
      {"a = $99999999999", 5, "$1"},
      {"a = $id", 5, "expected a value"},
      {"$ids = 1", 1, "expected $id, the record's id, or a parameter such as $1, found $ids"},
      {"$ID = 'a'", 1, "found $ID"},
      {"a.$id = 1", 3, "expected a name"},
      {"$id.x = 1", 4, "expected an operator after $id"},
      {"$id[] CONTAINS 1", 4, "expected an operator after $id"},
      {"$id CONTAINS 'a'", 1, "$id is one string"},
      {"b = 1 AND $id NOT CONTAINS ANY ('a')", 11, "$id is one string"},
      {"$id", 4, "expected an operator"},
      {"a # 1", 3, "unexpected character '#'"},
      {"a = TIMESTAMP 5", 15, "single quotes"},
      {"a = TIMESTAMP 'noon'", 15, "2024-01-02T03:04:05Z"},
      {"a = -", 5, "unexpected character '-'"},
  };
  for (const ErrorCase& c : kCases) {
    const Status status = ParseFilter(c.text).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.text;
    EXPECT_NE(status.message().find("column " + std::to_string(c.column) + ":"), std::string::npos)
        << c.text << ": " << status;
    EXPECT_NE(status.message().find(c.wanted), std::string::npos) << c.text << ": " << status;
  }
}

std::string Nested(std::size_t depth) {
  return std::string(depth, '(') + "a = 1" + std::string(depth, ')');
}

TEST(FilterParser, DepthAtTheLimitAndFarPast) {
  EXPECT_EQ(Canonical(Nested(kMaxFilterDepth)), "a = 1");
  EXPECT_NE(Canonical(Nested(kMaxFilterDepth + 1)).find("deeper than 64"), std::string::npos);
  EXPECT_NE(Canonical(Nested(30'000)).find("deeper than 64"), std::string::npos);
  EXPECT_NE(Canonical(Nested(100'000)).find("at most 65536"), std::string::npos);
  std::string nots;
  for (int i = 0; i < 16'000; ++i) nots += "NOT ";
  EXPECT_EQ(Canonical(nots + "a=1"), "a = 1");
  std::string path = "a";
  for (std::size_t i = 1; i < kMaxPayloadDepth; ++i) path += ".a";
  EXPECT_TRUE(ParseFilter(path + " = 1").ok());
  EXPECT_NE(Canonical(path + ".a = 1").find("at most 64 names"), std::string::npos);
}

TEST(FilterParser, SizeAtTheLimitAndOnePast) {
  std::string text = "a = 1";
  text.resize(kMaxFilterBytes, ' ');
  EXPECT_EQ(Canonical(text), "a = 1");
  EXPECT_NE(Canonical(text + " ").find("at most 65536"), std::string::npos);
}

std::string BoundText(const Filter& filter, const std::vector<Value>& values) {
  const Result<FilterNodePtr> node = BindFilter(filter, values);
  return node.ok() ? FilterText(**node) : node.status().ToString();
}

TEST(BindFilter, PutsValuesInPlaceOfParameters) {
  EXPECT_EQ(BoundText("a = $2 AND b IN ($1, 3) AND c != $2", {"x'y", 2.5}),
            "a = 2.5 AND b IN ('x''y', 3) AND c != 2.5");
  EXPECT_EQ(BoundText("a = $1", {Timestamp{0}}), "a = TIMESTAMP '1970-01-01T00:00:00Z'");
  EXPECT_EQ(BoundText("a = $1 OR a = $2 OR a = $3", {nullptr, true, 7U}), "a = NULL OR a = TRUE OR a = 7");
  EXPECT_EQ(BoundText(Filter(), {}), "TRUE");
}

TEST(BindFilter, PutsListsInPlaceOfTheirParameters) {
  EXPECT_EQ(BoundText("a IN $1", {Value::List({1, "x", nullptr})}), "a IN (1, 'x', NULL)");
  EXPECT_EQ(BoundText("a NOT IN $1 AND $id IN $1", {Value::List({"x"})}), "a NOT IN ('x') AND $id IN ('x')");
  EXPECT_EQ(BoundText("t CONTAINS ANY $2 OR t CONTAINS ALL $1", {Value::List({1, 2}), Value::List({"x"})}),
            "t CONTAINS 'x' OR t CONTAINS ALL (1, 2)");
  EXPECT_EQ(BoundText("a IN $1", {Value::List({})}), "FALSE");
  EXPECT_EQ(BoundText("a NOT IN $1", {Value::List({})}), "NOT FALSE");
  EXPECT_EQ(BoundText("t CONTAINS ANY $1", {Value::List({})}), "FALSE");
  EXPECT_EQ(BoundText("t CONTAINS ALL $1", {Value::List({})}), "TRUE");
  EXPECT_EQ(BoundText("a IN $1", {Value::List({Timestamp{0}})}), "a IN (TIMESTAMP '1970-01-01T00:00:00Z')");
  EXPECT_EQ(BoundText(Filter("a IN $1") && Filter::Eq("b", 1), {Value::List({1})}), "a IN (1) AND b = 1");
}

TEST(BindFilter, NamesTheParameterOfABadList) {
  constexpr const char* kOneValue = "is bound to a list; wanted one value";
  for (const char* text : {"a = $2", "a IN ($2)", "a IN (1, $2)", "a BETWEEN 1 AND $2", "a LIKE $2", "t CONTAINS $2",
                           "t CONTAINS ANY ($2)"}) {
    EXPECT_NE(BoundText(std::string(text) + " AND b = $1", {1, Value::List({1})}).find(std::string("$2 ") + kOneValue),
              std::string::npos)
        << text;
  }
  EXPECT_NE(BoundText("a.b IN $1", {"x"}).find("$1 stands for a list in a.b IN, but is bound to 'x'"),
            std::string::npos);
  EXPECT_NE(BoundText("t CONTAINS ALL $1", {nullptr}).find("$1 stands for a list in t CONTAINS, but is bound to NULL"),
            std::string::npos);
  EXPECT_NE(
      BoundText("a IN $1", {Value::List({1, Value::List({2})})}).find("$1, value 1 of its list: a list in a list"),
      std::string::npos);
  EXPECT_NE(BoundText("a IN $1", {Value::List({std::numeric_limits<double>::infinity()})}).find("$1, value 0"),
            std::string::npos);
  EXPECT_NE(BoundText("a IN $2", {Value::List({})}).find("uses $2, but 1 values are bound"), std::string::npos);
  EXPECT_NE(BoundText("a IN $1", {Value::List({}), 5}).find("does not use $2"), std::string::npos);
  EXPECT_NE(BoundText(Filter::Eq("a", Value::List({1})), {}).find("filter compares with a list"), std::string::npos);
  EXPECT_NE(BoundText(Filter::In("a", {Value::List({1})}), {}).find("filter compares with a list"), std::string::npos);
}

TEST(Value, ListsCompareByTheirValuesAndPrintAsLists) {
  const Value list = Value::List({1, "it's", nullptr, 2.0});
  const Value copy = list;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(&copy.list_value(), &list.list_value());
  EXPECT_EQ(list.type(), Value::Type::kList);
  EXPECT_EQ(list, Value::List({1, "it's", nullptr, 2.0}));
  EXPECT_NE(list, Value::List({1}));
  EXPECT_NE(list, Value(1));
  EXPECT_EQ(list.ToString(), "(1, 'it''s', NULL, 2.0)");
  EXPECT_EQ(Value::List({}).ToString(), "()");
}

TEST(BindFilter, RefusesWhatDoesNotFit) {
  EXPECT_NE(BoundText("a = $2", {"x"}).find("uses $2, but 1 values are bound"), std::string::npos);
  EXPECT_NE(BoundText("a = $2", {"x", "y"}).find("does not use $1"), std::string::npos);
  EXPECT_NE(BoundText(Filter(), {1}).find("does not use $1"), std::string::npos);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_NE(BoundText("a = $1", {bad}).find("$1: filter compares with a number that is not finite"),
              std::string::npos);
    EXPECT_NE(BoundText(Filter::Lt("a", bad), {}).find("not finite"), std::string::npos);
  }
  EXPECT_NE(BoundText("a = $1", {Timestamp{std::numeric_limits<std::int64_t>::max()}}).find("years"),
            std::string::npos);
}

TEST(Filter, BuiltInCppReadsAsText) {
  const std::pair<Filter, const char*> cases[] = {
      {Filter(), "TRUE"},
      {Filter::Eq("author.name", "Ada") && Filter::Ge("year", 2020), "author.name = 'Ada' AND year >= 2020"},
      {Filter::Lt("a", 1) || (Filter::Le("b", 2.0) && !Filter::Gt("c", -3)), "a < 1 OR b <= 2.0 AND NOT c > -3"},
      {(Filter::Ne("a", true) || "b = 1") && "c = 2 OR d = 3", "(a != TRUE OR b = 1) AND (c = 2 OR d = 3)"},
      {Filter::In("a", {1, "x", nullptr}), "a IN (1, 'x', NULL)"},
      {Filter::NotIn("a", {1}), "a NOT IN (1)"},
      {Filter::In("a", {}), "FALSE"},
      {Filter::NotIn("a", {}), "NOT FALSE"},
      {Filter::Between("a", 1, 2), "a BETWEEN 1 AND 2"},
      {Filter::Like("a", "x%"), "a LIKE 'x%'"},
      {!Filter::ILike("a", "%X%"), "a NOT ILIKE '%X%'"},
      {Filter::Contains("items[].sku", 7), "items[].sku CONTAINS 7"},
      {Filter::ContainsAny("tags", {"a", "b"}), "tags CONTAINS ANY ('a', 'b')"},
      {Filter::ContainsAll("tags", {"a", "b"}), "tags CONTAINS ALL ('a', 'b')"},
      {Filter::ContainsAll("tags", {}), "TRUE"},
      {Filter::Eq("$id", "a/1") || Filter::Like("$id", "doc/%"), "$id = 'a/1' OR $id LIKE 'doc/%'"},
      {Filter::Ne("\"$id\"", 1), "\"$id\" != 1"},
      {Filter::IsNull("\"odd name\".x"), "\"odd name\".x IS NULL"},
      {Filter::IsNotNull("a"), "a IS NOT NULL"},
      {Filter::And({}), "TRUE"},
      {Filter::Or({}), "FALSE"},
      {Filter::And({"a = 1 AND b = 2", "c = 3"}), "a = 1 AND b = 2 AND c = 3"},
      {Filter::Eq("a", std::uint64_t{18446744073709551615U}), "a = 18446744073709551615"},
  };
  for (const auto& [filter, text] : cases) {
    EXPECT_EQ(filter.ToString(), text);
    EXPECT_EQ(Canonical(filter.ToString()), text);
    EXPECT_EQ(BoundText(filter, {}), text);
  }
}

TEST(Filter, ErrorsComeWhenItIsUsed) {
  EXPECT_NE(BoundText(Filter::Eq("a b", 1), {}).find("path a b"), std::string::npos);
  EXPECT_NE(BoundText(Filter::Eq("items[].sku", 1) || "b = 1", {}).find("use Contains"), std::string::npos);
  EXPECT_NE(BoundText(Filter::In("", {}), {}).find("expected a field path"), std::string::npos);
  EXPECT_NE(BoundText(Filter::Contains("$id", "a"), {}).find("$id is one string"), std::string::npos);
  EXPECT_NE(BoundText(Filter::Eq("$id.x", "a"), {}).find("path $id.x"), std::string::npos);
  EXPECT_NE(BoundText(!Filter("a ="), {}).find("column 4"), std::string::npos);
}

TEST(Filter, DepthAndSizeAreBounded) {
  Filter deep = Filter::Eq("a", 1);
  for (std::size_t i = 0; i < kMaxFilterDepth; ++i) deep = Filter::And({Filter::Or({deep, "b = 1"}), "c = 1"});
  ASSERT_TRUE(BindFilter(deep, {}).ok());
  EXPECT_EQ(Canonical(deep.ToString()), deep.ToString());
  for (int i = 0; i < 100'000; ++i) deep = Filter::And({Filter::Or({deep, "b = 1"}), "c = 1"});
  EXPECT_NE(BoundText(deep, {}).find("deeper than 64"), std::string::npos);
  Filter doubled = Filter::Eq("a", 1);
  for (int i = 0; i < 60; ++i) doubled = i % 2 == 0 ? doubled && doubled : doubled || doubled;
  EXPECT_NE(BoundText(doubled, {}).find("predicates"), std::string::npos);
}

TEST(Filter, KnowsWhatMatchesAll) {
  EXPECT_TRUE(Filter().matches_all());
  EXPECT_TRUE(Filter(" \t").matches_all());
  EXPECT_FALSE(Filter("a = 1").matches_all());
  EXPECT_FALSE(Filter::Eq("a", 1).matches_all());
}

}  // namespace
}  // namespace vdb
