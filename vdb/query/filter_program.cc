#include "vdb/query/filter_program.h"

#include <algorithm>
#include <array>
#include <utility>

#include "vdb/query/filter_id_leaf.h"
#include "vdb/query/filter_leaf.h"
#include "vdb/util/status_macros.h"

namespace vdb {
namespace {

// Slots are evaluated in blocks of this many words, so that intermediate results stay in the first-level cache.
constexpr unsigned kBlockWords = 16;
using TriBlock = std::array<TriWord, kBlockWords>;

void Negate(TriWord* word) {
  std::swap(word->is_true, word->is_false);
}

void NullToFalse(TriWord* word) {
  word->is_false |= word->is_null;
  word->is_null = 0;
}

// Kleene's AND. A bit that is unknown in one and not FALSE in the other stays unknown.
void AndInto(TriWord* a, const TriWord& b) {
  const std::uint64_t both = a->is_true & b.is_true;
  a->is_null = (a->is_true | a->is_null) & (b.is_true | b.is_null) & ~both;
  a->is_false |= b.is_false;
  a->is_true = both;
}

Verdict NotOf(Verdict verdict) {
  if (verdict == Verdict::kTrue) return Verdict::kFalse;
  return verdict == Verdict::kFalse ? Verdict::kTrue : verdict;
}

Verdict AndOf(Verdict a, Verdict b) {
  if (a == Verdict::kFalse || b == Verdict::kFalse) return Verdict::kFalse;
  if (a == Verdict::kUnknown || b == Verdict::kUnknown) return Verdict::kUnknown;
  return a == Verdict::kNull || b == Verdict::kNull ? Verdict::kNull : Verdict::kTrue;
}

std::uint64_t LowBits(std::uint64_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace

// An inner node is an AND of its children or, with `disjunction`, the negation of the AND of their negations. A leaf
// tests a column or the ids. None of these: a constant.
struct FilterProgram::Node {
  bool negated = false;
  bool disjunction = false;
  bool definite = false;  // IS TRUE of its one child: FALSE where that is NULL
  Verdict constant = Verdict::kTrue;
  std::unique_ptr<FilterLeaf> leaf;
  std::unique_ptr<IdLeaf> id_leaf;
  const std::string* path = nullptr;  // the leaf's
  std::vector<std::unique_ptr<Node>> children;

  static std::unique_ptr<Node> Make(const FilterNode& filter, const FieldIndex& index) {
    auto node = std::make_unique<Node>();
    switch (filter.op) {
      case FilterOp::kConstant: {
        const Value& value = filter.operands[0].value;
        node->constant = Verdict::kNull;
        if (value.type() == Value::Type::kBool) node->constant = value.bool_value() ? Verdict::kTrue : Verdict::kFalse;
        break;
      }
      case FilterOp::kNot:
        node = Make(*filter.children[0], index);
        node->negated = !node->negated;
        break;
      case FilterOp::kIsTrue:
        node->definite = true;
        node->children.push_back(Make(*filter.children[0], index));
        break;
      case FilterOp::kAnd:
      case FilterOp::kOr:
        node->disjunction = filter.op == FilterOp::kOr;
        for (const FilterNodePtr& child : filter.children) node->children.push_back(Make(*child, index));
        break;
      case FilterOp::kContainsAll:  // an AND of CONTAINS
        for (const FilterOperand& operand : filter.operands) {
          FilterNode one;
          one.op = FilterOp::kContainsAny;
          one.path = filter.path;
          one.operands.push_back(operand);
          node->children.push_back(Make(one, index));
          node->children.back()->path = &filter.path.text;
        }
        break;
      default:
        if (filter.path.is_id) {
          node->id_leaf = std::make_unique<IdLeaf>(filter, index);
          break;
        }
        node->leaf = std::make_unique<FilterLeaf>(filter, index);
        node->path = &filter.path.text;
        break;
    }
    return node;
  }

  // Of a node without children.
  TriWord EvaluateWord(std::uint64_t first, unsigned count) const {
    if (leaf != nullptr) return leaf->Evaluate(first, count);
    if (id_leaf != nullptr) return id_leaf->Evaluate(first, count);
    TriWord word;
    word.Add(constant, LowBits(count));
    return word;
  }

  // Slots [first, end), at most a block.
  void Evaluate(std::uint64_t first, std::uint64_t end, TriBlock* out) const {
    const auto words = static_cast<unsigned>((end - first + 63) / 64);
    if (children.empty()) {
      for (unsigned w = 0; w < words; ++w) {
        const std::uint64_t at = first + std::uint64_t{w} * 64;
        const auto count = static_cast<unsigned>(std::min<std::uint64_t>(64, end - at));
        (*out)[w] = EvaluateWord(at, count);
        if (negated) Negate(&(*out)[w]);
      }
      return;
    }
    TriBlock next;
    bool decided = false;  // FALSE everywhere: the rest need not be asked
    for (std::size_t c = 0; c < children.size() && !decided; ++c) {
      TriBlock& to = c == 0 ? *out : next;
      children[c]->Evaluate(first, end, &to);
      decided = true;
      for (unsigned w = 0; w < words; ++w) {
        if (disjunction) Negate(&to[w]);
        if (c > 0) AndInto(&(*out)[w], to[w]);
        decided &= (*out)[w].is_false == LowBits(end - first - std::uint64_t{w} * 64);
      }
    }
    if (definite) std::for_each_n(out->begin(), words, [](TriWord& word) { NullToFalse(&word); });
    if (disjunction == negated) return;
    for (unsigned w = 0; w < words; ++w) Negate(&(*out)[w]);
  }

  Verdict EvaluateSlot(std::uint32_t slot) const {
    Verdict result = constant;
    if (leaf != nullptr) result = leaf->EvaluateSlot(slot);
    if (id_leaf != nullptr) result = id_leaf->EvaluateSlot(slot);
    for (const auto& child : children) {
      const Verdict verdict = child->EvaluateSlot(slot);
      result = AndOf(result, disjunction ? NotOf(verdict) : verdict);
      if (result == Verdict::kFalse) break;
    }
    if (definite && result == Verdict::kNull) result = Verdict::kFalse;
    return disjunction == negated ? result : NotOf(result);
  }

  void AddPayloadPaths(std::vector<std::string>* paths) const {
    if (leaf != nullptr && leaf->MayNeedPayloads()) paths->push_back(*path);
    for (const auto& child : children) child->AddPayloadPaths(paths);
  }
};

FilterProgram::FilterProgram(FilterNodePtr filter, const FieldIndex& index)
    : filter_(std::move(filter)), index_(&index), root_(Node::Make(*filter_, index)) {}
FilterProgram::FilterProgram(FilterProgram&&) noexcept = default;
FilterProgram& FilterProgram::operator=(FilterProgram&&) noexcept = default;
FilterProgram::~FilterProgram() = default;

FilterProgram FilterProgram::Compile(FilterNodePtr filter, const FieldIndex& index) {
  return FilterProgram(std::move(filter), index);
}

Result<FilterProgram> FilterProgram::Compile(const Filter& filter, std::span<const Value> values,
                                             const FieldIndex& index) {
  VDB_ASSIGN_OR_RETURN(FilterNodePtr bound, BindFilter(filter, values));
  return Compile(std::move(bound), index);
}

void FilterProgram::Evaluate(std::uint32_t begin, std::uint32_t end, TriWords* out) const {
  const std::size_t words = end <= begin ? 0 : (std::uint64_t{end} - begin + 63) / 64;
  out->is_true.resize(words);
  out->is_false.resize(words);
  out->is_null.resize(words);
  TriBlock block;
  for (std::size_t first = 0; first < words; first += kBlockWords) {
    const std::uint64_t from = std::uint64_t{begin} + first * 64;
    const std::uint64_t to = std::min<std::uint64_t>(end, from + std::uint64_t{kBlockWords} * 64);
    root_->Evaluate(from, to, &block);
    for (std::size_t w = first; w < std::min(words, first + kBlockWords); ++w) {
      out->is_true[w] = block[w - first].is_true;
      out->is_false[w] = block[w - first].is_false;
      out->is_null[w] = block[w - first].is_null;
    }
  }
}

Verdict FilterProgram::EvaluateSlot(std::uint32_t slot) const {
  return root_->EvaluateSlot(slot);
}

bool FilterProgram::matches_all() const {
  return filter_->op == FilterOp::kConstant && filter_->operands[0].value == Value(true);
}

std::vector<std::string> FilterProgram::payload_paths() const {
  std::vector<std::string> paths;
  root_->AddPayloadPaths(&paths);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace vdb
