// The commands of vdbctl, each a function from its arguments to an exit status.
//
// Thread safety: one thread.
#ifndef VDB_TOOLS_VDBCTL_COMMANDS_H_
#define VDB_TOOLS_VDBCTL_COMMANDS_H_

#include <vdb/vdb.h>

#include <cstdint>
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
  bool exact = false;
  bool with_vector = false;
  std::uint64_t limit = 0;
  std::string target;
  bool accept_loss = false;
};

// Prints an error as `vdbctl: …` on stderr; returns its exit status.
int Fail(const Status& status);

int Create(const Arguments& arguments);
int Collections(const Arguments& arguments);
int Info(const Arguments& arguments);
int Put(const Arguments& arguments);
int Get(const Arguments& arguments);
int Delete(const Arguments& arguments);
int Count(const Arguments& arguments);
int Search(const Arguments& arguments);
int Explain(const Arguments& arguments);
int Scan(const Arguments& arguments);
int Verify(const Arguments& arguments);
int Compact(const Arguments& arguments);
int Drop(const Arguments& arguments);
int Repair(const Arguments& arguments);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDBCTL_COMMANDS_H_
