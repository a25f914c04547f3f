// RowBlock: rows of a write as the core takes them, made from Python's ids, vectors and payloads.
//
// Thread safety: external lock; Fill needs the GIL. Ownership: the views point into the ids, the array and this block;
// ids must be a tuple, whose strings cannot be exchanged while the core reads them.
#ifndef VDB_PYTHON_SRC_ROWS_H_
#define VDB_PYTHON_SRC_ROWS_H_

#include <nanobind/nanobind.h>
#include <vdb/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "python/src/vectors.h"

namespace vdb::python {

// What a write was given. vectors: nothing for records without one. payloads: dicts or JSON texts, one per id, or
// nothing.
struct RowSource {
  RowSource(nanobind::tuple ids, std::optional<InputArray> vectors, std::optional<nanobind::tuple> payloads);

  nanobind::tuple ids;
  std::optional<VectorRows> vectors;
  std::optional<nanobind::tuple> payloads;
};

class RowBlock {
 public:
  // Takes rows from `begin`, at most `rows` of them, fewer where they grow beyond the size that one write should have;
  // at least one. Returns the row after the last. Throws StatusError, naming the row, for ids and payloads that have
  // no place.
  std::size_t Fill(const RowSource& source, std::size_t begin, std::size_t rows);
  std::span<const RecordView> records() const { return records_; }

 private:
  std::vector<RecordView> records_;
  std::vector<float> scratch_;
  std::string payloads_;
};

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_ROWS_H_
