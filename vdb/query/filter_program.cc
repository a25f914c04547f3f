#include "vdb/query/filter_program.h"

#include <algorithm>
#include <utility>

#include "vdb/query/leaf_program.h"
#include "vdb/util/status_macros.h"

namespace vdb {

// The tree again, with a program at each leaf.
struct FilterProgram::Node {
  FilterOp op = FilterOp::kConstant;
  Verdict constant = Verdict::kNull;
  std::vector<std::unique_ptr<Node>> children;
  std::unique_ptr<LeafProgram> leaf;

  using Words = LeafProgram::Words;

  // Kleene's logic, 64 slots at a time. A bit in none of the three is unknown.
  static Words And(const Words& a, const Words& b) {
    const std::uint64_t is_true = a.is_true & b.is_true;
    return {is_true, a.is_false | b.is_false, (a.is_true | a.is_null) & (b.is_true | b.is_null) & ~is_true};
  }
  static Words Not(const Words& a) { return {a.is_false, a.is_true, a.is_null}; }

  Words Evaluate(std::uint32_t begin, std::uint32_t end) const {
    const std::uint32_t count = end - begin;
    const std::uint64_t all = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    switch (op) {
      case FilterOp::kConstant:
        return {constant == Verdict::kTrue ? all : 0, constant == Verdict::kFalse ? all : 0,
                constant == Verdict::kNull ? all : 0};
      case FilterOp::kNot:
        return Not(children[0]->Evaluate(begin, end));
      case FilterOp::kAnd:
      case FilterOp::kOr: {
        const bool is_or = op == FilterOp::kOr;
        Words result{all, 0, 0};
        for (const auto& child : children) {
          const Words next = child->Evaluate(begin, end);
          result = And(result, is_or ? Not(next) : next);  // a OR b = NOT (NOT a AND NOT b)
        }
        return is_or ? Not(result) : result;
      }
      default:
        return leaf->Evaluate(begin, end);
    }
  }

  static std::unique_ptr<Node> Make(const FilterNode& tree, const FieldIndex& index) {
    auto node = std::make_unique<Node>();
    node->op = tree.op;
    switch (tree.op) {
      case FilterOp::kConstant: {
        const Value& value = tree.operands[0].value;
        if (value.type() == Value::Type::kBool) node->constant = value.bool_value() ? Verdict::kTrue : Verdict::kFalse;
        break;
      }
      case FilterOp::kAnd:
      case FilterOp::kOr:
      case FilterOp::kNot:
        for (const FilterNodePtr& child : tree.children) node->children.push_back(Make(*child, index));
        break;
      default:
        node->leaf = std::make_unique<LeafProgram>(tree, index);
    }
    return node;
  }

  void CollectPayloadPaths(const FilterNode& tree, std::vector<std::string>* paths) const {
    if (leaf != nullptr && leaf->NeedsPayloads()) paths->push_back(tree.path.text);
    for (std::size_t i = 0; i < children.size(); ++i) children[i]->CollectPayloadPaths(*tree.children[i], paths);
  }
};

FilterProgram::FilterProgram(FilterNodePtr filter, const FieldIndex& index)
    : filter_(std::move(filter)), root_(Node::Make(*filter_, index)) {}
FilterProgram::FilterProgram(FilterProgram&&) noexcept = default;
FilterProgram& FilterProgram::operator=(FilterProgram&&) noexcept = default;
FilterProgram::~FilterProgram() = default;

FilterProgram FilterProgram::Compile(FilterNodePtr filter, const FieldIndex& index) {
  return FilterProgram(std::move(filter), index);
}

Result<FilterProgram> FilterProgram::Compile(const Filter& filter, std::span<const Value> values,
                                             const FieldIndex& index) {
  VDB_ASSIGN_OR_RETURN(FilterNodePtr bound, BindFilter(filter, values));
  return FilterProgram(std::move(bound), index);
}

void FilterProgram::Evaluate(std::uint32_t begin, std::uint32_t end, TriWords* out) const {
  const std::size_t words = (std::size_t{end} - begin + 63) / 64;
  out->is_true.resize(words);
  out->is_false.resize(words);
  out->is_null.resize(words);
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t first = begin + w * 64;
    const auto last = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, first + 64));
    const LeafProgram::Words result = root_->Evaluate(static_cast<std::uint32_t>(first), last);
    out->is_true[w] = result.is_true;
    out->is_false[w] = result.is_false;
    out->is_null[w] = result.is_null;
  }
}

Verdict FilterProgram::EvaluateSlot(std::uint32_t slot) const {
  const std::uint32_t begin = slot / 64 * 64;
  const LeafProgram::Words words = root_->Evaluate(begin, slot + 1);
  const std::uint64_t bit = std::uint64_t{1} << (slot - begin);
  if ((words.is_true & bit) != 0) return Verdict::kTrue;
  if ((words.is_false & bit) != 0) return Verdict::kFalse;
  return (words.is_null & bit) != 0 ? Verdict::kNull : Verdict::kUnknown;
}

bool FilterProgram::matches_all() const {
  return root_->op == FilterOp::kConstant && root_->constant == Verdict::kTrue;
}

std::vector<std::string> FilterProgram::payload_paths() const {
  std::vector<std::string> paths;
  root_->CollectPayloadPaths(*filter_, &paths);
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace vdb
