// How the tools open a collection and end.
//
// Thread safety: pure functions, but for what they print.
#ifndef VDB_TOOLS_LIB_OPEN_COLLECTION_H_
#define VDB_TOOLS_LIB_OPEN_COLLECTION_H_

#include <vdb/collection.h>
#include <vdb/database.h>
#include <vdb/status.h>

#include <string>

namespace vdb::tools {

// The named collection; the error for an unknown name lists those that exist.
Result<Collection> OpenNamed(Database* database, const std::string& name);

// IoError if something that was printed did not reach the standard output.
Status FlushOutput();

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_OPEN_COLLECTION_H_
