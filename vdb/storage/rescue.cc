#include "vdb/storage/rescue.h"

#include <string_view>
#include <vector>

#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::string_view kMarkerName = "LOSS";

bool MayBeDeleted(std::string_view name) {
  return name.ends_with(".log") || name.ends_with(".sst") || name.starts_with("MANIFEST-") || name == "CURRENT";
}

std::string MarkerPath(const std::string& rescue_path) {
  return StrCat(rescue_path, "/", kMarkerName);
}

}  // namespace

Status LinkRescueFiles(const std::string& store_path, const std::string& rescue_path) {
  if (!PathExists(store_path)) return OkStatus();
  if (PathExists(MarkerPath(rescue_path))) return OkStatus();  // the first loss is the one worth keeping
  VDB_RETURN_IF_ERROR(RemoveTree(rescue_path));
  VDB_RETURN_IF_ERROR(MakeDirectory(rescue_path));
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(store_path));
  for (const std::string& name : names) {
    if (!MayBeDeleted(name)) continue;
    VDB_RETURN_IF_ERROR(LinkFile(StrCat(store_path, "/", name), StrCat(rescue_path, "/", name)));
  }
  return SyncDirectory(rescue_path);
}

Status DiscardRescueFiles(const std::string& rescue_path) {
  return RemoveTree(rescue_path);
}

Status KeepRescueFiles(const std::string& rescue_path, std::string_view loss) {
  VDB_RETURN_IF_ERROR(MakeDirectory(rescue_path));
  return ReplaceFile(MarkerPath(rescue_path), StrCat("The store ", loss, ".\n"));
}

Status ArchiveRescueFiles(const std::string& rescue_path, std::uint64_t commit_seq) {
  if (!PathExists(rescue_path)) return OkStatus();
  const std::string archive = StrCat(rescue_path, "-", commit_seq);
  VDB_RETURN_IF_ERROR(RemoveTree(archive));
  return RenameDurably(rescue_path, archive);
}

}  // namespace vdb::storage
