// One predicate of a filter, compiled against its column. Private to vdb/query.
//
// Contract and thread safety as FilterProgram.
#ifndef VDB_QUERY_LEAF_PROGRAM_H_
#define VDB_QUERY_LEAF_PROGRAM_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "vdb/fields/field_index.h"
#include "vdb/query/filter_program.h"
#include "vdb/query/filter_tree.h"

namespace vdb {

class LeafProgram {
 public:
  // leaf must outlive it.
  LeafProgram(const FilterNode& leaf, const FieldIndex& index);

  // Slots [begin, end), at most 64: bits of slot - begin.
  struct Words {
    std::uint64_t is_true = 0;
    std::uint64_t is_false = 0;
    std::uint64_t is_null = 0;
  };
  Words Evaluate(std::uint32_t begin, std::uint32_t end) const;

  // Whether some rows can only be decided by their payload.
  bool NeedsPayloads() const;

 private:
  // Comparisons of int64 with int64: low <= x <= high, or its opposite.
  struct Interval {
    std::int64_t low;
    std::int64_t high;
    bool negated;
  };

  static std::optional<Interval> IntervalOf(const FilterNode& leaf);
  void CompileStrings();
  Verdict EvaluateCell(const Cells& cells, std::uint64_t index) const;
  Verdict EvaluateHash(const Cells& cells, std::uint64_t index, bool is_time) const;
  Verdict EvaluateList(std::uint64_t word) const;
  Verdict EvaluateContained(const FilterNode& element_leaf, std::uint64_t first, std::uint64_t count) const;
  Verdict EvaluateSlot(std::uint64_t slot) const;

  const FilterNode& leaf_;
  const FieldIndex& index_;
  const Column* column_;
  std::optional<Interval> interval_;
  std::vector<Verdict> by_code_;           // of the dictionary's strings
  std::vector<std::uint32_t> hash_codes_;  // of the string literals
  bool has_time_literal_ = false;
  Verdict other_string_ = Verdict::kUnknown;  // of a string that equals no literal and is no time
  // CONTAINS: one program per literal, as an equality of elements.
  std::vector<FilterNode> element_leaves_;
  std::vector<LeafProgram> element_programs_;
  bool is_contains_ = false;
};

}  // namespace vdb

#endif  // VDB_QUERY_LEAF_PROGRAM_H_
