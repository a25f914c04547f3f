// The public BulkLoader, and Compact: both build a generation and switch to it.

#include <vdb/bulk_loader.h>

#include <new>
#include <shared_mutex>

#include "vdb/db/database_impl.h"
#include "vdb/db/generation_builder.h"
#include "vdb/db/open_registry.h"
#include "vdb/db/validation.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::size_t kCompactRows = 1'000;  // records read and added at a time

// A failure before the switch to the new generation.
Status NothingChanged(const Status& status) {
  if (status.ok()) return status;
  return status.WithMessage(StrCat(status.message(), ". The load is given up; the collection is as it was"));
}

}  // namespace

class BulkLoaderImpl {
 public:
  BulkLoaderImpl(Database handle, std::shared_ptr<DatabaseImpl> database, std::shared_ptr<CollectionImpl> shape)
      : handle_(std::move(handle)), database_(std::move(database)), shape_(std::move(shape)) {}

  Database handle_;
  std::shared_ptr<DatabaseImpl> database_;
  std::shared_ptr<CollectionImpl> shape_;  // validates records; the collection itself when it is replaced
  bool replaces_ = false;
  std::unique_lock<std::shared_mutex> write_lock_;  // of the collection being replaced
  std::unique_ptr<GenerationBuilder> builder_;
};

BulkLoader::BulkLoader(std::unique_ptr<BulkLoaderImpl> impl) : impl_(std::move(impl)) {}
BulkLoader::BulkLoader(BulkLoader&&) noexcept = default;
BulkLoader& BulkLoader::operator=(BulkLoader&&) noexcept = default;
BulkLoader::~BulkLoader() = default;

Result<BulkLoader> BulkLoader::Begin(Database* database, std::string_view name, BulkMode mode,
                                     const CollectionOptions& options) {
  const std::shared_ptr<DatabaseImpl>& db = database->lease_->database();
  const DatabaseImpl::Operation operation(db.get());
  VDB_RETURN_IF_ERROR(operation.status());
  VDB_RETURN_IF_ERROR(database->lease_->CheckOpen());
  storage::CollectionSchema schema;
  std::shared_ptr<CollectionImpl> shape;
  if (mode == BulkMode::kReplace) {
    VDB_ASSIGN_OR_RETURN(shape, db->OpenCollection(name));
  } else {
    VDB_ASSIGN_OR_RETURN(schema, db->ReserveSchema(name, options));
    shape = std::make_shared<CollectionImpl>(db.get(), schema);
  }
  auto impl = std::make_unique<BulkLoaderImpl>(*database, db, std::move(shape));
  impl->replaces_ = mode == BulkMode::kReplace;
  if (impl->replaces_) {
    impl->write_lock_ = std::unique_lock(impl->shape_->write_gate());
    VDB_ASSIGN_OR_RETURN(schema, db->NextGenerationSchema(*impl->shape_));
  }
  VDB_ASSIGN_OR_RETURN(impl->builder_, GenerationBuilder::Begin(db, std::move(schema)));
  return BulkLoader(std::move(impl));
}

Status BulkLoader::Add(std::span<const RecordView> records) {
  const DatabaseImpl::Operation operation(impl_->database_.get());
  VDB_RETURN_IF_ERROR(operation.status());
  try {
    std::vector<Mutation> mutations(records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      VDB_RETURN_IF_ERROR(impl_->shape_->PrepareUpsert(records[i], &mutations[i]));
    }
    return NothingChanged(impl_->builder_->Add(mutations));
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory in a bulk load; the collection is as it was");
  }
}

Result<Collection> BulkLoader::Finish(const BulkProgress& progress) {
  const DatabaseImpl::Operation operation(impl_->database_.get());
  VDB_RETURN_IF_ERROR(operation.status());
  const std::string name = impl_->shape_->name();
  try {
    VDB_RETURN_IF_ERROR(NothingChanged(impl_->builder_->Build(progress)));
    if (impl_->replaces_) {
      VDB_RETURN_IF_ERROR(impl_->shape_->SwitchTo(impl_->builder_.get()));
      impl_->write_lock_.unlock();
    } else {
      VDB_RETURN_IF_ERROR(impl_->database_->InstallNew(impl_->builder_.get()));
    }
    impl_->builder_.reset();
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory in a bulk load; the collection is as it was");
  }
  return impl_->handle_.OpenCollection(name);
}

Status CollectionImpl::SwitchTo(GenerationBuilder* builder) {
  MutexLock publishing(&publish_mutex_);
  const PriorityLock linking(&link_mutex_);
  VDB_RETURN_IF_ERROR(database_.RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_RETURN_IF_ERROR(database_.CheckWritable());
    std::shared_ptr<Generation> old = writer_generation_;
    VDB_RETURN_IF_ERROR(builder->Install(old->key));
    // Old Views keep their own generation with its own clock.
    SwapView(builder->generation());
    dim_.store(builder->schema().fields.front().dim, std::memory_order_release);
    database_.SetSchema(builder->schema());
    KeepSchemaCopy();
    database_.RetireGeneration(std::move(old));
    database_.events().Add(EventLevel::kInfo, StrCat("collection '", name_, "' has a new generation of ",
                                                     writer_generation_->next_slot, " records"));
    return OkStatus();
  }));
  SetPublished(builder->files());
  NotePublishedGraph(*builder->generation()->graph);
  // What they were found for is gone.
  measured_due_rows_.store(0, std::memory_order_relaxed);
  codes_due_rows_.store(0, std::memory_order_relaxed);
  return OkStatus();
}

Status CollectionImpl::Compact() {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(database_.CheckWritable());
  const std::unique_lock<std::shared_mutex> writing(write_gate_);
  VDB_ASSIGN_OR_RETURN(const storage::CollectionSchema schema, database_.NextGenerationSchema(*this));
  VDB_ASSIGN_OR_RETURN(const std::unique_ptr<GenerationBuilder> builder,
                       GenerationBuilder::Begin(database_.shared_from_this(), schema));
  VDB_ASSIGN_OR_RETURN(Scanner scanner, Scan({.with_vector = true}, ScanMay::kGoOn));
  for (bool more = true; more;) {
    std::vector<Record> records;
    while (records.size() < kCompactRows && more) {
      VDB_ASSIGN_OR_RETURN(std::optional<Record> record, scanner.Next());
      more = record.has_value();
      if (more) records.push_back(*std::move(record));
    }
    std::vector<Mutation> mutations(records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      VDB_RETURN_IF_ERROR(PrepareUpsert(
          {records[i].id, records[i].vector, records[i].payload, records[i].vector.empty()}, &mutations[i]));
    }
    VDB_RETURN_IF_ERROR(builder->Add(mutations));
  }
  VDB_RETURN_IF_ERROR(builder->Build({}));
  return SwitchTo(builder.get());
}

Status Collection::Compact() {
  const DatabaseImpl::Operation operation(&impl_->database());
  VDB_RETURN_IF_ERROR(operation.status());
  try {
    return impl_->Compact();
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory while compacting; the collection is as it was");
  }
}

}  // namespace vdb
