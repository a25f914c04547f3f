#include "tools/vdb_load/row_source.h"

#include <utility>

#include "tools/lib/json_text.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kBatchBytes = std::size_t{16} << 20;

Status Located(const std::string& place, const Status& status) {
  return status.WithMessage(StrCat(place, ": ", status.message()));
}

// Bad rows can be passed over; other errors end the reading.
bool IsBadRow(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument;
}

}  // namespace

Result<RowSource> RowSource::Open(const SourceFiles& files) {
  RowSource source(files);
  VDB_ASSIGN_OR_RETURN(source.vectors_, VectorReader::Open(files.vectors, files.vector_field));
  if (!files.payloads.empty()) {
    VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(files.payloads));
    source.payloads_.emplace(std::move(lines));
  }
  return source;
}

std::uint64_t RowSource::total() const {
  const std::uint64_t rows = vectors_->rows().value_or(0);
  return files_.limit != 0 && (rows == 0 || files_.limit < rows) ? files_.limit : rows;
}

RowBatch RowSource::Next() {
  RowBatch batch;
  std::size_t bytes = 0;
  while (batch.rows.size() + batch.bad.size() < kBatchRows && bytes < kBatchBytes) {
    Row row;
    Status bad;
    const Result<bool> found = ReadRow(&row, &bad);
    if (!found.ok()) batch.status = found.status();
    if (!found.ok() || !*found) {
      batch.is_last = true;
      break;
    }
    bytes += row.vector.size() * sizeof(float) + row.payload.size() + row.id.size();
    if (bad.ok()) {
      batch.rows.push_back(std::move(row));
    } else {
      batch.bad.push_back({row.number, std::move(bad)});
    }
  }
  return batch;
}

Result<bool> RowSource::ReadRow(Row* row, Status* bad) {
  if (files_.limit != 0 && next_ == files_.limit) return false;
  row->number = next_++;
  const Result<bool> has_vector = vectors_->Next(&row->vector);
  if (!has_vector.ok() && !IsBadRow(has_vector.status())) return has_vector.status();
  if (!has_vector.ok()) *bad = has_vector.status();
  if (payloads_) {
    VDB_RETURN_IF_ERROR(ReadPayload(has_vector, row, bad));
  }
  if (has_vector.ok() && !*has_vector) return false;
  if (!bad->ok()) return true;
  row->place = vectors_->Place();
  if (!payloads_) row->payload = vectors_->rest();
  if (const Status status = ReadId(row); !status.ok()) {
    *bad = Located(payloads_ ? payloads_->Place() : row->place, status);
  }
  return true;
}

Status RowSource::ReadPayload(const Result<bool>& has_vector, Row* row, Status* bad) {
  const Result<bool> has_payload = payloads_->Next(&row->payload);
  if (!has_payload.ok()) {
    if (!IsBadRow(has_payload.status())) return has_payload.status();
    if (bad->ok()) *bad = has_payload.status();
  }
  const bool vector_there = !has_vector.ok() || *has_vector;
  const bool payload_there = !has_payload.ok() || *has_payload;
  if (vector_there == payload_there) return OkStatus();
  return FailedPreconditionError(StrCat(files_.vectors, vector_there ? " has more than " : " has only ", row->number,
                                        " rows, ", files_.payloads, vector_there ? " has only " : " has more than ",
                                        row->number, ": wanted one payload for each vector"));
}

Status RowSource::ReadId(Row* row) const {
  row->id = StrCat(row->number);
  if (row->payload.empty()) return OkStatus();
  VDB_ASSIGN_OR_RETURN(const ObjectText object, ObjectText::Parse(row->payload));
  const std::optional<std::string_view> member = object.Find(files_.id_field);
  if (!member) return OkStatus();
  Result<std::optional<std::string>> id = PlainText(*member);
  if (!id.ok()) return Located(StrCat("member '", files_.id_field, "'"), id.status());
  if (*id) row->id = **std::move(id);
  return OkStatus();
}

}  // namespace vdb::tools
