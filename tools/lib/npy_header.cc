#include "tools/lib/npy_header.h"

#include <vdb/limits.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kFixedBytes = 8;        // magic and version
constexpr std::uint64_t kMaxSize = 1ULL << 56;  // of an axis; larger ones fit no file

// What stands behind 'key': in the header's Python literal.
Result<std::string_view> Field(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(StrCat("'", key, "':"));
  if (at == std::string_view::npos) return InvalidArgumentError(StrCat("the npy header has no '", key, "'"));
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

// The axes of "(12, 34)", "(12,)" or "()"; empty if it is none of them.
std::vector<std::uint64_t> Axes(std::string_view shape) {
  std::vector<std::uint64_t> axes;
  if (!shape.starts_with('(') || !shape.ends_with(')')) return {};
  shape = shape.substr(1, shape.size() - 2);
  while (!shape.empty()) {
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < shape.size() && shape[digits] >= '0' && shape[digits] <= '9'; ++digits) {
      size = size * 10 + static_cast<std::uint64_t>(shape[digits] - '0');
      if (size > kMaxSize) return {};
    }
    if (digits == 0) return {};
    axes.push_back(size);
    shape.remove_prefix(digits);
    if (shape.empty()) break;
    if (shape.front() != ',') return {};
    shape.remove_prefix(std::min(shape.find_first_not_of(' ', 1), shape.size()));
  }
  return axes;
}

Status ParseLiteral(std::string_view literal, NpyHeader* header) {
  VDB_ASSIGN_OR_RETURN(const std::string_view descr, Field(literal, "descr"));
  if (!descr.starts_with("'<f4'") && !descr.starts_with("'<f2'")) {
    return InvalidArgumentError(StrCat("the array is of ", descr.substr(0, descr.find(',')),
                                       "; wanted little-endian float32 '<f4' or float16 '<f2'"));
  }
  header->component_bytes = descr[3] == '4' ? 4 : 2;
  VDB_ASSIGN_OR_RETURN(const std::string_view order, Field(literal, "fortran_order"));
  if (!order.starts_with("False")) return InvalidArgumentError("the array is in Fortran order; wanted C order");
  VDB_ASSIGN_OR_RETURN(std::string_view shape, Field(literal, "shape"));
  shape = shape.substr(0, shape.find(')') == std::string_view::npos ? shape.size() : shape.find(')') + 1);
  const std::vector<std::uint64_t> axes = Axes(shape);
  if (axes.size() != 2) {
    return InvalidArgumentError(StrCat("the array has shape ", shape.substr(0, 100), "; wanted (rows, dim)"));
  }
  header->rows = axes[0];
  header->dim = axes[1];
  if (header->dim >= 1 && header->dim <= kMaxDim) return OkStatus();
  return InvalidArgumentError(StrCat("vectors have ", header->dim, " components; wanted 1 to ", kMaxDim));
}

// Errors without the file's name.
Result<NpyHeader> Read(FileWindow* file) {
  const std::uint64_t size = file->size();
  if (size < kFixedBytes + 2) return InvalidArgumentError(StrCat("too short for an npy file: ", size, " bytes"));
  VDB_ASSIGN_OR_RETURN(const std::string_view fixed, file->At(0, kFixedBytes));
  if (!fixed.starts_with("\x93NUMPY"))
    return InvalidArgumentError("not an npy file: it does not begin with \\x93NUMPY");
  const int version = static_cast<unsigned char>(fixed[6]);
  if (version < 1 || version > 3) return InvalidArgumentError(StrCat("npy version ", version, "; wanted 1, 2 or 3"));
  const std::uint64_t length_bytes = version == 1 ? 2 : 4;
  if (size < kFixedBytes + length_bytes) {
    return InvalidArgumentError(StrCat("too short for an npy file: ", size, " bytes"));
  }
  VDB_ASSIGN_OR_RETURN(const std::string_view length, file->At(kFixedBytes, length_bytes));
  std::uint32_t literal_bytes = 0;
  std::memcpy(&literal_bytes, length.data(), length_bytes);
  NpyHeader header;
  header.data_offset = kFixedBytes + length_bytes + literal_bytes;
  if (literal_bytes > kMaxHeaderBytes || header.data_offset > size) {
    return InvalidArgumentError(StrCat("the npy header says it has ", literal_bytes, " bytes; at most ",
                                       kMaxHeaderBytes, ", and the file has ", size));
  }
  VDB_ASSIGN_OR_RETURN(const std::string_view literal, file->At(kFixedBytes + length_bytes, literal_bytes));
  VDB_RETURN_IF_ERROR(ParseLiteral(literal, &header));
  const std::uint64_t row_bytes = header.dim * header.component_bytes;
  const std::uint64_t data_bytes = size - header.data_offset;
  if (header.rows != data_bytes / row_bytes || data_bytes % row_bytes != 0) {
    return InvalidArgumentError(StrCat("the npy header says ", header.rows, " rows of ", row_bytes, " bytes from byte ",
                                       header.data_offset, "; the file has ", data_bytes, " bytes there"));
  }
  return header;
}

}  // namespace

Result<NpyHeader> ReadNpyHeader(FileWindow* file) {
  Result<NpyHeader> header = Read(file);
  if (header.ok()) return header;
  return header.status().WithMessage(StrCat(file->path(), ": ", header.status().message()));
}

}  // namespace vdb::tools
