// The public RepairCopy.

#include <vdb/repair.h>

#include <filesystem>
#include <system_error>

#include "vdb/db/database_impl.h"
#include "vdb/storage/format_stamp.h"
#include "vdb/storage/lock_file.h"
#include "vdb/storage/store_repair.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

Result<RepairReport> RepairCopy(const std::string& source, const std::string& target) {
  if (!PathExists(source + "/store")) return InvalidArgumentError(StrCat(source, " holds no store of a database"));
  if (PathExists(target)) return InvalidArgumentError(StrCat(target, " exists; wanted the name of a new folder"));
  // Of a newer format nothing is understood. A damaged or missing stamp is no reason not to try.
  VDB_RETURN_IF_ERROR(storage::ReadFormatStamp(source + "/FORMAT").status());
  VDB_ASSIGN_OR_RETURN(const storage::LockFile lock, storage::LockFile::Acquire(source + "/LOCK"));
  VDB_RETURN_IF_ERROR(MakeDirectory(target));
  std::error_code error;
  std::filesystem::copy(source + "/store", target + "/store", std::filesystem::copy_options::recursive, error);
  if (error) return SystemError("cannot copy the store to", target, error.value());
  VDB_ASSIGN_OR_RETURN(const RepairReport report, storage::RepairStore(target + "/store", source + "/index"));
  // Opening writes stamp and watermark, and shows that it does open.
  VDB_ASSIGN_OR_RETURN(const std::shared_ptr<DatabaseImpl> database,
                       DatabaseImpl::Open(target, {.create_if_missing = false}));
  VDB_RETURN_IF_ERROR(database->Close());
  return report;
}

}  // namespace vdb
