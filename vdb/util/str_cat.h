// StrCat: strings, string views and numbers, joined. absl::StrCat behind std::string_view, which Debian's Abseil takes
// for a foreign type. Thread safety: a pure function.
#ifndef VDB_UTIL_STR_CAT_H_
#define VDB_UTIL_STR_CAT_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace vdb {

inline absl::string_view ToStrCatPiece(std::string_view piece) {
  return absl::string_view(piece.data(), piece.size());
}

template <typename T>
const T& ToStrCatPiece(const T& piece) requires(!std::is_convertible_v<const T&, std::string_view>) {
  return piece;
}

template <typename... Pieces>
[[nodiscard]] std::string StrCat(const Pieces&... pieces) {
  return absl::StrCat(ToStrCatPiece(pieces)...);
}

}  // namespace vdb

#endif  // VDB_UTIL_STR_CAT_H_
