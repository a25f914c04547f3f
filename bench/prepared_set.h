// A data set as every engine of the benchmark reads it: one folder of plain files, made by bench_prepare.
//
// - base.npy: float32, rows x dim; of unit length under cosine, so that an engine without a cosine of its own agrees.
// - query-C.npy: the same of the queries; C is their checksum.
// - deleted.u32: base rows, ascending, that no answer may name; little-endian like all of this.
// - truth-C-kK.u32: per query a count, then the base rows that are no farther than the true K-th neighbour (with ties
//   more than K).
//
// Thread safety: values, external lock.
#ifndef VDB_BENCH_PREPARED_SET_H_
#define VDB_BENCH_PREPARED_SET_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vdb::bench {

// Row-major float32.
struct Matrix {
  std::size_t dim = 0;
  std::vector<float> values;

  std::size_t rows() const { return dim == 0 ? 0 : values.size() / dim; }
  std::span<const float> row(std::size_t i) const { return {values.data() + i * dim, dim}; }
};

// Reads folder/name.{npy,fvecs,bvecs,jsonl}, at most max_rows.
Result<Matrix> ReadMatrix(const std::string& folder, std::string_view name,
                          std::size_t max_rows = std::numeric_limits<std::size_t>::max());

// Files appear under their names when they are whole. Errors: IoError.
Status WriteNpy(const std::string& path, const Matrix& matrix);
Status WriteNumbers(const std::string& path, std::span<const std::uint32_t> numbers);
Result<std::vector<std::uint32_t>> ReadNumbers(const std::string& path);

// Every base row but the deleted ones, in order.
std::vector<std::uint32_t> LiveRows(std::size_t rows, std::span<const std::uint32_t> deleted);

// The truth of every query as truth-C-kK.u32 holds it. Under cosine rows are of unit length.
std::vector<std::uint32_t> ComputeTruth(const Matrix& base, const Matrix& queries,
                                        std::span<const std::uint32_t> live_rows, Metric metric, std::size_t k);

}  // namespace vdb::bench

#endif  // VDB_BENCH_PREPARED_SET_H_
