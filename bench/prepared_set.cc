#include "bench/prepared_set.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "tools/lib/vector_reader.h"
#include "vdb/simd/kernels.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/thread_pool.h"

namespace vdb::bench {
namespace {

// Kernels add in different orders: a row that ties with the k-th may differ in the last digits.
constexpr float kTieTolerance = 1e-6F;
// Queries that share one pass over the base rows, and the rows of a tile that stays in the second-level cache
// meanwhile.
constexpr std::size_t kQueriesPerPass = 64;
constexpr std::size_t kRowsPerTile = 128;

struct Candidate {
  float distance;
  std::uint32_t row;
};

// The k nearest rows so far and those that tie with the k-th.
class Nearest {
 public:
  explicit Nearest(std::size_t k) : k_(k) {}

  void Add(Candidate candidate) {
    if (candidate.distance > limit_) return;
    candidates_.push_back(candidate);
    if (candidates_.size() >= 8 * k_) Prune();
  }

  const std::vector<Candidate>& Finish() {
    Prune();
    return candidates_;
  }

 private:
  void Prune() {
    if (candidates_.size() > k_) {
      const auto nearer = [](const Candidate& a, const Candidate& b) { return a.distance < b.distance; };
      const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
      std::nth_element(candidates_.begin(), last, candidates_.end(), nearer);
      limit_ = last->distance + kTieTolerance * (1 + std::abs(last->distance));
    }
    std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.distance > limit_; });
  }

  std::size_t k_;
  float limit_ = std::numeric_limits<float>::infinity();
  std::vector<Candidate> candidates_;
};

Status WriteBytes(const std::string& path, std::string_view header, const void* data, std::size_t size) {
  const std::string unfinished = path + ".new";
  std::ofstream file(unfinished, std::ios::binary);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) return IoError(StrCat("cannot write '", unfinished, "'"));
  std::filesystem::rename(unfinished, path);
  return {};
}

}  // namespace

Result<Matrix> ReadMatrix(const std::string& folder, std::string_view name, std::size_t max_rows) {
  for (const std::string_view ending : {".npy", ".fvecs", ".bvecs", ".jsonl"}) {
    const std::string path = StrCat(folder, "/", name, ending);
    if (!std::filesystem::exists(path)) continue;
    VDB_ASSIGN_OR_RETURN(const std::unique_ptr<tools::VectorReader> reader, tools::VectorReader::Open(path, "vector"));
    Matrix matrix;
    if (reader->rows()) matrix.values.reserve(std::min<std::uint64_t>(*reader->rows(), max_rows) * reader->dim());
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

Status WriteNpy(const std::string& path, const Matrix& matrix) {
  std::string header =
      StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", matrix.rows(), ", ", matrix.dim, "), }");
  constexpr std::size_t kPrefix = 10;  // magic, version, length of the header
  header.append(64 - (kPrefix + header.size() + 1) % 64, ' ');
  header += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(header.size() % 256);
  prefix += static_cast<char>(header.size() / 256);
  return WriteBytes(path, prefix + header, matrix.values.data(), matrix.values.size() * sizeof(float));
}

Status WriteNumbers(const std::string& path, std::span<const std::uint32_t> numbers) {
  return WriteBytes(path, "", numbers.data(), numbers.size_bytes());
}

Result<std::vector<std::uint32_t>> ReadNumbers(const std::string& path) {
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(path, error);
  if (error) return NotFoundError(StrCat("cannot read '", path, "': ", error.message()));
  std::vector<std::uint32_t> numbers(bytes / sizeof(std::uint32_t));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(bytes));
  return numbers;
}

std::vector<std::uint32_t> LiveRows(std::size_t rows, std::span<const std::uint32_t> deleted) {
  std::vector<std::uint32_t> live;
  live.reserve(rows - deleted.size());
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (!std::ranges::binary_search(deleted, row)) live.push_back(row);
  }
  return live;
}

std::vector<std::uint32_t> ComputeTruth(const Matrix& base, const Matrix& queries,
                                        std::span<const std::uint32_t> live_rows, Metric metric, std::size_t k) {
  const simd::FloatKernels& kernels = simd::ActiveFloatKernels();
  std::vector<Nearest> nearest(queries.rows(), Nearest(std::min(k, live_rows.size())));
  ThreadPool pool(std::max(1U, std::thread::hardware_concurrency()));
  pool.ParallelFor(queries.rows(), kQueriesPerPass, [&](std::size_t begin, std::size_t end) {
    for (std::size_t tile = 0; tile < live_rows.size(); tile += kRowsPerTile) {
      const auto rows = live_rows.subspan(tile, std::min(kRowsPerTile, live_rows.size() - tile));
      for (std::size_t q = begin; q < end; ++q) {
        const float* query = queries.row(q).data();
        for (const std::uint32_t row : rows) {
          const float* vector = base.row(row).data();
          const float distance = metric == Metric::kL2Squared ? kernels.l2_squared(query, vector, base.dim)
                                                              : 1 - kernels.dot(query, vector, base.dim);
          nearest[q].Add({distance, row});
        }
      }
    }
  });
  std::vector<std::uint32_t> truth;
  truth.reserve(queries.rows() * (k + 1));
  for (Nearest& of_query : nearest) {
    const std::vector<Candidate>& rows = of_query.Finish();
    truth.push_back(static_cast<std::uint32_t>(rows.size()));
    for (const Candidate& candidate : rows) truth.push_back(candidate.row);
  }
  return truth;
}

}  // namespace vdb::bench
