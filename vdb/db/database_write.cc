// DatabaseImpl: the ways into the commit queue.

#include <vdb/limits.h>

#include <map>
#include <mutex>
#include <new>
#include <set>
#include <shared_mutex>
#include <vector>

#include "vdb/db/commit_group.h"
#include "vdb/db/database_impl.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {

Status DatabaseImpl::CheckWritable() const {
  if (!is_read_only_.load(std::memory_order_acquire)) return OkStatus();
  if (opened_read_only_) {
    return FailedPreconditionError(StrCat(path_, " was opened read-only; open it for writing to change it"),
                                   StatusReason::kReadOnly);
  }
  MutexLock lock(&read_only_mutex_);
  return FailedPreconditionError(
      StrCat(path_, " is read-only until it is closed and opened again, since a write failed: ", read_only_.message()),
      StatusReason::kReadOnly);
}

Status DatabaseImpl::CheckSpace() const {
  VDB_ASSIGN_OR_RETURN(const std::uint64_t free_bytes, FreeBytes(path_));
  if (free_bytes >= kMinFreeBytes) return OkStatus();
  return ResourceExhaustedError(StrCat("the disk of ", path_, " has ", free_bytes >> 20, " MiB left; writes need ",
                                       kMinFreeBytes >> 20,
                                       " MiB. Nothing was changed; free some space and try again"));
}

void DatabaseImpl::BecomeReadOnly(const Status& cause) {
  MutexLock lock(&read_only_mutex_);
  is_read_only_.store(true, std::memory_order_release);  // first, for what follows needs memory
  if (read_only_.ok()) {
    read_only_ = cause;
    events_.Add(EventLevel::kError,
                StrCat("writing has stopped until the database is closed and opened again: ", cause.message()));
  }
}

void DatabaseImpl::ProcessGroup(std::span<CommitRequest* const> requests) {
  // Nothing may leave this function but by returning: the queue would stand still.
  if (requests.front()->exclusive) {
    try {
      requests.front()->status = requests.front()->exclusive();
    } catch (const std::bad_alloc&) {
      // It may have changed the store and not what is in memory: the next open begins anew from the store.
      requests.front()->status = ResourceExhaustedError("out of memory; the database may have been changed");
      BecomeReadOnly(requests.front()->status);
    }
    return;
  }
  try {
    CommitGroup(this, requests).Process();
  } catch (const std::bad_alloc&) {
    // Slots are assigned that no commit has: the next open begins anew from the store.
    const Status cause = ResourceExhaustedError("out of memory while a group of writes was put together");
    BecomeReadOnly(cause);
    for (CommitRequest* request : requests) request->status = cause;
  }
}

Status DatabaseImpl::FixDimensions(const CommitRequest& request) {
  std::map<CollectionImpl*, std::size_t> wanted;
  for (const Mutation& mutation : request.mutations) {
    if (mutation.is_delete || mutation.without_vector) continue;
    if (const std::size_t dim = mutation.collection->dim(); dim != 0) {
      if (mutation.vector.size() == dim) continue;
      // It was validated before another writer's vector fixed the dimension.
      return InvalidArgumentError(StrCat("record '", mutation.id, "': vector has ", mutation.vector.size(),
                                         " components; this collection stores ", dim, " since its first vector"));
    }
    const auto [found, is_new] = wanted.try_emplace(mutation.collection, mutation.vector.size());
    if (is_new || found->second == mutation.vector.size()) continue;
    return InvalidArgumentError(StrCat("record '", mutation.id, "': vector has ", mutation.vector.size(),
                                       " components, an earlier one of this write ", found->second));
  }
  // Before the write itself: a crash between leaves a collection without vectors that knows its dimension.
  for (const auto& [collection, dim] : wanted) VDB_RETURN_IF_ERROR(collection->FixDimension(dim));
  return OkStatus();
}

Status DatabaseImpl::Commit(CommitRequest* request) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(CheckWritable());
  SyncPoints::Reached("commit.before_gate");
  {
    // Collections whose next generation is being built make their writers wait here, not in the queue.
    std::set<CollectionImpl*> collections;
    for (const Mutation& mutation : request->mutations) collections.insert(mutation.collection);
    if (request->filter_delete) collections.insert(request->filter_delete->collection);
    std::vector<std::shared_lock<std::shared_mutex>> writing;
    writing.reserve(collections.size());
    for (CollectionImpl* collection : collections) writing.emplace_back(collection->write_gate());
    // A generation that is being built may bring another dimension: within the gate.
    VDB_RETURN_IF_ERROR(FixDimensions(*request));
    queue_.Run(request);
  }
  VDB_RETURN_IF_ERROR(request->status);
  const CollectionImpl* last = nullptr;
  for (const Mutation& mutation : request->mutations) {
    if (mutation.collection != last) mutation.collection->AfterCommit();
    last = mutation.collection;
  }
  return OkStatus();
}

DatabaseStats DatabaseImpl::Stats() {
  DatabaseStats stats;
  // commit_seq belongs to the queue's leader.
  static_cast<void>(RunExclusive([&] {
    stats.commit_seq = commit_seq_;
    return OkStatus();
  }));
  stats.commit_groups = queue_.groups();
  stats.commit_requests = queue_.requests();
  stats.flushes = store_->flushes();
  stats.loaded_collections = CountLoaded();
  return stats;
}

Status DatabaseImpl::RunExclusive(std::function<Status()> work) {
  CommitRequest request;
  request.exclusive = std::move(work);
  queue_.Run(&request);
  return request.status;
}

Status DatabaseImpl::Write(const WriteBatch& batch, const WriteOptions& options) {
  VDB_RETURN_IF_ERROR(CheckUsable());
  CommitRequest request;
  request.durability = options.durability;
  request.mutations.resize(batch.operations_.size());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < batch.operations_.size(); ++i) {
    const WriteBatch::Operation& operation = batch.operations_[i];
    const CollectionImpl& collection = *operation.collection;
    if (&collection.database() != this) {
      return InvalidArgumentError(StrCat("the batch names collection '", collection.name(), "' of ",
                                         collection.database().path(), "; wanted collections of ", path_));
    }
    VDB_RETURN_IF_ERROR(collection.CheckUsable());
    VDB_RETURN_IF_ERROR(operation.is_delete ? collection.PrepareDelete(operation.id, &request.mutations[i])
                                            : collection.PrepareUpsert({operation.id, operation.vector,
                                                                        operation.payload, operation.without_vector},
                                                                       &request.mutations[i]));
    bytes += operation.id.size() + operation.payload.size() + operation.vector.size() * sizeof(float);
  }
  if (bytes > kMaxBatchBytes) {
    return InvalidArgumentError(StrCat("the batch has ", bytes, " bytes; wanted at most ", kMaxBatchBytes));
  }
  return Commit(&request);
}

}  // namespace vdb
