// Databases open in this process, so that the child of a fork lets go of them.
//
// A forked child shares the lock with its parent and would keep it after the parent's death; its threads are gone and
// its RocksDB is of no use. The child closes the lock's descriptor and marks every database dead: calls fail,
// destructors leak. Its exit() flushes the standard streams and ends there: of what was registered with atexit, and of
// global objects, only what is younger than the first open is run, for RocksDB's would wait for its threads. Thread
// safety: safe from any thread.
#ifndef VDB_DB_FORK_H_
#define VDB_DB_FORK_H_

namespace vdb {

class DatabaseImpl;

// The first call installs the fork handler, and the first for a writing database the end of children once more.
void RegisterForFork(DatabaseImpl* database);
void UnregisterForFork(DatabaseImpl* database);

// Whether this process was forked when a database was or had been open, and what a thread of the parent held is held
// for ever.
bool ThreadsWereLost();

}  // namespace vdb

#endif  // VDB_DB_FORK_H_
