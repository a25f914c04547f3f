// Store: reads, cursors, catalog, maintenance.

#include "vdb/storage/store.h"

#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/coding.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

Status DamagedEntry(std::string_view family, GenerationKey key, std::uint64_t entry) {
  return DataLossError(StrCat("the store's ", family, " entry ", entry, " of collection ", key.collection,
                              ", generation ", key.generation, " is damaged"));
}

// In the length of an id, which is far below it.
constexpr std::uint16_t kWithoutVector = 0x8000;

bool DecodeRecord(std::string_view value, RecordEntry* entry) {
  ByteReader reader(value);
  std::uint16_t id_size = 0;
  if (!reader.Read(&id_size)) return false;
  entry->without_vector = (id_size & kWithoutVector) != 0;
  if (!reader.ReadBytes(id_size & ~kWithoutVector, &entry->id)) return false;
  entry->payload = reader.rest();
  return true;
}

}  // namespace

std::string EncodeSlot(std::uint32_t slot) {
  std::string value;
  AppendLittleEndian(&value, slot);
  return value;
}

std::string EncodeRecord(const RecordEntry& record) {
  std::string value;
  value.reserve(sizeof(std::uint16_t) + record.id.size() + record.payload.size());
  const unsigned flags = record.without_vector ? kWithoutVector : 0;
  AppendLittleEndian(&value, static_cast<std::uint16_t>(record.id.size() | flags));
  value.append(record.id).append(record.payload);
  return value;
}

struct StoreCursor::Rep {
  GenerationKey key;
  std::string upper_bound;
  rocksdb::Slice upper_slice;
  std::unique_ptr<rocksdb::Iterator> iterator;
  std::vector<float> vector;
  bool moved = false;

  // Moves to the next key of a slot below end; returns whether there is one.
  Result<bool> Advance(std::uint32_t end, std::uint32_t* slot) {
    if (moved) iterator->Next();
    moved = true;
    if (!iterator->Valid()) {
      VDB_RETURN_IF_ERROR(FromRocks("reading the store", iterator->status()));
      return false;
    }
    const std::string_view bytes = ToView(iterator->key());
    *slot = LoadBigEndian<std::uint32_t>(bytes.substr(bytes.size() - sizeof(std::uint32_t)));
    return *slot < end;
  }
};

StoreCursor::StoreCursor(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
StoreCursor::StoreCursor(StoreCursor&&) noexcept = default;
StoreCursor::~StoreCursor() = default;

Result<std::optional<RecordEntry>> StoreCursor::NextRecord(std::uint32_t end) {
  RecordEntry entry;
  VDB_ASSIGN_OR_RETURN(const bool found, rep_->Advance(end, &entry.slot));
  if (!found) return std::optional<RecordEntry>();
  if (!DecodeRecord(ToView(rep_->iterator->value()), &entry)) return DamagedEntry("records", rep_->key, entry.slot);
  return std::optional<RecordEntry>(entry);
}

Result<std::optional<VectorEntry>> StoreCursor::NextVector(std::uint32_t end) {
  VectorEntry entry;
  VDB_ASSIGN_OR_RETURN(const bool found, rep_->Advance(end, &entry.slot));
  if (!found) return std::optional<VectorEntry>();
  const std::string_view value = ToView(rep_->iterator->value());
  if (value.size() % sizeof(float) != 0) return DamagedEntry("vectors", rep_->key, entry.slot);
  rep_->vector.resize(value.size() / sizeof(float));
  std::memcpy(rep_->vector.data(), value.data(), value.size());
  entry.vector = rep_->vector;
  return std::optional<VectorEntry>(entry);
}

Store::Store(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Store::~Store() = default;

Result<std::optional<std::string>> Store::Rep::Get(Family family, std::string_view key) const {
  std::string value;
  const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), families[family], ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  VDB_RETURN_IF_ERROR(FromRocks("reading the store", status));
  return std::optional<std::string>(std::move(value));
}

std::unique_ptr<rocksdb::Iterator> Store::Rep::NewIterator(Family family, const rocksdb::ReadOptions& read) const {
  return std::unique_ptr<rocksdb::Iterator>(db->NewIterator(read, families[family]));
}

Result<std::optional<std::uint32_t>> Store::FindId(GenerationKey key, std::string_view id) const {
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> value, rep_->Get(kIds, IdKey(key, id)));
  if (!value) return std::optional<std::uint32_t>();
  std::uint32_t slot = 0;
  if (!ByteReader(*value).Read(&slot)) {
    return DataLossError(StrCat("the store's entry for id '", id, "' is damaged"));
  }
  return std::optional<std::uint32_t>(slot);
}

Status Store::GetRecord(GenerationKey key, std::uint32_t slot, std::string* id, std::string* payload,
                        bool* without_vector) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status =
      rep_->db->Get(rocksdb::ReadOptions(), rep_->families[kRecords], ToSlice(RecordKey(key, slot)), &value);
  VDB_RETURN_IF_ERROR(FromRocks(StrCat("reading record ", slot), status));
  RecordEntry entry;
  if (!DecodeRecord(ToView(value), &entry)) return DamagedEntry("records", key, slot);
  if (id != nullptr) *id = entry.id;
  if (payload != nullptr) *payload = entry.payload;
  if (without_vector != nullptr) *without_vector = entry.without_vector;
  return OkStatus();
}

Status Store::GetPayloads(GenerationKey key, std::span<const std::uint32_t> slots,
                          std::vector<std::string>* payloads) const {
  // In order of keys RocksDB looks each table and block up once.
  std::vector<std::uint32_t> order(slots.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return slots[a] < slots[b]; });
  std::vector<std::string> key_bytes;
  std::vector<rocksdb::Slice> keys;
  key_bytes.reserve(slots.size());
  keys.reserve(slots.size());
  for (const std::uint32_t i : order) keys.push_back(ToSlice(key_bytes.emplace_back(RecordKey(key, slots[i]))));
  std::vector<rocksdb::PinnableSlice> values(slots.size());
  std::vector<rocksdb::Status> statuses(slots.size());
  rep_->db->MultiGet(rocksdb::ReadOptions(), rep_->families[kRecords], keys.size(), keys.data(), values.data(),
                     statuses.data(), true);
  payloads->resize(slots.size());
  Status status;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::uint32_t slot = slots[order[i]];
    if (status.ok()) status = FromRocks(StrCat("reading record ", slot), statuses[i]);
    RecordEntry entry;
    if (status.ok() && !DecodeRecord(ToView(values[i]), &entry)) status = DamagedEntry("records", key, slot);
    if (status.ok()) (*payloads)[order[i]] = entry.payload;
  }
  return status;
}

Status Store::GetVector(GenerationKey key, std::uint32_t slot, std::vector<float>* vector) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = rep_->db->Get(rocksdb::ReadOptions(), rep_->families[kVectors],
                                               ToSlice(VectorKey(key, kFirstVectorField, slot)), &value);
  VDB_RETURN_IF_ERROR(FromRocks(StrCat("reading vector ", slot), status));
  if (value.size() % sizeof(float) != 0) return DamagedEntry("vectors", key, slot);
  vector->resize(value.size() / sizeof(float));
  std::memcpy(vector->data(), value.data(), value.size());
  return OkStatus();
}

StoreCursor Store::Records(GenerationKey key, std::uint32_t first_slot) const {
  auto rep = std::make_unique<StoreCursor::Rep>();
  rep->key = key;
  rep->upper_bound = GenerationEnd(key);
  rep->upper_slice = ToSlice(rep->upper_bound);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &rep->upper_slice;
  rep->iterator = rep_->NewIterator(kRecords, read);
  rep->iterator->Seek(ToSlice(RecordKey(key, first_slot)));
  return StoreCursor(std::move(rep));
}

StoreCursor Store::Vectors(GenerationKey key, std::uint32_t first_slot) const {
  auto rep = std::make_unique<StoreCursor::Rep>();
  rep->key = key;
  rep->upper_bound = GenerationEnd(key);
  rep->upper_slice = ToSlice(rep->upper_bound);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &rep->upper_slice;
  read.readahead_size = std::size_t{2} << 20;
  rep->iterator = rep_->NewIterator(kVectors, read);
  rep->iterator->Seek(ToSlice(VectorKey(key, kFirstVectorField, first_slot)));
  return StoreCursor(std::move(rep));
}

Result<std::vector<DeletesEntry>> Store::Deletes(GenerationKey key) const {
  std::vector<DeletesEntry> entries;
  const std::string prefix = GenerationPrefix(key);
  const auto iterator = rep_->NewIterator(kDeletes, rocksdb::ReadOptions());
  for (iterator->Seek(ToSlice(prefix)); iterator->Valid() && iterator->key().starts_with(ToSlice(prefix));
       iterator->Next()) {
    DeletesEntry entry;
    entry.commit_seq = LoadBigEndian<std::uint64_t>(ToView(iterator->key()).substr(prefix.size()));
    const std::string_view value = ToView(iterator->value());
    if (value.size() % sizeof(std::uint32_t) != 0) return DamagedEntry("deletes", key, entry.commit_seq);
    entry.slots.resize(value.size() / sizeof(std::uint32_t));
    std::memcpy(entry.slots.data(), value.data(), value.size());
    entries.push_back(std::move(entry));
  }
  VDB_RETURN_IF_ERROR(FromRocks("reading the store", iterator->status()));
  return entries;
}

Result<std::vector<IdEntry>> Store::Ids(GenerationKey key) const {
  std::vector<IdEntry> entries;
  const std::string prefix = GenerationPrefix(key);
  const auto iterator = rep_->NewIterator(kIds, rocksdb::ReadOptions());
  for (iterator->Seek(ToSlice(prefix)); iterator->Valid() && iterator->key().starts_with(ToSlice(prefix));
       iterator->Next()) {
    IdEntry entry;
    entry.id = ToView(iterator->key()).substr(prefix.size());
    if (!ByteReader(ToView(iterator->value())).Read(&entry.slot)) return DamagedEntry("ids", key, entries.size());
    entries.push_back(std::move(entry));
  }
  VDB_RETURN_IF_ERROR(FromRocks("reading the store", iterator->status()));
  return entries;
}

Status Store::Ingest(const IngestFiles& files) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.write_global_seqno = false;
  options.verify_checksums_before_ingest = true;
  std::vector<rocksdb::IngestExternalFileArg> args;
  const auto add = [&](Family family, const std::vector<std::string>& paths) {
    if (paths.empty()) return;
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = rep_->families[family];
    arg.external_files = paths;
    arg.options = options;
    args.push_back(std::move(arg));
  };
  add(kIds, files.ids);
  add(kRecords, files.records);
  add(kVectors, files.vectors);
  if (args.empty()) return OkStatus();
  return FromRocks("taking sorted files into the store", rep_->db->IngestExternalFiles(args));
}

Status Store::Checkpoint(const std::string& folder) const {
  rocksdb::Checkpoint* made = nullptr;
  VDB_RETURN_IF_ERROR(FromRocks("a checkpoint", rocksdb::Checkpoint::Create(rep_->db.get(), &made)));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return FromRocks(StrCat("a checkpoint in ", folder), checkpoint->CreateCheckpoint(folder));
}

void Store::DiscardUnflushed() {
  // Fails only for options that do not exist.
  rep_->db->SetDBOptions({{"avoid_flush_during_shutdown", "true"}}).PermitUncheckedError();
}

Status Store::Flush() {
  const std::vector<rocksdb::ColumnFamilyHandle*> families(rep_->families.begin(), rep_->families.end());
  return FromRocks("flushing the store", rep_->db->Flush(rocksdb::FlushOptions(), families));
}

Status Store::VerifyChecksums() const {
  VDB_RETURN_IF_ERROR(FromRocks("verifying blocks of the store", rep_->db->VerifyChecksum()));
  return FromRocks("verifying files of the store", rep_->db->VerifyFileChecksums(rocksdb::ReadOptions()));
}

std::uint64_t Store::flushes() const {
  return rep_->flushes->load(std::memory_order_relaxed);
}

}  // namespace vdb::storage
