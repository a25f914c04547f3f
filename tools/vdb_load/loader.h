// What vdb-load does: rows from files into a collection.
//
// Thread safety: one call at a time.
#ifndef VDB_TOOLS_VDB_LOAD_LOADER_H_
#define VDB_TOOLS_VDB_LOAD_LOADER_H_

#include <vdb/vdb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vdb::tools {

enum class LoadMode : std::uint8_t { kCreate, kAppend, kReplace };

struct LoadJob {
  std::string database;
  std::string collection;
  std::string vectors;   // file
  std::string payloads;  // .jsonl file; empty: payloads are {}, or the objects of a .jsonl file of vectors
  std::string vector_field = "vector";
  std::string id_field = "id";  // of the payload; rows without it are named by their number
  LoadMode mode = LoadMode::kAppend;
  CollectionOptions options;  // kCreate; dim 0: from the first row
  bool skip_bad = false;
  bool quiet = false;
  std::uint64_t limit = 0;  // rows; 0: all
};

struct LoadReport {
  std::uint64_t rows = 0;
  std::uint64_t skipped = 0;
  std::vector<std::string> first_skipped;  // messages
  double seconds = 0;
  std::uint64_t records = 0;  // in the collection afterwards
};

Result<LoadReport> Load(const LoadJob& job);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_LOADER_H_
