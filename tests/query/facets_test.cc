// Facets from columns in every state, against a plain count over the payloads.
#include "vdb/query/facets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/query/column_rows.h"

namespace vdb {
namespace {

using Json = nlohmann::json;
using Random = std::mt19937_64;

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

// "3 × 7" per value, then distinct, records, missing, min, max.
std::string Text(const FacetResult& result) {
  std::string out;
  for (const FacetValue& value : result.values)
    out += value.value.ToString() + " x" + std::to_string(value.count) + " ";
  return out + "| " + std::to_string(result.distinct) + " of " + std::to_string(result.records) + ", " +
         std::to_string(result.missing) + " missing, " + result.min.ToString() + " to " + result.max.ToString();
}

Result<FacetResult> Compute(ColumnRows* rows, const std::string& path, std::size_t limit = kAll) {
  Deaths deaths;
  deaths.Reserve(rows->size());
  return ComputeFacets(FieldPath::Parse(path).value(), {rows->index(), deaths, {rows->size(), 1}}, limit, *rows);
}

std::string Facets(ColumnRows* rows, const std::string& path, std::size_t limit = kAll) {
  const Result<FacetResult> result = Compute(rows, path, limit);
  return result.ok() ? Text(*result) : result.status().ToString();
}

void AddAll(ColumnRows* rows, const std::vector<std::string>& payloads) {
  for (const std::string& payload : payloads) rows->Add(payload);
}

TEST(Facets, CountValuesMostFrequentFirst) {
  ColumnRows rows;
  AddAll(&rows, {R"({"v":"b"})", R"({"v":"a"})", R"({"v":"b"})", R"({"v":"c"})", R"({"v":null})", "{}",
                 R"({"v":{"x":1}})", R"({"v":[]})"});
  EXPECT_EQ(Facets(&rows, "v"), "'b' x2 'a' x1 'c' x1 | 3 of 8, 4 missing, 'a' to 'c'");
  EXPECT_EQ(Facets(&rows, "v", 2), "'b' x2 'a' x1 | 3 of 8, 4 missing, 'a' to 'c'");
  EXPECT_EQ(Facets(&rows, "v", 0), "| 3 of 8, 4 missing, 'a' to 'c'");
  EXPECT_EQ(Facets(&rows, "v.x"), "1 x1 | 1 of 8, 7 missing, 1 to 1");
  EXPECT_EQ(Facets(&rows, "nothing"), "| 0 of 8, 8 missing, NULL to NULL");
  EXPECT_EQ(Facets(&rows, "$id", 2), "'row/0' x1 'row/1' x1 | 8 of 8, 0 missing, 'row/0' to 'row/7'");
}

TEST(Facets, NumbersAreEqualByValueAndOrderedExactly) {
  ColumnRows rows;
  AddAll(&rows, {R"({"v":3})", R"({"v":3.0})", R"({"v":2.0})", R"({"v":2.0})", R"({"v":0.5})", R"({"v":-0.0})"});
  EXPECT_EQ(Facets(&rows, "v"), "2.0 x2 3 x2 0.0 x1 0.5 x1 | 4 of 6, 0 missing, 0.0 to 3");
  ColumnRows large;
  AddAll(&large, {R"({"v":9007199254740993})", R"({"v":9007199254740992.0})", R"({"v":9223372036854775807})",
                  R"({"v":9223372036854775808})", R"({"v":9223372036854775808.0})", R"({"v":18446744073709551615})",
                  R"({"v":-9223372036854775808})", R"({"v":-9223372036854775808.0})"});
  EXPECT_EQ(Facets(&large, "v"),
            "-9223372036854775808 x2 9223372036854775808 x2 9007199254740992.0 x1 9007199254740993 x1 "
            "9223372036854775807 x1 18446744073709551615 x1 | 6 of 8, 0 missing, -9223372036854775808 to "
            "18446744073709551615");
  AddAll(&large, {R"({"v":1e300})", R"({"v":-1e300})"});
  EXPECT_EQ(Compute(&large, "v")->min, Value(-1e300));
  EXPECT_EQ(Compute(&large, "v")->max, Value(1e300));
}

TEST(Facets, TypesAreKeptApartAndInOrder) {
  ColumnRows rows;
  AddAll(&rows, {R"({"v":"1"})", R"({"v":1})", R"({"v":true})", R"({"v":false})", R"({"v":"2024-01-02T00:00:00Z"})",
                 R"({"v":"ä"})", R"({"v":"Z"})"});
  EXPECT_EQ(Facets(&rows, "v"),
            "FALSE x1 TRUE x1 1 x1 '1' x1 '2024-01-02T00:00:00Z' x1 'Z' x1 'ä' x1 | 7 of 7, 0 missing, FALSE to 'ä'");
}

TEST(Facets, ListsCountEachElementOncePerRecord) {
  ColumnRows rows;
  AddAll(&rows, {R"({"t":["a","b","a"],"i":[{"k":1},{"k":[1.0,2]},{"q":5}]})", R"({"t":["b",null,[9],{"x":1}]})",
                 R"({"t":"a"})", R"({"t":[null]})", R"({"i":[{"k":1.0}]})"});
  EXPECT_EQ(Facets(&rows, "t"), "'a' x2 'b' x2 | 2 of 5, 2 missing, 'a' to 'b'");
  EXPECT_EQ(Facets(&rows, "t[]"), Facets(&rows, "t"));
  EXPECT_EQ(Facets(&rows, "i[].k"), "1 x2 2 x1 | 2 of 5, 3 missing, 1 to 2");
}

TEST(Facets, LongStringsAndListsComeFromPayloads) {
  const std::string text(200, 'x');
  std::string list = "\"short\"";
  for (int i = 1; i < 2'000; ++i) list += "," + std::to_string(i);
  ColumnRows rows;
  AddAll(&rows, {R"({"v":")" + text + "\"}", R"({"v":")" + text + "\"}", R"({"v":"short"})", "{\"v\":[" + list + "]}",
                 R"({"v":["short",")" + text + R"(",7]})", "{}"});
  const FacetResult result = Compute(&rows, "v", 3).value();
  EXPECT_EQ(Text(result), "'short' x3 '" + text + "' x3 7 x2 | 2001 of 6, 1 missing, 1 to '" + text + "'");
  EXPECT_EQ(result.payloads_read, 4U);
}

TEST(Facets, AFailedOrDamagedPayloadEndsTheCount) {
  class Payloads : public PayloadReader {
   public:
    explicit Payloads(Status status) : status_(std::move(status)) {}
    Status ReadPayload(std::uint32_t, std::string* out) override {
      *out = "{";
      return status_;
    }

   private:
    Status status_;
  };
  ColumnRows rows;
  rows.Add("{\"v\":\"" + std::string(200, 'x') + "\"}");
  Deaths deaths;
  deaths.Reserve(1);
  const FacetScope scope{rows.index(), deaths, {1, 1}};
  Payloads gone(IoError("gone"));
  Payloads damaged(OkStatus());
  EXPECT_EQ(ComputeFacets(FieldPath::Parse("v").value(), scope, 1, gone).status().code(), StatusCode::kIoError);
  const Status status = ComputeFacets(FieldPath::Parse("v").value(), scope, 1, damaged).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_TRUE(status.message().starts_with("record in slot 0: ")) << status;
}

// The plain count. Keys: numbers as text of their exact value, so that 3 and 3.0 meet.
std::string KeyOf(const Json& json) {
  if (json.is_boolean()) return json.get<bool>() ? "TRUE" : "FALSE";
  if (json.is_string()) return "'" + json.get<std::string>() + "'";
  if (json.is_number_float() && json.get<double>() == std::floor(json.get<double>())) {
    return std::to_string(static_cast<long long>(json.get<double>()));
  }
  return json.dump();
}

std::string KeyOf(const Value& value) {
  switch (value.type()) {
    case Value::Type::kDouble:
      return KeyOf(Json(value.double_value()));
    case Value::Type::kString:
      return KeyOf(Json(value.string_value()));
    default:
      return value.ToString();
  }
}

// One object deep: what stands at name, or at name[].inner.
std::set<std::string> KeysAt(const Json& payload, const std::string& name, const std::string& inner) {
  std::set<std::string> keys;
  const auto add = [&keys](const Json& json) {
    if (!json.is_structured() && !json.is_null()) keys.insert(KeyOf(json));
  };
  const auto add_each = [&add](const Json& json) {
    if (!json.is_array()) return add(json);
    for (const Json& element : json) add(element);
  };
  if (!payload.contains(name)) return keys;
  const Json& at = payload[name];
  if (inner.empty()) {
    add_each(at);
  } else if (at.is_array()) {
    for (const Json& element : at) {
      if (element.is_object() && element.contains(inner)) add_each(element[inner]);
    }
  }
  return keys;
}

std::string RandomValue(Random* random, int depth) {
  constexpr std::array kScalars = {"null",
                                   "true",
                                   "false",
                                   "0",
                                   "-3",
                                   "7",
                                   "2.5",
                                   "7.0",
                                   "0.0",
                                   "1e15",
                                   "\"x\"",
                                   "\"xy\"",
                                   "\"\"",
                                   "\"7\"",
                                   "\"u5\"",
                                   "\"ä\"",
                                   "12",
                                   "-2.0",
                                   "\"2024-01-02\"",
                                   "\"2024-06-01T10:00:00Z\""};
  const std::uint64_t kind = (*random)() % 12;
  if (depth == 0 || kind < 8) return kScalars[(*random)() % kScalars.size()];
  std::string out;
  for (std::uint64_t i = (*random)() % 4; i > 0; --i) {
    if (!out.empty()) out += ",";
    out += kind < 11 ? RandomValue(random, depth - 1) : "{\"f\":" + RandomValue(random, depth - 1) + "}";
  }
  return "[" + out + "]";
}

std::string RandomPayload(Random* random) {
  std::string out;
  for (const char* name : {"a", "b", "c", "d"}) {
    if ((*random)() % 4 == 0) continue;
    out += (out.empty() ? "\"" : ",\"") + std::string(name) + "\":" + RandomValue(random, 2);
  }
  return "{" + out + "}";
}

// Under filters, with dead slots and slots beyond the clock; returns how many payloads were read.
std::uint64_t CheckAgainstPayloads(ColumnRows* rows) {
  Deaths deaths;
  deaths.Reserve(rows->size());
  for (std::uint32_t slot = 0; slot < rows->size(); slot += 7) deaths.Kill(slot, slot % 2 == 0 ? 5 : 50);
  const Clock clock{rows->size() - 3, 10};  // kills of epoch 50 are not seen
  std::uint64_t payloads_read = 0;
  for (const char* text : {"", "a IS NOT NULL", "$id LIKE '%3'", "b > 0 OR c = 'x'", "FALSE"}) {
    const FilterProgram program = FilterProgram::Compile(text, {}, rows->index()).value();
    const MatchSet matches = ComputeMatches(program, deaths, clock, *rows).value();
    const FacetScope scope{rows->index(), deaths, clock, *text == '\0' ? nullptr : &matches};
    for (const std::string name : {"a", "b", "c", "d", "none"}) {
      for (const std::string inner : {"", "f"}) {
        std::string path = name;
        if (!inner.empty()) path.append("[].").append(inner);
        std::map<std::string, std::uint64_t> expected;
        std::uint64_t missing = 0;
        matches.slots.ForEach([&](std::uint64_t slot) {
          const std::set<std::string> keys = KeysAt(Json::parse(rows->payloads()[slot]), name, inner);
          missing += keys.empty() ? 1 : 0;
          for (const std::string& key : keys) ++expected[key];
        });
        const FacetResult result = ComputeFacets(FieldPath::Parse(path).value(), scope, kAll, *rows).value();
        std::map<std::string, std::uint64_t> found;
        for (const FacetValue& value : result.values) found[KeyOf(value.value)] += value.count;
        EXPECT_EQ(found, expected) << path << " where " << text;
        EXPECT_EQ(result.values.size(), expected.size()) << path;
        EXPECT_EQ(result.distinct, expected.size()) << path;
        EXPECT_EQ(result.missing, missing) << path;
        EXPECT_EQ(result.records, matches.count) << path;
        for (std::size_t i = 1; i < result.values.size(); ++i) {
          EXPECT_GE(result.values[i - 1].count, result.values[i].count) << path;
        }
        const FacetResult few = ComputeFacets(FieldPath::Parse(path).value(), scope, 3, *rows).value();
        const std::size_t listed = std::min<std::size_t>(3, result.values.size());
        EXPECT_TRUE(std::equal(few.values.begin(), few.values.end(), result.values.begin(),
                               result.values.begin() + static_cast<std::ptrdiff_t>(listed)))
            << path;
        EXPECT_EQ(few.min, result.min);
        EXPECT_EQ(few.max, result.max);
        payloads_read += result.payloads_read;
      }
    }
  }
  return payloads_read;
}

TEST(Facets, AgreeWithPayloadsFromDictionaries) {
  Random random(21);
  ColumnRows rows;
  for (int i = 0; i < 400; ++i) rows.Add(RandomPayload(&random));
  EXPECT_EQ(CheckAgainstPayloads(&rows), 0U);
}

TEST(Facets, AgreeWithPayloadsFromHashes) {
  Random random(22);
  ColumnRows rows;
  for (int i = 0; i < 100; ++i) rows.Add(R"({"a":"x","b":["xy"],"c":1})");  // some strings keep their codes
  PayloadParser parser;
  for (std::uint64_t i = 0; i < Column::kMinStringsToHash + 200; ++i) {
    const std::string n = std::to_string(i);
    ParsedPayload payload;
    std::string json = R"({"a":"v)";
    json.append(n).append(R"(","b":["w)").append(n).append(R"("]})");
    ASSERT_TRUE(parser.Parse(json, &payload).ok());
    rows.index().Write(1'000'000, payload);  // a slot that nobody asks for
  }
  for (int i = 0; i < 400; ++i) rows.Add(RandomPayload(&random));
  ASSERT_TRUE(rows.index().Find("a")->hashed());
  ASSERT_TRUE(rows.index().Find("b")->hashed());
  EXPECT_GT(CheckAgainstPayloads(&rows), 0U);
}

TEST(Facets, AgreeWithPayloadsBeyondTheLimitOfPaths) {
  Random random(23);
  ColumnRows rows(3);
  for (int i = 0; i < 400; ++i) rows.Add(RandomPayload(&random));
  EXPECT_GT(CheckAgainstPayloads(&rows), 0U);
}

}  // namespace
}  // namespace vdb
