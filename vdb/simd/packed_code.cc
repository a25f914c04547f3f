#include "vdb/simd/packed_code.h"

#include <cstring>

namespace vdb::simd {
namespace {

// Eight bytes in one word. Shifts move bits of one byte into the next, which masks drop, so their order does not
// matter.
constexpr std::size_t kWord = sizeof(std::uint64_t);
// Bytes of fifth bits.
constexpr std::size_t kColumn = 16;

constexpr std::uint64_t Each(std::uint64_t byte) {
  return 0x0101'0101'0101'0101U * byte;
}
std::uint64_t LoadWord(const std::int8_t* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, kWord);
  return word;
}
void StoreWord(std::uint64_t word, std::int8_t* p) {
  std::memcpy(p, &word, kWord);
}

// c in [-15, 15] and u = c + 16, by way of c + 128: no byte borrows from the next.
std::uint64_t ToNumbers(std::uint64_t components) {
  return (components ^ Each(0x80)) - Each(0x80 - kPackedOffset);
}
std::uint64_t ToComponents(std::uint64_t numbers) {
  return (numbers + Each(0x80 - kPackedOffset)) ^ Each(0x80);
}

// kHalf: components in the lower halves of bytes, and as many in the upper ones.
template <std::size_t kHalf>
void PackSome(const std::int8_t* code, std::int8_t* packed) {
  std::uint64_t fifth[2] = {0, 0};
  for (std::size_t i = 0; i < kHalf; i += kWord) {
    const std::uint64_t low = ToNumbers(LoadWord(code + i));
    const std::uint64_t high = ToNumbers(LoadWord(code + kHalf + i));
    StoreWord((low & Each(0x0F)) | (high & Each(0x0F)) << 4U, packed + i);
    std::uint64_t* const bits = &fifth[i % kColumn / kWord];
    *bits |= (low >> 4U & Each(1)) << i / kColumn;
    *bits |= (high >> 4U & Each(1)) << (kHalf + i) / kColumn;
  }
  StoreWord(fifth[0], packed + kHalf);
  StoreWord(fifth[1], packed + kHalf + kWord);
}

template <std::size_t kHalf>
void UnpackSome(const std::int8_t* packed, std::int8_t* code) {
  const std::uint64_t fifth[2] = {LoadWord(packed + kHalf), LoadWord(packed + kHalf + kWord)};
  for (std::size_t i = 0; i < kHalf; i += kWord) {
    const std::uint64_t halves = LoadWord(packed + i);
    const std::uint64_t bits = fifth[i % kColumn / kWord];
    const std::uint64_t low = (halves & Each(0x0F)) | (bits >> i / kColumn & Each(1)) << 4U;
    const std::uint64_t high = (halves >> 4U & Each(0x0F)) | (bits >> (kHalf + i) / kColumn & Each(1)) << 4U;
    StoreWord(ToComponents(low), code + i);
    StoreWord(ToComponents(high), code + kHalf + i);
  }
}

}  // namespace

void Pack(const std::int8_t* code, std::size_t n, std::int8_t* packed) {
  for (; n >= kPackedBlock; n -= kPackedBlock, code += kPackedBlock, packed += kPackedBlockBytes) {
    PackSome<kPackedBlock / 2>(code, packed);
  }
  if (n > 0) PackSome<kPackedUnit / 2>(code, packed);
}

void Unpack(const std::int8_t* packed, std::size_t n, std::int8_t* code) {
  for (; n >= kPackedBlock; n -= kPackedBlock, code += kPackedBlock, packed += kPackedBlockBytes) {
    UnpackSome<kPackedBlock / 2>(packed, code);
  }
  if (n > 0) UnpackSome<kPackedUnit / 2>(packed, code);
}

}  // namespace vdb::simd
