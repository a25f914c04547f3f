#include "vdb/storage/store_repair.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::uint64_t kMaxCurrentBytes = 4'096;
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
    const bool whole = store->GetRecord(key, entry.slot, &stored_id, nullptr).ok() && stored_id == entry.id &&
                       store->GetVector(key, entry.slot, &vector).ok();
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

Result<RepairReport> RepairStore(const std::string& path) {
  RepairReport report;
  VDB_ASSIGN_OR_RETURN(const bool restored, RestoreCurrent(path));
  Result<std::unique_ptr<Store>> opened = DataLossError("not tried");
  if (restored) opened = Store::Open(path, StoreOptions());
  if (!opened.ok()) {
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
