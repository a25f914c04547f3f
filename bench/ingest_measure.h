// What the ingest benchmark measures, one function each, through the public API.
//
// Thread safety: external lock; each function starts and ends its own threads. All throw std::runtime_error.
#ifndef VDB_BENCH_INGEST_MEASURE_H_
#define VDB_BENCH_INGEST_MEASURE_H_

#include <vdb/vdb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/prepared_set.h"

namespace vdb::bench {

struct IngestSetup {
  std::string folder;
  Matrix rows;
  Matrix queries;
  Metric metric = Metric::kCosine;
  std::size_t threads = 0;      // for indexing
  std::size_t base_rows = 0;    // in the graph before the first write
  std::size_t ingest_rows = 0;  // written behind them
  std::size_t batch_rows = 256;
  std::size_t tail_bound = 0;  // where writers begin to help
  double seconds = 0;          // of each phase that has no other end
};

// Linking rows [base_rows, base_rows + ingest_rows) in a bulk load.
struct LinkingRate {
  double rows_per_s = 0;
  double rows_per_cpu_s = 0;
};
LinkingRate MeasureLinking(const IngestSetup& setup);

struct IngestRate {
  double burst_rows_per_s = 0;     // until the tail reached its bound, or to the end if it never did
  std::uint64_t burst_rows = 0;    // of it
  bool reached_bound = false;      // else indexing kept up
  double written_rows_per_s = 0;   // all rows, until the last upsert returned
  double indexed_rows_per_s = 0;   // until less than a batch of indexing was left
  double rows_per_cpu_s = 0;       // the same, by the processor seconds of all threads
  double longest_upsert_ms = 0;    // of a batch
  std::uint64_t publications = 0;  // meanwhile
};
// Writes the same rows with Upsert, one writer, not synced, into a collection that has a graph of base_rows.
IngestRate MeasureIngest(const IngestSetup& setup, Database* database);

// After kill -9 of a process that wrote until the tail had reached its bound, or all rows.
struct Reopening {
  std::uint64_t rows = 0;         // that the collection then has
  std::uint64_t unlinked = 0;     // of them the killed process had not linked
  std::uint64_t unpublished = 0;  // of them are in no file of the graph
  double first_hit_ms = 0;        // from opening the database to the hits of a search
  double rocksdb_ms = 0;          // RocksDB alone, on a copy of the same folder
};
// Forks: nothing may have been opened in this process before.
Reopening MeasureReopening(const IngestSetup& setup);

struct Latency {
  std::uint64_t searches = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  // Of the searches during which the system took the processor away from no searching thread.
  double p99_undisturbed_us = 0;
  double max_undisturbed_us = 0;
};

struct SearchesBesideIndexing {
  Latency idle;
  Latency busy;
  double indexed_rows_per_s = 0;  // meanwhile
  double mean_tail_rows = 0;
};
// Two searching threads: alone, and while a writer sees to it that there is always a batch to link.
SearchesBesideIndexing MeasureSearches(const IngestSetup& setup, Collection collection);

struct SearchesBesidePublishing {
  Latency without;
  Latency during;
  std::uint64_t publications = 0;
  double publish_ms = 0;  // mean
};
// One searching thread, in turn alone and beside Publish.
SearchesBesidePublishing MeasurePublishing(const IngestSetup& setup, Collection collection);

struct SyncedUpserts {
  double disk_per_s = 0;  // appends of the bytes of a record, each with fdatasync
  double one_per_s = 0;
  double eight_per_s = 0;
  double rows_per_group = 0;  // of the eight
};
// Single records, each durable when its call returns; the disk's own rate in turn with them. Medians of the turns.
SyncedUpserts MeasureSynced(const IngestSetup& setup, Database* database);

}  // namespace vdb::bench

#endif  // VDB_BENCH_INGEST_MEASURE_H_
