// Builds a generation from scratch beside whatever is there: sorted files for the store, columns, rows, graph,
// published files. Until Install, nothing of it is visible; an intent in the catalog lets the next open clean up after
// a crash.
//
// Thread safety: external lock.
// Ownership: a builder that is destroyed without Install removes what it made.
#ifndef VDB_DB_GENERATION_BUILDER_H_
#define VDB_DB_GENERATION_BUILDER_H_

#include <vdb/bulk_loader.h>
#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "vdb/db/collection_impl.h"
#include "vdb/db/generation.h"
#include "vdb/storage/catalog.h"
#include "vdb/storage/sst_writer.h"

namespace vdb {

class DatabaseImpl;

class GenerationBuilder {
 public:
  // schema: of the collection as it will be, its generation the one to build. The intent is durable when it returns.
  static Result<std::unique_ptr<GenerationBuilder>> Begin(std::shared_ptr<DatabaseImpl> database,
                                                          storage::CollectionSchema schema);
  ~GenerationBuilder();
  GenerationBuilder(const GenerationBuilder&) = delete;
  GenerationBuilder& operator=(const GenerationBuilder&) = delete;

  // Adds validated upserts, in order; of one id the last wins.
  Status Add(std::span<const Mutation> mutations);

  // Stores, links and publishes.
  Status Build(const BulkProgress& progress);

  // Call in the commit queue: one durable step makes the generation the collection's. drop_old: the generation that
  // readers leave, or nothing.
  Status Install(const std::optional<storage::GenerationKey>& drop_old);

  const storage::CollectionSchema& schema() const { return schema_; }
  const storage::PublishedFiles& files() const { return files_; }
  std::shared_ptr<Generation> generation() const { return generation_; }

 private:
  // A collection without a dimension gets that of its first vector.
  Status FixDimension(std::span<const Mutation> mutations);
  GenerationBuilder(std::shared_ptr<DatabaseImpl> database, storage::CollectionSchema schema);
  Status WriteIds();
  Status Link(const BulkProgress& progress);
  Status Publish();

  const std::shared_ptr<DatabaseImpl> database_;
  storage::CollectionSchema schema_;
  const storage::GenerationKey key_;
  std::shared_ptr<Generation> generation_;
  std::optional<storage::SstWriter> sorted_;
  absl::flat_hash_map<std::string, std::uint32_t> slots_;
  std::vector<std::uint32_t> replaced_;  // slots whose id came again
  storage::PublishedFiles files_;
  bool installed_ = false;
};

}  // namespace vdb

#endif  // VDB_DB_GENERATION_BUILDER_H_
