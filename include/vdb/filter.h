// Filters over the JSON payload of records: what SQL's WHERE says, as text or built in C++.
//
//   "lang = $1 AND year BETWEEN 2019 AND 2024"            text, with values bound to $1 … $n beside it
//   "tags CONTAINS ANY ('red', 'blue') OR sold != TRUE"
//   Filter::Eq("author.name", "Ada") && Filter::Ge("year", 2020)
//
// Grammar (keywords in any case):
//   filter    := and { OR and }          and := not { AND not }         not := { NOT } primary
//   primary   := '(' filter ')' [ IS [NOT] TRUE ] | TRUE | FALSE | NULL | path predicate
//   predicate := ( = | == | != | <> | < | <= | > | >= ) value | [NOT] IN list
//              | [NOT] BETWEEN value AND value | [NOT] (LIKE | ILIKE) value [ESCAPE '\'] | IS [NOT] NULL
//              | [NOT] CONTAINS value | [NOT] CONTAINS (ANY | ALL) list
//   list      := '(' value {, value} ')' | $1                 a parameter bound to a list, which may be empty
//   value     := 12 | -3.5e7 | 'it''s' | TRUE | FALSE | NULL | TIMESTAMP '2024-01-02T03:04:05.25+01:00' | $1
//   path      := $id | name { [ '[]' ] '.' name } [ '[]' ]
//   name      := letters, digits, _ (not a digit first) | "any ""text"""
//
// Meaning: SQL's three-valued logic; a record matches where the whole filter is TRUE.
//   - A missing path is NULL, as is JSON null. Comparing with NULL, or values of different types, gives NULL. IN is the
//     OR of its comparisons, BETWEEN the AND of both.
//   - Numbers compare by value, exactly: int64, uint64 and double alike. Strings compare bytewise. FALSE < TRUE.
//   - ISO dates in payloads are strings. Against a TIMESTAMP a string is read as an ISO 8601 time (no zone: UTC), NULL
//     if it is none.
//   - $id is the record's id, a string that is never NULL and no list. A payload's own key of that name is "$id".
//   - (a) IS TRUE is FALSE where a is NULL: `NOT (a)` leaves out what has no value to compare, `(a) IS NOT TRUE` keeps
//     it.
//   - LIKE is case-sensitive: % stands for any text, _ for one character, each for itself after ESCAPE's one. ILIKE
//     folds the case of both sides first, by Unicode's simple case folding (Ä = ä, Σ = σ = ς, ẞ = ß but not ss); it
//     does not normalise.
//   - Objects and arrays are not NULL ({} and [] neither), but comparing them gives NULL. A path does not look into
//     arrays by itself: `items[].sku` is the list of the sku values of the objects in items, arrays among them
//     flattened by one level; missing if no object has one. `tags[]` is `tags`.
//   - `list CONTAINS v` is v = ANY element: TRUE if one is equal, else NULL if a comparison was NULL (a null element,
//     an element of another type), else FALSE. CONTAINS ANY is the OR over its values, CONTAINS ALL the AND. NULL if
//     the path holds no array.
//   - Of duplicate keys in a JSON object the last counts.
#ifndef VDB_FILTER_H_
#define VDB_FILTER_H_

#include <vdb/status.h>

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vdb {

// A moment: microseconds since 1970-01-01T00:00:00Z, years 0001 to 9999.
struct Timestamp {
  std::int64_t micros = 0;

  // Reads 2024-01-02, 2024-01-02T03:04, 2024-01-02 03:04:05.123456Z, … +01:00. Digits past the microsecond are dropped.
  static Result<Timestamp> Parse(std::string_view text);
  // E.g. "2024-01-02T03:04:05.25Z".
  std::string ToString() const;

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// One value to compare with: NULL, bool, integer, double, string or Timestamp; or, bound to a parameter after IN,
// CONTAINS ANY or CONTAINS ALL, a list of such values. Copies of a list share it.
class Value {
 public:
  // kUint64 holds only values above the largest int64.
  enum class Type : std::uint8_t { kNull, kBool, kInt64, kUint64, kDouble, kString, kTimestamp, kList };

  Value() = default;        // NULL
  Value(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> B>
  Value(B value) : data_(value) {}  // NOLINT(google-explicit-constructor)
  template <std::integral I>
  requires(!std::same_as<I, bool> && !std::same_as<I, char>) Value(I value) {  // NOLINT(google-explicit-constructor)
    if (std::in_range<std::int64_t>(value)) {
      data_ = static_cast<std::int64_t>(value);
    } else {
      data_ = static_cast<std::uint64_t>(value);
    }
  }
  template <std::floating_point F>
  Value(F value) : data_(static_cast<double>(value)) {}         // NOLINT(google-explicit-constructor)
  Value(const char* value) : data_(std::string(value)) {}       // NOLINT(google-explicit-constructor)
  Value(std::string value) : data_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view value) : data_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Value(Timestamp value) : data_(value) {}                      // NOLINT(google-explicit-constructor)

  // A list, also an empty one. Values in it must not be lists: the filter that it is bound to says so.
  static Value List(std::vector<Value> values);

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_number() const { return type() >= Type::kInt64 && type() <= Type::kDouble; }

  // Each only when type() says so.
  bool bool_value() const { return std::get<bool>(data_); }
  std::int64_t int64_value() const { return std::get<std::int64_t>(data_); }
  std::uint64_t uint64_value() const { return std::get<std::uint64_t>(data_); }
  double double_value() const { return std::get<double>(data_); }
  const std::string& string_value() const { return std::get<std::string>(data_); }
  Timestamp timestamp_value() const { return std::get<Timestamp>(data_); }
  const std::vector<Value>& list_value() const { return *std::get<SharedList>(data_).values; }

  // As a filter's text writes it: 'it''s', 2.5, TIMESTAMP '2024-01-02T00:00:00Z', (1, 'x').
  std::string ToString() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  struct SharedList {
    std::shared_ptr<const std::vector<Value>> values;

    friend bool operator==(const SharedList& a, const SharedList& b) { return *a.values == *b.values; }
  };

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Timestamp, SharedList> data_;
};

struct FilterNode;  // vdb/query/filter_tree.h

// A condition on payloads: a shared immutable tree, or text that is parsed when it is used.
//
// Errors (syntax, a bad path, nesting beyond kMaxFilterDepth) come from the call that uses the filter, as
// InvalidArgument; building one never fails. Thread safety: a value; const access is safe. Cheap to copy.
class Filter {
 public:
  Filter() = default;             // matches every record
  Filter(const char* text);       // NOLINT(google-explicit-constructor)
  Filter(std::string text);       // NOLINT(google-explicit-constructor)
  Filter(std::string_view text);  // NOLINT(google-explicit-constructor)

  // path is written as in text: "author.name", "items[].sku", "\"odd name\".x", "$id".
  static Filter Eq(std::string_view path, Value value);
  static Filter Ne(std::string_view path, Value value);
  static Filter Lt(std::string_view path, Value value);
  static Filter Le(std::string_view path, Value value);
  static Filter Gt(std::string_view path, Value value);
  static Filter Ge(std::string_view path, Value value);
  static Filter In(std::string_view path, std::vector<Value> values);     // no values: FALSE
  static Filter NotIn(std::string_view path, std::vector<Value> values);  // no values: TRUE
  static Filter Between(std::string_view path, Value low, Value high);    // both included
  static Filter Like(std::string_view path, std::string_view pattern);
  static Filter ILike(std::string_view path, std::string_view pattern);
  static Filter Contains(std::string_view path, Value value);
  static Filter ContainsAny(std::string_view path, std::vector<Value> values);  // no values: FALSE
  static Filter ContainsAll(std::string_view path, std::vector<Value> values);  // no values: TRUE
  static Filter IsNull(std::string_view path);
  static Filter IsNotNull(std::string_view path);

  static Filter And(const std::vector<Filter>& filters);  // none: TRUE
  static Filter Or(const std::vector<Filter>& filters);   // none: FALSE
  static Filter Not(const Filter& filter);
  friend Filter operator&&(const Filter& a, const Filter& b) { return And({a, b}); }
  friend Filter operator||(const Filter& a, const Filter& b) { return Or({a, b}); }
  friend Filter operator!(const Filter& a) { return Not(a); }

  // Text that parses to this filter; the text itself if it was made of one; "TRUE" for the default.
  std::string ToString() const;

  // Whether this is the default, or text of blanks only: every record matches.
  bool matches_all() const;

  // Internal: the tree, or null if made of text or default; the text, or null.
  const std::shared_ptr<const FilterNode>& node() const { return node_; }
  const std::shared_ptr<const std::string>& text() const { return text_; }
  // Internal.
  explicit Filter(std::shared_ptr<const FilterNode> node) : node_(std::move(node)) {}

 private:
  std::shared_ptr<const FilterNode> node_;
  std::shared_ptr<const std::string> text_;
};

}  // namespace vdb

#endif  // VDB_FILTER_H_
