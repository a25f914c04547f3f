// Database: one folder, many collections.
#ifndef VDB_DATABASE_H_
#define VDB_DATABASE_H_

#include <vdb/collection.h>
#include <vdb/events.h>
#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

class DatabaseLease;

struct OpenOptions {
  // Make the folder and an empty database if there is none; otherwise NotFound.
  bool create_if_missing = true;
  // Threads of each of two pools, twice as many in all. 0: one per processor each. One is for what is waited for:
  // batches of searches, bulk loads, compaction, verification, indexing that has fallen behind. The other, at the
  // lowest priority, indexes behind the writers. RocksDB has its own.
  std::size_t threads = 0;
  // Bytes that writes may take in memory before they are written out, [1 MiB, 4 GiB]. Less means shorter replay at open
  // and more writing.
  std::size_t memtable_bytes = std::size_t{64} << 20;
  // Read and search only, beside other processes that do the same; nothing on disk is changed. A database has one
  // writing process or any number of reading ones. What was not indexed yet is, in this process's memory.
  bool read_only = false;
  // Open for writing although acknowledged data is missing (DataLoss otherwise): what is there becomes the truth.
  bool accept_data_loss = false;
};

struct DatabaseStats {
  std::uint64_t commit_seq = 0;       // commits since the database was made
  std::uint64_t commit_groups = 0;    // since open: groups written, each with one write of the store
  std::uint64_t commit_requests = 0;  // since open: calls in them; more than groups where writers shared one
  std::uint64_t flushes = 0;          // since open: memtables written out
  // In memory now. A collection is loaded when it is first opened, and unloaded half a minute after its last handle and
  // scan are gone.
  std::uint64_t loaded_collections = 0;
};

// Thread safety: safe from many threads. A handle is a cheap reference; the database closes when Close is called or
// when the last handle to it or to one of its collections is gone. A path that is open in this process already leads to
// the same database: it closes when every Open has been closed.
// Forks: in the child every handle fails. Its exit() flushes the standard streams and runs what was registered with
// atexit after the first Open; destructors of older global objects are left out, as RocksDB's would wait for threads
// that the child does not have.
class Database {
 public:
  // Opens the database in a folder, for one process at a time (see read_only).
  // Errors: NotFound; InvalidArgument when the folder holds something else; FailedPrecondition when another process has
  // it open (the message names it), when this process has it open with other options, or when its format is newer;
  // DataLoss when acknowledged data is missing or the store is damaged: the message names the file and the way out.
  static Result<Database> Open(const std::string& path, const OpenOptions& options = {});

  // name: 1..kMaxCollectionNameBytes of [A-Za-z0-9_.-], not beginning with a dot. AlreadyExists if there is one.
  Result<Collection> CreateCollection(std::string_view name, const CollectionOptions& options);
  Result<Collection> OpenCollection(std::string_view name);
  // Removes a collection and all its records. Its handles fail from then on.
  Status DropCollection(std::string_view name);
  // Names, sorted.
  Result<std::vector<std::string>> ListCollections() const;

  // Applies a batch: durable all or nothing; a search sees it whole per collection.
  Status Write(const WriteBatch& batch, const WriteOptions& options = {});

  // Writes a copy of the database, as of now, into a new folder: it opens like any other. Files that are never written
  // again are hard links where the file system is the same. Writes wait while the store is copied, reads do not.
  // AlreadyExists if the folder is there; after an error nothing is left of it.
  Status Checkpoint(const std::string& folder);

  Result<DatabaseStats> Stats() const;
  // What happened in the background since the last call, oldest first: the last 1,000 events. Also after Close,
  // unless another handle has the database open: the events are for that one.
  Result<std::vector<Event>> DrainEvents();

  // Waits for calls that are under way, publishes what is worth it, syncs and closes. Every handle fails from then on;
  // where the path was opened more than once, this handle only, until the last is closed. Ok when closed already.
  Status Close();

  // Whether this handle may write, and if not, why.
  Status WritableStatus() const;

  const std::string& path() const;

 private:
  friend class BulkLoader;
  explicit Database(std::shared_ptr<DatabaseLease> lease);
  std::shared_ptr<DatabaseLease> lease_;
};

}  // namespace vdb

#endif  // VDB_DATABASE_H_
