// Store: reading the catalog.

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/coding.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

template <typename T>
Result<T> ReadNumber(const Result<std::optional<std::string>>& value, std::string_view what, T missing) {
  if (!value.ok()) return value.status();
  if (!*value) return missing;
  T number{};
  if ((*value)->size() != sizeof(T) || !ByteReader(**value).Read(&number)) {
    return DataLossError(StrCat("the catalog's ", what, " is damaged"));
  }
  return number;
}

// The generation that a key names behind its prefix of one byte.
Result<GenerationKey> KeyOf(std::string_view key, std::string_view what) {
  if (key.size() != 1 + 2 * sizeof(std::uint32_t))
    return DataLossError(StrCat("the catalog has a damaged ", what, " key"));
  return GenerationKey{.collection = LoadBigEndian<std::uint32_t>(key.substr(1)),
                       .generation = LoadBigEndian<std::uint32_t>(key.substr(1 + sizeof(std::uint32_t)))};
}

// Calls body(key, value) for the catalog's entries with a prefix, in order of keys; the first error of body is the end.
template <typename Rep, typename Body>
Status ForEach(const Rep& rep, char prefix, const Body& body) {
  const std::string_view wanted(&prefix, 1);
  const auto iterator = rep.NewIterator(kCatalog, rocksdb::ReadOptions());
  for (iterator->Seek(ToSlice(wanted)); iterator->Valid() && iterator->key().starts_with(ToSlice(wanted));
       iterator->Next()) {
    VDB_RETURN_IF_ERROR(body(ToView(iterator->key()), ToView(iterator->value())));
  }
  return FromRocks("reading the catalog", iterator->status());
}

// An error says which store it is about.
template <typename T>
Result<T> In(const std::string& path, Result<T> decoded) {
  if (decoded.ok()) return decoded;
  return decoded.status().WithMessage(StrCat(path, ": ", decoded.status().message()));
}

}  // namespace

Result<std::uint64_t> Store::CommitSeq() const {
  return ReadNumber<std::uint64_t>(rep_->Get(kCatalog, kCommitSeqKey), kCommitSeqKey, 0);
}

Result<std::uint32_t> Store::NextCollection() const {
  return ReadNumber<std::uint32_t>(rep_->Get(kCatalog, kNextCollectionKey), kNextCollectionKey, 1);
}

Result<std::vector<CollectionSchema>> Store::Schemas() const {
  std::vector<CollectionSchema> schemas;
  VDB_RETURN_IF_ERROR(ForEach(*rep_, kSchemaPrefix, [&](std::string_view key, std::string_view value) -> Status {
    if (key.size() != 1 + sizeof(std::uint32_t)) return DataLossError("the catalog has a damaged schema key");
    VDB_ASSIGN_OR_RETURN(CollectionSchema schema,
                         In(rep_->path, DecodeSchema(LoadBigEndian<std::uint32_t>(key.substr(1)), value)));
    schemas.push_back(std::move(schema));
    return OkStatus();
  }));
  return schemas;
}

Result<std::vector<Intent>> Store::Intents() const {
  std::vector<Intent> intents;
  VDB_RETURN_IF_ERROR(ForEach(*rep_, kIntentPrefix, [&](std::string_view key, std::string_view value) -> Status {
    Intent intent;
    VDB_ASSIGN_OR_RETURN(intent.key, KeyOf(key, "intent"));
    VDB_ASSIGN_OR_RETURN(intent.kind, In(rep_->path, DecodeIntent(value)));
    intents.push_back(intent);
    return OkStatus();
  }));
  return intents;
}

Result<std::string> Store::GetDocument(std::uint32_t collection) const {
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> value, rep_->Get(kCatalog, DocumentKey(collection)));
  if (!value) return std::string("{}");
  return DecodeDocument(*value);
}

Result<Counters> Store::GetCounters(GenerationKey key) const {
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> value, rep_->Get(kCatalog, CountersKey(key)));
  if (!value) {
    return DataLossError(
        StrCat("the catalog has no counters for collection ", key.collection, ", generation ", key.generation));
  }
  return In(rep_->path, DecodeCounters(*value));
}

Result<std::vector<GenerationKey>> Store::CountedGenerations() const {
  std::vector<GenerationKey> keys;
  VDB_RETURN_IF_ERROR(ForEach(*rep_, kCountersPrefix, [&](std::string_view entry, std::string_view) -> Status {
    VDB_ASSIGN_OR_RETURN(const GenerationKey key, KeyOf(entry, "counters"));
    keys.push_back(key);
    return OkStatus();
  }));
  return keys;
}

Result<std::optional<PublishedFiles>> Store::GetPublished(GenerationKey key) const {
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> value, rep_->Get(kCatalog, PublishedKey(key)));
  if (!value) return std::optional<PublishedFiles>();
  VDB_ASSIGN_OR_RETURN(PublishedFiles files, In(rep_->path, DecodePublishedFiles(*value)));
  return std::optional<PublishedFiles>(std::move(files));
}

}  // namespace vdb::storage
