// Payload texts from the store, for filters that the columns cannot decide.
//
// Thread safety: as the store's reads.
#ifndef VDB_DB_STORE_PAYLOADS_H_
#define VDB_DB_STORE_PAYLOADS_H_

#include <string>

#include "vdb/query/cardinality.h"
#include "vdb/storage/store.h"

namespace vdb {

class StorePayloads final : public PayloadReader {
 public:
  StorePayloads(const storage::Store& store, storage::GenerationKey key) : store_(store), key_(key) {}

  Status ReadPayload(std::uint32_t slot, std::string* out) override {
    return store_.GetRecord(key_, slot, nullptr, out);
  }

 private:
  const storage::Store& store_;
  const storage::GenerationKey key_;
};

}  // namespace vdb

#endif  // VDB_DB_STORE_PAYLOADS_H_
