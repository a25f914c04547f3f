// Repair of a database that does not open, on a copy.
#ifndef VDB_REPAIR_H_
#define VDB_REPAIR_H_

#include <vdb/status.h>

#include <cstdint>
#include <string>

namespace vdb {

struct RepairReport {
  std::uint64_t collections = 0;
  std::uint64_t records = 0;  // kept: id, record and vector, where it has one, agree
  std::uint64_t missing = 0;  // records that the counters knew and that were not found: lost
  std::uint64_t dropped = 0;  // ids, records and vectors that had lost their counterparts
};

// Copies the database at `source` into the new folder `target`, lets RocksDB rebuild what it can of the store there,
// keeps the records that are whole, and leaves a database that opens; indexes are rebuilt when it does. The source is
// not changed. What the damage took stays lost, and a delete that was in the damaged part may be undone: RocksDB's
// repair knows files, not commits. Thread safety: safe; locks the source. Errors: FailedPrecondition when the source is
// in use; InvalidArgument when the target exists.
Result<RepairReport> RepairCopy(const std::string& source, const std::string& target);

}  // namespace vdb

#endif  // VDB_REPAIR_H_
