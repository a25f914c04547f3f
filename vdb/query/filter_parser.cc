// Recursive descent; only parentheses recurse, and they are counted.
#include "vdb/query/filter_parser.h"

#include <vdb/limits.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "vdb/fields/field_path.h"
#include "vdb/query/filter_lexer.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::size_t kMaxQuotedInError = 32;

std::string Found(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end";
  if (token.text.size() > kMaxQuotedInError) return StrCat(token.text.substr(0, kMaxQuotedInError), "…");
  return std::string(token.text);
}

struct SymbolOp {
  std::string_view symbol;
  FilterOp op;
};
constexpr std::array<SymbolOp, 8> kComparisons = {{{"=", FilterOp::kEq},
                                                   {"==", FilterOp::kEq},
                                                   {"!=", FilterOp::kNe},
                                                   {"<>", FilterOp::kNe},
                                                   {"<", FilterOp::kLt},
                                                   {"<=", FilterOp::kLe},
                                                   {">", FilterOp::kGt},
                                                   {">=", FilterOp::kGe}}};

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<FilterNodePtr> Run() {
    VDB_RETURN_IF_ERROR(Advance());
    if (token_.kind == TokenKind::kEnd) return MakeConstant(true);
    VDB_ASSIGN_OR_RETURN(FilterNodePtr node, ParseOr());
    if (token_.kind != TokenKind::kEnd) return Expected("AND, OR or the end");
    return node;
  }

  Result<FieldPath> RunPath() {
    VDB_RETURN_IF_ERROR(Advance());
    FieldPath path;
    VDB_RETURN_IF_ERROR(ParsePath(&path));
    if (token_.kind != TokenKind::kEnd) return Expected("'.', '[]' or the end of the path");
    return path;
  }

 private:
  Status Advance() { return lexer_.Next(&token_); }
  Status Expected(std::string_view what) const {
    return FilterSyntaxError(token_.column, StrCat("expected ", what, ", found ", Found(token_)));
  }
  bool AtWord(std::string_view keyword) const {
    return token_.kind == TokenKind::kWord && IsKeyword(token_.text, keyword);
  }
  // ILIKE is no reserved word: a path may be called so.
  bool AtLike() const { return AtWord("LIKE") || AtWord("ILIKE"); }
  bool AtSymbol(std::string_view symbol) const { return token_.kind == TokenKind::kSymbol && token_.text == symbol; }

  Result<FilterNodePtr> ParseOr() {
    std::vector<FilterNodePtr> parts;
    for (;;) {
      VDB_ASSIGN_OR_RETURN(FilterNodePtr part, ParseAnd());
      parts.push_back(std::move(part));
      if (!AtWord("OR")) break;
      VDB_RETURN_IF_ERROR(Advance());
    }
    return Checked(parts.size() == 1 ? std::move(parts[0]) : MakeOr(std::move(parts)));
  }

  Result<FilterNodePtr> ParseAnd() {
    std::vector<FilterNodePtr> parts;
    for (;;) {
      bool negated = false;
      while (AtWord("NOT")) {
        negated = !negated;
        VDB_RETURN_IF_ERROR(Advance());
      }
      VDB_ASSIGN_OR_RETURN(FilterNodePtr part, ParsePrimary());
      parts.push_back(negated ? MakeNot(std::move(part)) : std::move(part));
      if (!AtWord("AND")) break;
      VDB_RETURN_IF_ERROR(Advance());
    }
    return Checked(parts.size() == 1 ? std::move(parts[0]) : MakeAnd(std::move(parts)));
  }

  static Result<FilterNodePtr> Checked(FilterNodePtr node) {
    if (node->op == FilterOp::kError) return node->status;
    return node;
  }

  Result<FilterNodePtr> ParsePrimary() {
    if (AtSymbol("(")) {
      if (++depth_ > kMaxFilterDepth) {
        return FilterSyntaxError(token_.column, StrCat("parentheses are nested deeper than ", kMaxFilterDepth));
      }
      VDB_RETURN_IF_ERROR(Advance());
      VDB_ASSIGN_OR_RETURN(FilterNodePtr inner, ParseOr());
      if (!AtSymbol(")")) return Expected("AND, OR or ')'");
      VDB_RETURN_IF_ERROR(Advance());
      --depth_;
      return AtWord("IS") ? ParseIsTrue(std::move(inner)) : inner;
    }
    for (const std::string_view word : {"TRUE", "FALSE", "NULL"}) {
      if (!AtWord(word)) continue;
      VDB_RETURN_IF_ERROR(Advance());
      return MakeConstant(word == "NULL" ? Value() : Value(word == "TRUE"));
    }
    return ParsePredicate();
  }

  // A quoted name is always one; a bare word unless the language keeps it. After a dot any word is a name.
  Status ParseName(bool first, std::string* name) {
    if (token_.kind == TokenKind::kQuotedName) {
      *name = std::move(token_.string);
    } else if (token_.kind == TokenKind::kWord && !(first && IsReserved())) {
      *name = std::string(token_.text);
    } else {
      return Expected(first ? "a field path or '('" : "a name after the '.'");
    }
    return Advance();
  }

  bool IsReserved() const { return IsReservedWord(token_.text); }

  Status ParsePath(FieldPath* path) {
    if (token_.kind == TokenKind::kRecordId) {
      path->text = token_.text;
      path->is_id = true;
      VDB_RETURN_IF_ERROR(Advance());
      if (AtSymbol(".") || AtSymbol("[")) return Expected("an operator after $id, which is one string");
      return OkStatus();
    }
    for (bool first = true;; first = false) {
      FieldPath::Step step;
      VDB_RETURN_IF_ERROR(ParseName(first, &step.name));
      if (AtSymbol("[")) {
        VDB_RETURN_IF_ERROR(Advance());
        if (!AtSymbol("]")) return Expected("']': a path goes through all elements, as in items[].sku");
        VDB_RETURN_IF_ERROR(Advance());
        step.each = true;
        if (AtSymbol("[")) return Expected("'.' or an operator: arrays in arrays have no path");
      }
      path->steps.push_back(std::move(step));
      if (path->steps.size() > kMaxPayloadDepth) {
        return Expected(StrCat("a path of at most ", kMaxPayloadDepth, " names"));
      }
      if (!AtSymbol(".")) break;
      VDB_RETURN_IF_ERROR(Advance());
    }
    path->MakeText();
    return OkStatus();
  }

  Result<FilterNodePtr> ParsePredicate() {
    FieldPath path;
    const std::size_t path_column = token_.column;
    VDB_RETURN_IF_ERROR(ParsePath(&path));
    if (token_.kind == TokenKind::kSymbol) {
      for (const SymbolOp& comparison : kComparisons) {
        if (token_.text != comparison.symbol) continue;
        VDB_RETURN_IF_ERROR(CheckScalar(path, path_column));
        VDB_RETURN_IF_ERROR(Advance());
        std::vector<FilterOperand> operands(1);
        VDB_RETURN_IF_ERROR(ParseValue(&operands[0]));
        return MakeLeaf(comparison.op, std::move(path), std::move(operands));
      }
    }
    if (AtWord("IS")) return ParseIs(std::move(path));
    bool negated = false;
    if (AtWord("NOT")) {
      negated = true;
      VDB_RETURN_IF_ERROR(Advance());
      if (!AtWord("IN") && !AtWord("BETWEEN") && !AtLike() && !AtWord("CONTAINS")) {
        return Expected("IN, BETWEEN, LIKE, ILIKE or CONTAINS after NOT");
      }
    }
    Result<FilterNodePtr> leaf = ParseWordPredicate(std::move(path), path_column);
    if (!leaf.ok() || !negated) return leaf;
    return MakeNot(*std::move(leaf));
  }

  Result<FilterNodePtr> ParseWordPredicate(FieldPath path, std::size_t path_column) {
    std::vector<FilterOperand> operands;
    if (AtWord("CONTAINS")) {
      if (path.is_id) return FilterSyntaxError(path_column, "expected a path to a list, but $id is one string");
      VDB_RETURN_IF_ERROR(Advance());
      FilterOp op = FilterOp::kContainsAny;
      if (AtWord("ANY") || AtWord("ALL")) {
        if (AtWord("ALL")) op = FilterOp::kContainsAll;
        VDB_RETURN_IF_ERROR(Advance());
        VDB_RETURN_IF_ERROR(ParseValueList(&operands));
      } else {
        operands.resize(1);
        VDB_RETURN_IF_ERROR(ParseValue(&operands[0]));
      }
      return MakeLeaf(op, std::move(path), std::move(operands));
    }
    if (!AtWord("IN") && !AtWord("BETWEEN") && !AtLike()) {
      return Expected("an operator (=, !=, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE, CONTAINS, IS NULL) after the path");
    }
    VDB_RETURN_IF_ERROR(CheckScalar(path, path_column));
    if (AtWord("IN")) {
      VDB_RETURN_IF_ERROR(Advance());
      VDB_RETURN_IF_ERROR(ParseValueList(&operands));
      return MakeLeaf(FilterOp::kIn, std::move(path), std::move(operands));
    }
    if (AtLike()) {
      const FilterOp op = AtWord("LIKE") ? FilterOp::kLike : FilterOp::kILike;
      VDB_RETURN_IF_ERROR(Advance());
      if (token_.kind != TokenKind::kString && token_.kind != TokenKind::kParameter) {
        return Expected(op == FilterOp::kLike ? "a pattern in single quotes after LIKE"
                                              : "a pattern in single quotes after ILIKE");
      }
      operands.resize(1);
      VDB_RETURN_IF_ERROR(ParseValue(&operands[0]));
      return ParseEscape(op, std::move(path), std::move(operands));
    }
    VDB_RETURN_IF_ERROR(Advance());
    operands.resize(2);
    VDB_RETURN_IF_ERROR(ParseValue(&operands[0]));
    if (!AtWord("AND")) return Expected("AND and the upper bound of BETWEEN");
    VDB_RETURN_IF_ERROR(Advance());
    VDB_RETURN_IF_ERROR(ParseValue(&operands[1]));
    return MakeLeaf(FilterOp::kBetween, std::move(path), std::move(operands));
  }

  // ESCAPE is no reserved word either. What it names may be no letter, which ILIKE would fold.
  Result<FilterNodePtr> ParseEscape(FilterOp op, FieldPath path, std::vector<FilterOperand> operands) {
    char escape = '\0';
    if (AtWord("ESCAPE")) {
      VDB_RETURN_IF_ERROR(Advance());
      constexpr std::string_view kEscapes = "!\"#$&'()*+,-./:;<=>?@[\\]^`{|}~";
      if (token_.kind != TokenKind::kString || token_.string.size() != 1 ||
          kEscapes.find(token_.string[0]) == std::string_view::npos) {
        return Expected("one character in single quotes after ESCAPE, such as '\\' or '!', no letter, digit, % or _");
      }
      escape = token_.string[0];
      VDB_RETURN_IF_ERROR(Advance());
    }
    auto leaf = std::make_shared<FilterNode>(*MakeLeaf(op, std::move(path), std::move(operands)));
    leaf->escape = escape;
    return FilterNodePtr(std::move(leaf));
  }

  Result<FilterNodePtr> ParseIsTrue(FilterNodePtr inner) {
    VDB_RETURN_IF_ERROR(Advance());
    bool negated = false;
    if (AtWord("NOT")) {
      negated = true;
      VDB_RETURN_IF_ERROR(Advance());
    }
    if (!AtWord("TRUE")) return Expected(negated ? "TRUE" : "TRUE or NOT TRUE after a condition's IS");
    VDB_RETURN_IF_ERROR(Advance());
    FilterNodePtr node = MakeIsTrue(std::move(inner));
    return Checked(negated ? MakeNot(std::move(node)) : std::move(node));
  }

  Result<FilterNodePtr> ParseIs(FieldPath path) {
    VDB_RETURN_IF_ERROR(Advance());
    bool negated = false;
    if (AtWord("NOT")) {
      negated = true;
      VDB_RETURN_IF_ERROR(Advance());
    }
    if (!AtWord("NULL")) return Expected(negated ? "NULL" : "NULL or NOT NULL after IS");
    VDB_RETURN_IF_ERROR(Advance());
    FilterNodePtr leaf = MakeLeaf(FilterOp::kIsNull, std::move(path), {});
    return negated ? MakeNot(std::move(leaf)) : leaf;
  }

  static Status CheckScalar(const FieldPath& path, std::size_t column) {
    if (!path.is_list) return OkStatus();
    return FilterSyntaxError(column, StrCat("expected a path to one value, but ", path.text,
                                            " is a list; use CONTAINS, CONTAINS ANY or CONTAINS ALL"));
  }

  Status ParseValueList(std::vector<FilterOperand>* operands) {
    if (token_.kind == TokenKind::kParameter) {
      operands->resize(1);
      (*operands)[0].is_list = true;
      return ParseValue(&(*operands)[0]);
    }
    if (!AtSymbol("(")) return Expected("'(' or a parameter that is bound to a list");
    VDB_RETURN_IF_ERROR(Advance());
    for (;;) {
      VDB_RETURN_IF_ERROR(ParseValue(&operands->emplace_back()));
      if (!AtSymbol(",")) break;
      VDB_RETURN_IF_ERROR(Advance());
    }
    if (!AtSymbol(")")) return Expected("',' or ')'");
    return Advance();
  }

  Status ParseValue(FilterOperand* operand) {
    if (AtWord("TIMESTAMP")) return ParseTimestamp(operand);
    if (token_.kind == TokenKind::kString) {
      operand->value = std::move(token_.string);
    } else if (token_.kind == TokenKind::kNumber) {
      operand->value = std::move(token_.value);
    } else if (token_.kind == TokenKind::kParameter) {
      operand->parameter = token_.number;
    } else if (AtWord("TRUE") || AtWord("FALSE")) {
      operand->value = AtWord("TRUE");
    } else if (!AtWord("NULL")) {
      return Expected(token_.kind == TokenKind::kQuotedName
                          ? "a value (strings stand in single quotes)"
                          : "a value (number, 'string', TRUE, FALSE, NULL, TIMESTAMP '…' or $1)");
    }
    return Advance();
  }

  Status ParseTimestamp(FilterOperand* operand) {
    VDB_RETURN_IF_ERROR(Advance());
    if (token_.kind != TokenKind::kString) return Expected("a time in single quotes after TIMESTAMP");
    const Result<Timestamp> time = Timestamp::Parse(token_.string);
    if (!time.ok()) return Expected("a time such as '2024-01-02T03:04:05Z' after TIMESTAMP");
    operand->value = *time;
    return Advance();
  }

  FilterLexer lexer_;
  Token token_;
  std::size_t depth_ = 0;
};

}  // namespace

Result<FilterNodePtr> ParseFilter(std::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return InvalidArgumentError(
        StrCat("filter has ", text.size(), " bytes; at most ", kMaxFilterBytes, " are allowed"));
  }
  return Parser(text).Run();
}

Result<FieldPath> FieldPath::Parse(std::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return InvalidArgumentError(StrCat("path has ", text.size(), " bytes; at most ", kMaxFilterBytes, " are allowed"));
  }
  Result<FieldPath> path = Parser(text).RunPath();
  if (path.ok()) return path;
  return InvalidArgumentError(StrCat("path ", text.substr(0, 64), ": ", path.status().message()));
}

}  // namespace vdb
