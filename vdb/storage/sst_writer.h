// Sorted files of one generation, written beside the store and taken over by Store::Ingest in one step.
//
// Thread safety: external lock.
// Ownership: files that were not ingested are removed with the folder they are in.
#ifndef VDB_STORAGE_SST_WRITER_H_
#define VDB_STORAGE_SST_WRITER_H_

#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "vdb/storage/keys.h"
#include "vdb/storage/store.h"

namespace vdb::storage {

class SstWriter {
 public:
  // Writes into the existing folder `directory`, on the file system of the store, which must outlive the writer. Each
  // file says which column family of the store it belongs to: a repair goes by that.
  SstWriter(const Store& store, std::string directory, GenerationKey key);
  ~SstWriter();
  SstWriter(SstWriter&&) noexcept;

  // Slots ascend from call to call.
  Status AddRecord(const RecordEntry& record);
  Status AddVector(std::uint32_t slot, std::span<const float> vector);
  // Ids ascend bytewise from call to call; no id twice.
  Status AddId(std::string_view id, std::uint32_t slot);

  // Closes the files and names them.
  Result<IngestFiles> Finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace vdb::storage

#endif  // VDB_STORAGE_SST_WRITER_H_
