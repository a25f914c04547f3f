#include "bench/ingest_steps.h"

#include <algorithm>

namespace vdb::bench {

CollectionOptions OptionsOf(const IngestSetup& setup) {
  return {.dim = setup.rows.dim, .metric = setup.metric};
}

void AddRows(const IngestSetup& setup, std::size_t end, BulkLoader* loader) {
  for (std::size_t begin = 0; begin < end; begin += setup.batch_rows) {
    const RowBatch batch(setup.rows, begin, std::min(end, begin + setup.batch_rows));
    Check(loader->Add(batch.records()));
  }
}

Collection LoadBase(const IngestSetup& setup, Database* database) {
  BulkLoader loader = Check(BulkLoader::Begin(database, kCollection, BulkMode::kCreate, OptionsOf(setup)));
  AddRows(setup, setup.base_rows, &loader);
  return Check(loader.Finish());
}

void UpsertBatch(const IngestSetup& setup, std::size_t begin, Collection* collection) {
  const RowBatch batch(setup.rows, begin, begin + setup.batch_rows);
  Check(collection->Upsert(batch.records(), {.durability = Durability::kOsBuffered}));
}

bool ReachedBound(const IngestSetup& setup, const CollectionStats& stats) {
  return stats.slots - stats.linked + kIndexingBatchRows > setup.tail_bound;
}

}  // namespace vdb::bench
