#include "bench/ingest_rows.h"

#include <random>

#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

constexpr std::size_t kRowsPerCluster = 100;
constexpr float kNoise = 0.7F;  // of the spread of the centres, in each component
// Of the way to the other row: nearer to its first parent than most neighbours are.
constexpr float kBetween = 0.3F;

std::string Payload(std::size_t row) {
  return StrCat(R"({"title": "the title of row )", row, R"(", "shard": )", row % 16, R"(, "score": 0.)", row % 1'000,
                R"(, "read": )", row % 3 == 0 ? "true" : "false", R"(, "kind": "kind )", row % 7, R"("})");
}

}  // namespace

Matrix SyntheticRows(std::size_t rows, std::size_t dim, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Matrix centres{.dim = dim, .values = std::vector<float>((rows / kRowsPerCluster + 1) * dim)};
  for (float& value : centres.values) value = normal(random);
  Matrix result{.dim = dim, .values = std::vector<float>(rows * dim)};
  std::uniform_int_distribution<std::size_t> choose(0, centres.rows() - 1);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span<const float> centre = centres.row(choose(random));
    for (std::size_t d = 0; d < dim; ++d) result.values[i * dim + d] = centre[d] + kNoise * normal(random);
  }
  return result;
}

RowBatch::RowBatch(const Matrix& rows, std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  ids_.reserve(count);
  payloads_.reserve(count);
  records_.reserve(count);
  made_.reserve(count * rows.dim);
  for (std::size_t i = begin; i < end; ++i) {
    ids_.push_back(std::to_string(i));
    payloads_.push_back(Payload(i));
    std::span<const float> vector = rows.row(i % rows.rows());
    if (i >= rows.rows()) {
      const std::span<const float> other = rows.row((i + i / rows.rows() * 7'919) % rows.rows());
      const std::size_t at = made_.size();
      for (std::size_t d = 0; d < rows.dim; ++d) {
        made_.push_back((1 - kBetween) * vector[d] + kBetween * other[d]);
      }
      vector = {made_.data() + at, rows.dim};
    }
    records_.push_back({.id = ids_.back(), .vector = vector, .payload = payloads_.back()});
  }
}

}  // namespace vdb::bench
