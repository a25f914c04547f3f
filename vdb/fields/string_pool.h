// Strings by index, appended once, never moved: ids of slots, values of dictionaries.
//
// An entry is one word (offset, size) into an arena of bytes; a string never crosses a segment of the arena, so arena
// and entries can be written to and read from a file as they are.
// Thread safety: one writer at a time (Write); Get of an index that was published to the reader by an acquire/release
// pair of the caller's runs beside it.
// Ownership: the pool owns the bytes; returned views live as long as it.
#ifndef VDB_FIELDS_STRING_POOL_H_
#define VDB_FIELDS_STRING_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "vdb/util/segmented_array.h"

namespace vdb {

class StringPool {
 public:
  using Entries = SegmentedArray<std::uint64_t>;
  using Bytes = SegmentedArray<char, 12>;
  static constexpr std::size_t kMaxStringBytes = 4'096;  // the smallest segment

  // Sets string `index`; text is at most kMaxStringBytes. An index may be set again before it is published: the last
  // one counts. Throws std::bad_alloc. Writer only.
  void Write(std::uint64_t index, std::string_view text) {
    entries_.Reserve(index + 1);
    std::uint64_t offset = end_.load(std::memory_order_relaxed);
    if (!text.empty()) {
      bytes_.Reserve(offset + 1);
      std::uint64_t room = 0;
      char* to = bytes_.Run(offset, ~std::uint64_t{0}, &room);
      if (room < text.size()) {
        offset += room;
        bytes_.Reserve(offset + 1);
        to = bytes_.Run(offset, ~std::uint64_t{0}, &room);
      }
      std::memcpy(to, text.data(), text.size());
    }
    entries_[index] = Pack(offset, text.size());
    end_.store(offset + text.size(), std::memory_order_release);
  }

  // The string, empty if it was never set.
  std::string_view Get(std::uint64_t index) const {
    if (!entries_.IsReserved(index)) return {};
    const std::uint64_t entry = entries_[index];
    if (SizeOf(entry) == 0) return {};
    return {&bytes_[OffsetOf(entry)], SizeOf(entry)};
  }

  // For the column file: the raw arrays, the bytes in use (acquire), and their end after loading. Writer only.
  const Entries& entries() const { return entries_; }
  const Bytes& bytes() const { return bytes_; }
  Entries& mutable_entries() { return entries_; }
  Bytes& mutable_bytes() { return bytes_; }
  std::uint64_t bytes_end() const { return end_.load(std::memory_order_acquire); }
  void set_bytes_end(std::uint64_t end) { end_.store(end, std::memory_order_release); }

  std::size_t ReservedBytes() const { return entries_.ReservedBytes() + bytes_.ReservedBytes(); }

  // Entry: offset in the upper 48 bits, size in the lower 16.
  static std::uint64_t Pack(std::uint64_t offset, std::uint64_t size) { return offset << 16 | size; }
  static std::uint64_t OffsetOf(std::uint64_t entry) { return entry >> 16; }
  static std::uint64_t SizeOf(std::uint64_t entry) { return entry & 0xFFFF; }

 private:
  Entries entries_;
  Bytes bytes_;
  std::atomic<std::uint64_t> end_{0};
};

}  // namespace vdb

#endif  // VDB_FIELDS_STRING_POOL_H_
