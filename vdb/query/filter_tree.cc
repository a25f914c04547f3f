#include "vdb/query/filter_tree.h"

#include <vdb/limits.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "vdb/fields/field_path.h"
#include "vdb/query/case_fold.h"
#include "vdb/query/filter_parser.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::size_t kMaxQuotedInError = 64;
constexpr std::int64_t kMinMicros = -62'135'596'800'000'000;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kMaxMicros = 253'402'300'799'999'999;  // 9999-12-31T23:59:59.999999Z

FilterNodePtr CheckLimits(std::shared_ptr<FilterNode> node) {
  if (node->size > kMaxFilterPredicates) {
    return MakeError(InvalidArgumentError(
        StrCat("filter has ", node->size, " predicates; at most ", kMaxFilterPredicates, " are allowed")));
  }
  if (node->depth <= kMaxFilterDepth) return node;
  return MakeError(InvalidArgumentError(StrCat("filter is nested deeper than ", kMaxFilterDepth)));
}

FilterNodePtr MakeJunction(FilterOp op, std::vector<FilterNodePtr> children) {
  auto node = std::make_shared<FilterNode>();
  node->op = op;
  for (FilterNodePtr& child : children) {
    if (child->op == FilterOp::kError) return child;
    if (child->op == op) {
      node->children.insert(node->children.end(), child->children.begin(), child->children.end());
    } else {
      node->children.push_back(std::move(child));
    }
  }
  if (node->children.empty()) return MakeConstant(op == FilterOp::kAnd);
  if (node->children.size() == 1) return node->children[0];
  node->size = 0;
  for (const FilterNodePtr& child : node->children) {
    node->size += child->size;
    const bool parentheses = op == FilterOp::kAnd && child->op == FilterOp::kOr;
    node->depth = std::max(node->depth, child->depth + (parentheses ? 1 : 0));
  }
  return CheckLimits(std::move(node));
}

Status CheckValue(const Value& value) {
  if (value.type() == Value::Type::kDouble && !std::isfinite(value.double_value())) {
    return InvalidArgumentError("filter compares with a number that is not finite");
  }
  if (value.type() == Value::Type::kList) {
    return InvalidArgumentError("filter compares with a list; wanted one value, or IN, CONTAINS ANY or CONTAINS ALL");
  }
  if (value.type() == Value::Type::kTimestamp &&
      (value.timestamp_value().micros < kMinMicros || value.timestamp_value().micros > kMaxMicros)) {
    return InvalidArgumentError("filter compares with a timestamp outside the years 0001 to 9999");
  }
  return OkStatus();
}

std::string OperandText(const FilterOperand& operand) {
  return operand.parameter != 0 ? StrCat("$", operand.parameter) : operand.value.ToString();
}

std::string ListText(const std::vector<FilterOperand>& operands) {
  if (operands.size() == 1 && operands[0].is_list) return OperandText(operands[0]);
  std::string text = "(";
  for (const FilterOperand& operand : operands) {
    if (text.size() > 1) text += ", ";
    text += OperandText(operand);
  }
  return text + ")";
}

std::string_view ComparisonText(FilterOp op) {
  constexpr std::array<std::string_view, 6> kTexts = {" = ", " != ", " < ", " <= ", " > ", " >= "};
  return kTexts[static_cast<std::size_t>(op) - static_cast<std::size_t>(FilterOp::kEq)];
}

std::string EscapeText(const FilterNode& node) {
  if (node.escape == '\0') return "";
  return StrCat(" ESCAPE ", Value(std::string(1, node.escape)).ToString());
}

// Of a node that needs no parentheses around it.
std::string LeafText(const FilterNode& node, bool negated) {
  const std::string_view no = negated ? "NOT " : "";
  const std::string& path = node.path.text;
  switch (node.op) {
    case FilterOp::kIn:
      return StrCat(path, " ", no, "IN ", ListText(node.operands));
    case FilterOp::kBetween:
      return StrCat(path, " ", no, "BETWEEN ", OperandText(node.operands[0]), " AND ", OperandText(node.operands[1]));
    case FilterOp::kLike:
      return StrCat(path, " ", no, "LIKE ", OperandText(node.operands[0]), EscapeText(node));
    case FilterOp::kILike:
      return StrCat(path, " ", no, "ILIKE ", OperandText(node.operands[0]), EscapeText(node));
    case FilterOp::kContainsAny:
      if (node.operands.size() == 1 && !node.operands[0].is_list)
        return StrCat(path, " ", no, "CONTAINS ", OperandText(node.operands[0]));
      return StrCat(path, " ", no, "CONTAINS ANY ", ListText(node.operands));
    case FilterOp::kContainsAll:
      return StrCat(path, " ", no, "CONTAINS ALL ", ListText(node.operands));
    case FilterOp::kIsNull:
      return StrCat(path, " IS ", no, "NULL");
    case FilterOp::kIsTrue:
      return StrCat("(", FilterText(*node.children[0]), ") IS ", no, "TRUE");
    case FilterOp::kConstant:
      return StrCat(no, node.operands[0].value.ToString());
    default:
      return StrCat(no, path, ComparisonText(node.op), OperandText(node.operands[0]));
  }
}

// Puts its value, a single one, in place of a parameter.
Status SubstituteValue(std::span<const Value> values, std::vector<bool>* used, FilterOperand* operand) {
  if (operand->parameter == 0) return CheckValue(operand->value);
  const std::uint32_t number = std::exchange(operand->parameter, 0);
  if (number > values.size()) {
    return InvalidArgumentError(StrCat("filter uses $", number, ", but ", values.size(), " values are bound"));
  }
  (*used)[number - 1] = true;
  operand->value = values[number - 1];
  if (operand->value.type() == Value::Type::kList && !operand->is_list) {
    return InvalidArgumentError(StrCat("$", number, " is bound to a list; wanted one value, or $", number,
                                       " without parentheses after IN, CONTAINS ANY or CONTAINS ALL"));
  }
  if (operand->is_list) return OkStatus();  // ExpandList checks it
  Status status = CheckValue(operand->value);
  if (status.ok()) return status;
  return status.WithMessage(StrCat("$", number, ": ", status.message()));
}

// Puts the values of a bound list in place of its parameter. What is left of a predicate on no values is a constant.
Status ExpandList(std::uint32_t number, FilterNode* leaf) {
  const Value list = std::move(leaf->operands[0].value);
  leaf->operands.clear();
  if (list.type() != Value::Type::kList) {
    return InvalidArgumentError(StrCat("$", number, " stands for a list in ", leaf->path.text,
                                       leaf->op == FilterOp::kIn ? " IN" : " CONTAINS", ", but is bound to ",
                                       list.ToString().substr(0, kMaxQuotedInError)));
  }
  for (const Value& value : list.list_value()) {
    const Status status = value.type() == Value::Type::kList ? InvalidArgumentError("a list in a list; wanted values")
                                                             : CheckValue(value);
    if (!status.ok()) {
      return status.WithMessage(
          StrCat("$", number, ", value ", leaf->operands.size(), " of its list: ", status.message()));
    }
    leaf->operands.push_back({value});
  }
  if (leaf->operands.empty()) *leaf = *MakeConstant(leaf->op == FilterOp::kContainsAll);
  return OkStatus();
}

// A copy of the tree with values in place of parameters; *used[i] is set for parameter i + 1.
Result<FilterNodePtr> Substitute(const FilterNodePtr& node, std::span<const Value> values, std::vector<bool>* used) {
  if (node->op == FilterOp::kError) return node->status;
  auto copy = std::make_shared<FilterNode>(*node);
  for (FilterNodePtr& child : copy->children) {
    VDB_ASSIGN_OR_RETURN(child, Substitute(child, values, used));
  }
  const std::uint32_t list = !copy->operands.empty() && copy->operands[0].is_list ? copy->operands[0].parameter : 0;
  for (FilterOperand& operand : copy->operands) VDB_RETURN_IF_ERROR(SubstituteValue(values, used, &operand));
  if (list != 0) VDB_RETURN_IF_ERROR(ExpandList(list, copy.get()));
  if (copy->op == FilterOp::kILike && copy->operands[0].value.type() == Value::Type::kString) {
    FoldCase(copy->operands[0].value.string_value(), &copy->folded);
  }
  return FilterNodePtr(std::move(copy));
}

}  // namespace

void FieldPath::MakeText() {
  text.clear();
  is_list = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i > 0) text += '.';
    AppendFieldName(steps[i].name, &text);
    if (!steps[i].each) continue;
    is_list = true;
    if (i + 1 < steps.size()) text += "[]";  // at the end it adds nothing: tags[] is the column tags
  }
}

FilterNodePtr MakeConstant(Value value) {
  auto node = std::make_shared<FilterNode>();
  node->op = FilterOp::kConstant;
  node->operands.push_back({std::move(value), 0});
  return node;
}

FilterNodePtr MakeLeaf(FilterOp op, FieldPath path, std::vector<FilterOperand> operands) {
  auto node = std::make_shared<FilterNode>();
  node->op = op;
  node->path = std::move(path);
  node->operands = std::move(operands);
  return node;
}

FilterNodePtr MakeAnd(std::vector<FilterNodePtr> children) {
  return MakeJunction(FilterOp::kAnd, std::move(children));
}

FilterNodePtr MakeOr(std::vector<FilterNodePtr> children) {
  return MakeJunction(FilterOp::kOr, std::move(children));
}

FilterNodePtr MakeNot(FilterNodePtr child) {
  if (child->op == FilterOp::kError) return child;
  if (child->op == FilterOp::kNot) return child->children[0];
  auto node = std::make_shared<FilterNode>();
  node->op = FilterOp::kNot;
  const bool parentheses = child->op == FilterOp::kAnd || child->op == FilterOp::kOr;
  node->depth = child->depth + (parentheses ? 1 : 0);
  node->size = child->size;
  node->children.push_back(std::move(child));
  return CheckLimits(std::move(node));
}

FilterNodePtr MakeIsTrue(FilterNodePtr child) {
  if (child->op == FilterOp::kError || child->op == FilterOp::kIsTrue) return child;
  auto node = std::make_shared<FilterNode>();
  node->op = FilterOp::kIsTrue;
  node->depth = child->depth + 1;
  node->size = child->size;
  node->children.push_back(std::move(child));
  return CheckLimits(std::move(node));
}

FilterNodePtr MakeError(Status status) {
  auto node = std::make_shared<FilterNode>();
  node->op = FilterOp::kError;
  node->status = std::move(status);
  return node;
}

std::string FilterText(const FilterNode& node) {
  if (node.op == FilterOp::kError) return StrCat("(", node.status.ToString(), ")");
  if (node.op == FilterOp::kNot) {
    const FilterNode& child = *node.children[0];
    if (child.op == FilterOp::kAnd || child.op == FilterOp::kOr) return StrCat("NOT (", FilterText(child), ")");
    return LeafText(child, true);
  }
  if (node.op != FilterOp::kAnd && node.op != FilterOp::kOr) return LeafText(node, false);
  std::string text;
  for (const FilterNodePtr& child : node.children) {
    if (!text.empty()) text += node.op == FilterOp::kAnd ? " AND " : " OR ";
    const bool parentheses = node.op == FilterOp::kAnd && child->op == FilterOp::kOr;
    text += parentheses ? StrCat("(", FilterText(*child), ")") : FilterText(*child);
  }
  return text;
}

Result<FilterNodePtr> BindFilter(const Filter& filter, std::span<const Value> values) {
  FilterNodePtr node = filter.node();
  if (filter.text() != nullptr) {
    VDB_ASSIGN_OR_RETURN(node, ParseFilter(*filter.text()));
  } else if (node == nullptr) {
    node = MakeConstant(true);
  }
  std::vector<bool> used(values.size());
  VDB_ASSIGN_OR_RETURN(node, Substitute(node, values, &used));
  const auto unused = std::find(used.begin(), used.end(), false);
  if (unused != used.end()) {
    return InvalidArgumentError(
        StrCat(values.size(), " values are bound, but the filter does not use $", unused - used.begin() + 1));
  }
  return node;
}

}  // namespace vdb
