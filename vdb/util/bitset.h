// A flat bitset by slot, for filters and visited sets: one cache-friendly test per neighbour.
//
// Thread safety: none; a finished set may be read from many threads.
#ifndef VDB_UTIL_BITSET_H_
#define VDB_UTIL_BITSET_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vdb {

class Bitset {
 public:
  Bitset() = default;
  // size bits, all clear.
  explicit Bitset(std::uint64_t size) : size_(size), words_((size + 63) / 64) {}

  std::uint64_t size() const { return size_; }
  bool Test(std::uint64_t bit) const { return (words_[bit >> 6] >> (bit & 63)) & 1; }
  void Set(std::uint64_t bit) { words_[bit >> 6] |= std::uint64_t{1} << (bit & 63); }
  void Clear(std::uint64_t bit) { words_[bit >> 6] &= ~(std::uint64_t{1} << (bit & 63)); }

  std::uint64_t Count() const {
    std::uint64_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<std::uint64_t>(std::popcount(word));
    return count;
  }

  // Calls visit(bit) for every set bit, ascending.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t word = words_[w]; word != 0; word &= word - 1) {
        visit(w * 64 + static_cast<std::uint64_t>(std::countr_zero(word)));
      }
    }
  }

  // 64 bits each, bit i of word w is bit 64 w + i; bits at and beyond size() are clear.
  std::vector<std::uint64_t>& words() { return words_; }
  const std::vector<std::uint64_t>& words() const { return words_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace vdb

#endif  // VDB_UTIL_BITSET_H_
