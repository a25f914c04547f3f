#include "vdb/index/rotation.h"

#include <bit>
#include <cmath>

namespace vdb {
namespace {

// Steele, Lea & Flood 2014, SplitMix64.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// Two for a single block; two for each of overlapping ones, for what one round takes from a block to the other is
// spread over that only in the next.
std::size_t Rounds(std::size_t size) {
  return std::has_single_bit(size) ? 2 : 4;
}

}  // namespace

Rotation::Rotation(std::size_t size)
    : size_(size), block_(std::bit_floor(size)), kernels_(simd::ActiveCodeKernels()), signs_(Rounds(size) * block_) {
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(block_)));
  for (std::size_t i = 0; i < signs_.size(); ++i) signs_[i] = (Mix(i / 64) >> (i % 64) & 1) != 0 ? -scale : scale;
}

void Rotation::Apply(float* x) const {
  for (std::size_t begin = 0; begin < signs_.size(); begin += block_) {
    const bool is_last = begin / block_ % 2 == 1;
    kernels_.hadamard(&signs_[begin], block_, is_last ? x + size_ - block_ : x);
  }
}

}  // namespace vdb
