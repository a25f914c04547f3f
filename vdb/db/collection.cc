// The public Collection: hands every call to CollectionImpl; what the library throws (memory) becomes a Status here.

#include <vdb/collection.h>
#include <vdb/limits.h>

#include <new>

#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

Status OutOfMemory() {
  return ResourceExhaustedError("out of memory; nothing was changed");
}

// Runs work, a callable that returns a Status or Result, with the database kept open.
template <typename Work>
auto Guarded(CollectionImpl* collection, const Work& work) -> decltype(work()) {
  const DatabaseImpl::Operation operation(&collection->database());
  if (!operation.status().ok()) return operation.status();
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace

Collection::Collection(std::shared_ptr<CollectionImpl> impl) : impl_(std::move(impl)) {}

const std::string& Collection::name() const {
  return impl_->name();
}
CollectionOptions Collection::options() const {
  return impl_->options();
}

Status Collection::Upsert(const RecordView& record, const WriteOptions& options) {
  return Upsert(std::span<const RecordView>(&record, 1), options);
}

Status Collection::Upsert(std::span<const RecordView> records, const WriteOptions& options) {
  return Guarded(impl_.get(), [&]() -> Status {
    VDB_RETURN_IF_ERROR(impl_->CheckUsable());
    CommitRequest request;
    request.durability = options.durability;
    request.mutations.resize(records.size());
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      VDB_RETURN_IF_ERROR(impl_->PrepareUpsert(records[i], &request.mutations[i]));
      bytes += records[i].id.size() + records[i].payload.size() + records[i].vector.size_bytes();
    }
    if (bytes > kMaxBatchBytes) {
      return InvalidArgumentError(StrCat("the batch has ", bytes, " bytes; wanted at most ", kMaxBatchBytes));
    }
    return impl_->database().Commit(&request);
  });
}

Result<std::uint64_t> Collection::Delete(std::string_view id, const WriteOptions& options) {
  return Delete(std::span<const std::string_view>(&id, 1), options);
}

Result<std::uint64_t> Collection::Delete(std::span<const std::string_view> ids, const WriteOptions& options) {
  return Guarded(impl_.get(), [&]() -> Result<std::uint64_t> {
    VDB_RETURN_IF_ERROR(impl_->CheckUsable());
    CommitRequest request;
    request.durability = options.durability;
    request.mutations.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      VDB_RETURN_IF_ERROR(impl_->PrepareDelete(ids[i], &request.mutations[i]));
    }
    VDB_RETURN_IF_ERROR(impl_->database().Commit(&request));
    return request.removed;
  });
}

Result<std::uint64_t> Collection::DeleteWhere(const Filter& filter, std::span<const Value> bind,
                                              const WriteOptions& options) {
  return Guarded(impl_.get(), [&] { return impl_->DeleteWhere(filter, bind, options.durability); });
}

Result<std::uint64_t> Collection::Update(std::span<const PayloadUpdate> updates, const UpdateOptions& options) {
  return Guarded(impl_.get(), [&] { return impl_->Update(updates, options.mode, options.durability); });
}

Result<std::uint64_t> Collection::UpdateWhere(const Filter& filter, std::string_view payload,
                                              std::span<const Value> bind, const UpdateOptions& options) {
  return Guarded(impl_.get(), [&] { return impl_->UpdateWhere(filter, bind, payload, options); });
}

Status Collection::SetDocument(std::string_view json) {
  return Guarded(impl_.get(), [&] { return impl_->SetDocument(json); });
}

Result<std::string> Collection::GetDocument() const {
  return Guarded(impl_.get(), [&] { return impl_->GetDocument(); });
}

Result<Record> Collection::Get(std::string_view id, bool with_vector) const {
  return Guarded(impl_.get(), [&] { return impl_->Get(id, with_vector); });
}

Result<SearchResult> Collection::Search(const SearchRequest& request) const {
  return Guarded(impl_.get(), [&]() -> Result<SearchResult> {
    VDB_RETURN_IF_ERROR(impl_->CheckUsable());
    Result<SearchResult> result = impl_->Search(request, impl_->TakeSnapshot());
    impl_->BeginVerification();
    return result;
  });
}

Result<std::vector<SearchResult>> Collection::SearchBatch(std::span<const SearchRequest> requests) const {
  return Guarded(impl_.get(), [&] { return impl_->SearchBatch(requests); });
}

Result<Explanation> Collection::Explain(const SearchRequest& request) const {
  return Guarded(impl_.get(), [&] { return impl_->Explain(request); });
}

Result<std::uint64_t> Collection::Count(const Filter& filter, std::span<const Value> bind) const {
  return Guarded(impl_.get(), [&] { return impl_->Count(filter, bind); });
}

Result<FacetResult> Collection::Facets(const FacetRequest& request) const {
  return Guarded(impl_.get(), [&] { return impl_->Facets(request); });
}

Result<Scanner> Collection::Scan(const ScanRequest& request) const {
  return Guarded(impl_.get(), [&] { return impl_->Scan(request); });
}

Status Collection::Publish() {
  return Guarded(impl_.get(), [&] { return impl_->Publish(); });
}

Status Collection::WaitForIndex() {
  return Guarded(impl_.get(), [&] { return impl_->WaitForIndex(); });
}

Status Collection::Verify() const {
  return Guarded(impl_.get(), [&] { return impl_->Verify(); });
}

Result<CollectionStats> Collection::Stats() const {
  return Guarded(impl_.get(), [&] { return impl_->Stats(); });
}

void WriteBatch::Upsert(const Collection& collection, const RecordView& record) {
  operations_.push_back({.collection = collection.impl_,
                         .is_delete = false,
                         .without_vector = record.without_vector,
                         .id = std::string(record.id),
                         .vector = {record.vector.begin(), record.vector.end()},
                         .payload = std::string(record.payload)});
}

void WriteBatch::Delete(const Collection& collection, std::string_view id) {
  operations_.push_back({.collection = collection.impl_,
                         .is_delete = true,
                         .without_vector = false,
                         .id = std::string(id),
                         .vector = {},
                         .payload = {}});
}

}  // namespace vdb
