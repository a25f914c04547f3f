// VectorRows: the rows of a NumPy array as float32, read in place where they are float32 without gaps.
//
// Thread safety: const access is safe; rows read the array's memory, which its owner must not change meanwhile.
// Ownership: keeps the array alive.
#ifndef VDB_PYTHON_SRC_VECTORS_H_
#define VDB_PYTHON_SRC_VECTORS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <span>
#include <vector>

namespace vdb::python {

using InputArray = nanobind::ndarray<nanobind::ro, nanobind::device::cpu>;
using OutputArray1 = nanobind::ndarray<nanobind::numpy, float, nanobind::ndim<1>>;
using OutputArray2 = nanobind::ndarray<nanobind::numpy, float, nanobind::ndim<2>>;

class VectorRows {
 public:
  // array: dim float16, float32 or float64 (one row), or rows x dim; any strides. Throws StatusError otherwise.
  explicit VectorRows(InputArray array);

  std::size_t rows() const { return rows_; }
  std::size_t dim() const { return dim_; }
  // Whether Row gives views into the array and does not touch its scratch.
  bool in_place() const { return in_place_; }

  // Row i, [0, rows()): a view into the array, or converted into scratch, dim() floats.
  std::span<const float> Row(std::size_t i, float* scratch) const;

 private:
  template <typename T>
  void Convert(const std::byte* row, float* out) const;

  InputArray array_;
  const std::byte* data_;
  std::size_t rows_;
  std::size_t dim_;
  std::ptrdiff_t row_stride_;        // bytes
  std::ptrdiff_t component_stride_;  // bytes
  std::size_t bits_;                 // per component: 16, 32 or 64
  bool in_place_;
};

// Arrays that own their values: vector.size() components; rows * dim components, row-major.
OutputArray1 ToArray(std::vector<float> vector);
OutputArray2 ToArray(std::vector<float> vectors, std::size_t rows, std::size_t dim);

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_VECTORS_H_
