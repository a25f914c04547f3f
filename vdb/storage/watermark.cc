#include "vdb/storage/watermark.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "vdb/util/checksum.h"
#include "vdb/util/status_macros.h"

namespace vdb::storage {
namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::array<char, 8> kMagic = {'V', 'D', 'B', 'W', 'M', 'A', 'R', 'K'};

// FORMAT.md §2.
struct Block {
  std::array<char, 8> magic = kMagic;
  std::uint64_t writes = 0;
  std::uint64_t commit_seq = 0;
  std::uint64_t checksum = 0;  // XXH3 of the fields before

  std::uint64_t ComputeChecksum() const { return Checksum(this, offsetof(Block, checksum)); }
};
static_assert(sizeof(Block) == 32);

// The valid block with the most writes.
std::optional<Block> ReadNewest(const FileHandle& file) {
  std::optional<Block> newest;
  for (std::size_t i = 0; i < 2; ++i) {
    Block block;
    if (!file.ReadAt(i * kBlockBytes, &block, sizeof(block)).ok()) continue;
    if (block.magic != kMagic || block.checksum != block.ComputeChecksum()) continue;
    if (!newest || block.writes > newest->writes) newest = block;
  }
  return newest;
}

}  // namespace

Result<Watermark> Watermark::Open(const std::string& path) {
  const bool is_new = !PathExists(path);
  VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForWrite(path));
  const std::optional<Block> newest = ReadNewest(file);
  if (!newest) VDB_RETURN_IF_ERROR(file.Truncate(2 * kBlockBytes));
  if (is_new) VDB_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(path)));
  return Watermark(std::move(file), newest ? newest->commit_seq : 0, newest ? newest->writes + 1 : 0);
}

Result<std::uint64_t> Watermark::Read(const std::string& path) {
  if (!PathExists(path)) return std::uint64_t{0};
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(path));
  const std::optional<Block> newest = ReadNewest(file);
  return newest ? newest->commit_seq : std::uint64_t{0};
}

Status Watermark::Advance(std::uint64_t commit_seq) {
  Block block;
  block.writes = writes_;
  block.commit_seq = commit_seq;
  block.checksum = block.ComputeChecksum();
  VDB_RETURN_IF_ERROR(file_.WriteAt((writes_ % 2) * kBlockBytes,
                                    std::string_view(reinterpret_cast<const char*>(&block), sizeof(block))));
  ++writes_;
  commit_seq_ = commit_seq;
  return OkStatus();
}

}  // namespace vdb::storage
