// Databases open in this process, so that the child of a fork lets go of them.
//
// A forked child shares the lock with its parent and would keep it after the parent's death; its threads are gone and
// its RocksDB is of no use. The child closes the lock's descriptor and marks every database dead: calls fail,
// destructors leak. Thread safety: safe from any thread.
#ifndef VDB_DB_FORK_H_
#define VDB_DB_FORK_H_

namespace vdb {

class DatabaseImpl;

// The first call installs the fork handler.
void RegisterForFork(DatabaseImpl* database);
void UnregisterForFork(DatabaseImpl* database);

}  // namespace vdb

#endif  // VDB_DB_FORK_H_
