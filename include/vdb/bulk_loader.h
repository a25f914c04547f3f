// BulkLoader: fills a new collection, or replaces one, from scratch, fast; all or nothing.
#ifndef VDB_BULK_LOADER_H_
#define VDB_BULK_LOADER_H_

#include <vdb/collection.h>
#include <vdb/database.h>
#include <vdb/status.h>
#include <vdb/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace vdb {

class BulkLoaderImpl;

enum class BulkMode : std::uint8_t {
  kCreate,   // the collection must not exist
  kReplace,  // an existing collection keeps its options and gets new contents
};

enum class BulkPhase : std::uint8_t { kStoring, kLinking, kPublishing };

// Called now and then on the loading thread: rows done of rows known in this phase (total 0: not known yet).
using BulkProgress = std::function<void(BulkPhase phase, std::uint64_t done, std::uint64_t total)>;

// Until Finish returns Ok, readers and a reopened database see the collection as it was (or not at all). A loader that
// is destroyed, or whose process dies, leaves nothing behind that the next open would not clean up. Thread safety:
// external lock. Other collections go on; writes to a collection being replaced wait.
class BulkLoader {
 public:
  // options is used by kCreate only.
  static Result<BulkLoader> Begin(Database* database, std::string_view name, BulkMode mode,
                                  const CollectionOptions& options);
  BulkLoader(BulkLoader&&) noexcept;
  BulkLoader& operator=(BulkLoader&&) noexcept;
  ~BulkLoader();

  // Adds records; of those with one id the last wins. Errors as Collection::Upsert; the records before the bad one of
  // this call are not added either.
  Status Add(std::span<const RecordView> records);

  // Builds the graph and makes the collection visible.
  Result<Collection> Finish(const BulkProgress& progress = {});

 private:
  explicit BulkLoader(std::unique_ptr<BulkLoaderImpl> impl);
  std::unique_ptr<BulkLoaderImpl> impl_;
};

}  // namespace vdb

#endif  // VDB_BULK_LOADER_H_
