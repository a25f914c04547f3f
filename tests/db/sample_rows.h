// Records that are a function of a number and a version, and large enough that about a thousand make a graph.
//
// Thread safety: pure functions.
#ifndef VDB_TESTS_DB_SAMPLE_ROWS_H_
#define VDB_TESTS_DB_SAMPLE_ROWS_H_

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace vdb {

inline constexpr std::size_t kSampleDim = 1'024;
inline const CollectionOptions kSampleOptions{
    .dim = kSampleDim, .metric = Metric::kL2Squared, .m = 4, .ef_construction = 16};

struct SampleRow {
  std::string payload;
  std::vector<float> vector;
  friend bool operator==(const SampleRow&, const SampleRow&) = default;
};
using SampleRows = std::map<std::string, SampleRow>;

inline std::string SampleId(int i) {
  return "r" + std::to_string(i);
}

inline SampleRow MakeSampleRow(int i, int version) {
  std::mt19937 random(static_cast<unsigned>(i * 31 + version));
  SampleRow row{R"({"i": )" + std::to_string(i) + R"(, "version": )" + std::to_string(version) + "}", {}};
  for (std::size_t d = 0; d < kSampleDim; ++d) row.vector.push_back(static_cast<float>(random() % 2'000) / 1'000 - 1);
  return row;
}

// Reads on to the end, at most `limit` records.
inline void ReadOn(Scanner* scanner, SampleRows* rows, std::size_t limit = SIZE_MAX) {
  for (std::size_t i = 0; i < limit; ++i) {
    std::optional<Record> record = scanner->Next().value();
    if (!record) return;
    ASSERT_TRUE(rows->emplace(record->id, SampleRow{record->payload, record->vector}).second) << record->id << " twice";
  }
}

inline SampleRows ReadAll(const Collection& collection) {
  SampleRows rows;
  Scanner scanner = collection.Scan({.with_vector = true}).value();
  ReadOn(&scanner, &rows);
  return rows;
}

}  // namespace vdb

#endif  // VDB_TESTS_DB_SAMPLE_ROWS_H_
