#include "vdb/query/filter_id_leaf.h"

#include "vdb/query/filter_evaluator.h"

namespace vdb {
namespace {

bool EndsAlike(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || a.back() == b.back());
}

}  // namespace

IdLeaf::IdLeaf(const FilterNode& leaf, const FieldIndex& index) : index_(&index), leaf_(&leaf) {
  lookup_ = leaf.op == FilterOp::kEq || leaf.op == FilterOp::kNe || leaf.op == FilterOp::kIn;
  bool others = false;  // operands that no string can be compared with
  for (const FilterOperand& operand : leaf.operands) {
    if (operand.value.type() == Value::Type::kTimestamp) lookup_ = false;  // ids are then read as times
    if (operand.value.type() != Value::Type::kString) {
      others = true;
      continue;
    }
    wanted_.insert(operand.value.string_value());
    sizes_ |= std::uint64_t{1} << (operand.value.string_value().size() % 64);
  }
  if (wanted_.size() == 1) only_ = *wanted_.begin();
  in_ = leaf.op == FilterOp::kNe ? Verdict::kFalse : Verdict::kTrue;
  out_ = leaf.op == FilterOp::kNe ? Verdict::kTrue : Verdict::kFalse;
  if (others) out_ = Verdict::kNull;
}

TriWord IdLeaf::Evaluate(std::uint64_t first, unsigned count) const {
  TriWord out;
  const StringPool::Entries& entries = index_->ids().entries();
  const std::uint64_t all = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  std::uint64_t rest = all;
  if (lookup_ && entries.IsReserved(first)) {
    std::uint64_t length = 0;
    const std::uint64_t* run = entries.Run(first, first + count, &length);
    for (unsigned i = 0; i < count; ++i) {
      const std::uint64_t of_size = sizes_ >> (StringPool::SizeOf(run[i]) % 64) & 1;
      if (of_size == 0) rest &= ~(std::uint64_t{1} << i);
    }
    out.Add(out_, all & ~rest);
  }
  for (; rest != 0; rest &= rest - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(rest));
    out.Add(OfId(index_->ids().Get(first + i)), std::uint64_t{1} << i);
  }
  return out;
}

Verdict IdLeaf::OfId(std::string_view id) const {
  if (lookup_) {
    // Ids often begin alike and differ at their ends.
    if (only_.data() != nullptr) return EndsAlike(id, only_) && id == only_ ? in_ : out_;
    return wanted_.contains(id) ? in_ : out_;
  }
  ScalarRef value;
  value.kind = ScalarRef::Kind::kString;
  value.text = id;
  return VerdictOf(EvaluateScalar(*leaf_, value));
}

}  // namespace vdb
