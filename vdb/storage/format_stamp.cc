#include "vdb/storage/format_stamp.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "vdb/util/checksum.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::size_t kCopyBytes = 512;
constexpr std::array<char, 8> kMagic = {'V', 'D', 'B', 'F', 'O', 'R', 'M', '\n'};

// FORMAT.md §1.
struct Stamp {
  std::array<char, 8> magic = kMagic;
  std::uint32_t major = kFormatMajor;
  std::uint32_t minor = kFormatMinor;
  std::uint64_t required_features = 0;  // a reader that does not know one of these bits refuses
  std::uint64_t checksum = 0;           // XXH3 of the fields before

  std::uint64_t ComputeChecksum() const { return Checksum(this, offsetof(Stamp, checksum)); }
};
static_assert(sizeof(Stamp) == 32);

}  // namespace

Result<StampState> ReadFormatStamp(const std::string& path) {
  if (!PathExists(path)) return StampState::kMissing;
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(path));
  for (std::size_t copy = 0; copy < 2; ++copy) {
    Stamp stamp;
    if (!file.ReadAt(copy * kCopyBytes, &stamp, sizeof(stamp)).ok()) continue;
    if (stamp.magic != kMagic || stamp.checksum != stamp.ComputeChecksum()) continue;
    if (stamp.major != kFormatMajor || stamp.required_features != 0) {
      return FailedPreconditionError(
          StrCat(path, ": the database has format ", stamp.major, ".", stamp.minor, " (required features ",
                 stamp.required_features, "); this build of vdb reads format ", kFormatMajor,
                 ". Open it with a newer vdb; nothing was changed"),
          StatusReason::kNewerFormat);
    }
    return StampState::kCurrent;
  }
  return StampState::kDamaged;
}

Status WriteFormatStamp(const std::string& path) {
  Stamp stamp;
  stamp.checksum = stamp.ComputeChecksum();
  std::string bytes(2 * kCopyBytes, '\0');
  for (std::size_t copy = 0; copy < 2; ++copy) {
    bytes.replace(copy * kCopyBytes, sizeof(stamp), reinterpret_cast<const char*>(&stamp), sizeof(stamp));
  }
  return ReplaceFile(path, bytes);
}

}  // namespace vdb::storage
