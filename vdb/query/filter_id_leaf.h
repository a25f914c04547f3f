// One predicate on $id, the record's id: asked of the ids that the field index keeps by slot, never of a payload.
//
// Ids have no hash index in memory: = and IN compare the id of every slot, sizes first (a few ns per slot).
// Thread safety: const after construction, beside the index's writer (see filter_program.h for the contract).
// Ownership: refers to the index and to the tree, which must outlive it.
#ifndef VDB_QUERY_FILTER_ID_LEAF_H_
#define VDB_QUERY_FILTER_ID_LEAF_H_

#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "vdb/fields/field_index.h"
#include "vdb/query/filter_leaf.h"
#include "vdb/query/filter_program.h"
#include "vdb/query/filter_tree.h"
#include "vdb/util/checksum.h"

namespace vdb {

class IdLeaf {
 public:
  // leaf: any predicate but kContainsAny and kContainsAll.
  IdLeaf(const FilterNode& leaf, const FieldIndex& index);

  // Slots first … first + count - 1; first a multiple of 64, count <= 64. Never unknown.
  TriWord Evaluate(std::uint64_t first, unsigned count) const;
  Verdict EvaluateSlot(std::uint32_t slot) const { return OfId(index_->ids().Get(slot)); }

 private:
  struct TextHash {
    std::size_t operator()(std::string_view text) const { return Checksum(text); }
  };

  Verdict OfId(std::string_view id) const;

  const FieldIndex* index_;
  const FilterNode* leaf_;
  // Equality with strings: in_ for an id that is one of them, else out_. An id of a size whose bit (size % 64) is clear
  // is none of them.
  bool lookup_ = false;
  std::string_view only_;                                   // the one wanted id, or
  absl::flat_hash_set<std::string_view, TextHash> wanted_;  // several, or none
  std::uint64_t sizes_ = 0;
  Verdict in_ = Verdict::kTrue;
  Verdict out_ = Verdict::kFalse;
};

}  // namespace vdb

#endif  // VDB_QUERY_FILTER_ID_LEAF_H_
