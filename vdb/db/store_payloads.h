// Payload texts from the store, for filters that the columns cannot decide.
//
// Thread safety: as the store's reads.
#ifndef VDB_DB_STORE_PAYLOADS_H_
#define VDB_DB_STORE_PAYLOADS_H_

#include <string>

#include "vdb/query/cardinality.h"
#include "vdb/storage/store.h"
#include "vdb/util/deadline.h"
#include "vdb/util/status_macros.h"

namespace vdb {

class StorePayloads final : public PayloadReader {
 public:
  StorePayloads(const storage::Store& store, storage::GenerationKey key, Deadline deadline = {})
      : store_(store), key_(key), deadline_(deadline) {}

  Status ReadPayload(std::uint32_t slot, std::string* out) override {
    VDB_RETURN_IF_ERROR(deadline_.Check());
    return store_.GetRecord(key_, slot, nullptr, out);
  }

 private:
  const storage::Store& store_;
  const storage::GenerationKey key_;
  const Deadline deadline_;
};

}  // namespace vdb

#endif  // VDB_DB_STORE_PAYLOADS_H_
