#include "tools/lib/open_collection.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kListedNames = 20;

}  // namespace

Result<Collection> OpenNamed(Database* database, const std::string& name) {
  Result<Collection> collection = database->OpenCollection(name);
  if (collection.ok() || collection.status().code() != StatusCode::kNotFound) return collection;
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, database->ListCollections());
  std::string known = names.empty() ? "; there are none" : "; there are:";
  for (std::size_t i = 0; i < std::min(names.size(), kListedNames); ++i) known += StrCat(" ", names[i]);
  if (names.size() > kListedNames) known += StrCat(" and ", names.size() - kListedNames, " more");
  return NotFoundError(StrCat(collection.status().message(), known));
}

Status FlushOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return OkStatus();
  return SystemError("cannot write to", "the standard output", errno != 0 ? errno : EIO);
}

}  // namespace vdb::tools
