#include "tools/lib/vector_reader.h"

#include <vdb/limits.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <string_view>
#include <utility>

#include "tools/lib/json_text.h"
#include "tools/lib/line_reader.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::uint64_t kMaxNpyHeaderBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kBufferBytes = std::uint64_t{4} << 20;

float HalfToFloat(std::uint16_t half) {
  const auto sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1F;
  const std::uint32_t mantissa = half & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F80'0000 | mantissa << 13);  // infinity, NaN
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float denormal = static_cast<float>(mantissa) / static_cast<float>(1 << 24);
  return sign != 0 ? -denormal : denormal;
}

// Rows of equal size one behind the other, read through a buffer.
class FixedRows {
 public:
  FixedRows(FileHandle file, std::uint64_t offset, std::uint64_t row_bytes, std::uint64_t rows)
      : file_(std::move(file)), offset_(offset), row_bytes_(row_bytes), rows_(rows) {}

  const std::string& path() const { return file_.path(); }
  std::uint64_t rows() const { return rows_; }
  std::uint64_t next() const { return next_; }
  std::uint64_t OffsetOf(std::uint64_t row) const { return offset_ + row * row_bytes_; }

  // The bytes of the next row; empty at the end.
  Result<std::string_view> Next() {
    if (next_ == rows_) return std::string_view();
    if (next_ >= buffered_end_) {
      const std::uint64_t count = std::min(rows_ - next_, std::max<std::uint64_t>(1, kBufferBytes / row_bytes_));
      buffer_.resize(count * row_bytes_);
      VDB_RETURN_IF_ERROR(file_.ReadAt(OffsetOf(next_), buffer_.data(), buffer_.size()));
      buffered_begin_ = next_;
      buffered_end_ = next_ + count;
    }
    const std::string_view row(buffer_.data() + (next_ - buffered_begin_) * row_bytes_, row_bytes_);
    ++next_;
    return row;
  }

 private:
  FileHandle file_;
  std::uint64_t offset_;
  std::uint64_t row_bytes_;
  std::uint64_t rows_;
  std::uint64_t next_ = 0;
  std::string buffer_;
  std::uint64_t buffered_begin_ = 0;
  std::uint64_t buffered_end_ = 0;
};

Status CheckDim(const std::string& path, std::uint64_t dim) {
  if (dim >= 1 && dim <= kMaxDim) return OkStatus();
  return InvalidArgumentError(StrCat(path, ": vectors have ", dim, " components; wanted 1 to ", kMaxDim));
}

// ---- .npy (numpy.lib.format, versions 1 to 3)

// What stands behind 'key': in the header's Python literal.
Result<std::string_view> NpyField(const std::string& path, std::string_view header, std::string_view key) {
  const std::size_t at = header.find(StrCat("'", key, "':"));
  if (at == std::string_view::npos) return InvalidArgumentError(StrCat(path, ": the npy header has no '", key, "'"));
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

class NpyReader final : public VectorReader {
 public:
  static Result<std::unique_ptr<VectorReader>> Open(const std::string& path) {
    VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForRead(path));
    VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
    char start[12] = {};
    if (size < 10) return InvalidArgumentError(StrCat(path, " has ", size, " bytes: too short for an npy file"));
    VDB_RETURN_IF_ERROR(file.ReadAt(0, start, std::min<std::uint64_t>(size, sizeof(start))));
    if (std::memcmp(start, "\x93NUMPY", 6) != 0) return InvalidArgumentError(StrCat(path, " is not an npy file"));
    const int version = start[6];
    if (version < 1 || version > 3)
      return InvalidArgumentError(StrCat(path, ": npy version ", version, " is not known"));
    const std::uint64_t length_bytes = version == 1 ? 2 : 4;
    std::uint32_t header_bytes = 0;
    std::memcpy(&header_bytes, start + 8, length_bytes);
    const std::uint64_t data = 8 + length_bytes + header_bytes;
    if (header_bytes > kMaxNpyHeaderBytes || data > size) {
      return InvalidArgumentError(StrCat(path, ": the npy header of ", header_bytes, " bytes does not fit the file"));
    }
    std::string header(header_bytes, '\0');
    VDB_RETURN_IF_ERROR(file.ReadAt(8 + length_bytes, header.data(), header.size()));
    std::unique_ptr<NpyReader> reader(new NpyReader);
    std::uint64_t rows = 0;
    VDB_RETURN_IF_ERROR(reader->ParseHeader(path, header, &rows));
    const std::uint64_t row_bytes = reader->dim_ * (reader->is_half_ ? 2 : 4);
    if (rows > (size - data) / row_bytes) {
      return InvalidArgumentError(StrCat(path, ": the header says ", rows, " rows of ", row_bytes,
                                         " bytes; the file has ", size - data, " bytes of them"));
    }
    reader->rows_.emplace(std::move(file), data, row_bytes, rows);
    return std::unique_ptr<VectorReader>(std::move(reader));
  }

  Result<bool> Next(std::vector<float>* row) override {
    VDB_ASSIGN_OR_RETURN(const std::string_view bytes, rows_->Next());
    if (bytes.empty()) return false;
    row->resize(dim_);
    if (!is_half_) {
      std::memcpy(row->data(), bytes.data(), bytes.size());
      return true;
    }
    for (std::size_t i = 0; i < row->size(); ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes.data() + 2 * i, sizeof(half));
      (*row)[i] = HalfToFloat(half);
    }
    return true;
  }
  std::uint64_t dim() const override { return dim_; }
  std::optional<std::uint64_t> rows() const override { return rows_->rows(); }

 private:
  Status ParseHeader(const std::string& path, std::string_view header, std::uint64_t* rows) {
    VDB_ASSIGN_OR_RETURN(const std::string_view descr, NpyField(path, header, "descr"));
    is_half_ = descr.starts_with("'<f2'");
    if (!is_half_ && !descr.starts_with("'<f4'")) {
      return InvalidArgumentError(StrCat(path, ": the array is of ", descr.substr(0, descr.find(',')),
                                         "; wanted little-endian float32 '<f4' or float16 '<f2'"));
    }
    VDB_ASSIGN_OR_RETURN(const std::string_view order, NpyField(path, header, "fortran_order"));
    if (!order.starts_with("False")) return InvalidArgumentError(StrCat(path, " is in Fortran order; wanted C order"));
    VDB_ASSIGN_OR_RETURN(std::string_view shape, NpyField(path, header, "shape"));
    const std::string_view whole = shape.substr(0, shape.find(')') + 1);
    std::uint64_t sizes[2] = {};
    std::size_t count = 0;
    if (!shape.starts_with('(')) count = 3;
    shape.remove_prefix(std::min<std::size_t>(1, shape.size()));
    while (count < 3 && !shape.empty() && shape.front() != ')') {
      std::uint64_t number = 0;
      std::size_t digits = 0;
      while (digits < shape.size() && std::isdigit(static_cast<unsigned char>(shape[digits])) != 0 && digits < 18) {
        number = number * 10 + static_cast<std::uint64_t>(shape[digits++] - '0');
      }
      if (digits == 0 || count == 2) {
        count = 3;
        break;
      }
      sizes[count++] = number;
      shape.remove_prefix(digits);
      while (!shape.empty() && (shape.front() == ',' || shape.front() == ' ')) shape.remove_prefix(1);
    }
    if (count != 2) return InvalidArgumentError(StrCat(path, ": the array has shape ", whole, "; wanted (rows, dim)"));
    *rows = sizes[0];
    dim_ = sizes[1];
    return CheckDim(path, dim_);
  }

  bool is_half_ = false;
  std::uint64_t dim_ = 0;
  std::optional<FixedRows> rows_;
};

// ---- .fvecs and .bvecs (TEXMEX): each row an int32 dimension, then that many float32 or bytes

class VecsReader final : public VectorReader {
 public:
  static Result<std::unique_ptr<VectorReader>> Open(const std::string& path, bool is_bytes) {
    VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForRead(path));
    VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
    std::int32_t dim = 0;
    if (size < sizeof(dim)) return InvalidArgumentError(StrCat(path, " has ", size, " bytes: no row fits"));
    VDB_RETURN_IF_ERROR(file.ReadAt(0, &dim, sizeof(dim)));
    if (dim < 1 || dim > static_cast<std::int32_t>(kMaxDim)) {
      return InvalidArgumentError(StrCat(path, ", row 0, byte 0: dimension ", dim, "; wanted 1 to ", kMaxDim));
    }
    const std::uint64_t row_bytes = sizeof(dim) + static_cast<std::uint64_t>(dim) * (is_bytes ? 1 : 4);
    if (size % row_bytes != 0) {
      return InvalidArgumentError(StrCat(path, ": ", size, " bytes are no whole number of rows of ", row_bytes,
                                         " bytes; the last one is cut at byte ", size / row_bytes * row_bytes));
    }
    std::unique_ptr<VecsReader> reader(new VecsReader);
    reader->dim_ = static_cast<std::uint64_t>(dim);
    reader->is_bytes_ = is_bytes;
    reader->rows_.emplace(std::move(file), 0, row_bytes, size / row_bytes);
    return std::unique_ptr<VectorReader>(std::move(reader));
  }

  Result<bool> Next(std::vector<float>* row) override {
    VDB_ASSIGN_OR_RETURN(const std::string_view bytes, rows_->Next());
    if (bytes.empty()) return false;
    std::int32_t dim = 0;
    std::memcpy(&dim, bytes.data(), sizeof(dim));
    if (static_cast<std::uint64_t>(dim) != dim_) {
      const std::uint64_t at = rows_->next() - 1;
      return InvalidArgumentError(StrCat(rows_->path(), ", row ", at, ", byte ", rows_->OffsetOf(at), ": dimension ",
                                         dim, "; the first row has ", dim_));
    }
    row->resize(dim_);
    const char* data = bytes.data() + sizeof(dim);
    for (std::size_t i = 0; is_bytes_ && i < dim_; ++i) (*row)[i] = static_cast<unsigned char>(data[i]);
    if (!is_bytes_) std::memcpy(row->data(), data, dim_ * sizeof(float));
    return true;
  }
  std::uint64_t dim() const override { return dim_; }
  std::optional<std::uint64_t> rows() const override { return rows_->rows(); }

 private:
  bool is_bytes_ = false;
  std::uint64_t dim_ = 0;
  std::optional<FixedRows> rows_;
};

// ---- .jsonl

class JsonlReader final : public VectorReader {
 public:
  JsonlReader(LineReader lines, std::string field) : lines_(std::move(lines)), field_(std::move(field)) {}

  Result<bool> Next(std::vector<float>* row) override {
    std::string line;
    VDB_ASSIGN_OR_RETURN(const bool found, lines_.Next(&line));
    if (!found) return false;
    if (const Status status = ParseVector(line, field_, row); !status.ok()) {
      return Status(status.code(), StrCat(lines_.Place(), ": ", status.message()));
    }
    return true;
  }
  std::uint64_t dim() const override { return 0; }
  std::optional<std::uint64_t> rows() const override { return std::nullopt; }

 private:
  LineReader lines_;
  std::string field_;
};

}  // namespace

Result<std::unique_ptr<VectorReader>> VectorReader::Open(const std::string& path, const std::string& vector_field) {
  if (path.ends_with(".npy")) return NpyReader::Open(path);
  if (path.ends_with(".fvecs")) return VecsReader::Open(path, false);
  if (path.ends_with(".bvecs")) return VecsReader::Open(path, true);
  if (path.ends_with(".jsonl")) {
    VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
    return std::unique_ptr<VectorReader>(std::make_unique<JsonlReader>(std::move(lines), vector_field));
  }
  return InvalidArgumentError(StrCat(path, ": wanted a file that ends in .npy, .fvecs, .bvecs or .jsonl"));
}

}  // namespace vdb::tools
