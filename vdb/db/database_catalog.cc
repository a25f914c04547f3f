// DatabaseImpl: collections come and go.

#include <vdb/limits.h>

#include "vdb/db/database_impl.h"
#include "vdb/db/validation.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {

Result<std::vector<std::string>> DatabaseImpl::ListCollections() const {
  VDB_RETURN_IF_ERROR(CheckUsable());
  std::vector<std::string> names;
  MutexLock lock(&catalog_mutex_);
  names.reserve(collections_.size());
  for (const auto& [name, entry] : collections_) names.push_back(name);
  return names;
}

Result<std::shared_ptr<CollectionImpl>> DatabaseImpl::OpenCollection(std::string_view name) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  MutexLock load(&load_mutex_);
  storage::CollectionSchema schema;
  {
    MutexLock lock(&catalog_mutex_);
    const auto found = collections_.find(name);
    if (found == collections_.end()) {
      return NotFoundError(StrCat("no collection '", IsValidUtf8(name) ? name : "(not UTF-8)", "' in ", path_));
    }
    if (found->second.loaded != nullptr) return found->second.loaded;
    schema = found->second.schema;
  }
  auto collection = std::make_shared<CollectionImpl>(this, schema);
  // In the queue, so that no commit changes the store between counters and rows.
  VDB_RETURN_IF_ERROR(RunExclusive([&] { return collection->Load(); }));
  MutexLock lock(&catalog_mutex_);
  const auto found = collections_.find(name);
  if (found == collections_.end() || found->second.schema.id != schema.id) {
    return NotFoundError(StrCat("collection '", name, "' was dropped meanwhile"));
  }
  found->second.loaded = collection;
  return collection;
}

Result<std::shared_ptr<CollectionImpl>> DatabaseImpl::CreateCollection(std::string_view name,
                                                                       const CollectionOptions& options) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(ValidateCollectionName(name));
  VDB_RETURN_IF_ERROR(ValidateOptions(options));
  VDB_RETURN_IF_ERROR(RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(CheckWritable());
    {
      MutexLock lock(&catalog_mutex_);
      if (collections_.contains(name)) return AlreadyExistsError(StrCat("collection '", name, "' exists in ", path_));
      if (collections_.size() >= kMaxCollections) {
        return ResourceExhaustedError(StrCat(path_, " has ", collections_.size(), " collections, the most possible"));
      }
    }
    VDB_ASSIGN_OR_RETURN(const std::uint32_t id, store_->NextCollection());
    storage::CollectionSchema schema;
    schema.id = id;
    schema.generation = 1;
    schema.name = name;
    schema.fields.push_back({.name = "vector",
                             .kind = storage::VectorKind::kDense,
                             .dim = static_cast<std::uint32_t>(options.dim),
                             .metric = options.metric,
                             .code = storage::CodeKind::kFloat32,
                             .m = options.m,
                             .ef_construction = options.ef_construction});
    storage::StoreBatch batch;
    batch.PutSchema(schema);
    batch.PutCounters({id, schema.generation}, {});
    batch.PutNextCollection(id + 1);
    VDB_RETURN_IF_ERROR(CommitCatalog(&batch));
    MutexLock lock(&catalog_mutex_);
    collections_[schema.name] = {schema, nullptr};
    return OkStatus();
  }));
  return OpenCollection(name);
}

Status DatabaseImpl::CommitCatalog(storage::StoreBatch* batch) {
  batch->PutCommitSeq(commit_seq_ + 1);
  if (const Status written = store_->Write(batch, true); !written.ok()) {
    BecomeReadOnly(written);
    return written;
  }
  ++commit_seq_;
  if (watermark_->Advance(commit_seq_).ok()) watermark_dirty_.store(true, std::memory_order_relaxed);
  return OkStatus();
}

Status DatabaseImpl::DropCollection(std::string_view name) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  return RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(CheckWritable());
    Entry entry;
    {
      MutexLock lock(&catalog_mutex_);
      const auto found = collections_.find(name);
      if (found == collections_.end()) return NotFoundError(StrCat("no collection '", name, "' in ", path_));
      entry = found->second;
    }
    const storage::GenerationKey key{.collection = entry.schema.id, .generation = entry.schema.generation};
    storage::StoreBatch batch;
    batch.DeleteSchema(key.collection);
    batch.PutIntent({storage::IntentKind::kDrop, key});
    VDB_RETURN_IF_ERROR(CommitCatalog(&batch));
    SyncPoints::Reached("drop.after_intent");
    {
      MutexLock lock(&catalog_mutex_);
      collections_.erase(std::string(name));
    }
    if (entry.loaded == nullptr) return RemoveGeneration(key);
    entry.loaded->MarkDropped();
    RetireGeneration(entry.loaded->ReleaseGeneration());
    return OkStatus();
  });
}

}  // namespace vdb
