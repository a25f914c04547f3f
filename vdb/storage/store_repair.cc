#include "vdb/storage/store_repair.h"

#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/storage/schema_copy.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::uint64_t kMaxCurrentBytes = 4'096;
constexpr std::size_t kTableDigits = 6;  // at least, in a table's name
constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

// CURRENT names the MANIFEST in use. If it names none that is there, it is written anew for the newest one; returns
// whether it was.
Result<bool> RestoreCurrent(const std::string& path) {
  const std::string current = path + "/CURRENT";
  if (PathExists(current)) {
    VDB_ASSIGN_OR_RETURN(const std::string named, ReadWholeFile(current, kMaxCurrentBytes));
    if (named.ends_with('\n') && PathExists(StrCat(path, "/", named.substr(0, named.size() - 1)))) return false;
  }
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
  std::string newest;
  for (const std::string& name : names) {
    if (name.starts_with("MANIFEST-") && name > newest) newest = name;
  }
  if (newest.empty()) return false;
  VDB_RETURN_IF_ERROR(ReplaceFile(current, newest + "\n"));
  return true;
}

// Puts a table with one meaningless tombstone in for each column family. RocksDB's repair knows of a column family by
// its tables alone: one that has none left would lose what the logs have of it, and get another number when it is made
// anew, while batches and tables name families by number.
Status AnchorFamilies(const std::string& path) {
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
  std::uint64_t number = 0;  // the largest in use
  for (const std::string& name : names) {
    std::uint64_t in_use = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), in_use);
    if (error == std::errc()) number = std::max(number, in_use);
  }
  const std::string behind_every_key(16, '\xff');
  for (std::uint32_t f = 0; f < kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    rocksdb::Options options(rocksdb::DBOptions(), FamilyOptions(family, nullptr));
    options.db_host_id = "";
    FamilyById handle(family);
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options, &handle);
    const std::string digits = std::to_string(++number);
    const std::string padding(digits.size() < kTableDigits ? kTableDigits - digits.size() : 0, '0');
    const std::string table = StrCat(path, "/", padding, digits, ".sst");
    rocksdb::Status status = writer.Open(table);
    if (status.ok()) status = writer.Delete(ToSlice(behind_every_key));
    if (status.ok()) status = writer.Finish();
    VDB_RETURN_IF_ERROR(FromRocks(StrCat("writing ", table), status));
  }
  return OkStatus();
}

// RocksDB's own repair: every table file that can be read becomes part of a new MANIFEST.
Status RebuildFiles(const std::string& path) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::uint32_t f = 0; f < kFamilyCount; ++f) {
    rocksdb::ColumnFamilyOptions family = FamilyOptions(static_cast<Family>(f), nullptr);
    family.force_consistency_checks = false;  // files that a compaction had replaced come back beside their successors
    families.emplace_back(kFamilyNames[f], family);
  }
  return FromRocks(StrCat("RocksDB cannot repair ", path), rocksdb::RepairDB(path, options, families));
}

// Removes logs, and the tables that are not among `tables`: a failed repair has made them of the logs.
Status RemoveLogs(const std::string& path, const std::vector<std::string>& tables) {
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
  for (const std::string& name : names) {
    const bool is_made = name.ends_with(".sst") && !std::binary_search(tables.begin(), tables.end(), name);
    if (name.ends_with(".log") || is_made) VDB_RETURN_IF_ERROR(RemoveTree(StrCat(path, "/", name)));
  }
  return OkStatus();
}

// Whether the catalog or a record speaks of the generation, which nothing was about to remove.
Result<bool> IsInUse(const Store& store, GenerationKey key) {
  VDB_ASSIGN_OR_RETURN(const std::vector<Intent> intents, store.Intents());
  const auto drops = [&](const Intent& intent) { return intent.key == key && intent.kind == IntentKind::kDrop; };
  if (std::any_of(intents.begin(), intents.end(), drops)) return false;
  if (store.GetCounters(key).ok()) return true;
  VDB_ASSIGN_OR_RETURN(const std::optional<RecordEntry> first, store.Records(key, 0).NextRecord(UINT32_MAX));
  return first.has_value();
}

// Gives rows that have lost their collection's schema the copy of it, and a collection its lost document.
Status RestoreSchemas(Store* store, const std::string& index) {
  VDB_ASSIGN_OR_RETURN(const std::vector<CollectionSchema> schemas, store->Schemas());
  VDB_ASSIGN_OR_RETURN(const std::vector<SchemaCopy> copies, ListSchemaCopies(index));
  StoreBatch batch;
  for (const SchemaCopy& copy : copies) {
    const GenerationKey key{.collection = copy.schema.id, .generation = copy.schema.generation};
    const auto known =
        std::find_if(schemas.begin(), schemas.end(), [&](const auto& s) { return s.id == key.collection; });
    if (known == schemas.end()) {
      VDB_ASSIGN_OR_RETURN(const bool used, IsInUse(*store, key));
      if (!used) continue;
      batch.PutSchema(copy.schema);  // of two generations the newer, which comes later, counts
      batch.DeleteIntent(key);       // to build it: where there is a copy it was finished
    } else if (known->generation != key.generation) {
      continue;
    }
    const Result<std::string> document = store->GetDocument(key.collection);
    if (!document.ok() || *document == "{}") batch.PutDocument(key.collection, copy.document);
  }
  return store->Write(&batch, true);
}

// Keeps what is whole of one generation.
Status Reconcile(Store* store, GenerationKey key, RepairReport* report) {
  VDB_ASSIGN_OR_RETURN(const std::vector<IdEntry> ids, store->Ids(key));
  StoreBatch batch;
  const auto write_if_full = [&]() -> Status {
    if (batch.SizeBytes() < kBatchBytes) return OkStatus();
    VDB_RETURN_IF_ERROR(store->Write(&batch, true));
    batch = StoreBatch();
    return OkStatus();
  };
  std::vector<std::uint32_t> live;
  std::string stored_id;
  std::vector<float> vector;
  for (const IdEntry& entry : ids) {
    bool without_vector = false;
    const bool whole = store->GetRecord(key, entry.slot, &stored_id, nullptr, &without_vector).ok() &&
                       stored_id == entry.id && (without_vector || store->GetVector(key, entry.slot, &vector).ok());
    if (whole) {
      live.push_back(entry.slot);
      continue;
    }
    batch.DeleteId(key, entry.id);
    ++report->dropped;
    VDB_RETURN_IF_ERROR(write_if_full());
  }
  std::sort(live.begin(), live.end());
  std::uint32_t slots = 0;
  const auto purge_unless_live = [&](std::uint32_t slot) -> Status {
    slots = std::max(slots, slot + 1);
    if (std::binary_search(live.begin(), live.end(), slot)) return OkStatus();
    batch.PurgeSlot(key, slot);
    ++report->dropped;
    return write_if_full();
  };
  {
    StoreCursor records = store->Records(key, 0);
    for (;;) {
      VDB_ASSIGN_OR_RETURN(const std::optional<RecordEntry> entry, records.NextRecord(UINT32_MAX));
      if (!entry) break;
      VDB_RETURN_IF_ERROR(purge_unless_live(entry->slot));
    }
    StoreCursor vectors = store->Vectors(key, 0);
    for (;;) {
      VDB_ASSIGN_OR_RETURN(const std::optional<VectorEntry> entry, vectors.NextVector(UINT32_MAX));
      if (!entry) break;
      VDB_RETURN_IF_ERROR(purge_unless_live(entry->slot));
    }
  }
  VDB_ASSIGN_OR_RETURN(const std::vector<DeletesEntry> deletes, store->Deletes(key));
  for (const DeletesEntry& entry : deletes) batch.RemoveDeletes(key, entry.commit_seq);
  const Result<Counters> counters = store->GetCounters(key);
  if (counters.ok()) {
    slots = std::max(slots, counters->slots);
    if (counters->live > live.size()) report->missing += counters->live - live.size();
  }
  batch.PutCounters(key, {.slots = slots, .live = live.size()});
  batch.DeletePublished(key);
  report->records += live.size();
  return store->Write(&batch, true);
}

}  // namespace

Result<RepairReport> RepairStore(const std::string& path, const std::string& index) {
  RepairReport report;
  VDB_ASSIGN_OR_RETURN(const bool restored, RestoreCurrent(path));
  Result<std::unique_ptr<Store>> opened = DataLossError("not tried");
  if (restored) opened = Store::Open(path, StoreOptions());
  if (!opened.ok()) {
    VDB_RETURN_IF_ERROR(AnchorFamilies(path));
    VDB_ASSIGN_OR_RETURN(const std::vector<std::string> before, ListDirectory(path));
    if (!RebuildFiles(path).ok()) {
      // A log whose writes are in table files, too, becomes a second table with the same sequence numbers, which
      // RocksDB refuses. Without logs, what was flushed comes back.
      VDB_RETURN_IF_ERROR(RemoveLogs(path, before));
      VDB_RETURN_IF_ERROR(RebuildFiles(path));
    }
    StoreOptions lenient;
    lenient.check_consistency = false;
    opened = Store::Open(path, lenient);
    VDB_RETURN_IF_ERROR(opened.status());
    // Merges what overlaps, so that the store passes its checks again.
    VDB_RETURN_IF_ERROR((*opened)->CompactEverything());
  }
  const std::unique_ptr<Store> store = *std::move(opened);
  VDB_RETURN_IF_ERROR(RestoreSchemas(store.get(), index));
  VDB_ASSIGN_OR_RETURN(const std::vector<CollectionSchema> schemas, store->Schemas());
  std::uint32_t next = 1;
  for (const CollectionSchema& schema : schemas) {
    VDB_RETURN_IF_ERROR(Reconcile(store.get(), {schema.id, schema.generation}, &report));
    ++report.collections;
    next = std::max(next, schema.id + 1);
  }
  VDB_ASSIGN_OR_RETURN(const std::uint32_t known, store->NextCollection());
  StoreBatch batch;
  batch.PutNextCollection(std::max(next, known));
  VDB_RETURN_IF_ERROR(store->Write(&batch, true));
  return report;
}

}  // namespace vdb::storage
