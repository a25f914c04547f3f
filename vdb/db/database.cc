// The public Database: hands every call to DatabaseImpl.

#include <vdb/database.h>

#include <new>

#include "vdb/db/database_impl.h"
#include "vdb/db/open_registry.h"
#include "vdb/util/status_macros.h"

namespace vdb {
namespace {

// A public handle keeps the database and the collection.
std::shared_ptr<CollectionImpl> Handle(std::shared_ptr<DatabaseImpl> database,
                                       std::shared_ptr<CollectionImpl> collection) {
  struct Both {
    std::shared_ptr<DatabaseImpl> database;
    std::shared_ptr<CollectionImpl> collection;
  };
  CollectionImpl* pointer = collection.get();
  return {std::make_shared<Both>(Both{std::move(database), std::move(collection)}), pointer};
}

// Runs work, a callable that returns a Status or Result, with the database kept open.
template <typename Work>
auto Guarded(const DatabaseLease& lease, const Work& work) -> decltype(work(lease.database())) {
  const DatabaseImpl::Operation operation(lease.database().get());
  if (!operation.status().ok()) return operation.status();
  try {
    if (Status status = lease.CheckOpen(); !status.ok()) return status;
    return work(lease.database());
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory; nothing was changed");
  }
}

}  // namespace

Database::Database(std::shared_ptr<DatabaseLease> lease) : lease_(std::move(lease)) {}

Result<Database> Database::Open(const std::string& path, const OpenOptions& options) {
  try {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<DatabaseLease> lease, OpenRegistry::Global().Open(path, options));
    return Database(std::move(lease));
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory while opening a database");
  }
}

Result<Collection> Database::CreateCollection(std::string_view name, const CollectionOptions& options) {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) -> Result<Collection> {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<CollectionImpl> collection, impl->CreateCollection(name, options));
    return Collection(Handle(impl, std::move(collection)));
  });
}

Result<Collection> Database::OpenCollection(std::string_view name) {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) -> Result<Collection> {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<CollectionImpl> collection, impl->OpenCollection(name));
    return Collection(Handle(impl, std::move(collection)));
  });
}

Status Database::DropCollection(std::string_view name) {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) { return impl->DropCollection(name); });
}

Result<std::vector<std::string>> Database::ListCollections() const {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) { return impl->ListCollections(); });
}

Status Database::Write(const WriteBatch& batch, const WriteOptions& options) {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) { return impl->Write(batch, options); });
}

Result<DatabaseStats> Database::Stats() const {
  return Guarded(*lease_,
                 [&](const std::shared_ptr<DatabaseImpl>& impl) -> Result<DatabaseStats> { return impl->Stats(); });
}

Status Database::Checkpoint(const std::string& folder) {
  return Guarded(*lease_, [&](const std::shared_ptr<DatabaseImpl>& impl) { return impl->Checkpoint(folder); });
}

Result<std::vector<Event>> Database::DrainEvents() {
  const std::shared_ptr<DatabaseImpl>& database = lease_->database();
  const Status usable = database->CheckUsable();
  // In a forked child the log's lock may be held by a thread that is not there.
  if (usable.reason() == StatusReason::kForked) return usable;
  // What a closed handle gets is what closing the database told, not what another handle will ask for.
  if (usable.ok()) VDB_RETURN_IF_ERROR(lease_->CheckOpen());
  try {
    return database->events().Drain();
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory; the events are kept");
  }
}

Status Database::Close() {
  return lease_->Close();
}

Status Database::WritableStatus() const {
  VDB_RETURN_IF_ERROR(lease_->CheckOpen());
  return lease_->database()->CheckWritable();
}

const std::string& Database::path() const {
  return lease_->database()->path();
}

}  // namespace vdb
