// The public Filter and Value: trees built in C++.
#include <vdb/filter.h>

#include <array>
#include <charconv>
#include <utility>

#include "vdb/query/filter_parser.h"
#include "vdb/query/filter_tree.h"

namespace vdb {
namespace {

FilterNodePtr NodeOf(const Filter& filter) {
  if (filter.node() != nullptr) return filter.node();
  if (filter.text() == nullptr) return MakeConstant(true);
  Result<FilterNodePtr> parsed = ParseFilter(*filter.text());
  return parsed.ok() ? *std::move(parsed) : MakeError(parsed.status());
}

FilterNodePtr Leaf(FilterOp op, std::string_view path_text, std::vector<Value> values) {
  Result<FieldPath> path = FieldPath::Parse(path_text);
  if (!path.ok()) return MakeError(path.status());
  const bool for_lists = op == FilterOp::kContainsAny || op == FilterOp::kContainsAll || op == FilterOp::kIsNull;
  if (path->is_list && !for_lists) {
    return MakeError(
        InvalidArgumentError("filter: " + path->text + " is a list; use Contains, ContainsAny or ContainsAll"));
  }
  if (path->is_id && for_lists && op != FilterOp::kIsNull) {
    return MakeError(InvalidArgumentError("filter: $id is one string, not a list; use Eq, In or Like"));
  }
  std::vector<FilterOperand> operands;
  operands.reserve(values.size());
  for (Value& value : values) operands.push_back({std::move(value), 0});
  return MakeLeaf(op, *std::move(path), std::move(operands));
}

Filter One(FilterOp op, std::string_view path, Value value) {
  std::vector<Value> values;
  values.push_back(std::move(value));
  return Filter(Leaf(op, path, std::move(values)));
}

// A list predicate; without values it is the constant `empty`, once its path is in order.
Filter Many(FilterOp op, std::string_view path, std::vector<Value> values, bool empty) {
  const bool none = values.empty();
  FilterNodePtr leaf = Leaf(op, path, std::move(values));
  return Filter(none && leaf->op != FilterOp::kError ? MakeConstant(empty) : leaf);
}

std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out += '\'';
}

std::string DoubleText(double value) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), result.ptr);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // so that it reads as a double again
  return text;
}

}  // namespace

Value Value::List(std::vector<Value> values) {
  Value list;
  list.data_ = SharedList{std::make_shared<const std::vector<Value>>(std::move(values))};
  return list;
}

std::string Value::ToString() const {
  switch (type()) {
    case Type::kNull:
      return "NULL";
    case Type::kBool:
      return bool_value() ? "TRUE" : "FALSE";
    case Type::kInt64:
      return std::to_string(int64_value());
    case Type::kUint64:
      return std::to_string(uint64_value());
    case Type::kDouble:
      return DoubleText(double_value());
    case Type::kString:
      return Quoted(string_value());
    case Type::kList: {
      std::string text = "(";
      for (const Value& value : list_value()) text += (text.size() > 1 ? ", " : "") + value.ToString();
      return text + ")";
    }
    case Type::kTimestamp:
      break;
  }
  return "TIMESTAMP " + Quoted(timestamp_value().ToString());
}

Filter::Filter(const char* text) : Filter(std::string(text)) {}
Filter::Filter(std::string text) : text_(std::make_shared<const std::string>(std::move(text))) {}
Filter::Filter(std::string_view text) : Filter(std::string(text)) {}

Filter Filter::Eq(std::string_view path, Value value) {
  return One(FilterOp::kEq, path, std::move(value));
}
Filter Filter::Ne(std::string_view path, Value value) {
  return One(FilterOp::kNe, path, std::move(value));
}
Filter Filter::Lt(std::string_view path, Value value) {
  return One(FilterOp::kLt, path, std::move(value));
}
Filter Filter::Le(std::string_view path, Value value) {
  return One(FilterOp::kLe, path, std::move(value));
}
Filter Filter::Gt(std::string_view path, Value value) {
  return One(FilterOp::kGt, path, std::move(value));
}
Filter Filter::Ge(std::string_view path, Value value) {
  return One(FilterOp::kGe, path, std::move(value));
}
Filter Filter::In(std::string_view path, std::vector<Value> values) {
  return Many(FilterOp::kIn, path, std::move(values), false);
}
Filter Filter::NotIn(std::string_view path, std::vector<Value> values) {
  return Not(In(path, std::move(values)));
}
Filter Filter::Between(std::string_view path, Value low, Value high) {
  std::vector<Value> values;
  values.push_back(std::move(low));
  values.push_back(std::move(high));
  return Filter(Leaf(FilterOp::kBetween, path, std::move(values)));
}
Filter Filter::Like(std::string_view path, std::string_view pattern) {
  return One(FilterOp::kLike, path, pattern);
}
Filter Filter::ILike(std::string_view path, std::string_view pattern) {
  return One(FilterOp::kILike, path, pattern);
}
Filter Filter::Contains(std::string_view path, Value value) {
  return One(FilterOp::kContainsAny, path, std::move(value));
}
Filter Filter::ContainsAny(std::string_view path, std::vector<Value> values) {
  return Many(FilterOp::kContainsAny, path, std::move(values), false);
}
Filter Filter::ContainsAll(std::string_view path, std::vector<Value> values) {
  return Many(FilterOp::kContainsAll, path, std::move(values), true);
}
Filter Filter::IsNull(std::string_view path) {
  return Filter(Leaf(FilterOp::kIsNull, path, {}));
}
Filter Filter::IsNotNull(std::string_view path) {
  return Not(IsNull(path));
}

Filter Filter::And(const std::vector<Filter>& filters) {
  std::vector<FilterNodePtr> nodes;
  nodes.reserve(filters.size());
  for (const Filter& filter : filters) nodes.push_back(NodeOf(filter));
  return Filter(MakeAnd(std::move(nodes)));
}
Filter Filter::Or(const std::vector<Filter>& filters) {
  std::vector<FilterNodePtr> nodes;
  nodes.reserve(filters.size());
  for (const Filter& filter : filters) nodes.push_back(NodeOf(filter));
  return Filter(MakeOr(std::move(nodes)));
}
Filter Filter::Not(const Filter& filter) {
  return Filter(MakeNot(NodeOf(filter)));
}

std::string Filter::ToString() const {
  if (node_ != nullptr) return FilterText(*node_);
  return text_ == nullptr ? "TRUE" : *text_;
}

bool Filter::matches_all() const {
  if (node_ != nullptr) return false;
  return text_ == nullptr || text_->find_first_not_of(" \t\r\n\f\v") == std::string::npos;
}

}  // namespace vdb
