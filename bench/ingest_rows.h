// The rows of the ingest benchmark: vectors from a data folder or synthetic ones, with ids and payloads of five fields.
//
// Thread safety: safe to read from many threads.
// Ownership: a RowBatch owns what its records show.
#ifndef VDB_BENCH_INGEST_ROWS_H_
#define VDB_BENCH_INGEST_ROWS_H_

#include <vdb/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/prepared_set.h"

namespace vdb::bench {

// Clusters with noise, the same for the same seed.
Matrix SyntheticRows(std::size_t rows, std::size_t dim, std::uint64_t seed);

class RowBatch {
 public:
  // Records for rows [begin, end) of the matrix, counted on beyond its end: such a row lies between two of the matrix,
  // so that rows never run out and no two are the same.
  RowBatch(const Matrix& rows, std::size_t begin, std::size_t end);
  std::span<const RecordView> records() const { return records_; }

 private:
  std::vector<std::string> ids_;
  std::vector<std::string> payloads_;
  std::vector<float> made_;
  std::vector<RecordView> records_;
};

}  // namespace vdb::bench

#endif  // VDB_BENCH_INGEST_ROWS_H_
