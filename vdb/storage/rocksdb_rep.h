// What the .cc files of vdb/storage share of RocksDB: column families, options, the insides of Store. Private to it.
#ifndef VDB_STORAGE_ROCKSDB_REP_H_
#define VDB_STORAGE_ROCKSDB_REP_H_

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vdb/storage/store.h"

namespace vdb::storage {

// Index into the column family handles. The names are persistent.
enum Family : std::uint32_t { kCatalog = 0, kIds, kRecords, kVectors, kDeletes, kFamilyCount };
inline constexpr std::array<const char*, kFamilyCount> kFamilyNames = {"default", "ids", "records", "vectors",
                                                                       "deletes"};

// cache may be null (files written beside the database).
rocksdb::ColumnFamilyOptions FamilyOptions(Family family, const std::shared_ptr<rocksdb::Cache>& cache);

// The Status of a RocksDB status, with the action in words. A failed write's outcome is unknown: IoError.
Status FromRocks(std::string_view action, const rocksdb::Status& status);

inline rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
inline std::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

std::string EncodeSlot(std::uint32_t slot);
std::string EncodeRecord(const RecordEntry& record);

struct Store::Rep {
  std::string path;
  std::shared_ptr<std::atomic<std::uint64_t>> flushes = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};
  std::unique_ptr<rocksdb::DB> db;

  ~Rep();
  Result<std::optional<std::string>> Get(Family family, std::string_view key) const;
  std::unique_ptr<rocksdb::Iterator> NewIterator(Family family, const rocksdb::ReadOptions& read) const;
};

// Batches name column families by handle, which they need not own: a stand-in by id.
class FamilyById final : public rocksdb::ColumnFamilyHandle {
 public:
  explicit FamilyById(Family family) : family_(family), name_(kFamilyNames[family]) {}
  const std::string& GetName() const override { return name_; }
  std::uint32_t GetID() const override { return family_; }
  rocksdb::Status GetDescriptor(rocksdb::ColumnFamilyDescriptor*) override { return rocksdb::Status::NotSupported(); }
  const rocksdb::Comparator* GetComparator() const override;

 private:
  Family family_;
  std::string name_;
};

}  // namespace vdb::storage

#endif  // VDB_STORAGE_ROCKSDB_REP_H_
