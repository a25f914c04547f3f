// Simple case folding: known characters, and what must hold for every one.
#include "vdb/query/case_fold.h"

#include <gtest/gtest.h>

#include <string>

namespace vdb {
namespace {

std::string Fold(std::string_view text) {
  std::string out = "old";
  FoldCase(text, &out);
  return out;
}

TEST(FoldCase, KnowsUnicodesSimpleFolding) {
  struct Case {
    const char* text;
    const char* folded;
  };
  constexpr Case kCases[] = {
      {"", ""},
      {"HELLO, World 1_%", "hello, world 1_%"},
      {"ÄÖÜß", "äöüß"},
      {"ẞ", "ß"},                  // not ss: that is full folding
      {"ΣΊΣΥΦΟΣ ς", "σίσυφοσ σ"},  // both small sigmas
      {"ПРИВЕТ", "привет"},
      {"\u212A \u212B \u2126", "k å ω"},  // Kelvin, Ångström and Ohm signs
      {"ſ", "s"},
      {"İ", "İ"},  // no simple folding
      {"ı", "ı"},
      {"\u1F88 \u1FBC", "\u1F80 \u1FB3"},  // Greek capitals with iota
      {"ﬁ", "ﬁ"},                          // a ligature folds to two letters, or not at all
      {"ა Ა", "ა ა"},                  // Georgian
      {"Ꭰ ꭰ", "Ꭰ Ꭰ"},                  // Cherokee folds to capitals
      {"𐐀", "𐐨"},                          // four bytes
      {"日本語", "日本語"},
      {"E\u0301 É", "e\u0301 é"},  // not normalised
  };
  for (const Case& c : kCases) EXPECT_EQ(Fold(c.text), c.folded) << c.text;
}

TEST(FoldCase, KeepsWhatIsNoUtf8) {
  for (const char* text : {"\xff", "a\x80z", "\xc3", "\xe6\x97", "\xed\xa0\x80", "\xc0\x80"}) {
    EXPECT_EQ(Fold(text), text);
  }
  EXPECT_EQ(Fold("A\xff\xc3\x84"), "a\xff\xc3\xa4");
  EXPECT_EQ(Fold(std::string_view("A\0B", 3)), std::string_view("a\0b", 3));
}

std::string Encode(std::uint32_t c) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
}

TEST(FoldCase, OneCharacterBecomesOneThatStays) {
  std::size_t changed = 0;
  for (std::uint32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;  // surrogates are no characters
    const std::string text = Encode(c);
    const std::string folded = Fold(text);
    std::size_t characters = 0;
    for (const char byte : folded) characters += (static_cast<unsigned char>(byte) & 0xC0) != 0x80 ? 1 : 0;
    ASSERT_EQ(characters, 1U) << std::hex << c;
    ASSERT_EQ(Fold(folded), folded) << std::hex << c;
    changed += folded != text ? 1 : 0;
  }
  EXPECT_GT(changed, 1'400U);  // Unicode 14 has 1,411 with status C and more with S
}

}  // namespace
}  // namespace vdb
