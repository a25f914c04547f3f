// Columns against payloads: random filters on random payloads of mixed types, with columns in every state that makes
// them ask the payload.
#include "vdb/query/filter_program.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "tests/query/column_rows.h"
#include "vdb/query/cardinality.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

using Random = std::mt19937_64;

template <std::size_t kCount>
const char* Pick(Random* random, const std::array<const char*, kCount>& from) {
  return from[(*random)() % kCount];
}

constexpr std::array kPaths = {"a", "b", "c", "d", "e.f", "e.g", "h[].f", "h[].i.j", "\"odd one\"", "h", "$id"};
constexpr std::array kNames = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"odd one\""};
constexpr std::array kScalars = {"null",
                                 "true",
                                 "false",
                                 "0",
                                 "-3",
                                 "7",
                                 "2.5",
                                 "7.0",
                                 "9007199254740993",
                                 "18446744073709551615",
                                 "\"x\"",
                                 "\"xy\"",
                                 "\"2024-01-02\"",
                                 "\"2024-06-01T10:00:00Z\"",
                                 "\"u5\"",
                                 "\"\""};
constexpr std::array kLiterals = {"NULL",
                                  "TRUE",
                                  "0",
                                  "-3",
                                  "7",
                                  "2.5",
                                  "9007199254740992.0",
                                  "18446744073709551615",
                                  "'x'",
                                  "'xy'",
                                  "'2024-01-02'",
                                  "TIMESTAMP '2024-01-02'",
                                  "TIMESTAMP '2024-06-01T12:00:00+02:00'",
                                  "'u5'",
                                  "'u9'"};
constexpr std::array kOperators = {" = ", " != ", " < ", " <= ", " > ", " >= "};
constexpr std::array kPatterns = {"'x%'", "'%X%'", "'U_'", "'%5'", "'2024-__-%'", "'%'", "''"};

std::string RandomValue(Random* random, int depth) {
  const std::uint64_t kind = (*random)() % 12;
  if (depth == 0 || kind < 8) return Pick(random, kScalars);
  std::string out;
  if (kind < 10) {
    for (std::uint64_t i = (*random)() % 4; i > 0; --i)
      out += (out.empty() ? "" : ",") + RandomValue(random, depth - 1);
    return "[" + out + "]";
  }
  for (const char* name : {"\"f\"", "\"g\"", "\"i\"", "\"j\""}) {
    if ((*random)() % 2 == 0) continue;
    out += (out.empty() ? "" : ",") + std::string(name) + ":" + RandomValue(random, depth - 1);
  }
  return "{" + out + "}";
}

std::string RandomPayload(Random* random) {
  std::string out;
  const auto add = [&out](const std::string& name, const std::string& value) {
    out += (out.empty() ? "" : ",") + name + ":" + value;
  };
  for (const char* name : kNames) {
    if ((*random)() % 4 != 0) add(name, RandomValue(random, 1));
  }
  if ((*random)() % 2 == 0) add("\"e\"", RandomValue(random, 2));
  if ((*random)() % 2 == 0) add("\"h\"", "[" + RandomValue(random, 2) + "," + RandomValue(random, 2) + "]");
  if ((*random)() % 20 == 0) add("\"a\"", RandomValue(random, 1));  // a duplicate now and then
  return "{" + out + "}";
}

std::string RandomList(Random* random) {
  std::string out = Pick(random, kLiterals);
  for (std::uint64_t i = (*random)() % 3; i > 0; --i) out += std::string(", ") + Pick(random, kLiterals);
  return "(" + out + ")";
}

std::string RandomPredicate(Random* random) {
  const std::string path = Pick(random, kPaths);
  const bool list = path.find("[]") != std::string::npos;
  const std::string no = (*random)() % 4 == 0 ? " NOT" : "";
  const std::uint64_t scalar_kinds = path == "$id" ? 5 : 9;  // an id is no list
  switch (list ? 5 + (*random)() % 4 : (*random)() % scalar_kinds) {
    case 0:
    case 1:
      return path + Pick(random, kOperators) + Pick(random, kLiterals);
    case 2:
      return path + no + " IN " + RandomList(random);
    case 3:
      return path + no + " BETWEEN " + Pick(random, kLiterals) + " AND " + Pick(random, kLiterals);
    case 4:
      return path + no + ((*random)() % 2 == 0 ? " LIKE " : " ILIKE ") + Pick(random, kPatterns);
    case 5:
      return path + no + " CONTAINS " + Pick(random, kLiterals);
    case 6:
      return path + no + " CONTAINS ANY " + RandomList(random);
    case 7:
      return path + no + " CONTAINS ALL " + RandomList(random);
    default:
      return path + " IS" + no + " NULL";
  }
}

std::string RandomFilter(Random* random, int depth) {
  const std::uint64_t kind = (*random)() % 7;
  if (depth == 0 || kind < 2) return RandomPredicate(random);
  const std::string a = RandomFilter(random, depth - 1);
  if (kind == 2) return "NOT (" + a + ")";
  if (kind == 6) return "(" + a + ((*random)() % 2 == 0 ? ") IS TRUE" : ") IS NOT TRUE");
  return "(" + a + (kind == 3 ? ") OR (" : ") AND (") + RandomFilter(random, depth - 1) + ")";
}

struct Outcome {
  std::uint64_t decided = 0;
  std::uint64_t unknown = 0;
};

// Columns may say "unknown", never anything wrong; ComputeMatches and SlotMatches then ask the payload.
Outcome CheckRandomFilters(ColumnRows* rows, Random* random, int filters) {
  Outcome outcome;
  Deaths deaths;
  deaths.Reserve(rows->size());
  for (std::uint32_t slot = 0; slot < rows->size(); slot += 7) deaths.Kill(slot, slot % 2 == 0 ? 5 : 50);
  const Clock clock{rows->size() - 3, 10};  // kills of epoch 50 are not seen
  for (int i = 0; i < filters; ++i) {
    const std::string text = RandomFilter(random, 3);
    const FilterNodePtr filter = BindFilter(text, {}).value();
    const std::string expected = rows->FromPayloads(*filter);
    const std::string columns = rows->FromColumns(filter);
    const FilterProgram program = FilterProgram::Compile(filter, rows->index());
    const Result<MatchSet> matches = ComputeMatches(program, deaths, clock, *rows);
    EXPECT_TRUE(matches.ok()) << matches.status();
    std::uint64_t count = 0;
    for (std::uint32_t slot = 0; slot < rows->size(); ++slot) {
      ++(columns[slot] == '?' ? outcome.unknown : outcome.decided);
      if (columns[slot] != '?') {
        EXPECT_EQ(columns[slot], expected[slot]) << text << "\n" << rows->payloads()[slot];
      }
      if (!deaths.IsVisible(slot, clock)) continue;
      const bool match = expected[slot] == 'T';
      count += match ? 1 : 0;
      EXPECT_EQ(matches->slots.Test(slot), match) << text << "\n" << rows->payloads()[slot];
      EXPECT_EQ(SlotMatches(program, slot, *rows).value(), match);
    }
    EXPECT_EQ(matches->count, count) << text;
    EXPECT_EQ(matches->slots.Count(), count) << text;
    EXPECT_TRUE(columns.find('?') == std::string::npos || !program.payload_paths().empty()) << text;
    if (::testing::Test::HasFailure()) break;
  }
  return outcome;
}

TEST(FilterProgram, AgreesWithPayloadsFromDictionaries) {
  Random random(1);
  ColumnRows rows;
  for (int i = 0; i < 300; ++i) {
    rows.Add(RandomPayload(&random), i % 4 == 0 ? "x" : i % 4 == 1 ? "2024-01-02" : "u" + std::to_string(i % 10));
  }
  const Outcome outcome = CheckRandomFilters(&rows, &random, 1'500);
  EXPECT_EQ(outcome.unknown, 0U);
  EXPECT_GT(outcome.decided, 0U);
}

TEST(FilterProgram, AgreesWithPayloadsFromHashes) {
  Random random(2);
  ColumnRows rows;
  PayloadParser parser;
  // So many distinct strings under a, b and d that new ones are hashed; c keeps its dictionary.
  for (std::uint64_t i = 0; i < Column::kMinStringsToHash; ++i) {
    const std::string n = std::to_string(i + 1'000);
    ParsedPayload payload;
    ASSERT_TRUE(parser.Parse(StrCat(R"({"a":"v)", n, R"(","b":"w)", n, R"(","d":["z)", n, R"("]})"), &payload).ok());
    rows.index().Write(1'000'000, payload);  // a slot that nobody asks for
  }
  for (int i = 0; i < 300; ++i) rows.Add(RandomPayload(&random));
  ASSERT_TRUE(rows.index().Find("a")->hashed());
  ASSERT_FALSE(rows.index().Find("c")->hashed());
  const Outcome outcome = CheckRandomFilters(&rows, &random, 1'500);
  EXPECT_GT(outcome.unknown, 0U);
  EXPECT_GT(outcome.decided, outcome.unknown);
}

TEST(FilterProgram, AgreesWithPayloadsBeyondTheLimitOfPaths) {
  Random random(3);
  ColumnRows rows(4);
  for (int i = 0; i < 300; ++i) rows.Add(RandomPayload(&random));
  ASSERT_EQ(rows.index().Paths().size(), 4U);
  const Outcome outcome = CheckRandomFilters(&rows, &random, 700);
  EXPECT_GT(outcome.unknown, 0U);
  EXPECT_GT(outcome.decided, 0U);
}

TEST(FilterProgram, LongStringsAndListsAskThePayload) {
  const std::string text(200, 'x');
  std::string list = "0";
  for (int i = 1; i < 2'000; ++i) list += "," + std::to_string(i);
  ColumnRows rows;
  rows.Add("{\"s\":\"" + text + "\",\"l\":[" + list + "]}");
  rows.Add(R"({"s":"short","l":[1]})");
  const auto columns = [&rows](const std::string& filter) { return rows.FromColumns(BindFilter(filter, {}).value()); };
  EXPECT_EQ(columns("s = '" + text + "'"), "?F");
  EXPECT_EQ(columns("s = 'other'"), "FF");
  EXPECT_EQ(columns("s != 'other'"), "TT");
  EXPECT_EQ(columns("s LIKE 'x%'"), "?F");
  EXPECT_EQ(columns("s < 'y'"), "?T");
  EXPECT_EQ(columns("s > 5"), "NN");
  EXPECT_EQ(columns("s = TIMESTAMP '2024-01-01'"), "NN");
  EXPECT_EQ(columns("l CONTAINS 1999"), "?F");
  EXPECT_EQ(columns("l IS NULL"), "FF");
  EXPECT_EQ(columns("s LIKE 'x%' AND l CONTAINS 5"), "?F");
  Deaths deaths;
  deaths.Reserve(2);
  const FilterProgram program = FilterProgram::Compile("s LIKE 'x%' AND l CONTAINS 1999", {}, rows.index()).value();
  const MatchSet matches = ComputeMatches(program, deaths, {2, 1}, rows).value();
  EXPECT_EQ(matches.count, 1U);
  EXPECT_EQ(matches.payloads_read, 1U);
  EXPECT_EQ(program.payload_paths(), (std::vector<std::string>{"l", "s"}));
}

TEST(FilterProgram, AFailedPayloadReadEndsTheCount) {
  class NoPayloads : public PayloadReader {
   public:
    Status ReadPayload(std::uint32_t, std::string*) override { return IoError("gone"); }
  };
  ColumnRows rows;
  rows.Add("{\"s\":\"" + std::string(200, 'x') + "\"}");
  Deaths deaths;
  deaths.Reserve(1);
  NoPayloads none;
  const FilterProgram program = FilterProgram::Compile("s LIKE 'x%'", {}, rows.index()).value();
  EXPECT_EQ(ComputeMatches(program, deaths, {1, 1}, none).status().code(), StatusCode::kIoError);
  EXPECT_EQ(SlotMatches(program, 0, none).status().code(), StatusCode::kIoError);
}

TEST(FilterProgram, CompileReportsErrors) {
  const FieldIndex index;
  EXPECT_EQ(FilterProgram::Compile("a =", {}, index).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(FilterProgram::Compile(Filter(), {}, index).value().matches_all());
  EXPECT_FALSE(FilterProgram::Compile("FALSE", {}, index).value().matches_all());
}

}  // namespace
}  // namespace vdb
