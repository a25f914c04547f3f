#include "vdb/query/leaf_program.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "vdb/query/filter_evaluator.h"
#include "vdb/util/checksum.h"

namespace vdb {
namespace {

constexpr std::int64_t kMinInt64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();

Verdict VerdictOf(Tri tri) {
  switch (tri) {
    case Tri::kFalse:
      return Verdict::kFalse;
    case Tri::kTrue:
      return Verdict::kTrue;
    case Tri::kNull:
      return Verdict::kNull;
  }
  return Verdict::kUnknown;
}

Verdict Or(Verdict a, Verdict b) {
  if (a == Verdict::kTrue || b == Verdict::kTrue) return Verdict::kTrue;
  if (a == Verdict::kUnknown || b == Verdict::kUnknown) return Verdict::kUnknown;
  return a == Verdict::kNull || b == Verdict::kNull ? Verdict::kNull : Verdict::kFalse;
}

Verdict And(Verdict a, Verdict b) {
  if (a == Verdict::kFalse || b == Verdict::kFalse) return Verdict::kFalse;
  if (a == Verdict::kUnknown || b == Verdict::kUnknown) return Verdict::kUnknown;
  return a == Verdict::kNull || b == Verdict::kNull ? Verdict::kNull : Verdict::kTrue;
}

bool IsEquality(FilterOp op) {
  return op == FilterOp::kEq || op == FilterOp::kNe || op == FilterOp::kIn;
}

ScalarRef StringRef(std::string_view text) {
  ScalarRef value;
  value.kind = ScalarRef::Kind::kString;
  value.text = text;
  return value;
}

// A string that is no literal of the leaf and reads as no time.
std::string OtherString(const FilterNode& leaf) {
  std::string other = "\x01";
  for (const FilterOperand& operand : leaf.operands) {
    if (operand.value.type() != Value::Type::kString) continue;
    const std::size_t size = operand.value.string_value().size();
    if (size >= other.size()) other.resize(size + 1, '\x01');
  }
  return other;
}

}  // namespace

LeafProgram::LeafProgram(const FilterNode& leaf, const FieldIndex& index)
    : leaf_(leaf),
      index_(index),
      column_(index.Find(leaf.path.text)),
      is_contains_(leaf.op == FilterOp::kContainsAny || leaf.op == FilterOp::kContainsAll) {
  if (column_ == nullptr) return;
  if (!is_contains_) {
    interval_ = IntervalOf(leaf);
    CompileStrings();
    return;
  }
  element_leaves_.reserve(leaf.operands.size());  // programs refer to them
  element_programs_.reserve(leaf.operands.size());
  for (const FilterOperand& operand : leaf.operands) {
    FilterNode& element = element_leaves_.emplace_back();
    element.op = FilterOp::kEq;
    element.path = leaf.path;
    element.operands = {operand};
    element_programs_.emplace_back(element, index);
  }
}

std::optional<LeafProgram::Interval> LeafProgram::IntervalOf(const FilterNode& leaf) {
  for (const FilterOperand& operand : leaf.operands) {
    if (operand.value.type() != Value::Type::kInt64) return std::nullopt;
  }
  if (leaf.operands.empty()) return std::nullopt;
  const std::int64_t value = leaf.operands[0].value.int64_value();
  switch (leaf.op) {
    case FilterOp::kEq:
      return Interval{value, value, false};
    case FilterOp::kNe:
      return Interval{value, value, true};
    case FilterOp::kLe:
      return Interval{kMinInt64, value, false};
    case FilterOp::kGe:
      return Interval{value, kMaxInt64, false};
    case FilterOp::kLt:
      return Interval{value, kMaxInt64, true};
    case FilterOp::kGt:
      return Interval{kMinInt64, value, true};
    case FilterOp::kBetween:
      return Interval{value, leaf.operands[1].value.int64_value(), false};
    default:
      return std::nullopt;
  }
}

void LeafProgram::CompileStrings() {
  if (leaf_.op == FilterOp::kIsNull) return;
  const Dictionary& dictionary = column_->dictionary();
  const std::uint32_t codes = dictionary.size();
  by_code_.resize(codes);
  for (std::uint32_t code = 0; code < codes; ++code) {
    by_code_[code] = VerdictOf(EvaluateScalar(leaf_, StringRef(dictionary.Get(code))));
  }
  for (const FilterOperand& operand : leaf_.operands) {
    has_time_literal_ |= operand.value.type() == Value::Type::kTimestamp;
    if (operand.value.type() != Value::Type::kString) continue;
    hash_codes_.push_back(Column::HashCode(Checksum(operand.value.string_value())));
  }
  // Order comparisons and LIKE of a hashed string need its text, unless there is no string to compare with.
  if (IsEquality(leaf_.op) || hash_codes_.empty()) {
    other_string_ = VerdictOf(EvaluateScalar(leaf_, StringRef(OtherString(leaf_))));
  }
}

Verdict LeafProgram::EvaluateHash(const Cells& cells, std::uint64_t index, bool is_time) const {
  if (leaf_.op == FilterOp::kIsNull) return Verdict::kFalse;
  if (is_time && has_time_literal_) return Verdict::kUnknown;
  if (std::ranges::find(hash_codes_, cells.codes[index]) != hash_codes_.end()) return Verdict::kUnknown;
  return other_string_;
}

Verdict LeafProgram::EvaluateCell(const Cells& cells, std::uint64_t index) const {
  ScalarRef value;
  switch (cells.Tag(index)) {
    case CellTag::kMissing:
      return leaf_.op == FilterOp::kIsNull ? Verdict::kTrue : Verdict::kNull;
    case CellTag::kPayload:  // a list too long for the columns
      return leaf_.op == FilterOp::kIsNull ? Verdict::kFalse : Verdict::kUnknown;
    case CellTag::kNull:
      break;
    case CellTag::kFalse:
    case CellTag::kTrue:
      value.kind = ScalarRef::Kind::kBool;
      value.boolean = cells.Tag(index) == CellTag::kTrue;
      break;
    case CellTag::kInt64: {
      const auto number = static_cast<std::int64_t>(cells.words[index]);
      if (interval_) {
        const bool inside = number >= interval_->low && number <= interval_->high;
        return inside != interval_->negated ? Verdict::kTrue : Verdict::kFalse;
      }
      value.kind = ScalarRef::Kind::kInt64;
      value.int64 = number;
      break;
    }
    case CellTag::kUint64:
      value.kind = ScalarRef::Kind::kUint64;
      value.uint64 = cells.words[index];
      break;
    case CellTag::kDouble:
      value.kind = ScalarRef::Kind::kDouble;
      value.number = std::bit_cast<double>(cells.words[index]);
      break;
    case CellTag::kCode: {
      if (leaf_.op == FilterOp::kIsNull) return Verdict::kFalse;
      const std::uint32_t code = cells.codes[index];
      return code < by_code_.size() ? by_code_[code] : Verdict::kUnknown;
    }
    case CellTag::kHash:
      return EvaluateHash(cells, index, false);
    case CellTag::kHashTime:
      return EvaluateHash(cells, index, true);
    case CellTag::kList:
    case CellTag::kObject:
      value.kind = ScalarRef::Kind::kOther;
      break;
  }
  return VerdictOf(EvaluateScalar(leaf_, value));
}

Verdict LeafProgram::EvaluateList(std::uint64_t word) const {
  const std::uint64_t first = Column::ListFirst(word);
  const std::uint64_t count = Column::ListCount(word);
  const bool all = leaf_.op == FilterOp::kContainsAll;
  Verdict result = all ? Verdict::kTrue : Verdict::kFalse;
  for (const LeafProgram& element : element_programs_) {
    Verdict contained = Verdict::kFalse;
    for (std::uint64_t i = first; i < first + count; ++i) {
      contained = Or(contained, element.EvaluateCell(column_->elements(), i));
    }
    result = all ? And(result, contained) : Or(result, contained);
  }
  return result;
}

Verdict LeafProgram::EvaluateSlot(std::uint64_t slot) const {
  const Cells& cells = column_->cells();
  if (!is_contains_) return EvaluateCell(cells, slot);
  switch (cells.Tag(slot)) {
    case CellTag::kList:
      return EvaluateList(cells.words[slot]);
    case CellTag::kPayload:
      return Verdict::kUnknown;
    default:
      return Verdict::kNull;
  }
}

LeafProgram::Words LeafProgram::Evaluate(std::uint32_t begin, std::uint32_t end) const {
  Words words;
  const std::uint64_t unindexed = index_.UnindexedWord(begin / 64);
  for (std::uint32_t slot = begin; slot < end; ++slot) {
    const std::uint64_t bit = std::uint64_t{1} << (slot - begin);
    const bool missing = column_ == nullptr || column_->cells().Tag(slot) == CellTag::kMissing;
    Verdict verdict = Verdict::kUnknown;
    if (!missing) {
      verdict = EvaluateSlot(slot);
    } else if ((unindexed & bit) == 0) {
      verdict = leaf_.op == FilterOp::kIsNull ? Verdict::kTrue : Verdict::kNull;
    }
    words.is_true |= verdict == Verdict::kTrue ? bit : 0;
    words.is_false |= verdict == Verdict::kFalse ? bit : 0;
    words.is_null |= verdict == Verdict::kNull ? bit : 0;
  }
  return words;
}

bool LeafProgram::NeedsPayloads() const {
  if (column_ == nullptr) return index_.unindexed_rows() > 0;
  const auto seen = [&](CellTag tag) { return (column_->tags_seen() >> static_cast<unsigned>(tag) & 1) != 0; };
  return index_.unindexed_rows() > 0 || seen(CellTag::kPayload) || seen(CellTag::kHash) || seen(CellTag::kHashTime);
}

}  // namespace vdb
