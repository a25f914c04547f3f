// DatabaseImpl: a copy of the whole database, taken while it is in use.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <optional>
#include <system_error>

#include "vdb/db/database_impl.h"
#include "vdb/storage/format_stamp.h"
#include "vdb/storage/lock_file.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

constexpr mode_t kFolderMode = 0700;  // as of a database: RocksDB's files are readable by all

Status CopyDurably(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) return SystemError(StrCat("cannot copy ", from, " to"), to, error.value());
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForWrite(to));
  return file.Sync();
}

// A new folder beside the one that is wanted, which nobody else has.
Result<std::string> MakeUniqueFolder(const std::string& folder) {
  for (int i = 0;; ++i) {
    std::string path = StrCat(folder, ".unfinished-", ::getpid(), "-", i);
    if (::mkdir(path.c_str(), kFolderMode) == 0) return path;
    if (errno != EEXIST) return SystemError("cannot make", path, errno);
  }
}

// Links and columns are never written again: a hard link does where the file system is the same.
Status LinkOrCopy(const std::string& from, const std::string& to) {
  return LinkFile(from, to).ok() ? OkStatus() : CopyDurably(from, to);
}

// The published files of one generation. Vectors are appended to: rows behind the published ones mean nothing.
Status CopyGeneration(const std::string& from, const std::string& to, const storage::PublishedFiles& files) {
  VDB_RETURN_IF_ERROR(MakeDirectory(to));
  for (const std::string& name : {files.links, files.columns}) {
    VDB_RETURN_IF_ERROR(LinkOrCopy(StrCat(from, "/", name), StrCat(to, "/", name)));
  }
  VDB_RETURN_IF_ERROR(CopyDurably(StrCat(from, "/vectors"), StrCat(to, "/vectors")));
  return SyncDirectory(to);
}

}  // namespace

// Publications pause, so that the catalog in the copy names files that are there; writes wait only while the store is
// copied. Which mutexes are taken is known at run time only.
Status DatabaseImpl::Checkpoint(const std::string& given) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  VDB_RETURN_IF_ERROR(CheckUsable());
  VDB_RETURN_IF_ERROR(CheckWritable());
  const std::string folder = given.substr(0, given.find_last_not_of('/') + 1);
  if (PathExists(folder)) return AlreadyExistsError(StrCat(folder, " exists; wanted the name of a new folder"));
  MutexLock loading(&load_mutex_);  // no collection is loaded or unloaded meanwhile
  const std::vector<std::shared_ptr<CollectionImpl>> loaded = LoadedCollections();
  std::deque<std::shared_ptr<const View>> views;  // keep the generations' files
  std::deque<MutexLock> paused;
  for (const std::shared_ptr<CollectionImpl>& collection : loaded) {
    paused.emplace_back(collection->publish_mutex());
    views.push_back(collection->PinView());
  }
  VDB_ASSIGN_OR_RETURN(const std::string building, MakeUniqueFolder(folder));
  Status status = WriteCheckpoint(building);
  if (status.ok()) status = RenameDurably(building, folder);
  if (!status.ok()) static_cast<void>(RemoveTree(building));
  return status;
}

Status DatabaseImpl::WriteCheckpoint(const std::string& folder) {
  std::vector<std::pair<storage::GenerationKey, storage::PublishedFiles>> published;
  std::uint64_t commit_seq = 0;
  VDB_RETURN_IF_ERROR(RunExclusive([&]() -> Status {
    VDB_RETURN_IF_ERROR(CheckUsable());
    VDB_ASSIGN_OR_RETURN(const std::vector<storage::CollectionSchema> schemas, store_->Schemas());
    for (const storage::CollectionSchema& schema : schemas) {
      const storage::GenerationKey key{.collection = schema.id, .generation = schema.generation};
      VDB_ASSIGN_OR_RETURN(std::optional<storage::PublishedFiles> files, store_->GetPublished(key));
      if (files) published.emplace_back(key, *std::move(files));
    }
    commit_seq = commit_seq_;
    return store_->Checkpoint(StrCat(folder, "/store"));
  }));
  SyncPoints::Reached("checkpoint.after_store");
  VDB_RETURN_IF_ERROR(MakeDirectory(StrCat(folder, "/index")));
  for (const auto& [key, files] : published) {
    const std::string from = GenerationDirectory(key);
    const std::string to = StrCat(folder, "/index", from.substr(from.rfind('/')));
    Status copied = CopyGeneration(from, to, files);
    if (copied.ok()) continue;
    // Dropped meanwhile, or lost before: the copy makes the files anew from its store.
    if (copied.code() != StatusCode::kNotFound && PathExists(from)) return copied;
    VDB_RETURN_IF_ERROR(RemoveTree(to));
  }
  VDB_ASSIGN_OR_RETURN(storage::Watermark watermark, storage::Watermark::Open(StrCat(folder, "/WATERMARK")));
  VDB_RETURN_IF_ERROR(watermark.Advance(commit_seq));
  VDB_RETURN_IF_ERROR(watermark.Sync());
  VDB_RETURN_IF_ERROR(storage::WriteFormatStamp(StrCat(folder, "/FORMAT")));
  // There from the start: whoever opens the copy read-only does not make one.
  VDB_RETURN_IF_ERROR(storage::LockFile::Acquire(StrCat(folder, "/LOCK")).status());
  return SyncDirectory(folder);
}

}  // namespace vdb
