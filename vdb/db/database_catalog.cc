// DatabaseImpl: collections come and go.

#include <vdb/limits.h>

#include <chrono>
#include <new>

#include "vdb/db/database_impl.h"
#include "vdb/db/generation_builder.h"
#include "vdb/db/validation.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

// A program that opens a collection for each of its requests must not pay for loading it each time.
constexpr std::chrono::seconds kKeepUnused{30};

}  // namespace

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
  VDB_RETURN_IF_ERROR(RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(SchemaOf(*collection).status());  // it may have been dropped meanwhile
    return collection->Load();
  }));
  MutexLock lock(&catalog_mutex_);
  const auto found = collections_.find(name);
  if (found == collections_.end() || found->second.schema.id != schema.id) {
    return NotFoundError(StrCat("collection '", name, "' was dropped meanwhile"));
  }
  found->second.loaded = collection;
  return collection;
}

Result<storage::CollectionSchema> DatabaseImpl::ReserveSchema(std::string_view name, const CollectionOptions& options) {
  VDB_RETURN_IF_ERROR(ValidateCollectionName(name));
  VDB_RETURN_IF_ERROR(ValidateOptions(options));
  storage::CollectionSchema schema;
  schema.generation = 1;
  schema.name = name;
  schema.fields.push_back({.name = "vector",
                           .kind = storage::VectorKind::kDense,
                           .dim = static_cast<std::uint32_t>(options.dim),
                           .metric = options.metric,
                           .code = options.codes,
                           .m = options.m,
                           .ef_construction = options.ef_construction});
  VDB_RETURN_IF_ERROR(RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(CheckWritable());
    VDB_RETURN_IF_ERROR(CheckNameIsFree(name));
    VDB_RETURN_IF_ERROR(CheckSpace());
    VDB_ASSIGN_OR_RETURN(schema.id, store_->NextCollection());
    storage::StoreBatch batch;
    batch.PutNextCollection(schema.id + 1);
    return CommitCatalog(&batch);
  }));
  return schema;
}

Status DatabaseImpl::CheckNameIsFree(std::string_view name) const {
  MutexLock lock(&catalog_mutex_);
  if (collections_.contains(name)) return AlreadyExistsError(StrCat("collection '", name, "' exists in ", path_));
  if (collections_.size() < kMaxCollections) return OkStatus();
  return ResourceExhaustedError(StrCat(path_, " has ", collections_.size(), " collections, the most possible"));
}

Result<storage::CollectionSchema> DatabaseImpl::SchemaOf(const CollectionImpl& collection) const {
  MutexLock lock(&catalog_mutex_);
  const auto found = collections_.find(collection.name());
  if (found == collections_.end() || found->second.schema.id != collection.id()) {
    return NotFoundError(StrCat("collection '", collection.name(), "' was dropped meanwhile"));
  }
  return found->second.schema;
}

Result<storage::CollectionSchema> DatabaseImpl::NextGenerationSchema(const CollectionImpl& collection) const {
  VDB_ASSIGN_OR_RETURN(storage::CollectionSchema schema, SchemaOf(collection));
  ++schema.generation;
  return schema;
}

Status DatabaseImpl::CommitDimension(const CollectionImpl& collection, std::uint32_t dim) {
  VDB_ASSIGN_OR_RETURN(storage::CollectionSchema schema, SchemaOf(collection));
  schema.fields.front().dim = dim;
  storage::StoreBatch batch;
  batch.PutSchema(schema);
  // Published files are of rows without components.
  batch.DeletePublished({.collection = schema.id, .generation = schema.generation});
  VDB_RETURN_IF_ERROR(CommitCatalog(&batch));
  SetSchema(schema);
  return OkStatus();
}

void DatabaseImpl::UnloadUnused() {
  std::vector<std::shared_ptr<CollectionImpl>> unused;
  const SteadyTime::TimePoint now = SteadyTime::Now();
  {
    MutexLock lock(&catalog_mutex_);
    for (auto& [name, entry] : collections_) {
      // Handles, scans and background work hold it too; from 1 the count rises under this lock only.
      if (entry.loaded == nullptr || entry.loaded.use_count() > 1) {
        entry.unused_since.reset();
      } else if (!entry.unused_since) {
        entry.unused_since = now;
      } else if (now - *entry.unused_since >= kKeepUnused) {
        entry.unused_since.reset();
        unused.push_back(entry.loaded);
      }
    }
  }
  for (std::shared_ptr<CollectionImpl>& collection : unused) {
    background_pool_->Post([this, held = std::move(collection)]() mutable { Unload(std::move(held)); });
  }
}

void DatabaseImpl::Unload(std::shared_ptr<CollectionImpl> collection) {
  const Operation operation(this);
  if (!operation.status().ok()) return;
  try {
    if (CheckWritable().ok()) static_cast<void>(collection->PublishForClose());
  } catch (const std::bad_alloc&) {
    // Whatever came of the publication: where it failed the next load takes some time, no more.
  }
  MutexLock load(&load_mutex_);  // who loads it again must not meet its files still in use
  {
    MutexLock lock(&catalog_mutex_);
    const auto found = collections_.find(collection->name());
    if (found == collections_.end() || found->second.loaded != collection) return;
    if (collection.use_count() > 2) return;  // more than the entry and this function
    found->second.loaded.reset();
  }
  collection.reset();
  SyncPoints::Reached("catalog.unloaded");
}

std::uint64_t DatabaseImpl::CountLoaded() const {
  std::uint64_t loaded = 0;
  MutexLock lock(&catalog_mutex_);
  for (const auto& [name, entry] : collections_) loaded += entry.loaded != nullptr ? 1 : 0;
  return loaded;
}

void DatabaseImpl::SetSchema(const storage::CollectionSchema& schema) {
  MutexLock lock(&catalog_mutex_);
  collections_[schema.name].schema = schema;
}

Status DatabaseImpl::CommitDocument(std::uint32_t collection, std::string_view json) {
  storage::StoreBatch batch;
  batch.PutDocument(collection, json);
  return CommitCatalog(&batch);
}

Status DatabaseImpl::InstallNew(GenerationBuilder* builder) {
  return RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(CheckWritable());
    VDB_RETURN_IF_ERROR(CheckNameIsFree(builder->schema().name));
    VDB_RETURN_IF_ERROR(builder->Install(std::nullopt));
    SetSchema(builder->schema());
    return OkStatus();
  });
}

Result<std::shared_ptr<CollectionImpl>> DatabaseImpl::CreateCollection(std::string_view name,
                                                                       const CollectionOptions& options) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_ASSIGN_OR_RETURN(const storage::CollectionSchema schema, ReserveSchema(name, options));
  VDB_RETURN_IF_ERROR(RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(CheckWritable());
    VDB_RETURN_IF_ERROR(CheckNameIsFree(name));
    VDB_RETURN_IF_ERROR(CheckSpace());
    storage::StoreBatch batch;
    batch.PutSchema(schema);
    batch.PutCounters({schema.id, schema.generation}, {});
    VDB_RETURN_IF_ERROR(CommitCatalog(&batch));
    SetSchema(schema);
    return OkStatus();
  }));
  return OpenCollection(name);
}

Status DatabaseImpl::CommitCatalog(storage::StoreBatch* batch) {
  batch->PutCommitSeq(commit_seq_ + 1);
  if (Status written = store_->Write(batch, true); !written.ok()) {
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
    batch.DeleteDocument(key.collection);
    batch.PutIntent({storage::IntentKind::kDrop, key});
    VDB_RETURN_IF_ERROR(CommitCatalog(&batch));
    SyncPoints::Reached("drop.after_intent");
    {
      MutexLock lock(&catalog_mutex_);
      collections_.erase(std::string(name));
    }
    if (entry.loaded == nullptr) {
      static_cast<void>(RemoveGeneration(key));  // else the next open does it: the intent stands
      return OkStatus();
    }
    entry.loaded->MarkDropped();
    RetireGeneration(entry.loaded->ReleaseGeneration());
    return OkStatus();
  });
}

}  // namespace vdb
