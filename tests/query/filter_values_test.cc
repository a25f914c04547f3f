// What filters mean, row by row: a table of expected answers for values of every type under one path, for the payload
// evaluator and for the columns.
#include <gtest/gtest.h>
#include <vdb/filter.h>

#include <string>
#include <vector>

#include "tests/query/column_rows.h"

namespace vdb {
namespace {

struct Case {
  const char* filter;
  const char* expected;  // T, F or N per row
};

void Check(const ColumnRows& rows, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Result<FilterNodePtr> filter = BindFilter(c.filter, {});
    ASSERT_TRUE(filter.ok()) << c.filter << ": " << filter.status();
    EXPECT_EQ(rows.FromPayloads(**filter), c.expected) << c.filter;
    EXPECT_EQ(rows.FromColumns(*filter), c.expected) << c.filter;
  }
}

ColumnRows* MakeRows(const std::vector<std::string>& payloads) {
  auto* rows = new ColumnRows;
  for (const std::string& payload : payloads) rows->Add(payload);
  return rows;
}

TEST(FilterValues, MixedTypesUnderOnePath) {
  //                                       missing  null             int          double         string
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({"{}", R"({"v":null})", R"({"v":5})", R"({"v":5.5})", R"({"v":"5"})",
                // true             false            list             object
                R"({"v":true})", R"({"v":false})", R"({"v":[5]})", R"({"v":{"x":5}})",
                // empty list     empty object
                R"({"v":[]})", R"({"v":{}})"}));
  Check(*rows, {
                   {"v = 5", "NNTFNNNNNNN"},
                   {"v != 5", "NNFTNNNNNNN"},
                   {"NOT v = 5", "NNFTNNNNNNN"},
                   {"v < 5.25", "NNTFNNNNNNN"},
                   {"v = '5'", "NNNNTNNNNNN"},
                   {"v > '4'", "NNNNTNNNNNN"},
                   {"v = TRUE", "NNNNNTFNNNN"},
                   {"v < TRUE", "NNNNNFTNNNN"},
                   {"v IN (FALSE, TRUE)", "NNNNNTTNNNN"},
                   {"v = NULL", "NNNNNNNNNNN"},
                   {"v IN (5, NULL)", "NNTNNNNNNNN"},
                   {"v IN (5, '5')", "NNTNTNNNNNN"},
                   {"v IN (6, '6')", "NNNNNNNNNNN"},
                   {"v NOT IN (5, 6)", "NNFTNNNNNNN"},
                   {"v IN ('4', '5', '6')", "NNNNTNNNNNN"},
                   {"v BETWEEN 5 AND 5.5", "NNTTNNNNNNN"},
                   {"v BETWEEN 5.1 AND 'z'", "NNFNNNNNNNN"},  // 5 >= 5.1 is FALSE, and FALSE AND NULL is FALSE
                   {"v BETWEEN NULL AND 5", "NNNFNNNNNNN"},
                   {"v BETWEEN 'z' AND NULL", "NNNNFNNNNNN"},
                   {"v LIKE '5%'", "NNNNTNNNNNN"},
                   {"v NOT LIKE '%6'", "NNNNTNNNNNN"},
                   {"(v = 5) IS TRUE", "FFTFFFFFFFF"},
                   {"(v = 5) IS NOT TRUE", "TTFTTTTTTTT"},
                   {"NOT (v = 5) IS TRUE AND v IS NOT NULL", "FFFTTTTTTTT"},
                   {"(NOT v CONTAINS ANY (0, '')) IS TRUE", "FFFFFFFFFTF"},
                   {"v IS NULL", "TTFFFFFFFFF"},
                   {"v IS NOT NULL", "FFTTTTTTTTT"},
                   {"v CONTAINS 5", "NNNNNNNTNFN"},
                   {"v CONTAINS ANY (4, 5)", "NNNNNNNTNFN"},
                   {"v CONTAINS ALL (4, 5)", "NNNNNNNFNFN"},
                   {"v.x = 5", "NNNNNNNNTNN"},
                   {"v.x IS NULL", "TTTTTTTTFTT"},
                   {"v = TIMESTAMP '2024-01-01'", "NNNNNNNNNNN"},
                   {"nothing = 1 OR v = 5", "NNTNNNNNNNN"},
                   {"nothing = 1 AND v = 5", "NNNFNNNNNNN"},
                   {"TRUE", "TTTTTTTTTTT"},
                   {"NOT NULL", "NNNNNNNNNNN"},
               });
}

TEST(FilterValues, NumbersCompareExactly) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"v":9007199254740991})", R"({"v":9007199254740992})", R"({"v":9007199254740993})",
                R"({"v":9007199254740992.0})", R"({"v":9223372036854775807})", R"({"v":9223372036854775808})",
                R"({"v":18446744073709551615})", R"({"v":9223372036854775808.0})", R"({"v":-9223372036854775808})",
                R"({"v":-0.0})", R"({"v":1.8446744073709552e19})"}));
  Check(*rows, {
                   {"v = 9007199254740992", "FTFTFFFFFFF"},
                   {"v = 9007199254740992.0", "FTFTFFFFFFF"},
                   {"v = 9007199254740993", "FFTFFFFFFFF"},
                   {"v > 9007199254740992.0", "FFTFTTTTFFT"},
                   {"v >= 9007199254740993", "FFTFTTTTFFT"},
                   {"v < 9007199254740993", "TTFTFFFFTTF"},
                   {"v != 9007199254740992", "TFTFTTTTTTT"},
                   {"v = 9223372036854775807", "FFFFTFFFFFF"},
                   {"v > 9223372036854775807", "FFFFFTTTFFT"},
                   {"v = 9223372036854775808", "FFFFFTFTFFF"},
                   {"v = 9223372036854775808.0", "FFFFFTFTFFF"},
                   {"v < 9223372036854775808.0", "TTTTTFFFTTF"},
                   {"v = 18446744073709551615", "FFFFFFTFFFF"},
                   {"v >= 18446744073709551615", "FFFFFFTFFFT"},
                   {"v > 18446744073709551615", "FFFFFFFFFFT"},
                   {"v < 1e300", "TTTTTTTTTTT"},
                   {"v > -1e300", "TTTTTTTTTTT"},
                   {"v <= -9223372036854775808", "FFFFFFFFTFF"},
                   {"v < -9223372036854775808", "FFFFFFFFFFF"},
                   {"v = 0", "FFFFFFFFFTF"},
                   {"v BETWEEN 0 AND 9007199254740992.5", "TTFTFFFFFTF"},
                   {"v IN (0, 9007199254740993, 18446744073709551615)", "FFTFFFTFFTF"},
               });
}

TEST(FilterValues, StringsCompareBytewiseAndLikeByCharacter) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"v":""})", R"({"v":"a"})", R"({"v":"ab"})", R"({"v":"B"})", R"({"v":"ä"})", R"({"v":"a%b"})",
                R"({"v":"a\u0000b"})", R"({"v":"日本語"})"}));
  Check(*rows, {
                   {"v < 'a'", "TFFTFFFF"},
                   {"v >= 'a'", "FTTFTTTT"},
                   {"v BETWEEN 'a' AND 'b'", "FTTFFTTF"},
                   {"v LIKE 'a%'", "FTTFFTTF"},
                   {"v LIKE 'a'", "FTFFFFFF"},
                   {"v LIKE '_'", "FTFTTFFF"},
                   {"v LIKE '__'", "FFTFFFFF"},
                   {"v LIKE '%b'", "FFTFFTTF"},
                   {"v LIKE '%'", "TTTTTTTT"},
                   {"v LIKE '%本%'", "FFFFFFFT"},
                   {"v LIKE '___'", "FFFFFTTT"},
                   {"v LIKE 'a_b'", "FFFFFTTF"},
                   {"v LIKE ''", "TFFFFFFF"},
                   {"v LIKE 'A%'", "FFFFFFFF"},
                   {"v = 'ä'", "FFFFTFFF"},
               });
}

TEST(FilterValues, LikeFindsTextInTheMiddleAndAtTheEnd) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"v":"grün"})", R"({"v":"ein grüner Baum"})", R"({"v":"GRÜN"})", R"({"v":"gr\u00fcgrün"})",
                R"({"v":"日本語の本"})", R"({"v":"𐐀x𐐨"})", R"({"v":5})", R"({"v":null})"}));
  Check(*rows,
        {
            {"v LIKE '%grün%'", "TTFTFFNN"},     {"v LIKE '%grün'", "TFFTFFNN"},     {"v LIKE '%ü%'", "TTFTFFNN"},
            {"v LIKE '%ün'", "TFFTFFNN"},        {"v LIKE '%r_n'", "TFFTFFNN"},      {"v LIKE '%本'", "FFFFTFNN"},
            {"v LIKE '%本%本'", "FFFFTFNN"},     {"v LIKE '%本_の%'", "FFFFTFNN"},   {"v LIKE '%語本'", "FFFFFFNN"},
            {"v LIKE '%_𐐨'", "FFFFFTNN"},        {"v LIKE '___'", "FFFFFTNN"},       {"v LIKE '%%'", "TTTTTTNN"},
            {"v NOT LIKE '%grün%'", "FFTFTTNN"}, {"v ILIKE '%GRÜN%'", "TTTTFFNN"},   {"v ILIKE '%Ün'", "TFTTFFNN"},
            {"v ILIKE 'gr_n'", "TFTFFFNN"},      {"v NOT ILIKE 'grün'", "FTFTTTNN"}, {"v ILIKE '𐐨X𐐀'", "FFFFFTNN"},
            {"v ILIKE '%本'", "FFFFTFNN"},       {"v ILIKE ''", "FFFFFFNN"},
        });
}

TEST(FilterValues, AnEscapeMakesWildcardsOrdinary) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"s":"50%"})", R"({"s":"500"})", R"({"s":"a_b"})", R"({"s":"axb"})", R"({"s":"A_B!"})",
                R"({"s":"!"})", R"({"s":"!!"})", R"({"s":5})"}));
  Check(*rows, {
                   {"s LIKE '50!%' ESCAPE '!'", "TFFFFFFN"},
                   {"s LIKE '50%' ESCAPE '!'", "TTFFFFFN"},
                   {"s LIKE '%!%' ESCAPE '!'", "TFFFFFFN"},
                   {"s LIKE '%!' ESCAPE '!'", "FFFFTTTN"},  // at the end an escape is itself
                   {"s LIKE '%!!%' ESCAPE '!'", "FFFFTTTN"},
                   {"s LIKE '!!!!' ESCAPE '!'", "FFFFFFTN"},
                   {"s LIKE 'a\\_b' ESCAPE '\\'", "FFTFFFFN"},
                   {"s LIKE 'a\\_b'", "FFFFFFFN"},
                   {"s ILIKE 'A!_b%' ESCAPE '!'", "FFTFTFFN"},
                   {"s NOT LIKE '%!_%' ESCAPE '!'", "TTFTFTTN"},
                   {"s LIKE '%!x%' ESCAPE '!'", "FFFTFFFN"},
                   {"s LIKE '%_!_%' ESCAPE '!'", "FFTFTFFN"},
               });
}

TEST(FilterValues, ILikeFoldsBothSides) {
  ColumnRows rows;
  for (const char* text : {"Straße", "STRASSE", "straẞe", "\u212Aelvin", "ΟΔΟΣ", "odos", "İ"}) {
    rows.Add("{\"v\":\"" + std::string(text) + "\"}", text);
  }
  for (const std::string path : {"v", "$id"}) {
    const auto check = [&](const std::string& rest, const char* expected) {
      Check(rows, {{(path + rest).c_str(), expected}});
    };
    check(" ILIKE 'strasse'", "FTFFFFF");
    check(" ILIKE 'STRAßE'", "TFTFFFF");
    check(" ILIKE '%ẞ_'", "TFTFFFF");
    check(" ILIKE 'KELVIN'", "FFFTFFF");
    check(" ILIKE 'οδος'", "FFFFTFF");  // a final sigma
    check(" ILIKE 'i'", "FFFFFFF");
    check(" ILIKE 'İ'", "FFFFFFT");
    check(" LIKE 'straße'", "FFFFFFF");
  }
  // A pattern that is bound is folded, too; one that is no string makes the predicate NULL.
  EXPECT_EQ(rows.FromColumns(BindFilter("v ILIKE $1", std::vector<Value>{"oDoS"}).value()), "FFFFFTF");
  EXPECT_EQ(rows.FromColumns(BindFilter("v ILIKE $1", std::vector<Value>{5}).value()), "NNNNNNN");
  EXPECT_EQ(rows.FromPayloads(*BindFilter("v ILIKE $1", std::vector<Value>{5}).value()), "NNNNNNN");
  EXPECT_EQ(rows.FromColumns(BindFilter(Filter::ILike("v", "%STR%"), {}).value()), "TTTFFFF");
}

TEST(FilterValues, TimesAreReadFromStrings) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"v":"2024-01-01"})", R"({"v":"2024-01-01T00:00:00+00:00"})", R"({"v":"2024-01-01T01:00:00+02:00"})",
                R"({"v":"yesterday"})", R"({"v":1704067200})", R"({"v":"2024-01-01T00:00:00.000001Z"})"}));
  Check(*rows, {
                   {"v = TIMESTAMP '2024-01-01'", "TTFNNF"},
                   {"v != TIMESTAMP '2024-01-01'", "FFTNNT"},
                   {"v < TIMESTAMP '2024-01-01T00:00:00Z'", "FFTNNF"},
                   {"v > TIMESTAMP '2024-01-01 01:00:00+01:00'", "FFFNNT"},
                   {"v BETWEEN TIMESTAMP '2023-12-31' AND TIMESTAMP '2024-01-01'", "TTTNNF"},
                   {"v IN (TIMESTAMP '2024-01-01', 'yesterday')", "TTFTNF"},
                   {"v >= '2024-01-01T'", "FTTTNT"},
               });
}

TEST(FilterValues, ListsFollowAny) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"t":["a","b"]})", R"({"t":["a",null]})", R"({"t":["a",5]})", R"({"t":[]})", R"({"t":[null]})",
                R"({"t":"a"})", R"({"t":[["a"]]})", R"({})", R"({"t":[{"k":"a"},{"k":["b","c"]},{"q":1}]})",
                R"({"t":[{"k":null}]})"}));
  Check(*rows, {
                   {"t CONTAINS 'a'", "TTTFNNNNNN"},
                   {"t CONTAINS 'b'", "TNNFNNNNNN"},
                   {"NOT t CONTAINS 'z'", "TNNTNNNNNN"},
                   {"t CONTAINS 5", "NNTFNNNNNN"},
                   {"t CONTAINS NULL", "NNNFNNNNNN"},
                   {"t CONTAINS ANY ('b', 'z')", "TNNFNNNNNN"},
                   {"t CONTAINS ALL ('a', 'b')", "TNNFNNNNNN"},
                   {"t CONTAINS ALL ('a', 5)", "NNTFNNNNNN"},
                   {"t[] CONTAINS 'a'", "TTTFNNNNNN"},
                   {"t[].k CONTAINS 'a'", "NNNNNNNNTN"},
                   {"t[].k CONTAINS ALL ('b', 'c')", "NNNNNNNNTN"},
                   {"t[].k CONTAINS 'z'", "NNNNNNNNFN"},
                   {"t[].k IS NULL", "TTTTTTTTFF"},
                   {"t = 'a'", "NNNNNTNNNN"},
                   {"t IS NULL", "FFFFFFFTFF"},
               });
}

// Lists bound to parameters mean what lists in the text mean; long ones are looked up another way.
TEST(FilterValues, BoundListsSayWhatListsInTheTextSay) {
  ColumnRows rows;
  for (const char* v : {"0", "7", "7.0", "7.5", "-3", "9007199254740993", "9007199254740992.0", "18446744073709551615",
                        "1e300", "\"7\"", "\"x\"", "null", "true", "[7]", "[\"x\", 7]", "[]", "[null]"}) {
    rows.Add(std::string("{\"v\":") + v + "}");
  }
  std::vector<Value> values;
  const std::vector<Value> pool = {7,
                                   "x",
                                   9007199254740992,
                                   18446744073709551615U,
                                   -4,
                                   100,
                                   "row/3",
                                   12,
                                   2.5,
                                   7.5,
                                   -3,
                                   9007199254740993,
                                   13,
                                   14,
                                   nullptr,
                                   true,
                                   15,
                                   1e300,
                                   Timestamp{0}};
  for (const Value& next : pool) {
    values.push_back(next);
    std::string text;
    for (const Value& value : values) text += (text.empty() ? "(" : ", ") + value.ToString();
    for (const std::string before : {"v IN ", "v NOT IN ", "v CONTAINS ANY ", "v CONTAINS ALL ", "$id IN "}) {
      const FilterNodePtr in_text = BindFilter(before + text + ")", {}).value();
      const FilterNodePtr bound = BindFilter(before + "$1", std::vector<Value>{Value::List(values)}).value();
      const std::string expected = rows.FromPayloads(*in_text);
      EXPECT_EQ(rows.FromPayloads(*bound), expected) << before << text;
      EXPECT_EQ(rows.FromColumns(bound), expected) << before << text;
    }
  }
}

TEST(FilterValues, OddNamesNestingAndDuplicates) {
  const std::unique_ptr<ColumnRows> rows(
      MakeRows({R"({"odd name":{"x.y":1},"in":2})", R"({"a":1,"a":2})", R"({"a":{"b":1},"a":{"c":1}})",
                R"({"":{"":3}})", R"({"a":{"b":{"c":{"d":4}}}})", R"({"größe":7,"q\"q":8})"}));
  Check(*rows, {
                   {"\"odd name\".\"x.y\" = 1", "TNNNNN"},
                   {"\"in\" = 2", "TNNNNN"},
                   {"a = 2", "NTNNNN"},
                   {"a.b = 1", "NNNNNN"},
                   {"a.c = 1", "NNTNNN"},
                   {"\"\".\"\" = 3", "NNNTNN"},
                   {"a.b.c.d = 4", "NNNNTN"},
                   {"größe = 7 AND \"q\"\"q\" = 8", "NNNNNT"},
               });
}

TEST(FilterValues, IdsAreStringsBesideThePayload) {
  ColumnRows rows;
  for (const char* id : {"a/1", "a/2", "b/1", "B/1", "ä/1", "日本", "2024-01-02", "a%1"}) {
    rows.Add(R"({"id":"x","$id":"y"})", id);
  }
  Check(rows, {
                  {"$id = 'a/1'", "TFFFFFFF"},
                  {"$id != 'a/1'", "FTTTTTTT"},
                  {"NOT $id = 'a/1'", "FTTTTTTT"},
                  {"$id = 'none'", "FFFFFFFF"},
                  {"$id = 5", "NNNNNNNN"},
                  {"$id != NULL", "NNNNNNNN"},
                  {"$id IN ('a/1', 'b/1', 'none')", "TFTFFFFF"},
                  {"$id IN ('a/1', 5)", "TNNNNNNN"},
                  {"$id NOT IN ('a/1', 'b/1')", "FTFTTTTT"},
                  {"$id IN ('a/1') OR $id IN ('a/1', '日本')", "TFFFFTFF"},
                  {"$id LIKE 'a/%'", "TTFFFFFF"},
                  {"$id LIKE '_/1'", "TFTTTFFF"},
                  {"$id NOT LIKE '%1'", "FTFFFTTF"},
                  {"$id BETWEEN 'a/' AND 'b/1'", "TTTFFFFF"},
                  {"$id < 'B/2'", "FFFTFFTF"},
                  {"$id >= 'ä'", "FFFFTTFF"},
                  {"$id = TIMESTAMP '2024-01-02'", "NNNNNNTN"},
                  {"$id IN (TIMESTAMP '2024-01-02', 'a/1')", "TNNNNNTN"},
                  {"$id IS NULL", "FFFFFFFF"},
                  {"$id IS NOT NULL", "TTTTTTTT"},
                  {"id = 'x' AND \"$id\" = 'y' AND $id > 'a/1'", "FTTFTTFF"},
                  {"nothing = 1 OR $id = 'b/1'", "NNTNNNNN"},
              });
}

TEST(FilterValues, TruthTables) {
  // Rows: every pair of F, T, N under p and q.
  std::vector<std::string> payloads;
  const char* values[] = {"false", "true", "null"};
  for (const char* p : values) {
    for (const char* q : values) payloads.push_back(std::string("{\"p\":") + p + ",\"q\":" + q + "}");
  }
  const std::unique_ptr<ColumnRows> rows(MakeRows(payloads));
  Check(*rows, {
                   {"p = TRUE AND q = TRUE", "FFFFTNFNN"},
                   {"p = TRUE OR q = TRUE", "FTNTTTNTN"},
                   {"NOT p = TRUE", "TTTFFFNNN"},
                   {"NOT (p = TRUE AND q = TRUE)", "TTTTFNTNN"},
                   {"NOT (p = TRUE OR q = TRUE)", "TFNFFFNFN"},
                   {"(p = TRUE OR q = TRUE) IS TRUE", "FTFTTTFTF"},
                   {"(p = TRUE OR q = TRUE) IS NOT TRUE", "TFTFFFTFT"},
                   {"(NOT p = TRUE) IS TRUE", "TTTFFFFFF"},
                   {"(p = TRUE) IS TRUE AND (q = TRUE) IS NOT TRUE", "FFFTFTFFF"},
                   {"(p = TRUE) IS TRUE OR q = TRUE", "FTNTTTFTN"},
                   {"(NULL) IS TRUE", "FFFFFFFFF"},
                   {"p = TRUE AND q = TRUE AND NULL", "FFFFNNFNN"},
                   {"p = TRUE OR q = TRUE OR NULL", "NTNTTTNTN"},
               });
}

TEST(FilterEvaluator, RefusesAPayloadThatIsNone) {
  const FilterNodePtr filter = BindFilter("a = 1", {}).value();
  EXPECT_EQ(EvaluateFilter(*filter, {"id", "{"}).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(EvaluateFilter(*filter, {"id", "[1]"}).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(EvaluateFilter(*filter, {"id", ""}).value(), Tri::kNull);
}

}  // namespace
}  // namespace vdb
