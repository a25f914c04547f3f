// The commands of vdbctl. Each prints its answer on stdout and returns what went wrong, which main prints.
//
// Thread safety: one thread.
#ifndef VDB_TOOLS_VDBCTL_COMMANDS_H_
#define VDB_TOOLS_VDBCTL_COMMANDS_H_

#include <vdb/vdb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vdb::tools {

// Everything that the command line may say; each command reads its part.
struct Arguments {
  std::string database;
  std::string collection;
  std::string id;
  std::vector<std::string> ids;
  CollectionOptions options;
  bool json = false;
  std::string payload;
  std::string vector;       // JSON array
  std::string vector_file;  // FILE:ROW
  std::string filter;
  std::vector<std::string> bind;  // JSON values
  std::string prefix;
  std::vector<std::string> fields;
  std::size_t k = 10;
  std::size_t ef = 0;
  float min_recall = 0;
  bool exact = false;
  std::optional<float> radius;
  std::uint64_t timeout_ms = 0;
  bool replace = false;
  bool with_vector = false;
  std::uint64_t limit = 0;
  std::string path;
  std::size_t facet_limit = 10;
  std::string target;
  bool accept_loss = false;
};

// commands_admin.cc
Status Create(const Arguments& arguments);
Status Collections(const Arguments& arguments);
Status Info(const Arguments& arguments);
Status Verify(const Arguments& arguments);
Status Compact(const Arguments& arguments);
Status Drop(const Arguments& arguments);
Status Repair(const Arguments& arguments);
Status Checkpoint(const Arguments& arguments);
Status Document(const Arguments& arguments);

// commands_records.cc
Status Put(const Arguments& arguments);
Status Get(const Arguments& arguments);
Status Update(const Arguments& arguments);
Status Delete(const Arguments& arguments);
Status Count(const Arguments& arguments);
Status Facets(const Arguments& arguments);
Status Scan(const Arguments& arguments);

// commands_search.cc
Status Search(const Arguments& arguments);
Status Explain(const Arguments& arguments);

// What several commands share (arguments.cc): the database and collection that the arguments name; an unknown name
// lists those that exist.
Result<Database> OpenExisting(const Arguments& arguments);
Result<Collection> OpenCollectionOf(const Arguments& arguments);
// The same beside other readers.
Result<Database> OpenForReading(const Arguments& arguments);
Result<Collection> OpenCollectionForReading(const Arguments& arguments);
Result<std::vector<Value>> BindValues(const Arguments& arguments);
// --vector, or the row that --vector-file FILE:ROW names; empty if neither is given.
Result<std::vector<float>> GivenVector(const Arguments& arguments);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDBCTL_COMMANDS_H_
