// The typed tree behind a filter, and the step that makes it ready for use: parsed, checked, values bound.
//
// Thread safety: trees are immutable and shared. Ownership: shared_ptr; children are owned by their parents.
#ifndef VDB_QUERY_FILTER_TREE_H_
#define VDB_QUERY_FILTER_TREE_H_

#include <vdb/filter.h>
#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

inline constexpr std::uint64_t kMaxFilterPredicates = 65'536;  // as many as fit in the longest text, and then some

enum class FilterOp : std::uint8_t {
  kConstant,  // operands[0]: TRUE, FALSE or NULL
  kAnd,
  kOr,
  kNot,
  kIsTrue,  // of its child: FALSE where that is NULL
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kBetween,  // operands: low, high
  kLike,
  kILike,        // LIKE without regard to case
  kContainsAny,  // one operand: CONTAINS
  kContainsAll,
  kIsNull,
  kError,  // built wrongly: status says how
};

// A path through a payload, or the record's id.
struct FieldPath {
  struct Step {
    std::string name;
    bool each = false;  // followed by []: the path goes on in the objects of that array
  };
  std::vector<Step> steps;
  std::string text;      // canonical; the name of the column
  bool is_list = false;  // goes through an array, or ends in []: never a scalar
  bool is_id = false;    // $id: no steps

  // Reads a path; the whole of text must be one.
  static Result<FieldPath> Parse(std::string_view text);
  // Fills text from steps.
  void MakeText();
};

// A value, or the number of a parameter that stands for one, or for the whole list of a predicate.
struct FilterOperand {
  Value value;
  std::uint32_t parameter = 0;  // $n, 0: value
  bool is_list = false;         // the parameter is the predicate's only operand and stands for all of them
};

struct FilterNode {
  FilterOp op = FilterOp::kConstant;
  FieldPath path;
  std::vector<FilterOperand> operands;
  std::vector<std::shared_ptr<const FilterNode>> children;
  std::uint32_t depth = 0;  // levels of parentheses that its text needs
  std::uint64_t size = 1;   // predicates below it, counted once per use
  Status status;            // kError
  std::string folded;       // kILike, once bound: the pattern, case folded
  char escape = '\0';       // kLike, kILike: the character of ESCAPE, if any
};
using FilterNodePtr = std::shared_ptr<const FilterNode>;

// Nodes from parts; each checks what it can and returns a kError node otherwise.
FilterNodePtr MakeConstant(Value value);
FilterNodePtr MakeLeaf(FilterOp op, FieldPath path, std::vector<FilterOperand> operands);
FilterNodePtr MakeAnd(std::vector<FilterNodePtr> children);  // nested ANDs are merged; none: TRUE
FilterNodePtr MakeOr(std::vector<FilterNodePtr> children);   // likewise; none: FALSE
FilterNodePtr MakeNot(FilterNodePtr child);                  // a double NOT goes away
FilterNodePtr MakeIsTrue(FilterNodePtr child);
FilterNodePtr MakeError(Status status);

// Parseable text of a tree.
std::string FilterText(const FilterNode& node);

// The tree of a filter with every parameter replaced by its value.
// Errors: InvalidArgument - syntax (with the column), a parameter without a value, a value without its parameter, a
// value that has no order (NaN), a list where none may stand or none where one must, nesting beyond kMaxFilterDepth,
// text beyond kMaxFilterBytes.
Result<FilterNodePtr> BindFilter(const Filter& filter, std::span<const Value> values);

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_TREE_H_
