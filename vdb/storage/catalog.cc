#include "vdb/storage/catalog.h"

#include "vdb/util/coding.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::uint8_t kValueVersion = 1;  // first byte of every catalog value

std::string BeginValue() {
  return std::string(1, static_cast<char>(kValueVersion));
}

Status Damaged(std::string_view what) {
  return DataLossError(StrCat("the catalog's ", what, " is damaged"));
}

// Reads the version byte; DataLoss for an empty value, FailedPrecondition for a newer one.
Status BeginRead(std::string_view what, ByteReader* reader) {
  std::uint8_t version = 0;
  if (!reader->Read(&version)) return Damaged(what);
  if (version > kValueVersion) {
    return FailedPreconditionError(
        StrCat("the catalog's ", what, " has version ", version, "; this build reads up to ", kValueVersion),
        StatusReason::kNewerFormat);
  }
  return version == kValueVersion ? OkStatus() : Damaged(what);
}

// DataLoss if bytes are missing, FailedPrecondition for a kind, metric or codes that only a newer vdb writes.
Status ReadField(ByteReader* reader, VectorFieldSchema* field) {
  std::string_view name;
  if (!reader->ReadLengthPrefixed(&name) || !reader->Read(&field->kind) || !reader->Read(&field->dim) ||
      !reader->Read(&field->metric) || !reader->Read(&field->code) || !reader->Read(&field->m) ||
      !reader->Read(&field->ef_construction)) {
    return Damaged("schema");
  }
  field->name = name;
  if (field->kind == VectorKind::kDense && field->metric <= Metric::kCosine && field->code <= CodeKind::kByDimension) {
    return OkStatus();
  }
  return FailedPreconditionError(
      StrCat("the catalog's schema has vectors of kind ", static_cast<unsigned>(field->kind), ", metric ",
             static_cast<unsigned>(field->metric), ", codes ", static_cast<unsigned>(field->code),
             "; this build knows kind 0, metrics 0 to 2, codes 0 to 2"),
      StatusReason::kNewerFormat);
}

}  // namespace

std::string Encode(const CollectionSchema& schema) {
  std::string out = BeginValue();
  AppendLittleEndian(&out, schema.generation);
  AppendLengthPrefixed(&out, schema.name);
  AppendLittleEndian(&out, static_cast<std::uint32_t>(schema.fields.size()));
  for (const VectorFieldSchema& field : schema.fields) {
    AppendLengthPrefixed(&out, field.name);
    AppendLittleEndian(&out, field.kind);
    AppendLittleEndian(&out, field.dim);
    AppendLittleEndian(&out, field.metric);
    AppendLittleEndian(&out, field.code);
    AppendLittleEndian(&out, field.m);
    AppendLittleEndian(&out, field.ef_construction);
  }
  return out;
}

std::string Encode(const Counters& counters) {
  std::string out = BeginValue();
  AppendLittleEndian(&out, counters.slots);
  AppendLittleEndian(&out, counters.live);
  return out;
}

std::string Encode(const PublishedFiles& files) {
  std::string out = BeginValue();
  AppendLittleEndian(&out, files.slots);
  AppendLittleEndian(&out, files.commit_seq);
  AppendLengthPrefixed(&out, files.links);
  AppendLengthPrefixed(&out, files.columns);
  AppendLittleEndian(&out, static_cast<std::uint32_t>(files.vector_checksums.size()));
  for (const std::uint64_t checksum : files.vector_checksums) AppendLittleEndian(&out, checksum);
  return out;
}

std::string Encode(IntentKind kind) {
  std::string out = BeginValue();
  AppendLittleEndian(&out, kind);
  return out;
}

std::string EncodeDocument(std::string_view json) {
  return BeginValue().append(json);
}

Result<std::string> DecodeDocument(std::string_view bytes) {
  ByteReader reader(bytes);
  if (Status status = BeginRead("document", &reader); !status.ok()) return status;
  return std::string(reader.rest());
}

Result<CollectionSchema> DecodeSchema(std::uint32_t id, std::string_view bytes) {
  ByteReader reader(bytes);
  CollectionSchema schema;
  schema.id = id;
  if (Status status = BeginRead("schema", &reader); !status.ok()) return status;
  std::string_view name;
  std::uint32_t fields = 0;
  if (!reader.Read(&schema.generation) || !reader.ReadLengthPrefixed(&name) || !reader.Read(&fields) || fields != 1) {
    return Damaged("schema");
  }
  schema.name = name;
  schema.fields.resize(fields);
  if (Status status = ReadField(&reader, &schema.fields[0]); !status.ok()) return status;
  if (!reader.empty()) return Damaged("schema");
  return schema;
}

Result<Counters> DecodeCounters(std::string_view bytes) {
  ByteReader reader(bytes);
  Counters counters;
  if (Status status = BeginRead("counters", &reader); !status.ok()) return status;
  if (!reader.Read(&counters.slots) || !reader.Read(&counters.live) || !reader.empty()) return Damaged("counters");
  return counters;
}

Result<PublishedFiles> DecodePublishedFiles(std::string_view bytes) {
  ByteReader reader(bytes);
  PublishedFiles files;
  if (Status status = BeginRead("published files", &reader); !status.ok()) return status;
  std::string_view links;
  std::string_view columns;
  std::uint32_t checksums = 0;
  if (!reader.Read(&files.slots) || !reader.Read(&files.commit_seq) || !reader.ReadLengthPrefixed(&links) ||
      !reader.ReadLengthPrefixed(&columns) || !reader.Read(&checksums) ||
      reader.rest().size() != std::size_t{checksums} * sizeof(std::uint64_t)) {
    return Damaged("published files");
  }
  files.links = links;
  files.columns = columns;
  files.vector_checksums.resize(checksums);
  for (std::uint64_t& checksum : files.vector_checksums) {
    if (!reader.Read(&checksum)) return Damaged("published files");
  }
  return files;
}

Result<IntentKind> DecodeIntent(std::string_view bytes) {
  ByteReader reader(bytes);
  IntentKind kind{};
  if (Status status = BeginRead("intent", &reader); !status.ok()) return status;
  if (!reader.Read(&kind) || !reader.empty() || (kind != IntentKind::kBuild && kind != IntentKind::kDrop)) {
    return Damaged("intent");
  }
  return kind;
}

}  // namespace vdb::storage
