// The plain types of the public interface: metric, durability, records, write batches.
//
// Thread safety: values; a WriteBatch needs external locking while it is changed.
#ifndef VDB_TYPES_H_
#define VDB_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

// How far two vectors are from each other. Smaller is nearer, always:
//   kL2Squared     sum of (a - b)^2
//   kInnerProduct  1 - a.b (may be negative)
//   kCosine        1 - a.b / (|a| |b|), clamped to [0, 2]; a zero vector is an error
enum class Metric : std::uint8_t { kL2Squared = 0, kInnerProduct = 1, kCosine = 2 };  // Persistent: never renumber.

// "l2", "ip" or "cosine".
constexpr std::string_view MetricName(Metric metric) {
  switch (metric) {
    case Metric::kL2Squared:
      return "l2";
    case Metric::kInnerProduct:
      return "ip";
    case Metric::kCosine:
      return "cosine";
  }
  return "unknown";
}

// What MetricName calls so.
constexpr std::optional<Metric> MetricNamed(std::string_view name) {
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    if (name == MetricName(metric)) return metric;
  }
  return std::nullopt;
}

// What the graph of a collection is built and walked on. Distances of hits are computed from float32 either way.
enum class CodeKind : std::uint8_t {  // Persistent: never renumber.
  kFloat32 = 0,                       // the vectors themselves
  kInt8 = 1,                          // a byte per component, or 5 bits: fewer bytes to read at each step
  kByDimension = 2,                   // int8 from kMinInt8Dim dimensions on
};

inline constexpr std::size_t kMinInt8Dim = 64;

// kFloat32 or kInt8.
constexpr CodeKind ResolveCodes(CodeKind codes, std::size_t dim) {
  if (codes != CodeKind::kByDimension) return codes;
  return dim >= kMinInt8Dim ? CodeKind::kInt8 : CodeKind::kFloat32;
}

// "float32", "int8" or "auto".
constexpr std::string_view CodeKindName(CodeKind codes) {
  switch (codes) {
    case CodeKind::kFloat32:
      return "float32";
    case CodeKind::kInt8:
      return "int8";
    case CodeKind::kByDimension:
      return "auto";
  }
  return "unknown codes";
}

// What CodeKindName calls so.
constexpr std::optional<CodeKind> CodeKindNamed(std::string_view name) {
  for (const CodeKind codes : {CodeKind::kFloat32, CodeKind::kInt8, CodeKind::kByDimension}) {
    if (name == CodeKindName(codes)) return codes;
  }
  return std::nullopt;
}

// What a write has survived when its call returns Ok. Every write survives the death of the process (kill -9).
enum class Durability : std::uint8_t {
  kSync,        // also a crash of the operating system and a power cut: fdatasync, shared by a group of writers
  kOsBuffered,  // not yet: the system writes it out within about half a minute, or with the next kSync write
};

// A record to be written. The views must stay valid during the call.
struct RecordView {
  std::string_view id = {};            // 1..kMaxIdBytes bytes of UTF-8
  std::span<const float> vector = {};  // the collection's dimension, finite; not all zero under cosine
  std::string_view payload = {};       // a JSON object; empty means {}
  // The record has no vector on purpose: it is filtered, counted and scanned, and never a hit. Without this an empty
  // vector is an error, since a caller who forgets it would lose the old one.
  bool without_vector = false;
};

// A record as read.
struct Record {
  std::string id;
  std::vector<float> vector;  // as written; empty unless asked for, and for a record without one
  std::string payload;        // JSON text as written; empty unless asked for
};

struct WriteOptions {
  Durability durability = Durability::kSync;
};

// How a payload is changed.
enum class UpdateMode : std::uint8_t {
  kMerge,    // JSON Merge Patch (RFC 7396): members replace or are added, null removes one, objects are merged
  kReplace,  // the new payload as it is
};

// A change of one record's payload. The views must stay valid during the call.
struct PayloadUpdate {
  std::string_view id = {};
  std::string_view payload = {};  // a JSON object
};

struct UpdateOptions {
  UpdateMode mode = UpdateMode::kMerge;
  Durability durability = Durability::kSync;
};

class Collection;
class CollectionImpl;

// Upserts and deletes, possibly in several collections of one database, applied all or nothing and in order: the last
// word on an id wins. Owns copies of what is put in.
class WriteBatch {
 public:
  void Upsert(const Collection& collection, const RecordView& record);
  void Delete(const Collection& collection, std::string_view id);

  std::size_t size() const { return operations_.size(); }
  void Clear() { operations_.clear(); }

 private:
  friend class DatabaseImpl;
  struct Operation {
    std::shared_ptr<CollectionImpl> collection;
    bool is_delete;
    bool without_vector;
    std::string id;
    std::vector<float> vector;
    std::string payload;
  };
  std::vector<Operation> operations_;
};

}  // namespace vdb

#endif  // VDB_TYPES_H_
