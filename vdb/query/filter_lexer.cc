#include "vdb/query/filter_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "vdb/fields/field_path.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::uint32_t kMaxParameter = 65'535;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

template <typename T>
bool ParseWhole(std::string_view text, T* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Status FilterSyntaxError(std::size_t column, std::string_view what) {
  return InvalidArgumentError(StrCat("filter, column ", column, ": ", what));
}

bool IsKeyword(std::string_view word, std::string_view keyword) {
  return std::equal(word.begin(), word.end(), keyword.begin(), keyword.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - ('a' - 'A')) : a) == b;
  });
}

Status FilterLexer::Next(Token* token) {
  while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  *token = Token();
  token->column = at_ + 1;
  if (at_ == text_.size()) return OkStatus();
  const char c = text_[at_];
  if (c == '"' || c == '\'') return ReadQuoted(c, token);
  if (c == '$') return ReadDollar(token);
  const bool sign = (c == '-' || c == '+') && at_ + 1 < text_.size();
  const std::size_t after = sign ? at_ + 1 : at_;
  const bool point = text_[after] == '.' && after + 1 < text_.size() && IsDigit(text_[after + 1]);
  if (IsDigit(text_[after]) || (point && sign)) return ReadNumber(token);
  if (IsPlainNameStart(c)) {
    std::size_t end = at_;
    while (end < text_.size() && IsPlainNameChar(text_[end])) ++end;
    token->kind = TokenKind::kWord;
    token->text = text_.substr(at_, end - at_);
    at_ = end;
    return OkStatus();
  }
  return ReadSymbol(token);
}

Status FilterLexer::ReadQuoted(char quote, Token* token) {
  std::size_t i = at_ + 1;
  for (;; ++i) {
    if (i >= text_.size()) {
      return FilterSyntaxError(token->column,
                               quote == '"' ? "expected a closing \" for the name that begins here, found the end"
                                            : "expected a closing ' for the string that begins here, found the end");
    }
    if (text_[i] == quote) {
      if (i + 1 >= text_.size() || text_[i + 1] != quote) break;
      ++i;  // doubled: one of them
    }
    token->string.push_back(text_[i]);
  }
  token->kind = quote == '"' ? TokenKind::kQuotedName : TokenKind::kString;
  token->text = text_.substr(at_, i + 1 - at_);
  at_ = i + 1;
  return OkStatus();
}

Status FilterLexer::ReadNumber(Token* token) {
  std::size_t end = at_;
  bool integral = true;
  if (text_[end] == '-' || text_[end] == '+') ++end;
  const auto digits = [&] {
    while (end < text_.size() && IsDigit(text_[end])) ++end;
  };
  digits();
  if (end < text_.size() && text_[end] == '.') {
    integral = false;
    ++end;
    digits();
  }
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    integral = false;
    ++end;
    if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) ++end;
    if (end == text_.size() || !IsDigit(text_[end])) {
      return FilterSyntaxError(end + 1, "expected the digits of an exponent");
    }
    digits();
  }
  if (end < text_.size() && IsPlainNameStart(text_[end])) {
    return FilterSyntaxError(end + 1, StrCat("expected the number to end, found '", text_.substr(end, 1), "'"));
  }
  token->kind = TokenKind::kNumber;
  token->text = text_.substr(at_, end - at_);
  std::string_view number = token->text;
  if (number[0] == '+') number.remove_prefix(1);  // from_chars takes no plus sign
  at_ = end;
  std::int64_t int64 = 0;
  std::uint64_t uint64 = 0;
  double real = 0;
  if (integral && ParseWhole(number, &int64)) {
    token->value = int64;
  } else if (integral && ParseWhole(number, &uint64)) {
    token->value = uint64;
  } else if (ParseWhole(number, &real)) {
    token->value = real;
  } else {
    return FilterSyntaxError(token->column,
                             StrCat("expected a number in the range of a double, found ", token->text.substr(0, 64)));
  }
  return OkStatus();
}

Status FilterLexer::ReadDollar(Token* token) {
  if (at_ + 1 == text_.size() || !IsPlainNameStart(text_[at_ + 1])) return ReadParameter(token);
  std::size_t end = at_ + 1;
  while (end < text_.size() && IsPlainNameChar(text_[end])) ++end;
  token->kind = TokenKind::kRecordId;
  token->text = text_.substr(at_, end - at_);
  at_ = end;
  if (token->text == "$id") return OkStatus();
  return FilterSyntaxError(token->column, StrCat("expected $id, the record's id, or a parameter such as $1, found ",
                                                 token->text.substr(0, 64)));
}

Status FilterLexer::ReadParameter(Token* token) {
  std::size_t end = at_ + 1;
  while (end < text_.size() && IsDigit(text_[end])) ++end;
  token->kind = TokenKind::kParameter;
  token->text = text_.substr(at_, end - at_);
  at_ = end;
  if (!ParseWhole(token->text.substr(1), &token->number) || token->number == 0 || token->number > kMaxParameter) {
    return FilterSyntaxError(
        token->column, StrCat("expected a parameter $1 to $", kMaxParameter, ", found ", token->text.substr(0, 64)));
  }
  return OkStatus();
}

Status FilterLexer::ReadSymbol(Token* token) {
  constexpr std::array<std::string_view, 14> kSymbols = {"==", "!=", "<>", "<=", ">=", "=", "<",
                                                         ">",  "(",  ")",  ",",  ".",  "[", "]"};
  const std::string_view rest = text_.substr(at_);
  for (const std::string_view symbol : kSymbols) {
    if (rest.substr(0, symbol.size()) != symbol) continue;
    token->kind = TokenKind::kSymbol;
    token->text = rest.substr(0, symbol.size());
    at_ += symbol.size();
    return OkStatus();
  }
  return FilterSyntaxError(token->column, StrCat("unexpected character '", rest.substr(0, 1), "'"));
}

}  // namespace vdb
