// A random rotation of vectors, always the same one of a size: it spreads what a few components hold over all of them,
// so that one scale fits a whole vector. Lengths and distances stay what they were, but for float32 rounding.
//
// Thread safety: immutable. Source: Ailon & Chazelle 2006 (random signs, then a Walsh-Hadamard transform), on two
// overlapping blocks in turn where the size is no power of two.
#ifndef VDB_INDEX_ROTATION_H_
#define VDB_INDEX_ROTATION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vdb/simd/code_kernels.h"

namespace vdb {

// Persistent: never renumber, and never change what a kind does.
enum class RotationKind : std::uint32_t { kNone = 0, kHadamard = 1 };

class Rotation {
 public:
  // size: a multiple of simd::kCodeUnit, not 0.
  explicit Rotation(std::size_t size);

  std::size_t size() const { return size_; }

  // x: size() components of magnitudes that can be added up. The same bits on every machine.
  void Apply(float* x) const;

 private:
  const std::size_t size_;
  const std::size_t block_;  // the largest power of two up to size_
  const simd::CodeKernels& kernels_;
  std::vector<float> signs_;  // of each round, with its scale: block_ components
};

}  // namespace vdb

#endif  // VDB_INDEX_ROTATION_H_
