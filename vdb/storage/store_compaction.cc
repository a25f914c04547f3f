// Store: merging table files.

#include <string>
#include <vector>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/status_macros.h"

namespace vdb::storage {
namespace {

// A table below this many bytes is small; a run of so many neighbours is worth merging. What a merge made is merged
// again until it is no longer small: each byte of a table written by a close is written about seven times more.
constexpr std::uint64_t kSmallTableBytes = std::uint64_t{1} << 20;
constexpr std::size_t kManyTables = 8;

// Runs of small neighbours on levels whose tables do not overlap. RocksDB moves such tables down as they are, and never
// merges them while their keys are apart.
std::vector<std::vector<std::string>> RunsOfSmallTables(const rocksdb::LevelMetaData& level) {
  std::vector<std::vector<std::string>> runs(1);
  for (const rocksdb::SstFileMetaData& file : level.files) {
    if (file.size < kSmallTableBytes && !file.being_compacted) {
      runs.back().push_back(file.name);
    } else if (!runs.back().empty()) {
      runs.emplace_back();
    }
  }
  std::erase_if(runs, [](const std::vector<std::string>& run) { return run.size() < kManyTables; });
  return runs;
}

}  // namespace

Status Store::CompactEverything() {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (rocksdb::ColumnFamilyHandle* family : rep_->families) {
    VDB_RETURN_IF_ERROR(FromRocks("compacting the store", rep_->db->CompactRange(options, family, nullptr, nullptr)));
  }
  return OkStatus();
}

Status Store::MergeSmallTables() {
  rocksdb::CompactionOptions options;
  options.compression = rocksdb::kDisableCompressionOption;  // as the column family says
  for (rocksdb::ColumnFamilyHandle* family : rep_->families) {
    rocksdb::ColumnFamilyMetaData tables;
    rep_->db->GetColumnFamilyMetaData(family, &tables);
    for (const rocksdb::LevelMetaData& level : tables.levels) {
      if (level.level == 0) continue;
      for (const std::vector<std::string>& run : RunsOfSmallTables(level)) {
        VDB_RETURN_IF_ERROR(
            FromRocks("merging small tables of the store", rep_->db->CompactFiles(options, family, run, level.level)));
      }
    }
  }
  return OkStatus();
}

}  // namespace vdb::storage
