#include "bench/data_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <numeric>
#include <thread>

#include "tools/lib/vector_reader.h"
#include "vdb/simd/kernels.h"
#include "vdb/util/checksum.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/thread_pool.h"

namespace vdb::bench {
namespace {

// Kernels add in different orders: a row that ties with the k-th may differ in the last digits.
constexpr float kTieTolerance = 1e-6F;

Result<Matrix> ReadMatrix(const std::string& folder, std::string_view name, std::size_t max_rows) {
  for (const std::string_view ending : {".npy", ".fvecs", ".bvecs", ".jsonl"}) {
    const std::string path = StrCat(folder, "/", name, ending);
    if (!std::filesystem::exists(path)) continue;
    VDB_ASSIGN_OR_RETURN(const std::unique_ptr<tools::VectorReader> reader, tools::VectorReader::Open(path, "vector"));
    Matrix matrix;
    std::vector<float> row;
    for (std::size_t rows = 0; rows < max_rows; ++rows) {
      VDB_ASSIGN_OR_RETURN(const bool more, reader->Next(&row));
      if (!more) break;
      matrix.dim = row.size();
      matrix.values.insert(matrix.values.end(), row.begin(), row.end());
    }
    if (matrix.rows() == 0) return InvalidArgumentError(StrCat(path, ": no rows"));
    return matrix;
  }
  return NotFoundError(StrCat("no ", name, ".npy, .fvecs, .bvecs or .jsonl in '", folder, "'"));
}

void NormaliseRows(Matrix* matrix) {
  for (std::size_t i = 0; i < matrix->rows(); ++i) {
    float* row = matrix->values.data() + i * matrix->dim;
    const double norm = std::sqrt(std::inner_product(row, row + matrix->dim, row, 0.0));
    for (std::size_t j = 0; j < matrix->dim; ++j) row[j] = static_cast<float>(row[j] / norm);
  }
}

std::uint64_t ChecksumOf(const DataSet& data) {
  const std::vector<std::uint64_t> parts = {
      Checksum(data.base.values.data(), data.base.values.size() * sizeof(float)),
      Checksum(data.queries.values.data(), data.queries.values.size() * sizeof(float)),
      static_cast<std::uint64_t>(data.metric),
      data.k,
      static_cast<std::uint64_t>(std::ranges::count(data.deleted, true)),
  };
  return Checksum(parts.data(), parts.size() * sizeof(parts[0]));
}

void ComputeTruth(DataSet* data) {
  ThreadPool pool(std::max(1U, std::thread::hardware_concurrency()));
  data->farthest.resize(data->queries.rows());
  pool.ParallelFor(data->queries.rows(), 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t q = begin; q < end; ++q) {
      std::vector<float> distances;
      for (std::size_t i = 0; i < data->base.rows(); ++i) {
        if (!data->deleted[i]) distances.push_back(data->Distance(data->queries.row(q), data->base.row(i)));
      }
      const auto last = distances.begin() + static_cast<std::ptrdiff_t>(std::min(data->k, distances.size()) - 1);
      std::nth_element(distances.begin(), last, distances.end());
      data->farthest[q] = *last;
    }
  });
}

}  // namespace

float DataSet::Distance(std::span<const float> a, std::span<const float> b) const {
  const simd::FloatKernels& kernels = simd::ActiveFloatKernels();
  return metric == Metric::kL2Squared ? kernels.l2_squared(a.data(), b.data(), a.size())
                                      : 1 - kernels.dot(a.data(), b.data(), a.size());
}

bool DataSet::IsNeighbour(std::size_t query, std::uint64_t base_row) const {
  const float limit = farthest[query];
  return Distance(queries.row(query), base.row(base_row)) <= limit + kTieTolerance * (1 + std::abs(limit));
}

Result<DataSet> OpenDataFolder(const std::string& folder, const DataOptions& options, const std::string& cache_folder) {
  DataSet data;
  data.metric = options.metric;
  data.k = options.k;
  VDB_ASSIGN_OR_RETURN(data.base, ReadMatrix(folder, "base", std::numeric_limits<std::size_t>::max()));
  VDB_ASSIGN_OR_RETURN(data.queries, ReadMatrix(folder, "query", options.max_queries));
  if (data.base.dim != data.queries.dim) {
    return InvalidArgumentError(
        StrCat(folder, ": base has ", data.base.dim, " components per row, query has ", data.queries.dim));
  }
  if (data.metric == Metric::kCosine) {
    NormaliseRows(&data.base);
    NormaliseRows(&data.queries);
  }
  data.deleted.resize(data.base.rows());
  if (options.deleted_share > 0) {
    const double step = 1 / options.deleted_share;
    for (double i = step / 2; i < static_cast<double>(data.base.rows()); i += step) {
      data.deleted[static_cast<std::size_t>(i)] = true;
    }
  }
  const std::string cached = StrCat(cache_folder, "/truth-", ChecksumOf(data));
  const std::uint64_t bytes = data.queries.rows() * sizeof(float);
  std::error_code error;
  if (std::filesystem::file_size(cached, error) == bytes && !error) {
    data.farthest.resize(data.queries.rows());
    std::ifstream(cached, std::ios::binary)
        .read(reinterpret_cast<char*>(data.farthest.data()), static_cast<std::streamsize>(bytes));
    return data;
  }
  ComputeTruth(&data);
  std::ofstream(cached, std::ios::binary)
      .write(reinterpret_cast<const char*>(data.farthest.data()), static_cast<std::streamsize>(bytes));
  return data;
}

}  // namespace vdb::bench
