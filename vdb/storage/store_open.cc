// Opening RocksDB: options, column families, and what its statuses become.

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string>
#include <system_error>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

// 10 bits a key: about 1 % of lookups of an absent id read a block. Partly answered from memory: ids are mostly new.
constexpr double kBloomBitsPerKey = 10;
// Four to ten vectors a block; larger blocks make single reads slower, smaller ones the index larger.
constexpr std::size_t kVectorBlockBytes = std::size_t{16} << 10;
constexpr std::size_t kWriteBufferBytes = std::size_t{16} << 20;

class FlushCounter final : public rocksdb::EventListener {
 public:
  explicit FlushCounter(std::shared_ptr<std::atomic<std::uint64_t>> flushes) : flushes_(std::move(flushes)) {}
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override {
    flushes_->fetch_add(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<std::atomic<std::uint64_t>> flushes_;
};

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::DBOptions DatabaseOptions(const StoreOptions& limits, std::shared_ptr<std::atomic<std::uint64_t>> flushes,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Without it one flipped bit in an old log leaves column families at different points, and open fails for good.
  options.atomic_flush = true;
  options.max_total_wal_size = limits.wal_bytes;
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(limits.memtable_bytes, cache);
  options.max_background_jobs = 2;
  // 16, for each column family in turn, are 5 ms of making threads.
  options.max_file_opening_threads = 2;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.paranoid_checks = true;
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.allow_data_in_errors = false;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.db_host_id = "";  // files say nothing about the machine that wrote them
  options.max_log_file_size = std::size_t{1} << 20;
  options.listeners = {std::make_shared<FlushCounter>(std::move(flushes))};
  return options;
}

// RocksDB begins a log whenever it opens, and 7.8.3 keeps one that nothing was written to until its next flush
// (facebook/rocksdb#11409): of a program that never closes and seldom writes there would be one for each of its runs.
void RemoveEmptyLogs(const std::string& path) {
  const Result<std::vector<std::string>> names = ListDirectory(path);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(".log")) continue;
    const std::string log = StrCat(path, "/", name);
    const Result<FileHandle> file = FileHandle::OpenForRead(log);
    if (!file.ok()) continue;
    const Result<std::uint64_t> size = file->Size();
    if (size.ok() && *size == 0) static_cast<void>(RemoveTree(log));
  }
}

// RocksDB has no code for it, and wraps it in others.
bool IsLack(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return std::ranges::any_of(std::initializer_list<int>{EMFILE, ENFILE, ENOMEM}, [&](int error) {
    return text.find(std::generic_category().message(error)) != std::string::npos;
  });
}

}  // namespace

rocksdb::ColumnFamilyOptions FamilyOptions(Family family, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions result;
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = false;
  if (family == kIds) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  if (family == kVectors) table.block_size = kVectorBlockBytes;
  if (cache != nullptr) table.block_cache = cache;
  result.write_buffer_size = kWriteBufferBytes;
  result.compression = family == kRecords ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  result.force_consistency_checks = true;
  result.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return result;
}

Status FromRocks(std::string_view action, const rocksdb::Status& status) {
  if (status.ok()) return OkStatus();
  std::string message = StrCat(action, ": ", status.ToString());
  if (status.IsNotFound()) return NotFoundError(std::move(message));
  if (status.IsCorruption()) return DataLossError(std::move(message));
  if (status.IsNoSpace()) return ResourceExhaustedError(std::move(message));
  return IoError(std::move(message));
}

const rocksdb::Comparator* FamilyById::GetComparator() const {
  return rocksdb::BytewiseComparator();
}

Store::Rep::~Rep() {
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family);
  }
  // Flushes memtables first, so that no log is left that could rot.
  db->Close();
}

Result<std::unique_ptr<Store>> Store::Open(const std::string& path, const StoreOptions& options) {
  auto rep = std::make_unique<Rep>();
  rep->path = path;
  if (!options.read_only) {
    VDB_RETURN_IF_ERROR(MakeDirectory(path));
    RemoveEmptyLogs(path);
  }
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::uint32_t f = 0; f < kFamilyCount; ++f) {
    descriptors.emplace_back(kFamilyNames[f], FamilyOptions(static_cast<Family>(f), cache));
    descriptors.back().options.force_consistency_checks = options.check_consistency;
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::DBOptions db_options = DatabaseOptions(options, rep->flushes, cache);
  if (options.read_only) db_options.info_log = std::make_shared<NoLog>();  // or RocksDB would begin a file
  const rocksdb::Status status = options.read_only
                                     ? rocksdb::DB::OpenForReadOnly(db_options, path, descriptors, &handles, &db)
                                     : rocksdb::DB::Open(db_options, path, descriptors, &handles, &db);
  if (!status.ok()) {
    const Status mapped = FromRocks(StrCat("RocksDB cannot open ", path), status);
    // Whatever it says, a store that was there and does not open is damaged, unless something is short.
    if (status.IsNoSpace() || IsLack(status)) return ResourceExhaustedError(mapped.message());
    return DataLossError(mapped.message());
  }
  rep->db.reset(db);
  std::copy(handles.begin(), handles.end(), rep->families.begin());
  for (std::uint32_t f = 0; f < kFamilyCount; ++f) {
    // Batches go by number: with another one they would write to the wrong family.
    if (const std::uint32_t number = rep->families[f]->GetID(); number != f) {
      return DataLossError(StrCat(path, ": column family '", kFamilyNames[f], "' has number ", number, "; wanted ", f));
    }
  }
  return std::unique_ptr<Store>(new Store(std::move(rep)));
}

}  // namespace vdb::storage
