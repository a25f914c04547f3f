// StoreBatch: one RocksDB WriteBatch over every column family.

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/coding.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

// Per-key checksums from here to the memtable: a flipped bit in memory does not become data.
constexpr std::size_t kProtectionBytesPerKey = 8;

FamilyById* FamilyHandle(Family family) {
  static std::array<FamilyById, kFamilyCount> handles = {FamilyById(kCatalog), FamilyById(kIds), FamilyById(kRecords),
                                                         FamilyById(kVectors), FamilyById(kDeletes)};
  return &handles[family];
}

}  // namespace

struct StoreBatch::Rep {
  rocksdb::WriteBatch batch{0, 0, kProtectionBytesPerKey, 0};

  // Failures of WriteBatch (a size limit that is not set) cannot happen; they would come back from Write.
  void Put(Family family, std::string_view key, std::string_view value) {
    batch.Put(FamilyHandle(family), ToSlice(key), ToSlice(value)).PermitUncheckedError();
  }
  void Delete(Family family, std::string_view key) {
    batch.Delete(FamilyHandle(family), ToSlice(key)).PermitUncheckedError();
  }
  void DeleteRange(Family family, std::string_view begin, std::string_view end) {
    batch.DeleteRange(FamilyHandle(family), ToSlice(begin), ToSlice(end)).PermitUncheckedError();
  }
};

StoreBatch::StoreBatch() : rep_(std::make_unique<Rep>()) {}
StoreBatch::~StoreBatch() = default;
StoreBatch::StoreBatch(StoreBatch&&) noexcept = default;
StoreBatch& StoreBatch::operator=(StoreBatch&&) noexcept = default;

void StoreBatch::PutId(GenerationKey key, std::string_view id, std::uint32_t slot) {
  rep_->Put(kIds, IdKey(key, id), EncodeSlot(slot));
}

void StoreBatch::DeleteId(GenerationKey key, std::string_view id) {
  rep_->Delete(kIds, IdKey(key, id));
}

void StoreBatch::PutRecord(GenerationKey key, const RecordEntry& record) {
  rep_->Put(kRecords, RecordKey(key, record.slot), EncodeRecord(record));
}

void StoreBatch::PutVector(GenerationKey key, std::uint32_t slot, std::span<const float> vector) {
  rep_->Put(kVectors, VectorKey(key, kFirstVectorField, slot),
            {reinterpret_cast<const char*>(vector.data()), vector.size_bytes()});
}

void StoreBatch::PurgeSlot(GenerationKey key, std::uint32_t slot) {
  rep_->Delete(kRecords, RecordKey(key, slot));
  rep_->Delete(kVectors, VectorKey(key, kFirstVectorField, slot));
}

void StoreBatch::PutDeletes(GenerationKey key, std::uint64_t commit_seq, std::span<const std::uint32_t> slots) {
  rep_->Put(kDeletes, DeleteKey(key, commit_seq), {reinterpret_cast<const char*>(slots.data()), slots.size_bytes()});
}

void StoreBatch::RemoveDeletes(GenerationKey key, std::uint64_t commit_seq) {
  rep_->Delete(kDeletes, DeleteKey(key, commit_seq));
}

void StoreBatch::DropGeneration(GenerationKey key) {
  const std::string begin = GenerationPrefix(key);
  const std::string end = GenerationEnd(key);
  for (const Family family : {kIds, kRecords, kVectors, kDeletes}) rep_->DeleteRange(family, begin, end);
  rep_->Delete(kCatalog, CountersKey(key));
  rep_->Delete(kCatalog, PublishedKey(key));
}

void StoreBatch::PutCommitSeq(std::uint64_t commit_seq) {
  std::string value;
  AppendLittleEndian(&value, commit_seq);
  rep_->Put(kCatalog, kCommitSeqKey, value);
}

void StoreBatch::PutNextCollection(std::uint32_t id) {
  std::string value;
  AppendLittleEndian(&value, id);
  rep_->Put(kCatalog, kNextCollectionKey, value);
}

void StoreBatch::PutSchema(const CollectionSchema& schema) {
  rep_->Put(kCatalog, SchemaKey(schema.id), Encode(schema));
}
void StoreBatch::DeleteSchema(std::uint32_t collection) {
  rep_->Delete(kCatalog, SchemaKey(collection));
}

void StoreBatch::PutDocument(std::uint32_t collection, std::string_view json) {
  rep_->Put(kCatalog, DocumentKey(collection), EncodeDocument(json));
}
void StoreBatch::DeleteDocument(std::uint32_t collection) {
  rep_->Delete(kCatalog, DocumentKey(collection));
}

void StoreBatch::PutCounters(GenerationKey key, const Counters& counters) {
  rep_->Put(kCatalog, CountersKey(key), Encode(counters));
}

void StoreBatch::PutPublished(GenerationKey key, const PublishedFiles& files) {
  rep_->Put(kCatalog, PublishedKey(key), Encode(files));
}

void StoreBatch::DeletePublished(GenerationKey key) {
  rep_->Delete(kCatalog, PublishedKey(key));
}

void StoreBatch::PutIntent(const Intent& intent) {
  rep_->Put(kCatalog, IntentKey(intent.key), Encode(intent.kind));
}

void StoreBatch::DeleteIntent(GenerationKey key) {
  rep_->Delete(kCatalog, IntentKey(key));
}

std::size_t StoreBatch::SizeBytes() const {
  return rep_->batch.GetDataSize();
}

Status Store::Write(StoreBatch* batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = rep_->db->Write(options, &batch->rep_->batch);
  if (status.ok()) return OkStatus();
  return IoError(StrCat("writing to the store failed: ", status.ToString(),
                        ". The outcome is unknown: close the database and open it again, what it then holds is what "
                        "counts"));
}

}  // namespace vdb::storage
