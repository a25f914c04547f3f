// A data set for the benchmarks: base rows, queries and their exact nearest neighbours.
//
// A data folder holds base.{npy,fvecs,bvecs,jsonl} and query.{…}. Thread safety: immutable after Open.
#ifndef VDB_BENCH_DATA_FOLDER_H_
#define VDB_BENCH_DATA_FOLDER_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
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

// The rows that stay and the queries, normalised under cosine, as an engine without a cosine of its own needs them.
struct DataSet {
  Metric metric = Metric::kL2Squared;
  Matrix base;
  Matrix queries;
  std::vector<bool> deleted;  // base rows that are loaded and then deleted: no answer may name them
  std::size_t k = 0;
  std::vector<float> farthest;  // per query: the distance of the true k-th neighbour

  // Is this base row among the k nearest of the query? Ties with the k-th count.
  bool IsNeighbour(std::size_t query, std::uint64_t base_row) const;
  float Distance(std::span<const float> a, std::span<const float> b) const;
};

struct DataOptions {
  Metric metric = Metric::kL2Squared;
  std::size_t k = 10;
  std::size_t max_queries = 1'000;
  double deleted_share = 0;  // of the base rows, evenly spread
};

// Reads a data folder. The truth is computed by scoring every row, and kept in cache_folder under a checksum of all
// that it depends on.
Result<DataSet> OpenDataFolder(const std::string& folder, const DataOptions& options, const std::string& cache_folder);

}  // namespace vdb::bench

#endif  // VDB_BENCH_DATA_FOLDER_H_
