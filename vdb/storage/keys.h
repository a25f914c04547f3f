// Keys of every column family; FORMAT.md §3 is their description. Numbers in keys are big-endian, so that keys sort by
// collection, generation, slot. Thread safety: pure functions.
#ifndef VDB_STORAGE_KEYS_H_
#define VDB_STORAGE_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "vdb/util/coding.h"

namespace vdb::storage {

// One numbering of the slots of one collection: the prefix of its keys.
struct GenerationKey {
  std::uint32_t collection = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const GenerationKey&, const GenerationKey&) = default;
};

// Vector fields are numbered from 0; there is one so far.
inline constexpr std::uint16_t kFirstVectorField = 0;

inline std::string GenerationPrefix(GenerationKey key) {
  std::string out;
  AppendBigEndian(&out, key.collection);
  AppendBigEndian(&out, key.generation);
  return out;
}

// The first key behind every key of the generation.
inline std::string GenerationEnd(GenerationKey key) {
  return GenerationPrefix(key.generation == UINT32_MAX ? GenerationKey{key.collection + 1, 0}
                                                       : GenerationKey{key.collection, key.generation + 1});
}

inline std::string IdKey(GenerationKey key, std::string_view id) {
  return GenerationPrefix(key).append(id);
}

inline std::string RecordKey(GenerationKey key, std::uint32_t slot) {
  std::string out = GenerationPrefix(key);
  AppendBigEndian(&out, slot);
  return out;
}

inline std::string VectorKey(GenerationKey key, std::uint16_t field, std::uint32_t slot) {
  std::string out = GenerationPrefix(key);
  AppendBigEndian(&out, field);
  AppendBigEndian(&out, slot);
  return out;
}

inline std::string DeleteKey(GenerationKey key, std::uint64_t commit_seq) {
  std::string out = GenerationPrefix(key);
  AppendBigEndian(&out, commit_seq);
  return out;
}

// Catalog.
inline constexpr std::string_view kCommitSeqKey = "commit_seq";
inline constexpr std::string_view kNextCollectionKey = "next_collection";
inline constexpr char kSchemaPrefix = 'S';
inline constexpr char kDocumentPrefix = 'D';
inline constexpr char kCountersPrefix = 'G';
inline constexpr char kPublishedPrefix = 'P';
inline constexpr char kIntentPrefix = 'I';

inline std::string SchemaKey(std::uint32_t collection) {
  std::string out(1, kSchemaPrefix);
  AppendBigEndian(&out, collection);
  return out;
}
inline std::string DocumentKey(std::uint32_t collection) {
  std::string out(1, kDocumentPrefix);
  AppendBigEndian(&out, collection);
  return out;
}
inline std::string CountersKey(GenerationKey key) {
  return std::string(1, kCountersPrefix) + GenerationPrefix(key);
}
inline std::string PublishedKey(GenerationKey key) {
  return std::string(1, kPublishedPrefix) + GenerationPrefix(key);
}
inline std::string IntentKey(GenerationKey key) {
  return std::string(1, kIntentPrefix) + GenerationPrefix(key);
}

}  // namespace vdb::storage

#endif  // VDB_STORAGE_KEYS_H_
