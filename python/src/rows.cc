#include "python/src/rows.h"

#include <vdb/limits.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "python/src/payload_encoder.h"
#include "python/src/status_error.h"
#include "python/src/values.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

// The id of a row; errors name the row, made only when they are needed.
std::string_view IdOf(const nb::tuple& ids, std::size_t row) {
  const nb::handle id = ids[row];
  Py_ssize_t size = 0;
  const char* text = PyUnicode_Check(id.ptr()) ? PyUnicode_AsUTF8AndSize(id.ptr(), &size) : nullptr;
  if (text != nullptr) return {text, static_cast<std::size_t>(size)};
  PyErr_Clear();
  return Utf8(id, StrCat("row ", row, ": the id"));
}

// Bytes after which a block is full: well below kMaxBatchBytes, which one more payload may not exceed either.
constexpr std::size_t kFullBytes = kMaxBatchBytes / 2;

}  // namespace

RowSource::RowSource(nb::tuple ids_in, std::optional<InputArray> vectors_in, std::optional<nb::tuple> payloads_in)
    : ids(std::move(ids_in)), payloads(std::move(payloads_in)) {
  if (vectors_in) vectors.emplace(*std::move(vectors_in));
  if (vectors && vectors->rows() != ids.size()) {
    ThrowInvalid(StrCat(ids.size(), " ids and ", vectors->rows(), " vectors; wanted as many of both"));
  }
  if (payloads && payloads->size() != ids.size()) {
    ThrowInvalid(StrCat(ids.size(), " ids and ", payloads->size(), " payloads; wanted as many of both"));
  }
}

std::size_t RowBlock::Fill(const RowSource& source, std::size_t begin, std::size_t rows) {
  const std::size_t dim = source.vectors ? source.vectors->dim() : 0;
  const std::size_t row_bytes = dim * sizeof(float) + kMaxIdBytes;
  const std::size_t end = std::min(source.ids.size(), begin + std::clamp(kFullBytes / row_bytes, std::size_t{1}, rows));
  records_.clear();
  records_.reserve(end - begin);
  payloads_.clear();
  if (source.vectors && !source.vectors->in_place()) scratch_.resize((end - begin) * dim);

  PayloadEncoder encoder(&payloads_);
  std::vector<std::size_t> payload_ends;
  payload_ends.reserve(end - begin);
  std::size_t row = begin;
  for (; row < end && payloads_.size() + (row - begin) * row_bytes <= kFullBytes; ++row) {
    RecordView record;
    record.id = IdOf(source.ids, row);
    record.without_vector = !source.vectors;
    if (source.vectors) record.vector = source.vectors->Row(row, scratch_.data() + (row - begin) * dim);
    if (source.payloads) encoder.Append((*source.payloads)[row], row);
    payload_ends.push_back(payloads_.size());
    records_.push_back(record);
  }
  // Only now does the text stay where it is.
  std::size_t payload_begin = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    records_[i].payload = std::string_view(payloads_).substr(payload_begin, payload_ends[i] - payload_begin);
    payload_begin = payload_ends[i];
  }
  return row;
}

}  // namespace vdb::python
