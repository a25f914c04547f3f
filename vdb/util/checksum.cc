#include "vdb/util/checksum.h"

#include <xxhash.h>

namespace vdb {

std::uint64_t Checksum(const void* data, std::size_t size) {
  return XXH3_64bits(data, size);
}

}  // namespace vdb
