#include "vdb/query/filter_evaluator.h"

#include <algorithm>
#include <compare>
#include <exception>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "vdb/query/case_fold.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

using Json = nlohmann::json;

// long double holds every int64, uint64 and double exactly, so it compares them exactly.
static_assert(std::numeric_limits<long double>::digits >= 64);

Tri TriOf(bool value) {
  return value ? Tri::kTrue : Tri::kFalse;
}

Tri Negate(Tri value) {
  if (value == Tri::kNull) return value;
  return TriOf(value == Tri::kFalse);
}

std::optional<long double> NumberOf(const ScalarRef& value) {
  switch (value.kind) {
    case ScalarRef::Kind::kInt64:
      return value.int64;
    case ScalarRef::Kind::kUint64:
      return value.uint64;
    case ScalarRef::Kind::kDouble:
      return value.number;
    default:
      return std::nullopt;
  }
}

long double NumberOf(const Value& value) {
  if (value.type() == Value::Type::kInt64) return value.int64_value();
  if (value.type() == Value::Type::kUint64) return value.uint64_value();
  return value.double_value();
}

template <typename T>
int Sign(const T& a, const T& b) {
  if (a < b) return -1;
  return b < a ? 1 : 0;
}

// <0, 0, >0; nothing where the comparison is NULL.
std::optional<int> Compare(const ScalarRef& a, const Value& b) {
  switch (b.type()) {
    case Value::Type::kNull:
    case Value::Type::kList:  // no bound filter has one
      return std::nullopt;
    case Value::Type::kBool:
      if (a.kind != ScalarRef::Kind::kBool) return std::nullopt;
      return Sign<int>(a.boolean ? 1 : 0, b.bool_value() ? 1 : 0);
    case Value::Type::kInt64:
    case Value::Type::kUint64:
    case Value::Type::kDouble: {
      const std::optional<long double> number = NumberOf(a);
      if (!number.has_value()) return std::nullopt;
      return Sign(*number, NumberOf(b));
    }
    case Value::Type::kString:
      if (a.kind != ScalarRef::Kind::kString) return std::nullopt;
      return a.text.compare(b.string_value());
    case Value::Type::kTimestamp:
      break;
  }
  if (a.kind != ScalarRef::Kind::kString) return std::nullopt;
  const Result<Timestamp> time = Timestamp::Parse(a.text);
  if (!time.ok()) return std::nullopt;
  return Sign(time->micros, b.timestamp_value().micros);
}

Tri EvaluateComparison(FilterOp op, const ScalarRef& value, const Value& operand) {
  const std::optional<int> order = Compare(value, operand);
  if (!order.has_value()) return Tri::kNull;
  switch (op) {
    case FilterOp::kEq:
      return TriOf(*order == 0);
    case FilterOp::kNe:
      return TriOf(*order != 0);
    case FilterOp::kLt:
      return TriOf(*order < 0);
    case FilterOp::kLe:
      return TriOf(*order <= 0);
    case FilterOp::kGt:
      return TriOf(*order > 0);
    default:
      return TriOf(*order >= 0);
  }
}

Tri And(Tri a, Tri b) {
  if (a == Tri::kFalse || b == Tri::kFalse) return Tri::kFalse;
  return a == Tri::kNull || b == Tri::kNull ? Tri::kNull : Tri::kTrue;
}

Tri Or(Tri a, Tri b) {
  return Negate(And(Negate(a), Negate(b)));
}

ScalarRef RefOf(const Json& json) {
  ScalarRef value;
  switch (json.type()) {
    case Json::value_t::null:
      value.kind = ScalarRef::Kind::kNull;
      break;
    case Json::value_t::boolean:
      value.kind = ScalarRef::Kind::kBool;
      value.boolean = *json.get_ptr<const Json::boolean_t*>();
      break;
    case Json::value_t::number_integer:
      value.kind = ScalarRef::Kind::kInt64;
      value.int64 = *json.get_ptr<const Json::number_integer_t*>();
      break;
    case Json::value_t::number_unsigned:
      value.kind = ScalarRef::Kind::kUint64;
      value.uint64 = *json.get_ptr<const Json::number_unsigned_t*>();
      break;
    case Json::value_t::number_float:
      value.kind = ScalarRef::Kind::kDouble;
      value.number = *json.get_ptr<const Json::number_float_t*>();
      break;
    case Json::value_t::string:
      value.kind = ScalarRef::Kind::kString;
      value.text = *json.get_ptr<const Json::string_t*>();
      break;
    default:
      value.kind = ScalarRef::Kind::kOther;
      break;
  }
  return value;
}

// What stands at a path: one value, or the elements of a list.
struct Found {
  bool present = false;
  const Json* single = nullptr;       // paths that go through no array
  std::vector<const Json*> elements;  // the others
};

// Collects what object has at steps[step] and on. Recursion: as deep as the path has steps.
void Walk(const Json& object, const FieldPath& path, std::size_t step, bool in_array, Found* found) {
  const Json* at = &object;
  for (; step < path.steps.size(); ++step) {
    if (!at->is_object()) return;
    const auto member = at->find(path.steps[step].name);
    if (member == at->end()) return;
    at = &*member;
    if (!path.steps[step].each || step + 1 == path.steps.size()) continue;
    if (!at->is_array()) return;
    for (const Json& element : *at) Walk(element, path, step + 1, true, found);
    return;
  }
  found->present = true;
  if (!in_array) {
    found->single = at;
  } else if (at->is_array()) {
    for (const Json& element : *at) found->elements.push_back(&element);
  } else {
    found->elements.push_back(at);
  }
}

Tri EvaluateContains(const FilterNode& leaf, const Found& found) {
  std::vector<const Json*> elements = found.elements;
  if (found.single != nullptr) {
    if (!found.single->is_array()) return Tri::kNull;
    for (const Json& element : *found.single) elements.push_back(&element);
  }
  const bool all = leaf.op == FilterOp::kContainsAll;
  Tri result = TriOf(all);
  for (const FilterOperand& operand : leaf.operands) {
    Tri contained = Tri::kFalse;
    for (const Json* element : elements) {
      contained = Or(contained, EvaluateComparison(FilterOp::kEq, RefOf(*element), operand.value));
    }
    result = all ? And(result, contained) : Or(result, contained);
  }
  return result;
}

// A record with its payload read.
struct ParsedRecord {
  std::string_view id;
  const Json& payload;
};

Tri EvaluateLeaf(const FilterNode& leaf, const ParsedRecord& record) {
  if (leaf.path.is_id) {
    ScalarRef id;
    id.kind = ScalarRef::Kind::kString;
    id.text = record.id;
    return EvaluateScalar(leaf, id);
  }
  Found found;
  Walk(record.payload, leaf.path, 0, false, &found);
  if (leaf.op == FilterOp::kIsNull) {
    return TriOf(!found.present || (found.single != nullptr && found.single->is_null()));
  }
  if (!found.present) return Tri::kNull;
  if (leaf.op == FilterOp::kContainsAny || leaf.op == FilterOp::kContainsAll) return EvaluateContains(leaf, found);
  return found.single == nullptr ? Tri::kNull : EvaluateScalar(leaf, RefOf(*found.single));
}

Tri EvaluateNode(const FilterNode& node, const ParsedRecord& record) {
  switch (node.op) {
    case FilterOp::kConstant: {
      const Value& value = node.operands[0].value;
      return value.type() == Value::Type::kBool ? TriOf(value.bool_value()) : Tri::kNull;
    }
    case FilterOp::kNot:
      return Negate(EvaluateNode(*node.children[0], record));
    case FilterOp::kIsTrue:
      return TriOf(EvaluateNode(*node.children[0], record) == Tri::kTrue);
    case FilterOp::kAnd:
    case FilterOp::kOr: {
      const bool conjunction = node.op == FilterOp::kAnd;
      Tri result = TriOf(conjunction);
      for (const FilterNodePtr& child : node.children) {
        const Tri next = EvaluateNode(*child, record);
        result = conjunction ? And(result, next) : Or(result, next);
      }
      return result;
    }
    default:
      return EvaluateLeaf(node, record);
  }
}

// Hands the parsed payload to use.
template <typename Use>
Status ReadPayload(std::string_view payload, const Use& use) {
  try {
    const Json json = payload.empty() ? Json::object() : Json::parse(payload);
    if (!json.is_object()) return DataLossError("a stored payload is not a JSON object");
    use(json);
    return OkStatus();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return DataLossError(StrCat("a stored payload is not valid JSON: ", std::string_view(error.what()).substr(0, 200)));
  }
}

// Bytes of the UTF-8 character that begins with lead.
std::size_t CharacterBytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte >= 0xF0) return 4;
  if (byte >= 0xE0) return 3;
  return byte >= 0xC0 ? 2 : 1;
}

}  // namespace

// Greedy with one point of return, the last %: linear for prefixes, at worst text times pattern.
bool LikeMatches(std::string_view text, std::string_view pattern, char escape) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t after_percent = std::string_view::npos;
  std::size_t retry_from = 0;
  while (t < text.size()) {
    // An escape stands before what means itself; the last character of a pattern escapes nothing.
    const bool escaped = escape != '\0' && p + 1 < pattern.size() && pattern[p] == escape;
    if (escaped && pattern[p + 1] == text[t]) {
      ++t;
      p += 2;
    } else if (!escaped && p < pattern.size() && pattern[p] == '%') {
      after_percent = ++p;
      retry_from = t;
    } else if (!escaped && p < pattern.size() && pattern[p] == '_') {
      t = std::min(text.size(), t + CharacterBytes(text[t]));
      ++p;
    } else if (!escaped && p < pattern.size() && pattern[p] == text[t]) {
      ++t;
      ++p;
    } else if (after_percent != std::string_view::npos) {
      retry_from = std::min(text.size(), retry_from + CharacterBytes(text[retry_from]));
      t = retry_from;
      p = after_percent;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('%', p) == std::string_view::npos;
}

Tri EvaluateScalar(const FilterNode& leaf, const ScalarRef& value) {
  switch (leaf.op) {
    case FilterOp::kIsNull:
      return TriOf(value.kind == ScalarRef::Kind::kNull);
    case FilterOp::kIn:
    case FilterOp::kContainsAny: {
      Tri result = Tri::kFalse;
      for (const FilterOperand& operand : leaf.operands) {
        result = Or(result, EvaluateComparison(FilterOp::kEq, value, operand.value));
      }
      return result;
    }
    case FilterOp::kBetween:
      return And(EvaluateComparison(FilterOp::kGe, value, leaf.operands[0].value),
                 EvaluateComparison(FilterOp::kLe, value, leaf.operands[1].value));
    case FilterOp::kLike:
    case FilterOp::kILike: {
      if (value.kind != ScalarRef::Kind::kString || leaf.operands[0].value.type() != Value::Type::kString) {
        return Tri::kNull;
      }
      if (leaf.op == FilterOp::kLike)
        return TriOf(LikeMatches(value.text, leaf.operands[0].value.string_value(), leaf.escape));
      std::string folded;
      FoldCase(value.text, &folded);
      return TriOf(LikeMatches(folded, leaf.folded, leaf.escape));
    }
    default:
      return EvaluateComparison(leaf.op, value, leaf.operands[0].value);
  }
}

Result<Tri> EvaluateFilter(const FilterNode& filter, const RecordText& record) {
  Tri truth = Tri::kNull;
  VDB_RETURN_IF_ERROR(ReadPayload(record.payload, [&](const Json& json) {
    truth = EvaluateNode(filter, {record.id, json});
  }));
  return truth;
}

Status VisitValues(const FieldPath& path, std::string_view payload,
                   const std::function<void(const ScalarRef&)>& visit) {
  return ReadPayload(payload, [&](const Json& json) {
    Found found;
    Walk(json, path, 0, false, &found);
    if (found.single != nullptr && !found.single->is_array()) {
      visit(RefOf(*found.single));
    } else if (found.single != nullptr) {
      for (const Json& element : *found.single) visit(RefOf(element));
    }
    for (const Json* element : found.elements) visit(RefOf(*element));
  });
}

}  // namespace vdb
