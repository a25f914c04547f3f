#include "vdb/query/filter_leaf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "vdb/query/filter_evaluator.h"
#include "vdb/query/filter_ranges.h"
#include "vdb/util/checksum.h"

namespace vdb {
namespace {

const Dictionary& EmptyDictionary() {
  static const Dictionary empty;
  return empty;
}

Verdict OfString(const FilterNode& leaf, std::string_view text) {
  ScalarRef value;
  value.kind = ScalarRef::Kind::kString;
  value.text = text;
  return VerdictOf(EvaluateScalar(leaf, value));
}

Verdict OfKind(const FilterNode& leaf, ScalarRef::Kind kind, bool boolean = false) {
  ScalarRef value;
  value.kind = kind;
  value.boolean = boolean;
  return VerdictOf(EvaluateScalar(leaf, value));
}

// Bit i: byte i of the 64 tags equals tag. Eight bytes at a time: a byte below 128 minus itself is the only way to keep
// the top bit of 0x80 - x.
std::uint64_t TagMask(const std::array<std::uint8_t, 64>& tags, std::uint8_t tag) {
  constexpr std::uint64_t kEach = 0x0101'0101'0101'0101;
  constexpr std::uint64_t kGather = 0x0102'0408'1020'4080;  // bit 0 of byte i to bit 56 + i
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, tags.data() + i * 8, 8);
    const std::uint64_t equal = ((0x80 * kEach - (eight ^ (kEach * tag))) >> 7) & kEach;
    mask |= (equal * kGather >> 56) << (i * 8);
  }
  return mask;
}

// Bit i: test(values[i]).
template <typename T, typename Test>
std::uint64_t BitsOf(const T* values, unsigned count, Test test) {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < count; ++i) bits |= std::uint64_t{test(values[i]) ? 1U : 0U} << i;
  return bits;
}

}  // namespace

Verdict VerdictOf(Tri tri) {
  switch (tri) {
    case Tri::kFalse:
      return Verdict::kFalse;
    case Tri::kTrue:
      return Verdict::kTrue;
    case Tri::kNull:
      break;
  }
  return Verdict::kNull;
}

CellPredicate::CellPredicate(const FilterNode& leaf, const Dictionary& dictionary) {
  constant_.fill(Verdict::kUnknown);
  SetConstant(CellTag::kMissing, leaf.op == FilterOp::kIsNull ? Verdict::kTrue : Verdict::kNull);
  SetConstant(CellTag::kNull, OfKind(leaf, ScalarRef::Kind::kNull));
  SetConstant(CellTag::kFalse, OfKind(leaf, ScalarRef::Kind::kBool, false));
  SetConstant(CellTag::kTrue, OfKind(leaf, ScalarRef::Kind::kBool, true));
  const Verdict other = OfKind(leaf, ScalarRef::Kind::kOther);
  SetConstant(CellTag::kList, other);
  SetConstant(CellTag::kObject, other);
  SetConstant(CellTag::kPayload, other);  // a long list
  CompileNumbers(leaf);
  CompileStrings(leaf, dictionary);
}

void CellPredicate::CompileNumbers(const FilterNode& leaf) {
  std::optional<NumberRanges> ranges = MakeNumberRanges(leaf);
  for (const CellTag tag : {CellTag::kInt64, CellTag::kUint64, CellTag::kDouble}) {
    if (ranges.has_value()) {
      SetComputed(tag);
    } else {
      SetConstant(tag, OfKind(leaf, ScalarRef::Kind::kInt64));  // the same for every number
    }
  }
  if (ranges.has_value()) numbers_ = *std::move(ranges);
}

void CellPredicate::CompileStrings(const FilterNode& leaf, const Dictionary& dictionary) {
  bool strings = false;
  bool times = false;
  for (const FilterOperand& operand : leaf.operands) {
    strings |= operand.value.type() == Value::Type::kString;
    times |= operand.value.type() == Value::Type::kTimestamp;
  }
  if (!strings && !times) {
    const Verdict verdict = OfString(leaf, "");  // the same for every string
    for (const CellTag tag : {CellTag::kCode, CellTag::kHash, CellTag::kHashTime}) SetConstant(tag, verdict);
    return;
  }
  SetComputed(CellTag::kCode);
  const bool equality = leaf.op == FilterOp::kEq || leaf.op == FilterOp::kNe || leaf.op == FilterOp::kIn ||
                        leaf.op == FilterOp::kContainsAny;
  if (equality && !times) {
    CompileStringLookups(leaf, dictionary);
    return;
  }
  ScanDictionary(leaf, dictionary);
  if (strings) {
    hashes_decided_ = false;  // both kinds of hash stay unknown
    return;
  }
  SetConstant(CellTag::kHash, OfString(leaf, ""));  // no time, like ""
  SetComputed(CellTag::kHashTime);
  times_ = *MakeTimeRanges(leaf);
}

void CellPredicate::CompileStringLookups(const FilterNode& leaf, const Dictionary& dictionary) {
  const bool negated = leaf.op == FilterOp::kNe;
  bool others = false;  // operands that no string can be compared with
  codes_ = dictionary.size();
  std::vector<std::uint32_t> found;
  for (const FilterOperand& operand : leaf.operands) {
    if (operand.value.type() != Value::Type::kString) {
      others = true;
      continue;
    }
    const std::uint64_t hash = Checksum(operand.value.string_value());
    hashes_.push_back(Column::HashCode(hash));
    const std::optional<std::uint32_t> code = dictionary.Find(operand.value.string_value(), hash);
    if (code.has_value() && *code < codes_) found.push_back(*code);
  }
  code_in_ = negated ? Verdict::kFalse : Verdict::kTrue;
  code_out_ = negated ? Verdict::kTrue : Verdict::kFalse;
  if (others) code_out_ = Verdict::kNull;
  std::sort(hashes_.begin(), hashes_.end());
  hashes_decided_ = false;
  SetComputed(CellTag::kHash);
  SetComputed(CellTag::kHashTime);
  if (found.size() <= 1) {
    one_code_ = true;
    code_ = found.empty() ? std::numeric_limits<std::uint32_t>::max() : found[0];
    return;
  }
  code_bits_.resize(codes_ / 64 + 1);
  for (const std::uint32_t code : found) code_bits_[code / 64] |= std::uint64_t{1} << (code % 64);
}

void CellPredicate::ScanDictionary(const FilterNode& leaf, const Dictionary& dictionary) {
  codes_ = dictionary.size();
  code_bits_.resize(codes_ / 64 + 1);
  std::vector<std::uint64_t> nulls(codes_ / 64 + 1);
  bool any_null = false;
  for (std::uint32_t code = 0; code < codes_; ++code) {
    const Verdict verdict = OfString(leaf, dictionary.Get(code));
    const std::uint64_t bit = std::uint64_t{1} << (code % 64);
    if (verdict == Verdict::kTrue) code_bits_[code / 64] |= bit;
    if (verdict == Verdict::kNull) nulls[code / 64] |= bit;
    any_null |= verdict == Verdict::kNull;
  }
  if (any_null) code_null_bits_ = std::move(nulls);
}

Verdict CellPredicate::OfCode(std::uint32_t code) const {
  if (one_code_) return code == code_ ? code_in_ : code_out_;
  if (code >= codes_) return Verdict::kUnknown;  // newer than the program: not a slot of its reader
  const auto bit = [code](const std::vector<std::uint64_t>& bits) { return (bits[code / 64] >> (code % 64) & 1) != 0; };
  if (bit(code_bits_)) return code_in_;
  return !code_null_bits_.empty() && bit(code_null_bits_) ? Verdict::kNull : code_out_;
}

Verdict CellPredicate::OfHash(std::uint32_t hash) const {
  return std::binary_search(hashes_.begin(), hashes_.end(), hash) ? Verdict::kUnknown : code_out_;
}

Verdict CellPredicate::Test(const Cells& cells, CellTag tag, std::uint64_t index) const {
  if (IsConstant(tag)) return constant_[static_cast<std::size_t>(tag)];
  switch (tag) {
    case CellTag::kInt64:
      return numbers_.OfInt(static_cast<std::int64_t>(cells.words[index]));
    case CellTag::kUint64:
      return numbers_.OfUint(cells.words[index]);
    case CellTag::kDouble:
      return numbers_.OfDouble(std::bit_cast<double>(cells.words[index]));
    case CellTag::kCode:
      return OfCode(cells.codes[index]);
    case CellTag::kHash:
      return OfHash(cells.codes[index]);
    case CellTag::kHashTime:
      if (!times_.ranges.empty()) return times_.OfInt(static_cast<std::int64_t>(cells.words[index]));
      return OfHash(cells.codes[index]);
    default:
      return Verdict::kUnknown;
  }
}

void CellPredicate::TestBlock(const Cells& cells, CellTag tag, const CellBlock& block, TriWord* out) const {
  if (IsConstant(tag)) {
    out->Add(constant_[static_cast<std::size_t>(tag)], block.mask);
  } else if (tag == CellTag::kCode) {
    TestCodes(cells, block, out);
  } else if (tag >= CellTag::kInt64 && tag <= CellTag::kDouble && numbers_.ranges.size() == 1) {
    TestNumbers(cells, tag, block, out);
  } else {
    for (std::uint64_t bits = block.mask; bits != 0; bits &= bits - 1) {
      const auto i = static_cast<unsigned>(std::countr_zero(bits));
      out->Add(Test(cells, tag, block.first + i), std::uint64_t{1} << i);
    }
  }
}

void CellPredicate::TestNumbers(const Cells& cells, CellTag tag, const CellBlock& block, TriWord* out) const {
  std::uint64_t length = 0;
  const std::uint64_t* words = cells.words.Run(block.first, block.first + block.count, &length);
  const NumberRanges::Range range = numbers_.ranges[0];
  std::uint64_t bits = 0;
  if (tag == CellTag::kDouble) {
    bits = BitsOf(words, block.count, [range](std::uint64_t word) {
      const auto value = std::bit_cast<double>(word);
      return (value >= range.double_low) & (value <= range.double_high);
    });
  } else if (tag == CellTag::kInt64) {
    bits = BitsOf(words, block.count, [range](std::uint64_t word) {
      const auto value = static_cast<std::int64_t>(word);
      return (value >= range.int_low) & (value <= range.int_high);
    });
  } else {
    bits = BitsOf(words, block.count,
                  [range](std::uint64_t word) { return (word >= range.uint_low) & (word <= range.uint_high); });
  }
  out->Add(numbers_.in, bits & block.mask);
  out->Add(numbers_.out, ~bits & block.mask);
}

void CellPredicate::TestCodes(const Cells& cells, const CellBlock& block, TriWord* out) const {
  std::uint64_t length = 0;
  const std::uint32_t* codes = cells.codes.Run(block.first, block.first + block.count, &length);
  if (one_code_) {
    const std::uint64_t bits =
        BitsOf(codes, block.count, [wanted = code_](std::uint32_t code) { return code == wanted; });
    out->Add(code_in_, bits & block.mask);
    out->Add(code_out_, ~bits & block.mask);
    return;
  }
  const auto look_up = [codes, &block, size = codes_](const std::vector<std::uint64_t>& bitmap) {
    const std::uint64_t* words = bitmap.data();
    return BitsOf(codes, block.count, [words, size](std::uint32_t code) {
      const std::uint32_t inside = code < size ? code : 0;  // cells of other tags hold anything
      return (words[inside / 64] >> (inside % 64) & 1) != 0;
    });
  };
  const std::uint64_t in = look_up(code_bits_);
  const std::uint64_t null = code_null_bits_.empty() ? 0 : look_up(code_null_bits_);
  out->Add(code_in_, in & block.mask);
  out->is_null |= null & block.mask;
  out->Add(code_out_, ~in & ~null & block.mask);
}

FilterLeaf::FilterLeaf(const FilterNode& leaf, const FieldIndex& index)
    : index_(&index),
      column_(index.Find(leaf.path.text)),
      contains_(leaf.op == FilterOp::kContainsAny),
      missing_(leaf.op == FilterOp::kIsNull ? Verdict::kTrue : Verdict::kNull),
      predicate_(leaf, column_ == nullptr ? EmptyDictionary() : column_->dictionary()) {}

TriWord FilterLeaf::Evaluate(std::uint64_t first, unsigned count) const {
  TriWord out;
  std::uint64_t rest = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  std::array<std::uint8_t, 64> tags{};
  if (column_ != nullptr && column_->cells().tags.IsReserved(first)) {
    std::uint64_t length = 0;
    const std::uint8_t* run = column_->cells().tags.Run(first, first + count, &length);
    std::memcpy(tags.data(), run, count);
  }
  while (rest != 0) {
    const std::uint8_t byte = tags[static_cast<unsigned>(std::countr_zero(rest))];
    const auto tag = static_cast<CellTag>(byte);
    const std::uint64_t mask = TagMask(tags, byte) & rest;
    rest &= ~mask;
    if (tag == CellTag::kMissing) {
      out.Add(missing_, mask & ~index_->UnindexedWord(first / 64));
    } else if (contains_) {
      for (std::uint64_t bits = mask; bits != 0; bits &= bits - 1) {
        const auto i = static_cast<unsigned>(std::countr_zero(bits));
        out.Add(OfSlot(tag, first + i), std::uint64_t{1} << i);
      }
    } else {
      predicate_.TestBlock(column_->cells(), tag, {first, count, mask}, &out);
    }
  }
  return out;
}

Verdict FilterLeaf::EvaluateSlot(std::uint32_t slot) const {
  return OfSlot(column_ == nullptr ? CellTag::kMissing : column_->cells().Tag(slot), slot);
}

Verdict FilterLeaf::OfSlot(CellTag tag, std::uint64_t slot) const {
  if (tag == CellTag::kMissing) return IsUnindexed(slot) ? Verdict::kUnknown : missing_;
  if (!contains_) return predicate_.Test(column_->cells(), tag, slot);
  if (tag == CellTag::kList) return OfList(slot);
  return tag == CellTag::kPayload ? Verdict::kUnknown : Verdict::kNull;
}

// v = ANY element: TRUE wins, then what is not known, then NULL.
Verdict FilterLeaf::OfList(std::uint64_t slot) const {
  const std::uint64_t word = column_->cells().words[slot];
  const std::uint64_t first = Column::ListFirst(word);
  Verdict result = Verdict::kFalse;
  for (std::uint64_t i = first; i < first + Column::ListCount(word); ++i) {
    const Cells& elements = column_->elements();
    const Verdict verdict = predicate_.Test(elements, static_cast<CellTag>(elements.tags[i]), i);
    if (verdict == Verdict::kTrue) return verdict;
    if (verdict == Verdict::kUnknown || result == Verdict::kFalse) result = verdict;
  }
  return result;
}

bool FilterLeaf::MayNeedPayloads() const {
  if (index_->unindexed_rows() > 0) return true;
  if (column_ == nullptr) return false;
  const auto seen = [this](CellTag tag) { return (column_->tags_seen() >> static_cast<unsigned>(tag) & 1) != 0; };
  const bool hashes = seen(CellTag::kHash) || seen(CellTag::kHashTime);
  return (hashes && predicate_.hashes_undecided()) || (contains_ && seen(CellTag::kPayload));
}

}  // namespace vdb
