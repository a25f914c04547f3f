// The bytes of a field index's file: shared by writer and reader. vdb/storage/FORMAT.md §8 says what each means.
//
// Thread safety: constants and plain records.
#ifndef VDB_FIELDS_FIELD_FILE_H_
#define VDB_FIELDS_FIELD_FILE_H_

#include <cstddef>
#include <cstdint>

#include "vdb/util/segmented_array.h"

namespace vdb {

inline constexpr std::uint64_t kFieldFileMagic = 0x3153'444C'4946'4456;  // "VDFILDS1"
inline constexpr std::uint32_t kFieldFileVersion = 1;
inline constexpr std::uint64_t kFieldSectionAlignment = 64;
inline constexpr std::size_t kFieldPieceBytes = std::size_t{1} << 20;
inline constexpr std::uint32_t kNoColumn = 0xFFFF'FFFF;

// Persistent: never renumber.
enum class FieldSectionKind : std::uint32_t {
  kIdEntries = 1,
  kIdBytes = 2,
  kUnindexed = 3,
  kWithoutVector = 4,
  kCellTags = 16,
  kCellCodes = 17,
  kCellWords = 18,
  kElementTags = 19,
  kElementCodes = 20,
  kElementWords = 21,
  kDictionaryEntries = 22,
  kDictionaryBytes = 23,
};
// A reader that does not know a kind skips the section if this flag is clear, and refuses the file otherwise.
inline constexpr std::uint32_t kFieldSectionRequired = 1;

struct FieldFileHeader {
  std::uint64_t magic = kFieldFileMagic;
  std::uint32_t version = kFieldFileVersion;
  std::uint32_t rows = 0;
  std::uint64_t stamp = 0;
  std::uint64_t table_offset = 0;
  std::uint64_t table_size = 0;
  std::uint64_t table_checksum = 0;
  std::uint64_t reserved = 0;
  std::uint64_t header_checksum = 0;  // of the bytes before it
};
static_assert(sizeof(FieldFileHeader) == 64);

struct FieldSection {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint32_t column = kNoColumn;  // in the order of the table
  std::uint32_t element_bytes = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;  // of the checksums of its pieces of kFieldPieceBytes
};
static_assert(sizeof(FieldSection) == 40);

}  // namespace vdb

#endif  // VDB_FIELDS_FIELD_FILE_H_
