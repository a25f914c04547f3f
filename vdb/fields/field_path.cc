#include "vdb/fields/field_path.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace vdb {
namespace {

constexpr std::size_t kLongestReservedWord = 8;
constexpr std::array<std::string_view, 11> kReservedWords = {"and",      "or", "not",  "in",   "between", "like",
                                                             "contains", "is", "null", "true", "false"};

char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

bool IsPlainNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool IsPlainNameChar(char c) {
  return IsPlainNameStart(c) || (c >= '0' && c <= '9');
}

bool IsReservedWord(std::string_view word) {
  if (word.size() < 2 || word.size() > kLongestReservedWord) return false;
  return std::any_of(kReservedWords.begin(), kReservedWords.end(), [word](std::string_view reserved) {
    return std::equal(word.begin(), word.end(), reserved.begin(), reserved.end(),
                      [](char a, char b) { return LowerAscii(a) == b; });
  });
}

void AppendFieldName(std::string_view name, std::string* out) {
  if (!name.empty() && IsPlainNameStart(name[0]) && std::all_of(name.begin(), name.end(), IsPlainNameChar) &&
      !IsReservedWord(name)) {
    out->append(name);
    return;
  }
  out->push_back('"');
  for (const char c : name) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace vdb
