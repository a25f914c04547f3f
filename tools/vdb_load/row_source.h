// Vectors and payloads side by side: the rows that vdb-load loads, in batches.
//
// Memory: one batch. Thread safety: external lock.
#ifndef VDB_TOOLS_VDB_LOAD_ROW_SOURCE_H_
#define VDB_TOOLS_VDB_LOAD_ROW_SOURCE_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/lib/line_reader.h"
#include "tools/lib/vector_reader.h"

namespace vdb::tools {

struct SourceFiles {
  std::string vectors = {};
  std::string payloads = {};  // .jsonl; empty: the rest of the objects that hold the vectors, or {}
  std::string vector_field = "vector";
  std::string id_field = "id";  // of the payload; rows without it are named by their number
  std::uint64_t limit = 0;      // rows; 0: all
};

struct Row {
  std::uint64_t number = 0;
  std::string place;  // in its file, for errors
  std::string id;
  std::vector<float> vector;
  std::string payload;

  RecordView view() const { return {id, vector, payload}; }
};

struct BadRow {
  std::uint64_t number = 0;
  Status status;  // names the place
};

struct RowBatch {
  std::vector<Row> rows;
  std::vector<BadRow> bad;
  // Why reading ended behind these rows, if not because all were read: final.
  Status status;
  bool is_last = false;
};

class RowSource {
 public:
  static Result<RowSource> Open(const SourceFiles& files);

  // The next rows, in order. A batch ends early where reading ends; the last one is marked and may be empty.
  RowBatch Next();

  // Components per row; 0 if only the rows tell.
  std::uint64_t dim() const { return vectors_->dim(); }
  // Rows to come in all; 0 if not known.
  std::uint64_t total() const;

 private:
  explicit RowSource(SourceFiles files) : files_(std::move(files)) {}

  // Whether there was a row. *bad is set for a row that cannot be used; any other error is final.
  Result<bool> ReadRow(Row* row, Status* bad);
  // Reads the payload beside the vector; *bad as above.
  Status ReadPayload(const Result<bool>& has_vector, Row* row, Status* bad);
  Status ReadId(Row* row) const;

  SourceFiles files_;
  std::unique_ptr<VectorReader> vectors_;
  std::optional<LineReader> payloads_;
  std::uint64_t next_ = 0;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_ROW_SOURCE_H_
