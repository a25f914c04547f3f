// Packed codes: 5 bits a component, as the kernels of code_kernels.h read them.
//
// A component c in [-15, 15] is held as u = c + 16. Of 128 components the low four bits of u are in 64 bytes, those of
// component i < 64 in the lower half of byte i, those of component 64 + i in its upper half; then 16 bytes hold the
// fifth bits, that of component i is bit i / 16 of byte i % 16. So registers of 16, 32 and 64 bytes find components in
// their order. Where 64 are left at the end, they are in 32 and 16 bytes the same way. Thread safety: pure functions.
#ifndef VDB_SIMD_PACKED_CODE_H_
#define VDB_SIMD_PACKED_CODE_H_

#include <cstddef>
#include <cstdint>

namespace vdb::simd {

inline constexpr std::size_t kPackedUnit = 64;
inline constexpr std::size_t kPackedBlock = 128;
inline constexpr std::size_t kPackedBlockBytes = 80;
inline constexpr std::size_t kPackedUnitBytes = 48;
// The largest component, and what is added to each.
inline constexpr int kPackedLargest = 15;
inline constexpr int kPackedOffset = 16;

// Of a packed code of n components, a multiple of kPackedUnit.
constexpr std::size_t PackedBytes(std::size_t n) {
  return n / kPackedBlock * kPackedBlockBytes + n % kPackedBlock / kPackedUnit * kPackedUnitBytes;
}

// code: n components in [-15, 15], a multiple of kPackedUnit. packed: PackedBytes(n).
void Pack(const std::int8_t* code, std::size_t n, std::int8_t* packed);
void Unpack(const std::int8_t* packed, std::size_t n, std::int8_t* code);

}  // namespace vdb::simd

#endif  // VDB_SIMD_PACKED_CODE_H_
