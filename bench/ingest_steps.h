// What several measurements of the ingest benchmark do.
//
// Thread safety: external lock on collection and loader. All throw std::runtime_error.
#ifndef VDB_BENCH_INGEST_STEPS_H_
#define VDB_BENCH_INGEST_STEPS_H_

#include <vdb/vdb.h>

#include <cstdint>
#include <stdexcept>
#include <utility>

#include "bench/check.h"
#include "bench/ingest_measure.h"
#include "bench/ingest_rows.h"

namespace vdb::bench {

inline constexpr char kCollection[] = "ingest";
inline constexpr std::uint64_t kIndexingBatchRows = 512;

CollectionOptions OptionsOf(const IngestSetup& setup);

// Rows [0, end).
void AddRows(const IngestSetup& setup, std::size_t end, BulkLoader* loader);
// A collection with the base rows in its graph.
Collection LoadBase(const IngestSetup& setup, Database* database);
// A batch from row `begin` on, not synced.
void UpsertBatch(const IngestSetup& setup, std::size_t begin, Collection* collection);

// Whether a writer found the tail beyond its bound: then it has linked a batch before it came back.
bool ReachedBound(const IngestSetup& setup, const CollectionStats& stats);

}  // namespace vdb::bench

#endif  // VDB_BENCH_INGEST_STEPS_H_
