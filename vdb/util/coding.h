// Fixed-width integers in bytes: big-endian in keys (so that byte order is number order), little-endian in values and
// files. Thread safety: free functions over the caller's memory.
#ifndef VDB_UTIL_CODING_H_
#define VDB_UTIL_CODING_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace vdb {

static_assert(std::endian::native == std::endian::little, "files and values are little-endian");

template <std::unsigned_integral T>
void AppendBigEndian(std::string* out, T value) {
  for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

// bytes must hold at least sizeof(T) bytes.
template <std::unsigned_integral T>
T LoadBigEndian(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>((value << 8) | static_cast<unsigned char>(bytes[i]));
  return value;
}

template <typename T>
requires std::is_trivially_copyable_v<T>
void AppendLittleEndian(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Reads values off the front of a byte string; every read says whether enough bytes were left.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool Read(T* value) {
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }

  [[nodiscard]] bool ReadBytes(std::size_t size, std::string_view* out) {
    if (bytes_.size() < size) return false;
    *out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

  // u32 length, then that many bytes; the counterpart of AppendLengthPrefixed.
  [[nodiscard]] bool ReadLengthPrefixed(std::string_view* out) {
    std::uint32_t size = 0;
    return Read(&size) && ReadBytes(size, out);
  }

  bool empty() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

inline void AppendLengthPrefixed(std::string* out, std::string_view bytes) {
  AppendLittleEndian(out, static_cast<std::uint32_t>(bytes.size()));
  out->append(bytes);
}

}  // namespace vdb

#endif  // VDB_UTIL_CODING_H_
