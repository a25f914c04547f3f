// One predicate compiled against one column: what filter programs are made of.
//
// Thread safety: const after construction, beside the column's writer (see filter_program.h for the contract).
// Ownership: refers to the index; the tree must outlive it.
#ifndef VDB_QUERY_FILTER_LEAF_H_
#define VDB_QUERY_FILTER_LEAF_H_

#include <array>
#include <cstdint>
#include <vector>

#include "vdb/fields/field_index.h"
#include "vdb/query/filter_evaluator.h"
#include "vdb/query/filter_program.h"
#include "vdb/query/filter_tree.h"

namespace vdb {

Verdict VerdictOf(Tri tri);

// Truth of 64 slots; a bit set in none is unknown.
struct TriWord {
  std::uint64_t is_true = 0;
  std::uint64_t is_false = 0;
  std::uint64_t is_null = 0;

  void Add(Verdict verdict, std::uint64_t bits) {
    if (verdict == Verdict::kTrue) is_true |= bits;
    if (verdict == Verdict::kFalse) is_false |= bits;
    if (verdict == Verdict::kNull) is_null |= bits;
  }
};

// The numbers that a comparison accepts, as ranges; `out` is the verdict of all others. Many ranges, which only lists
// of single values have, are looked up by their values.
struct NumberRanges {
  struct Range {  // both ends included; empty where low > high
    std::int64_t int_low, int_high;
    std::uint64_t uint_low, uint_high;
    double double_low, double_high;
  };
  std::vector<Range> ranges;
  bool by_value = false;  // the sorted values below say what the ranges do
  std::vector<std::int64_t> ints;
  std::vector<std::uint64_t> uints;
  std::vector<double> doubles;
  Verdict in = Verdict::kNull;
  Verdict out = Verdict::kNull;

  Verdict OfInt(std::int64_t value) const;
  Verdict OfUint(std::uint64_t value) const;
  Verdict OfDouble(double value) const;
};

// Cells first … first + count - 1, in one segment, at most 64; only those with a bit in mask count.
struct CellBlock {
  std::uint64_t first;
  unsigned count;
  std::uint64_t mask;
};

// A comparison of one cell.
class CellPredicate {
 public:
  // leaf: any predicate but kContainsAll; kContainsAny tests one element.
  CellPredicate(const FilterNode& leaf, const Dictionary& dictionary);

  Verdict Test(const Cells& cells, CellTag tag, std::uint64_t index) const;
  // The cells of a block, as if all had that tag.
  void TestBlock(const Cells& cells, CellTag tag, const CellBlock& block, TriWord* out) const;
  // Whether some string kept as a hash can be undecided.
  bool hashes_undecided() const { return !hashes_decided_; }

 private:
  bool IsConstant(CellTag tag) const { return (computed_ >> static_cast<unsigned>(tag) & 1) == 0; }
  void SetConstant(CellTag tag, Verdict verdict) { constant_[static_cast<std::size_t>(tag)] = verdict; }
  void SetComputed(CellTag tag) { computed_ |= 1U << static_cast<unsigned>(tag); }
  void CompileNumbers(const FilterNode& leaf);
  void CompileStrings(const FilterNode& leaf, const Dictionary& dictionary);
  void CompileStringLookups(const FilterNode& leaf, const Dictionary& dictionary);
  void ScanDictionary(const FilterNode& leaf, const Dictionary& dictionary);
  Verdict OfCode(std::uint32_t code) const;
  Verdict OfHash(std::uint32_t hash) const;
  void TestNumbers(const Cells& cells, CellTag tag, const CellBlock& block, TriWord* out) const;
  void TestCodes(const Cells& cells, const CellBlock& block, TriWord* out) const;

  std::array<Verdict, kCellTags> constant_{};  // by tag, unless computed
  std::uint32_t computed_ = 0;                 // bit per tag
  NumberRanges numbers_;
  NumberRanges times_;  // of kHashTime, µs, as int64
  // Strings: code_in_ for the one code, or for the codes whose bit is set; NULL where the null bit is; else code_out_.
  bool one_code_ = false;
  std::uint32_t code_ = 0;
  std::uint32_t codes_ = 0;  // size of the bitmaps
  std::vector<std::uint64_t> code_bits_;
  std::vector<std::uint64_t> code_null_bits_;  // empty: none
  Verdict code_in_ = Verdict::kTrue;
  Verdict code_out_ = Verdict::kFalse;
  std::vector<std::uint32_t> hashes_;  // of the literals, sorted: such a cell is undecided
  bool hashes_decided_ = true;
};

// A predicate of the tree on the slots of the index.
class FilterLeaf {
 public:
  FilterLeaf(const FilterNode& leaf, const FieldIndex& index);

  // Slots first … first + count - 1; first a multiple of 64, count <= 64.
  TriWord Evaluate(std::uint64_t first, unsigned count) const;
  Verdict EvaluateSlot(std::uint32_t slot) const;
  // Whether some rows may have to be read from their payloads.
  bool MayNeedPayloads() const;

 private:
  Verdict OfSlot(CellTag tag, std::uint64_t slot) const;
  Verdict OfList(std::uint64_t slot) const;
  bool IsUnindexed(std::uint64_t slot) const { return index_->UnindexedWord(slot / 64) >> (slot % 64) & 1; }

  const FieldIndex* index_;
  const Column* column_;  // null: missing in all rows that are indexed whole
  bool contains_;         // tests the elements of lists
  Verdict missing_;
  CellPredicate predicate_;
};

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_LEAF_H_
