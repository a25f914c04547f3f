// The store: the one durable truth, in RocksDB. RocksDB's names appear in this folder's .cc files and
// rocksdb_rep.h only.
//
// Thread safety: reads are safe from many threads, beside one Write. Cursors are for one thread each.
// Ownership: the Store closes RocksDB when destroyed; cursors must be gone by then.
// Source: FORMAT.md §3 and §4 for every key and value.
#ifndef VDB_STORAGE_STORE_H_
#define VDB_STORAGE_STORE_H_

#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vdb/storage/catalog.h"
#include "vdb/storage/keys.h"

namespace vdb::storage {

struct StoreOptions {
  // Bytes that memtables of all column families may use together.
  std::size_t memtable_bytes = std::size_t{64} << 20;
  std::size_t block_cache_bytes = std::size_t{64} << 20;
  // Logs are kept below this many bytes, so that replay at open stays short.
  std::size_t wal_bytes = std::size_t{64} << 20;
  // Nothing on disk is changed, and Write must not be called. Logs are replayed in memory.
  bool read_only = false;
  // Off only while a store is repaired.
  bool check_consistency = true;
};

// A record, to be written or under a cursor; then the views are valid until the cursor moves.
struct RecordEntry {
  std::uint32_t slot = 0;
  std::string_view id;
  std::string_view payload;
  bool without_vector = false;
};

// One atomic write over every column family.
class StoreBatch {
 public:
  StoreBatch();
  ~StoreBatch();
  StoreBatch(StoreBatch&&) noexcept;
  StoreBatch& operator=(StoreBatch&&) noexcept;

  void PutId(GenerationKey key, std::string_view id, std::uint32_t slot);
  void DeleteId(GenerationKey key, std::string_view id);
  void PutRecord(GenerationKey key, const RecordEntry& record);
  void PutVector(GenerationKey key, std::uint32_t slot, std::span<const float> vector);
  // Removes record and vector of a dead slot.
  void PurgeSlot(GenerationKey key, std::uint32_t slot);
  void PutDeletes(GenerationKey key, std::uint64_t commit_seq, std::span<const std::uint32_t> slots);
  void RemoveDeletes(GenerationKey key, std::uint64_t commit_seq);
  // Removes every key of the generation but its intent.
  void DropGeneration(GenerationKey key);

  void PutCommitSeq(std::uint64_t commit_seq);
  void PutNextCollection(std::uint32_t id);
  void PutSchema(const CollectionSchema& schema);
  void DeleteSchema(std::uint32_t collection);
  void PutDocument(std::uint32_t collection, std::string_view json);
  void DeleteDocument(std::uint32_t collection);
  void PutCounters(GenerationKey key, const Counters& counters);
  void PutPublished(GenerationKey key, const PublishedFiles& files);
  void DeletePublished(GenerationKey key);
  void PutIntent(const Intent& intent);
  void DeleteIntent(GenerationKey key);

  std::size_t SizeBytes() const;

 private:
  friend class Store;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// A vector under a cursor; the view is valid until the cursor moves.
struct VectorEntry {
  std::uint32_t slot = 0;
  std::span<const float> vector;
};

// Walks one column family of a generation in slot order, on the state at its creation.
class StoreCursor {
 public:
  ~StoreCursor();
  StoreCursor(StoreCursor&&) noexcept;

  // The next entry with slot below `end`; nothing at the end. DataLoss names damaged entries.
  Result<std::optional<RecordEntry>> NextRecord(std::uint32_t end);
  Result<std::optional<VectorEntry>> NextVector(std::uint32_t end);

 private:
  friend class Store;
  struct Rep;
  explicit StoreCursor(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

struct DeletesEntry {
  std::uint64_t commit_seq = 0;
  std::vector<std::uint32_t> slots;
};

struct IdEntry {
  std::string id;
  std::uint32_t slot = 0;
};

// Sorted files to be taken over by the store in one step, one per column family (see sst_writer.h).
struct IngestFiles {
  std::vector<std::string> ids;
  std::vector<std::string> records;
  std::vector<std::string> vectors;
};

class Store {
 public:
  // Opens RocksDB in `path`, creating it if it is missing. DataLoss if RocksDB cannot open it.
  static Result<std::unique_ptr<Store>> Open(const std::string& path, const StoreOptions& options);
  ~Store();

  // Applies the batch atomically; with sync it is on the disk when the call returns, and so is every write before it.
  // IoError: the outcome is unknown.
  Status Write(StoreBatch* batch, bool sync);

  Result<std::optional<std::uint32_t>> FindId(GenerationKey key, std::string_view id) const;
  // id and payload may be null. NotFound if the slot has no record.
  Status GetRecord(GenerationKey key, std::uint32_t slot, std::string* id, std::string* payload,
                   bool* without_vector = nullptr) const;
  // The payloads of many slots, in their order; NotFound if one of them has no record.
  Status GetPayloads(GenerationKey key, std::span<const std::uint32_t> slots, std::vector<std::string>* payloads) const;
  Status GetVector(GenerationKey key, std::uint32_t slot, std::vector<float>* vector) const;

  StoreCursor Records(GenerationKey key, std::uint32_t first_slot) const;
  StoreCursor Vectors(GenerationKey key, std::uint32_t first_slot) const;
  Result<std::vector<DeletesEntry>> Deletes(GenerationKey key) const;
  // Every id of the generation, sorted by id.
  Result<std::vector<IdEntry>> Ids(GenerationKey key) const;

  Result<std::uint64_t> CommitSeq() const;
  Result<std::uint32_t> NextCollection() const;
  Result<std::vector<CollectionSchema>> Schemas() const;
  Result<std::vector<Intent>> Intents() const;
  // The JSON document of a collection, "{}" if there is none.
  Result<std::string> GetDocument(std::uint32_t collection) const;
  Result<Counters> GetCounters(GenerationKey key) const;
  // The generations that have counters, in order, whatever collections there are.
  Result<std::vector<GenerationKey>> CountedGenerations() const;
  Result<std::optional<PublishedFiles>> GetPublished(GenerationKey key) const;

  // Adds the files as they are, all or none; they are moved. Their keys must be new.
  Status Ingest(const IngestFiles& files);
  // Writes memtables out and waits.
  Status Flush();
  // Writes a copy of the store, as of now, into a new folder on the same file system or another.
  Status Checkpoint(const std::string& folder) const;
  // The destructor will not write memtables out.
  void DiscardUnflushed();
  // Merges all files of every column family.
  Status CompactEverything();
  // Merges the many small tables that a program leaves which opens, writes a little and closes in each of its runs.
  Status MergeSmallTables();
  // Reads every block of every file and compares checksums.
  Status VerifyChecksums() const;
  // Files of memtables written out since open.
  std::uint64_t flushes() const;

 private:
  friend class SstWriter;
  struct Rep;
  explicit Store(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace vdb::storage

#endif  // VDB_STORAGE_STORE_H_
