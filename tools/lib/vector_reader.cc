#include "tools/lib/vector_reader.h"

#include <vdb/limits.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "tools/lib/file_window.h"
#include "tools/lib/json_text.h"
#include "tools/lib/line_reader.h"
#include "tools/lib/npy_header.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "the files' numbers are read as they stand");

float HalfToFloat(std::uint16_t half) {
  const auto sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1F;
  const std::uint32_t mantissa = half & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F80'0000 | mantissa << 13);  // infinity, NaN
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float denormal = static_cast<float>(mantissa) / static_cast<float>(1 << 24);
  return sign != 0 ? -denormal : denormal;
}

std::string PlaceOf(const FileWindow& file, std::uint64_t row, std::uint64_t offset) {
  return StrCat(file.path(), ", row ", row, ", byte ", offset);
}

class NpyReader final : public VectorReader {
 public:
  static Result<std::unique_ptr<VectorReader>> Open(const std::string& path) {
    VDB_ASSIGN_OR_RETURN(FileWindow file, FileWindow::Open(path));
    VDB_ASSIGN_OR_RETURN(const NpyHeader header, ReadNpyHeader(&file));
    return std::unique_ptr<VectorReader>(new NpyReader(std::move(file), header));
  }

  Result<bool> Next(std::vector<float>* row) override {
    if (next_ == header_.rows) return false;
    VDB_ASSIGN_OR_RETURN(const std::string_view bytes, file_.At(OffsetOf(next_), row_bytes()));
    ++next_;
    row->resize(header_.dim);
    if (header_.component_bytes == sizeof(float)) {
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
  Status Skip(std::uint64_t rows) override {
    next_ += std::min(rows, header_.rows - next_);
    return OkStatus();
  }
  std::string Place() const override {
    const std::uint64_t row = next_ - std::min<std::uint64_t>(next_, 1);
    return PlaceOf(file_, row, OffsetOf(row));
  }
  std::uint64_t dim() const override { return header_.dim; }
  std::optional<std::uint64_t> rows() const override { return header_.rows; }

 private:
  NpyReader(FileWindow file, const NpyHeader& header) : file_(std::move(file)), header_(header) {}

  std::uint64_t row_bytes() const { return header_.dim * header_.component_bytes; }
  std::uint64_t OffsetOf(std::uint64_t row) const { return header_.data_offset + row * row_bytes(); }

  FileWindow file_;
  NpyHeader header_;
  std::uint64_t next_ = 0;
};

// .fvecs and .bvecs (TEXMEX): each row an int32 dimension, then that many float32 or bytes. A row tells its own length,
// so a row of another dimension can be passed over; one whose length makes no sense ends the reading.
class VecsReader final : public VectorReader {
 public:
  static Result<std::unique_ptr<VectorReader>> Open(const std::string& path, std::uint64_t component_bytes) {
    VDB_ASSIGN_OR_RETURN(FileWindow file, FileWindow::Open(path));
    if (file.size() < kPrefixBytes) return InvalidArgumentError(StrCat(path, ": ", file.size(), " bytes: no row fits"));
    std::unique_ptr<VecsReader> reader(new VecsReader(std::move(file), component_bytes));
    VDB_ASSIGN_OR_RETURN(const std::int32_t dim, reader->ReadDim(0));
    if (!IsDim(dim)) {
      return InvalidArgumentError(StrCat(path, ", row 0, byte 0: dimension ", dim, "; wanted 1 to ", kMaxDim));
    }
    reader->dim_ = static_cast<std::uint64_t>(dim);
    return std::unique_ptr<VectorReader>(std::move(reader));
  }

  Result<bool> Next(std::vector<float>* row) override {
    if (next_offset_ == file_.size()) return false;
    offset_ = next_offset_;
    row_ = next_row_++;
    if (file_.size() - offset_ < kPrefixBytes) return Cut(kPrefixBytes);
    VDB_ASSIGN_OR_RETURN(const std::int32_t dim, ReadDim(offset_));
    if (!IsDim(dim)) {
      return DataLossError(StrCat(Place(), ": dimension ", dim, "; wanted ", dim_,
                                  " as the first row; the rows behind it cannot be found"));
    }
    const std::uint64_t components = static_cast<std::uint64_t>(dim);
    const std::uint64_t row_bytes = kPrefixBytes + components * component_bytes_;
    if (file_.size() - offset_ < row_bytes) return Cut(row_bytes);
    next_offset_ += row_bytes;
    if (components != dim_) {
      return InvalidArgumentError(StrCat(Place(), ": dimension ", dim, "; the first row has ", dim_));
    }
    VDB_ASSIGN_OR_RETURN(std::string_view bytes, file_.At(offset_, row_bytes));
    bytes.remove_prefix(kPrefixBytes);
    row->resize(dim_);
    if (component_bytes_ == sizeof(float)) {
      std::memcpy(row->data(), bytes.data(), bytes.size());
    } else {
      std::transform(bytes.begin(), bytes.end(), row->begin(), [](char c) { return static_cast<unsigned char>(c); });
    }
    return true;
  }
  std::string Place() const override { return PlaceOf(file_, row_, offset_); }
  std::uint64_t dim() const override { return dim_; }
  std::optional<std::uint64_t> rows() const override {
    const std::uint64_t row_bytes = kPrefixBytes + dim_ * component_bytes_;
    if (file_.size() % row_bytes != 0) return std::nullopt;
    return file_.size() / row_bytes;
  }

 private:
  static constexpr std::uint64_t kPrefixBytes = sizeof(std::int32_t);

  VecsReader(FileWindow file, std::uint64_t component_bytes)
      : file_(std::move(file)), component_bytes_(component_bytes) {}

  static bool IsDim(std::int32_t dim) { return dim >= 1 && dim <= static_cast<std::int32_t>(kMaxDim); }

  Result<std::int32_t> ReadDim(std::uint64_t offset) {
    VDB_ASSIGN_OR_RETURN(const std::string_view bytes, file_.At(offset, kPrefixBytes));
    std::int32_t dim = 0;
    std::memcpy(&dim, bytes.data(), sizeof(dim));
    return dim;
  }

  // The file ends in this row: a bad row, and the last one.
  Status Cut(std::uint64_t wanted) {
    next_offset_ = file_.size();
    return InvalidArgumentError(
        StrCat(Place(), ": the file is cut: ", file_.size() - offset_, " bytes are left of ", wanted));
  }

  FileWindow file_;
  const std::uint64_t component_bytes_;
  std::uint64_t dim_ = 0;
  std::uint64_t row_ = 0;  // read last
  std::uint64_t offset_ = 0;
  std::uint64_t next_row_ = 0;
  std::uint64_t next_offset_ = 0;
};

// Lines that are arrays, or objects with a member that is one.
class JsonlReader final : public VectorReader {
 public:
  JsonlReader(LineReader lines, std::string field) : lines_(std::move(lines)), field_(std::move(field)) {}

  Result<bool> Next(std::vector<float>* row) override {
    rest_.clear();
    VDB_ASSIGN_OR_RETURN(const bool found, lines_.Next(&line_));
    if (!found) return false;
    const Status status = Parse(row);
    if (!status.ok()) return status.WithMessage(StrCat(Place(), ": ", status.message()));
    return true;
  }
  std::string Place() const override { return lines_.Place(); }
  std::string_view rest() const override { return rest_; }
  std::uint64_t dim() const override { return 0; }
  std::optional<std::uint64_t> rows() const override { return std::nullopt; }

 private:
  Status Parse(std::vector<float>* row) {
    if (line_[line_.find_first_not_of(" \t")] != '{') return ParseVector(line_, row);
    VDB_ASSIGN_OR_RETURN(const ObjectText object, ObjectText::Parse(line_));
    rest_ = object.Without(field_);
    const std::optional<std::string_view> vector = object.Find(field_);
    if (!vector) return InvalidArgumentError(StrCat("the object has no member '", field_, "'"));
    return ParseVector(*vector, row);
  }

  LineReader lines_;
  std::string field_;
  std::string line_;
  std::string rest_;
};

}  // namespace

Status VectorReader::Skip(std::uint64_t rows) {
  std::vector<float> row;
  for (; rows > 0; --rows) {
    const Result<bool> found = Next(&row);
    if (!found.ok() && found.status().code() != StatusCode::kInvalidArgument) return found.status();
    if (found.ok() && !*found) break;
  }
  return OkStatus();
}

Result<std::unique_ptr<VectorReader>> VectorReader::Open(const std::string& path, const std::string& vector_field) {
  if (path.ends_with(".npy")) return NpyReader::Open(path);
  if (path.ends_with(".fvecs")) return VecsReader::Open(path, sizeof(float));
  if (path.ends_with(".bvecs")) return VecsReader::Open(path, 1);
  if (path.ends_with(".jsonl")) {
    VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
    return std::unique_ptr<VectorReader>(std::make_unique<JsonlReader>(std::move(lines), vector_field));
  }
  return InvalidArgumentError(StrCat(path, ": wanted a file that ends in .npy, .fvecs, .bvecs or .jsonl"));
}

}  // namespace vdb::tools
