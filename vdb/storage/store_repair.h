// Mending a store: RocksDB's repair, then a store whose parts agree again.
//
// Thread safety: free function; nobody else has the store open.
#ifndef VDB_STORAGE_STORE_REPAIR_H_
#define VDB_STORAGE_STORE_REPAIR_H_

#include <vdb/repair.h>
#include <vdb/status.h>

#include <string>

namespace vdb::storage {

// Rebuilds the store in the folder from what its files still hold, in place: of each collection's current generation
// the records that have id entry and vector, or were written without one, stay; everything else goes, counters follow,
// published files are forgotten. Collections that the store has rows of and no longer knows come back from the copies
// of their schemas below `index`.
Result<RepairReport> RepairStore(const std::string& path, const std::string& index);

}  // namespace vdb::storage

#endif  // VDB_STORAGE_STORE_REPAIR_H_
