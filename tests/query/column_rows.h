// Payloads in columns beside the payloads themselves, for tests of filters.
#ifndef VDB_TESTS_QUERY_COLUMN_ROWS_H_
#define VDB_TESTS_QUERY_COLUMN_ROWS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vdb/fields/field_index.h"
#include "vdb/query/cardinality.h"
#include "vdb/query/filter_evaluator.h"
#include "vdb/query/filter_program.h"

namespace vdb {

inline char TriLetter(Tri tri) {
  return "FTN"[static_cast<int>(tri)];
}

class ColumnRows : public PayloadReader {
 public:
  explicit ColumnRows(std::size_t max_paths = kMaxIndexedPaths) : index_(max_paths) {}

  // Without an id the record gets one that tells its slot.
  void Add(std::string json, std::string id = {}) {
    if (id.empty()) id = "row/" + std::to_string(payloads_.size());
    ParsedPayload payload;
    const Status status = parser_.Parse(json, &payload);
    ASSERT_TRUE(status.ok()) << json << ": " << status;
    index_.Write(size(), payload);
    index_.ids().Write(size(), id);
    ids_.push_back(std::move(id));
    payloads_.push_back(std::move(json));
  }

  Status ReadPayload(std::uint32_t slot, std::string* out) override {
    *out = payloads_[slot];
    return OkStatus();
  }

  // One letter per row: T, F, N, as the payloads say.
  std::string FromPayloads(const FilterNode& filter) const {
    std::string out;
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      out += TriLetter(EvaluateFilter(filter, {ids_[i], payloads_[i]}).value());
    }
    return out;
  }

  // One letter per row: T, F, N and ? for unknown, as the columns say; asks each slot by itself too.
  std::string FromColumns(const FilterNodePtr& filter) const {
    const FilterProgram program = FilterProgram::Compile(filter, index_);
    TriWords words;
    program.Evaluate(0, size(), &words);
    std::string out;
    for (std::uint32_t slot = 0; slot < size(); ++slot) {
      const auto bit = [slot](const std::vector<std::uint64_t>& of) { return (of[slot / 64] >> (slot % 64) & 1) != 0; };
      const int set = (bit(words.is_true) ? 1 : 0) + (bit(words.is_false) ? 1 : 0) + (bit(words.is_null) ? 1 : 0);
      EXPECT_LE(set, 1) << "slot " << slot;
      char letter = '?';
      if (bit(words.is_true)) letter = 'T';
      if (bit(words.is_false)) letter = 'F';
      if (bit(words.is_null)) letter = 'N';
      out += letter;
      EXPECT_EQ("FTN?"[static_cast<int>(program.EvaluateSlot(slot))], letter) << "slot " << slot;
    }
    return out;
  }

  std::uint32_t size() const { return static_cast<std::uint32_t>(payloads_.size()); }
  const std::vector<std::string>& payloads() const { return payloads_; }
  const std::vector<std::string>& ids() const { return ids_; }
  const FieldIndex& index() const { return index_; }
  FieldIndex& index() { return index_; }

 private:
  PayloadParser parser_;
  FieldIndex index_;
  std::vector<std::string> payloads_;
  std::vector<std::string> ids_;
};

}  // namespace vdb

#endif  // VDB_TESTS_QUERY_COLUMN_ROWS_H_
