// What vdb-load does: rows from files into a collection.
//
// Thread safety: one call at a time.
#ifndef VDB_TOOLS_VDB_LOAD_LOADER_H_
#define VDB_TOOLS_VDB_LOAD_LOADER_H_

#include <vdb/vdb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/vdb_load/progress.h"
#include "tools/vdb_load/row_source.h"

namespace vdb::tools {

enum class LoadMode : std::uint8_t { kCreate, kAppend, kReplace };

struct LoadJob {
  std::string database;
  std::string collection;
  SourceFiles files;
  LoadMode mode = LoadMode::kAppend;
  CollectionOptions options;  // kCreate; dim comes from the rows
  bool skip_bad = false;
  ProgressOptions progress;
};

struct LoadReport {
  std::uint64_t rows = 0;
  std::uint64_t skipped = 0;
  std::vector<std::string> first_skipped;  // messages, in the order of the file
  double seconds = 0;
  std::uint64_t records = 0;  // in the collection afterwards
};

// kCreate and kReplace leave everything as it was if they fail, kAppend the batches that were written. Errors:
// InvalidArgument names the first bad row.
Result<LoadReport> Load(const LoadJob& job);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_LOADER_H_
