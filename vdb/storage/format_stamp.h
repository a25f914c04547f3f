// The format stamp: the file FORMAT by which a folder is known as a database, and its version before RocksDB is
// touched.
//
// Two copies in one file, each with a checksum (FORMAT.md §1), so that one flipped bit does no harm.
// Thread safety: free functions.
#ifndef VDB_STORAGE_FORMAT_STAMP_H_
#define VDB_STORAGE_FORMAT_STAMP_H_

#include <vdb/status.h>

#include <cstdint>
#include <string>

namespace vdb::storage {

inline constexpr std::uint32_t kFormatMajor = 1;  // a reader of another major version refuses
inline constexpr std::uint32_t kFormatMinor = 0;  // older readers of the same major version understand what they need

enum class StampState {
  kMissing,
  kDamaged,  // no valid copy
  kCurrent,
};

// Reads the stamp at path. FailedPrecondition if a valid copy names a newer major version or a feature that this build
// does not know; nothing is changed.
Result<StampState> ReadFormatStamp(const std::string& path);

// Writes the stamp of this build, durably.
Status WriteFormatStamp(const std::string& path);

}  // namespace vdb::storage

#endif  // VDB_STORAGE_FORMAT_STAMP_H_
