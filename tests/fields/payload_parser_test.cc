#include "vdb/fields/payload_parser.h"

#include <gtest/gtest.h>
#include <vdb/limits.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>

namespace vdb {
namespace {

std::string ValueText(const ParsedPayload& payload, const FlatValue& value) {
  switch (value.kind) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kFalse:
      return "false";
    case JsonKind::kTrue:
      return "true";
    case JsonKind::kInt64:
      return "i" + std::to_string(static_cast<std::int64_t>(value.word));
    case JsonKind::kUint64:
      return "u" + std::to_string(value.word);
    case JsonKind::kDouble:
      return "d" + std::to_string(std::bit_cast<double>(value.word));
    case JsonKind::kString:
      return "'" + std::string(payload.Text(value)) + "'";
    case JsonKind::kLongString:
      return "long";
    case JsonKind::kObject:
      return "object";
    case JsonKind::kList:
      return "list";
  }
  return "?";
}

// Path → value; lists as [a b c].
std::map<std::string, std::string> Flatten(const std::string& json) {
  PayloadParser parser;
  ParsedPayload payload;
  const Status status = parser.Parse(json, &payload);
  EXPECT_TRUE(status.ok()) << json.substr(0, 200) << ": " << status;
  std::map<std::string, std::string> out;
  for (const FlatEntry& entry : payload.entries) {
    std::string text = ValueText(payload, entry.value);
    if (entry.value.kind == JsonKind::kList) {
      text = "[";
      for (std::uint32_t i = 0; i < entry.element_count; ++i) {
        if (i > 0) text += ' ';
        text += ValueText(payload, payload.elements[entry.element_first + i]);
      }
      text += ']';
    }
    EXPECT_TRUE(out.emplace(std::string(payload.Path(entry)), text).second) << "twice: " << payload.Path(entry);
  }
  return out;
}

using Map = std::map<std::string, std::string>;

TEST(PayloadParser, FlattensEveryKindOfValue) {
  EXPECT_EQ(
      Flatten(R"({"n": null, "f": false, "t": true, "i": -7, "u": 18446744073709551615, "d": 2.5, "s": "ä\u0041"})"),
      (Map{{"n", "null"},
           {"f", "false"},
           {"t", "true"},
           {"i", "i-7"},
           {"u", "u18446744073709551615"},
           {"d", "d2.500000"},
           {"s", "'äA'"}}));
  EXPECT_EQ(Flatten(R"({"m": 9223372036854775807, "o": 9223372036854775808})"),
            (Map{{"m", "i9223372036854775807"}, {"o", "u9223372036854775808"}}));
  EXPECT_EQ(Flatten(""), Map{});
  EXPECT_EQ(Flatten(" {} "), Map{});
  EXPECT_EQ(Flatten("{\"s\": \"" + std::string(129, 'x') + "\"}"), (Map{{"s", "long"}}));
}

TEST(PayloadParser, FlattensObjectsAndArrays) {
  EXPECT_EQ(Flatten(R"({"a": {"b": {"c": 1}}, "e": {}, "l": [], "tags": ["x", null, 3, {"y": 1}, [4]]})"),
            (Map{{"a", "object"},
                 {"a.b", "object"},
                 {"a.b.c", "i1"},
                 {"e", "object"},
                 {"l", "[]"},
                 {"tags", "['x' null i3 object object]"},
                 {"tags[].y", "[i1]"}}));
  EXPECT_EQ(
      Flatten(
          R"({"items": [{"sku": "a", "q": 1}, {"sku": null}, 5, {"q": 2, "t": ["u", "v"]}, {"t": "w", "o": {"p": 1}}]})"),
      (Map{{"items", "[object object i5 object object]"},
           {"items[].sku", "['a' null]"},
           {"items[].q", "[i1 i2]"},
           {"items[].t", "['u' 'v' 'w']"},
           {"items[].o", "[object]"},
           {"items[].o.p", "[i1]"}}));
  EXPECT_EQ(Flatten(R"({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 3}]}], "n": [[{"z": 1}]]})"),
            (Map{{"a", "[object object]"},
                 {"a[].b", "[object object object]"},
                 {"a[].b[].c", "[i1 i2 i3]"},
                 {"n", "[object]"}}));
}

TEST(PayloadParser, QuotesOddNames) {
  EXPECT_EQ(
      Flatten(R"({"odd name": {"x.y": 1}, "q\"q": 2, "": 3, "1st": 4, "größe": 5, "Order": 6, "in": 7, "items[]": 8})"),
      (Map{{"\"odd name\"", "object"},
           {"\"odd name\".\"x.y\"", "i1"},
           {"\"q\"\"q\"", "i2"},
           {"\"\"", "i3"},
           {"\"1st\"", "i4"},
           {"größe", "i5"},
           {"Order", "i6"},
           {"\"in\"", "i7"},
           {"\"items[]\"", "i8"}}));
}

TEST(PayloadParser, OfDuplicateKeysTheLastCounts) {
  EXPECT_EQ(Flatten(R"({"a": 1, "a": "x"})"), (Map{{"a", "'x'"}}));
  EXPECT_EQ(Flatten(R"({"a": {"b": 1}, "c": 2, "a": {"d": 0.5}})"),
            (Map{{"a", "object"}, {"a.d", "d0.500000"}, {"c", "i2"}}));
  EXPECT_EQ(Flatten(R"({"i": [{"k": 1, "k": 2}, {"k": 3}]})"), (Map{{"i", "[object object]"}, {"i[].k", "[i2 i3]"}}));
}

std::string ErrorOf(const std::string& json) {
  PayloadParser parser;
  ParsedPayload payload;
  const Status status = parser.Parse(json, &payload);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << json.substr(0, 100) << ": " << status;
  return status.message();
}

TEST(PayloadParser, RefusesWhatIsNoObject) {
  for (const char* json : {"[1]", "\"x\"", "5", "null", "  ", "\xEF\xBB\xBF{}"}) {
    EXPECT_NE(ErrorOf(json).find("must be a JSON object"), std::string::npos) << json;
  }
}

TEST(PayloadParser, RefusesWhatIsNoJson) {
  EXPECT_NE(ErrorOf(R"({"a": 1,})").find("at byte 9"), std::string::npos) << ErrorOf(R"({"a": 1,})");
  for (const char* json : {"{", "{\"a\"}", "{\"a\": 01}", "{\"a\": 1} x", "{\"a\": nan}", "{'a': 1}",
                           "{\"a\": \"\xFF\"}", "{\"a\": \"\xC0\x80\"}", "{\"\xED\xA0\x80\": 1}", "{\"a\": 1e999}",
                           "{\"a\": \"\\ud800\"}", "{\"a\": 1, \"a\": }"}) {
    EXPECT_NE(ErrorOf(json).find("not valid JSON"), std::string::npos) << json;
  }
  EXPECT_NE(ErrorOf(std::string("{}\0{}", 5)).find("NUL"), std::string::npos);
}

std::string Nested(std::size_t depth, const char* open, const char* close) {
  std::string json;
  for (std::size_t i = 1; i < depth; ++i) json += open;
  json = R"({"a":)" + json + "1";
  for (std::size_t i = 1; i < depth; ++i) json += close;
  return json + "}";
}

TEST(PayloadParser, DepthAtTheLimitAndOnePast) {
  for (const auto& [open, close] : {std::pair{R"({"a":)", "}"}, {"[", "]"}}) {
    EXPECT_FALSE(Flatten(Nested(kMaxPayloadDepth, open, close)).empty());
    EXPECT_NE(ErrorOf(Nested(kMaxPayloadDepth + 1, open, close)).find("deeper than 64"), std::string::npos);
    EXPECT_NE(ErrorOf(Nested(100'000, open, close)).find("deeper than 64"), std::string::npos);
  }
}

TEST(PayloadParser, SizeAtTheLimitAndOnePast) {
  std::string json = R"({"a": 1})";
  json.resize(kMaxPayloadBytes, ' ');
  EXPECT_EQ(Flatten(json), (Map{{"a", "i1"}}));
  json += ' ';
  EXPECT_NE(ErrorOf(json).find("16777217"), std::string::npos);
}

TEST(PayloadParser, LeavesOutWhatIsTooMuchAndSaysSo) {
  PayloadParser parser;
  ParsedPayload payload;
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxIndexedEntries; ++i) many += "\"k" + std::to_string(i) + "\": 1,";
  many.back() = '}';
  ASSERT_TRUE(parser.Parse(many, &payload).ok());
  EXPECT_FALSE(payload.complete);
  EXPECT_EQ(payload.entries.size(), kMaxIndexedEntries);

  ASSERT_TRUE(parser.Parse("{\"" + std::string(kMaxIndexedPathBytes, 'p') + "\": 1}", &payload).ok());
  EXPECT_TRUE(payload.complete);
  ASSERT_TRUE(parser.Parse("{\"" + std::string(kMaxIndexedPathBytes + 1, 'p') + "\": 1, \"b\": 2}", &payload).ok());
  EXPECT_FALSE(payload.complete);
  ASSERT_EQ(payload.entries.size(), 1U);
  EXPECT_EQ(payload.Path(payload.entries[0]), "b");

  std::string list = "{\"l\": [0";
  for (std::size_t i = 1; i <= kMaxIndexedListElements; ++i) list += ",1";
  ASSERT_TRUE(parser.Parse(list + "]}", &payload).ok());
  EXPECT_TRUE(payload.complete);
  EXPECT_EQ(payload.entries[0].element_count, kMaxIndexedListElements);
  EXPECT_EQ(payload.entries[0].element_total, kMaxIndexedListElements + 1);
}

}  // namespace
}  // namespace vdb
