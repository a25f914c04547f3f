// The public Database: hands every call to DatabaseImpl.

#include <vdb/database.h>

#include <new>

#include "vdb/db/database_impl.h"
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
auto Guarded(DatabaseImpl* database, const Work& work) -> decltype(work()) {
  const DatabaseImpl::Operation operation(database);
  if (!operation.status().ok()) return operation.status();
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory; nothing was changed");
  }
}

}  // namespace

Database::Database(std::shared_ptr<DatabaseImpl> impl) : impl_(std::move(impl)) {}

Result<Database> Database::Open(const std::string& path, const OpenOptions& options) {
  try {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<DatabaseImpl> impl, DatabaseImpl::Open(path, options));
    return Database(std::move(impl));
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError("out of memory while opening a database");
  }
}

Result<Collection> Database::CreateCollection(std::string_view name, const CollectionOptions& options) {
  return Guarded(impl_.get(), [&]() -> Result<Collection> {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<CollectionImpl> collection, impl_->CreateCollection(name, options));
    return Collection(Handle(impl_, std::move(collection)));
  });
}

Result<Collection> Database::OpenCollection(std::string_view name) {
  return Guarded(impl_.get(), [&]() -> Result<Collection> {
    VDB_ASSIGN_OR_RETURN(std::shared_ptr<CollectionImpl> collection, impl_->OpenCollection(name));
    return Collection(Handle(impl_, std::move(collection)));
  });
}

Status Database::DropCollection(std::string_view name) {
  return Guarded(impl_.get(), [&] { return impl_->DropCollection(name); });
}

Result<std::vector<std::string>> Database::ListCollections() const {
  return Guarded(impl_.get(), [&] { return impl_->ListCollections(); });
}

Status Database::Write(const WriteBatch& batch, const WriteOptions& options) {
  return Guarded(impl_.get(), [&] { return impl_->Write(batch, options); });
}

Result<DatabaseStats> Database::Stats() const {
  return Guarded(impl_.get(), [&]() -> Result<DatabaseStats> { return impl_->Stats(); });
}

Status Database::Close() {
  return impl_->Close();
}

Status Database::WritableStatus() const {
  VDB_RETURN_IF_ERROR(impl_->CheckUsable());
  return impl_->CheckWritable();
}

const std::string& Database::path() const {
  return impl_->path();
}

}  // namespace vdb
