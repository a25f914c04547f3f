#include "python/src/vectors.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "python/src/status_error.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

// IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits.
struct Half {
  std::uint16_t bits;

  explicit operator float() const {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000U} << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1FU;
    const std::uint32_t fraction = bits & 0x3FFU;
    if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in float32
      const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
      return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide_exponent = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
    return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
  }
};

// The values move into a capsule that the array keeps.
nb::capsule OwnerOf(std::unique_ptr<std::vector<float>> values) {
  return nb::capsule(values.release(), [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
}

}  // namespace

VectorRows::VectorRows(InputArray array) : array_(std::move(array)) {
  if (array_.ndim() != 1 && array_.ndim() != 2) {
    ThrowInvalid(StrCat("vectors have ", array_.ndim(), " dimensions; wanted an array of shape (rows, dim) or (dim,)"));
  }
  const nb::dlpack::dtype type = array_.dtype();
  bits_ = type.bits;
  if (type.code != static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float) || type.lanes != 1 ||
      (bits_ != 16 && bits_ != 32 && bits_ != 64)) {
    ThrowInvalid("vectors are of another type; wanted float16, float32 or float64");
  }
  const std::size_t last = array_.ndim() - 1;
  const auto item_bytes = static_cast<std::ptrdiff_t>(bits_ / 8);
  data_ = static_cast<const std::byte*>(array_.data());
  rows_ = last == 0 ? 1 : array_.shape(0);
  dim_ = array_.shape(last);
  row_stride_ = last == 0 ? 0 : array_.stride(0) * item_bytes;
  component_stride_ = array_.stride(last) * item_bytes;
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(data_) % alignof(float) == 0 && row_stride_ % 4 == 0;
  in_place_ = bits_ == 32 && is_aligned && (dim_ <= 1 || component_stride_ == 4);
}

template <typename T>
void VectorRows::Convert(const std::byte* row, float* out) const {
  for (std::size_t j = 0; j < dim_; ++j, row += component_stride_) {
    T component;
    std::memcpy(&component, row, sizeof component);
    out[j] = static_cast<float>(component);
  }
}

std::span<const float> VectorRows::Row(std::size_t i, float* scratch) const {
  const std::byte* row = data_ + static_cast<std::ptrdiff_t>(i) * row_stride_;
  if (in_place_) return {reinterpret_cast<const float*>(row), dim_};
  switch (bits_) {
    case 16:
      Convert<Half>(row, scratch);
      break;
    case 32:
      Convert<float>(row, scratch);
      break;
    default:
      Convert<double>(row, scratch);
  }
  return {scratch, dim_};
}

OutputArray1 ToArray(std::vector<float> vector) {
  auto values = std::make_unique<std::vector<float>>(std::move(vector));
  float* data = values->data();
  const std::size_t size = values->size();
  return OutputArray1(data, {size}, OwnerOf(std::move(values)));
}

OutputArray2 ToArray(std::vector<float> vectors, std::size_t rows, std::size_t dim) {
  auto values = std::make_unique<std::vector<float>>(std::move(vectors));
  float* data = values->data();
  return OutputArray2(data, {rows, dim}, OwnerOf(std::move(values)));
}

}  // namespace vdb::python
