// A filter compiled against a field index: three-valued answers for 64 slots at a time.
//
// Contract: load the clock BEFORE compiling, and evaluate only slots below its committed count. Then every column and
// dictionary entry that those slots use exists when the program looks for it; what appears later belongs to later
// slots. Thread safety: const after Compile; Evaluate may run on many threads, beside the index's writer. Ownership:
// refers to the index, which must outlive it; shares the tree.
#ifndef VDB_QUERY_FILTER_PROGRAM_H_
#define VDB_QUERY_FILTER_PROGRAM_H_

#include <vdb/filter.h>
#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vdb/fields/field_index.h"
#include "vdb/query/filter_tree.h"

namespace vdb {

// The truth of a filter in one slot as far as the columns know.
enum class Verdict : std::uint8_t { kFalse, kTrue, kNull, kUnknown };

// Truth by slot: bit i of word w. A bit set in none is unknown: only the payload knows.
struct TriWords {
  std::vector<std::uint64_t> is_true;
  std::vector<std::uint64_t> is_false;
  std::vector<std::uint64_t> is_null;
};

class FilterProgram {
 public:
  // filter must be bound (BindFilter). Throws std::bad_alloc.
  // Cost: one lookup per literal; comparisons other than = and IN also look at every string of the dictionary once.
  static FilterProgram Compile(FilterNodePtr filter, const FieldIndex& index);
  // Parses and binds first; errors as BindFilter.
  static Result<FilterProgram> Compile(const Filter& filter, std::span<const Value> values, const FieldIndex& index);

  FilterProgram(FilterProgram&&) noexcept;
  FilterProgram& operator=(FilterProgram&&) noexcept;
  ~FilterProgram();

  // Slots [begin, end): bit i of the words is slot begin + i; bits past the end are clear in all three.
  //   begin  a multiple of 64
  void Evaluate(std::uint32_t begin, std::uint32_t end, TriWords* out) const;

  // One slot.
  Verdict EvaluateSlot(std::uint32_t slot) const;

  // The filter is TRUE everywhere.
  bool matches_all() const;
  const FilterNode& filter() const { return *filter_; }
  const FieldIndex& index() const { return *index_; }

  // Paths of the filter of which some rows must be read from their payloads (hashed strings, no column, long lists):
  // what Explain reports.
  std::vector<std::string> payload_paths() const;

 private:
  struct Node;
  FilterProgram(FilterNodePtr filter, const FieldIndex& index);

  FilterNodePtr filter_;
  const FieldIndex* index_;
  std::unique_ptr<Node> root_;
};

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_PROGRAM_H_
