// The catalog's values: what they hold and how they become bytes (FORMAT.md §4).
//
// Every value begins with a version byte and ends with nothing: a value with bytes left over or missing is DataLoss.
// Thread safety: pure functions over values.
#ifndef VDB_STORAGE_CATALOG_H_
#define VDB_STORAGE_CATALOG_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vdb/storage/keys.h"

namespace vdb::storage {

// Persistent: never renumber.
enum class VectorKind : std::uint8_t { kDense = 0 };

struct VectorFieldSchema {
  std::string name;
  VectorKind kind = VectorKind::kDense;
  std::uint32_t dim = 0;
  Metric metric = Metric::kCosine;
  CodeKind code = CodeKind::kFloat32;
  std::uint32_t m = 0;
  std::uint32_t ef_construction = 0;
};

struct CollectionSchema {
  std::uint32_t id = 0;
  std::uint32_t generation = 0;  // the one that readers use
  std::string name;
  std::vector<VectorFieldSchema> fields;  // exactly one so far
};

// Written in every batch that touches the collection.
struct Counters {
  std::uint32_t slots = 0;  // slots ever assigned: the committed end
  std::uint64_t live = 0;   // live records
};

// The published files of a generation: they cover slots [0, slots) as of commit_seq.
struct PublishedFiles {
  std::uint32_t slots = 0;
  std::uint64_t commit_seq = 0;
  std::string links;  // file names in the generation's folder
  std::string columns;
  std::vector<std::uint64_t> vector_checksums;  // XXH3 of each MiB of `vectors` up to slots rows
};

// Persistent: never renumber.
enum class IntentKind : std::uint8_t {
  kBuild = 1,  // a generation is being built: unless its collection points to it, it is rubbish
  kDrop = 2,   // a generation is being removed: finish it
};

struct Intent {
  IntentKind kind = IntentKind::kBuild;
  GenerationKey key;
};

std::string Encode(const CollectionSchema& schema);
std::string Encode(const Counters& counters);
std::string Encode(const PublishedFiles& files);
std::string Encode(IntentKind kind);
std::string EncodeDocument(std::string_view json);

Result<CollectionSchema> DecodeSchema(std::uint32_t id, std::string_view bytes);
Result<Counters> DecodeCounters(std::string_view bytes);
Result<PublishedFiles> DecodePublishedFiles(std::string_view bytes);
Result<std::string> DecodeDocument(std::string_view bytes);
Result<IntentKind> DecodeIntent(std::string_view bytes);

}  // namespace vdb::storage

#endif  // VDB_STORAGE_CATALOG_H_
