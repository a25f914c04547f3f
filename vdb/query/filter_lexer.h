// The words of a filter's text.
//
// Thread safety: for one thread. Ownership: the text must outlive the lexer.
#ifndef VDB_QUERY_FILTER_LEXER_H_
#define VDB_QUERY_FILTER_LEXER_H_

#include <vdb/filter.h>
#include <vdb/status.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vdb {

enum class TokenKind : std::uint8_t {
  kEnd,
  kWord,        // a name or keyword; text as written
  kQuotedName,  // "…"; string without quotes
  kString,      // '…'; string without quotes
  kNumber,      // value
  kParameter,   // $n; number
  kRecordId,    // $id
  kSymbol,      // = == != <> < <= > >= ( ) , . [ ]
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::size_t column = 0;  // bytes, from 1
  std::string_view text;   // as written
  std::string string;
  Value value;
  std::uint32_t number = 0;
};

class FilterLexer {
 public:
  explicit FilterLexer(std::string_view text) : text_(text) {}

  // Reads the next token. Errors: InvalidArgument with the column.
  Status Next(Token* token);

 private:
  Status ReadQuoted(char quote, Token* token);
  Status ReadNumber(Token* token);
  Status ReadDollar(Token* token);
  Status ReadParameter(Token* token);
  Status ReadSymbol(Token* token);

  std::string_view text_;
  std::size_t at_ = 0;
};

// "filter, column 12: " + what.
Status FilterSyntaxError(std::size_t column, std::string_view what);

// Whether word equals keyword (given in capitals), in any case.
bool IsKeyword(std::string_view word, std::string_view keyword);

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_LEXER_H_
