#include "vdb/query/case_fold.h"

#include <utf8proc.h>

#include <array>
#include <cstddef>

namespace vdb {
namespace {

constexpr utf8proc_int32_t kCapitalIWithDot = 0x130;  // its folding is two characters, or Turkish

utf8proc_int32_t FoldCharacter(utf8proc_int32_t character) {
  // utf8proc folds fully: to several characters where Unicode says so. Unicode's simple folding of those that have one
  // (ẞ, Greek capitals with iota) is their lower case; the others have none and are lower case already.
  std::array<utf8proc_int32_t, 4> folded{};
  int boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(character, folded.data(), folded.size(), UTF8PROC_CASEFOLD, &boundary);
  if (count == 1) return folded[0];
  return character == kCapitalIWithDot ? character : utf8proc_tolower(character);
}

}  // namespace

void FoldCase(std::string_view text, std::string* out) {
  out->clear();
  out->reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x80) {
      out->push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
      ++i;
      continue;
    }
    const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + i);
    utf8proc_int32_t character = 0;
    const utf8proc_ssize_t bytes = utf8proc_iterate(from, static_cast<utf8proc_ssize_t>(text.size() - i), &character);
    if (bytes <= 0) {
      out->push_back(c);
      ++i;
      continue;
    }
    std::array<utf8proc_uint8_t, 4> encoded{};
    const utf8proc_ssize_t written = utf8proc_encode_char(FoldCharacter(character), encoded.data());
    out->append(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(written));
    i += static_cast<std::size_t>(bytes);
  }
}

}  // namespace vdb
