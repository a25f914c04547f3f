#include "vdb/storage/store_repair.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

Status RebuildFiles(const std::string& path) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::uint32_t f = 0; f < kFamilyCount; ++f) {
    families.emplace_back(kFamilyNames[f], FamilyOptions(static_cast<Family>(f), nullptr));
  }
  return FromRocks(StrCat("RocksDB cannot repair ", path), rocksdb::RepairDB(path, options, families));
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
  if (counters.ok()) slots = std::max(slots, counters->slots);
  batch.PutCounters(key, {.slots = slots, .live = live.size()});
  batch.DeletePublished(key);
  report->records += live.size();
  return store->Write(&batch, true);
}

}  // namespace

Result<RepairReport> RepairStore(const std::string& path) {
  RepairReport report;
  VDB_RETURN_IF_ERROR(RebuildFiles(path));
  VDB_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(path, StoreOptions()));
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
