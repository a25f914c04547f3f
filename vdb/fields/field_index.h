// The field index of one collection generation: payloads as columns by path, and ids by slot.
//
// State: derived from the store's records; written to and read from one file (vdb/storage/FORMAT.md §8).
// Thread safety: one writer at a time (Write, ids().Write), slots in order, each past the committed count of every
// reader; a slot whose commit failed may be written again. Everything const runs beside it from any thread, for slots
// below a committed count that the reader loaded with acquire. Find and Paths take a short lock.
// Ownership: owns its columns; pointers and views live as long as the index.
#ifndef VDB_FIELDS_FIELD_INDEX_H_
#define VDB_FIELDS_FIELD_INDEX_H_

#include <vdb/limits.h>
#include <vdb/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "vdb/fields/column.h"
#include "vdb/fields/marked_rows.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/fields/string_pool.h"
#include "vdb/util/checksum.h"
#include "vdb/util/mutex.h"
#include "vdb/util/segmented_array.h"

namespace vdb {

// What is known of one path, for Stats.
struct PathStats {
  std::string path;
  std::vector<std::string> types;      // of "null", "bool", "int", "double", "string", "list", "object"
  std::uint64_t distinct_strings = 0;  // in the dictionary
  bool hashed = false;                 // further strings keep a hash: filters may read payloads
  std::size_t memory_bytes = 0;        // reserved address space
};

class FieldIndex {
 public:
  // max_paths: paths beyond it get no column; filters on them read the payloads of the rows that have any.
  explicit FieldIndex(std::size_t max_paths = kMaxIndexedPaths) : max_paths_(max_paths) {}
  FieldIndex(const FieldIndex&) = delete;
  FieldIndex& operator=(const FieldIndex&) = delete;

  // Enters the payload of slot into the columns. Throws std::bad_alloc: then the slot must be written again before it
  // is published. Writer only.
  void Write(std::uint32_t slot, const ParsedPayload& payload);

  // slot → id: ids().Write(slot, id) by the writer, ids().Get(slot) by anyone.
  StringPool& ids() { return ids_; }
  const StringPool& ids() const { return ids_; }

  // The column of a path (in canonical text), or null: then the path is missing in every slot that was published to the
  // caller, but those with UnindexedWord bits.
  const Column* Find(std::string_view path) const;

  // Bit i: slot 64 * word + i has paths that are in no column. A path whose cell is missing there may exist.
  std::uint64_t UnindexedWord(std::uint64_t word) const { return unindexed_.Word(word); }
  // Rows written with such paths.
  std::uint64_t unindexed_rows() const { return unindexed_.count(); }

  // Slots of records that have no vector. Marked by the writer, after Write.
  const MarkedRows& without_vector() const { return without_vector_; }
  void MarkWithoutVector(std::uint32_t slot) { without_vector_.Mark(slot); }

  // Paths with a column, sorted.
  std::vector<PathStats> Paths() const;
  // Address space reserved by all arrays; what was never touched costs no memory.
  std::size_t MemoryBytes() const;

  // Writes the slots [0, rows) durably to one file: temporary, fsync, rename, fsync of the directory. rows must be
  // published to the caller; the writer may append meanwhile. stamp is given back to Load.
  Status Save(const std::string& path, std::uint32_t rows, std::uint64_t stamp) const;

  // Reads such a file into memory. Errors: NotFound; DataLoss naming the file - any damage, another number of rows,
  // another stamp; ResourceExhausted - memory.
  static Result<std::unique_ptr<FieldIndex>> Load(const std::string& path, std::uint32_t rows, std::uint64_t stamp,
                                                  std::size_t max_paths = kMaxIndexedPaths);

 private:
  friend class FieldFileReader;
  friend class FieldFileWriter;

  struct PathHash {
    std::size_t operator()(std::string_view path) const { return Checksum(path); }
  };

  // The column of path, made if there is room; null otherwise. Writer only.
  Column* FindOrAdd(std::string_view path);
  // All columns, in order of first sight.
  std::vector<const Column*> Columns() const;
  void ClearSlot(std::uint32_t slot);

  const std::size_t max_paths_;
  StringPool ids_;
  MarkedRows unindexed_;
  MarkedRows without_vector_;
  std::uint64_t written_ = 0;  // writer only: slots below it may hold cells

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Column>> columns_ ABSL_GUARDED_BY(mutex_);
  // Keys are the columns' own paths.
  absl::flat_hash_map<std::string_view, Column*, PathHash> by_path_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace vdb

#endif  // VDB_FIELDS_FIELD_INDEX_H_
