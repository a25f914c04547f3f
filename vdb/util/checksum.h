// The one checksum of every file and block that vdb writes: XXH3, 64 bits.
#ifndef VDB_UTIL_CHECKSUM_H_
#define VDB_UTIL_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vdb {

std::uint64_t Checksum(const void* data, std::size_t size);
inline std::uint64_t Checksum(std::string_view bytes) {
  return Checksum(bytes.data(), bytes.size());
}

}  // namespace vdb

#endif  // VDB_UTIL_CHECKSUM_H_
