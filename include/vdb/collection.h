// Collection: records of one dimension and metric, written, read, searched and scanned.
#ifndef VDB_COLLECTION_H_
#define VDB_COLLECTION_H_

#include <vdb/facets.h>
#include <vdb/filter.h>
#include <vdb/search.h>
#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

class CollectionImpl;
class ScannerImpl;

// Fixed when the collection is created.
struct CollectionOptions {
  // Components per vector, [1, kMaxDim]. 0: that of the first vector written; until then searches find nothing.
  std::size_t dim = 0;
  Metric metric = Metric::kCosine;
  // Edges per node on upper layers; layer 0 keeps 2 * m. Paper: M. Range [kMinM, kMaxM].
  std::uint32_t m = 16;
  // Candidates kept while a record is linked into the graph. Paper: efConstruction. Range [1, kMaxEfConstruction].
  std::uint32_t ef_construction = 200;
  // What the graph is built and walked on; hits and their distances are decided by float32 rows either way. int8 takes
  // up to dim + 16 bytes more memory a record, 0.63 dim where 5 bits a component tell neighbours apart, beside the
  // mapped float32 rows, of which walks then need few pages. It builds and searches faster the more dimensions there
  // are, at about the same recall; behind at a small ef where a few components make up most of every distance.
  CodeKind codes = CodeKind::kByDimension;
};

struct CollectionStats {
  std::string name;
  CollectionOptions options;
  std::uint64_t records = 0;    // live records
  std::uint64_t slots = 0;      // live and dead ones of this generation
  std::uint64_t linked = 0;     // slots in the graph
  std::uint64_t published = 0;  // slots in the published files
  std::uint64_t generation = 0;
  bool verifying = false;                 // published files are still being verified; closing gives that up
  std::string damage;                     // why published files were not used, or repaired; empty if all was well
  std::string publish_error;              // of the last publication, if it failed: it needs 256 MiB of free space
  std::uint64_t publish_failures = 0;     // since the last that worked; each doubles what must change before the next
  std::uint64_t publishes = 0;            // since open
  std::uint64_t linked_batches = 0;       // since open
  std::uint64_t purged = 0;               // dead slots removed from the store since open
  std::uint64_t oldest_view_seconds = 0;  // for how long the oldest scan or search has been under way
  std::uint64_t anonymous_bytes = 0;      // links, codes, columns and ids
  std::uint64_t mapped_bytes = 0;         // file-backed: vectors
  std::uint64_t paths = 0;                // payload paths with a column
  std::uint64_t unindexed_rows = 0;       // rows with paths beyond kMaxIndexedPaths: filters on those read payloads
};

// Walks over the records of one state of a collection, in the order of writing; writes after it began are not seen.
//
// Thread safety: external lock. Delays the removal of dead records, nothing else; for an hour at most.
class Scanner {
 public:
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;
  ~Scanner();

  // The next record, or nothing at the end. Aborted when the scan has been under way for more than an hour while dead
  // records waited to be removed: it was given up so that they can be.
  Result<std::optional<Record>> Next();

 private:
  friend class CollectionImpl;
  explicit Scanner(std::unique_ptr<ScannerImpl> impl);
  std::unique_ptr<ScannerImpl> impl_;
};

// Thread safety: safe from many threads; reads never wait for writes. A handle is a cheap reference: copies mean the
// same collection, and keep the database open.
// Errors common to all functions: FailedPrecondition when the database is closed, the collection dropped, or the
// process a fork of the one that opened it. Writes also: FailedPrecondition when the database is read-only (after data
// loss or a failed write), ResourceExhausted when space or a limit is reached and nothing was changed, IoError when the
// outcome is unknown until the database is reopened.
class Collection {
 public:
  // Writes records; an existing id is replaced. All or nothing; visible to every search that begins after the return.
  // InvalidArgument: dimension, NaN or infinity, zero vector under cosine, id, payload, batch size.
  Status Upsert(const RecordView& record, const WriteOptions& options = {});
  Status Upsert(std::span<const RecordView> records, const WriteOptions& options = {});

  // Removes records; returns how many existed.
  Result<std::uint64_t> Delete(std::string_view id, const WriteOptions& options = {});
  Result<std::uint64_t> Delete(std::span<const std::string_view> ids, const WriteOptions& options = {});
  // Removes every record that matches when the delete takes its place among the writes; returns how many. Atomic.
  Result<std::uint64_t> DeleteWhere(const Filter& filter, std::span<const Value> bind = {},
                                    const WriteOptions& options = {});

  // Changes payloads and keeps the vectors. A merged payload is written anew: numbers beyond 64 bits become doubles,
  // and 1.10 is 1.1. Atomic, also beside other writers of the same records; ids that do not exist are passed over.
  // Returns how many records were written. InvalidArgument: a payload, an id, more than kMaxBatchBytes of records in
  // all.
  Result<std::uint64_t> Update(std::span<const PayloadUpdate> updates, const UpdateOptions& options = {});
  // The same change for every record that matches when the update takes its place among the writes.
  Result<std::uint64_t> UpdateWhere(const Filter& filter, std::string_view payload, std::span<const Value> bind = {},
                                    const UpdateOptions& options = {});

  // A JSON object that belongs to the collection and is not searched: what made its vectors, say. {} until it is set;
  // at most kMaxDocumentBytes. Always durable.
  Status SetDocument(std::string_view json);
  Result<std::string> GetDocument() const;

  // The record of an id, NotFound if there is none. with_vector adds the vector as it was written.
  Result<Record> Get(std::string_view id, bool with_vector = false) const;

  Result<SearchResult> Search(const SearchRequest& request) const;
  // The same as a Search for each request, on all cores and on one state (searches by id: each on the state in which
  // its record was found); results in order. The first error is returned.
  Result<std::vector<SearchResult>> SearchBatch(std::span<const SearchRequest> requests) const;
  // Runs the search and tells how.
  Result<Explanation> Explain(const SearchRequest& request) const;

  // Records that match, counted exactly.
  Result<std::uint64_t> Count(const Filter& filter = {}, std::span<const Value> bind = {}) const;
  // The values of one path among the records that match: how many have each, the smallest, the largest.
  Result<FacetResult> Facets(const FacetRequest& request) const;
  Result<Scanner> Scan(const ScanRequest& request = {}) const;

  // Rewrites the collection without its dead records and builds a new graph, beside the old one; then switches. Other
  // writes to this collection wait meanwhile, reads do not.
  Status Compact();
  // Writes the derived files now, so that the next open has nothing to replay. Happens by itself as rows come in, when
  // the collection is quiet, and at Close.
  Status Publish();
  // Waits until every record committed before the call is in the graph, where the collection is large enough for one,
  // and recall has been measured on it (see SearchRequest::min_recall).
  Status WaitForIndex();
  // Reads the whole store of this collection and compares ids, records, vectors and deletes with each other and with
  // the index; DataLoss tells what is wrong. Never writes.
  Status Verify() const;

  Result<CollectionStats> Stats() const;
  const std::string& name() const;
  // dim is 0 until the first vector where it was not given.
  CollectionOptions options() const;

 private:
  friend class DatabaseImpl;
  friend class Database;
  friend class WriteBatch;
  explicit Collection(std::shared_ptr<CollectionImpl> impl);
  std::shared_ptr<CollectionImpl> impl_;
};

}  // namespace vdb

#endif  // VDB_COLLECTION_H_
