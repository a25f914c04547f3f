// JSON as the tools read it: text stays as it was written.

#include "tools/lib/json_text.h"

#include <gtest/gtest.h>

namespace vdb::tools {
namespace {

TEST(JsonText, MembersKeepTheirTextAndTheLastOfEqualKeysCounts) {
  const ObjectText object =
      ObjectText::Parse(R"( {"a": 1.50, "b\u0063": {"x": "}\""}, "n": 123456789012345678901234, "a": 2e0} )").value();
  EXPECT_EQ(object.Find("a"), "2e0");
  EXPECT_EQ(object.Find("bc"), R"({"x": "}\""})");
  EXPECT_EQ(object.Find("n"), "123456789012345678901234");
  EXPECT_EQ(object.Find("none"), std::nullopt);
  EXPECT_EQ(object.Without("a"), R"({"b\u0063": {"x": "}\""}, "n": 123456789012345678901234})");
  EXPECT_EQ(ObjectText::Parse("{}").value().Without("a"), "{}");
}

TEST(JsonText, BrokenObjectsAreRefusedWithTheByte) {
  for (const auto& [text, message] : {std::pair{"", "wanted a JSON object"},
                                      {"[1]", "wanted a JSON object"},
                                      {"{", "not valid JSON: wanted a key at byte 1"},
                                      {"{1: 2}", "not valid JSON: wanted a key at byte 1"},
                                      {"{\"a\" 1}", "not valid JSON: wanted ':' at byte 5"},
                                      {"{\"a\": }", "not valid JSON: wanted a value at byte 6"},
                                      {"{\"a\": \"x", "not valid JSON: wanted a value at byte 8"},
                                      {"{\"a\": [1", "not valid JSON: wanted a value at byte 8"},
                                      {"{\"a\": 1,}", "not valid JSON: wanted a key at byte 8"},
                                      {"{\"a\": 1} x", "not valid JSON: wanted the end of the object at byte 9"},
                                      {"{\"a\\", "not valid JSON: wanted a key at byte 4"}}) {
    EXPECT_EQ(ObjectText::Parse(text).status(), InvalidArgumentError(message)) << text;
  }
}

TEST(JsonText, OneLineTakesBlanksOutsideStringsOnly) {
  EXPECT_EQ(OneLine("{\n  \"a b\": \"x\\\"  y\",\n\t\"c\": [ 1,2 ]\r\n}"), R"({"a b": "x\"  y", "c": [1,2]})");
  EXPECT_EQ(OneLine(R"({"a":1})"), R"({"a":1})");
}

TEST(JsonText, IdsAreStringsOrNumbersAsWritten) {
  EXPECT_EQ(PlainText(R"("a\n\u00e9")").value(), "a\né");
  EXPECT_EQ(PlainText("1.50").value(), "1.50");
  EXPECT_EQ(PlainText("18446744073709551616").value(), "18446744073709551616");
  EXPECT_EQ(PlainText("null").value(), std::nullopt);
  EXPECT_EQ(PlainText("true").status().message(), "wanted a string or a number, got a boolean");
  EXPECT_EQ(PlainText("[1]").status().message(), "wanted a string or a number, got an array");
  EXPECT_EQ(PlainText("x").status().message(), "wanted a string or a number, got text that is not JSON");
}

TEST(JsonText, BindValuesAreJsonOrElseText) {
  EXPECT_EQ(ParseValue("null").value(), Value());
  EXPECT_EQ(ParseValue("true").value(), Value(true));
  EXPECT_EQ(ParseValue("-7").value(), Value(-7));
  EXPECT_EQ(ParseValue("18446744073709551615").value(), Value(UINT64_MAX));
  EXPECT_EQ(ParseValue("2.5").value(), Value(2.5));
  EXPECT_EQ(ParseValue("\"7\"").value(), Value("7"));
  EXPECT_EQ(ParseValue("en").value(), Value("en"));
  EXPECT_EQ(ParseValue("").value(), Value(""));
  EXPECT_EQ(ParseValue(" [1, \"a\", null]").value(), Value::List({1, "a", nullptr}));
  EXPECT_EQ(ParseValue("[]").value(), Value::List({}));
  EXPECT_EQ(ParseValue("1e999").value(), Value("1e999"));  // no number that JSON's readers can hold
  for (const std::string bad : {"[1, [2]]", "[{}]", "{\"a\": 1}", "[1", "{"}) {
    EXPECT_EQ(ParseValue(bad).status(),
              InvalidArgumentError("cannot bind " + bad +
                                   "; wanted a JSON null, boolean, number or string, or an array of those"));
  }
  for (const char* json : {"null", "true", "false", "-7", "18446744073709551615", "2.5", "3.0", "\"a\\\"b\""}) {
    EXPECT_EQ(ValueJson(ParseValue(json).value()), json);
  }
}

}  // namespace
}  // namespace vdb::tools
