#include "vdb/storage/schema_copy.h"

#include <vdb/limits.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

constexpr std::string_view kMagic = "VDBSCHEM";
constexpr std::uint32_t kVersion = 1;
// Far above what a name and the largest document need.
constexpr std::uint64_t kMaxBytes = kMaxDocumentBytes + (std::uint64_t{64} << 10);

std::string Encode(const SchemaCopy& copy) {
  std::string bytes(kMagic);
  AppendLittleEndian(&bytes, kVersion);
  AppendLittleEndian(&bytes, copy.schema.id);
  AppendLengthPrefixed(&bytes, Encode(copy.schema));
  AppendLengthPrefixed(&bytes, EncodeDocument(copy.document));
  AppendLittleEndian(&bytes, Checksum(bytes));
  return bytes;
}

Result<SchemaCopy> Decode(std::string_view bytes) {
  const Status damaged = DataLossError("a copy of a schema is damaged");
  if (bytes.size() < sizeof(std::uint64_t)) return damaged;
  const std::string_view checked = bytes.substr(0, bytes.size() - sizeof(std::uint64_t));
  std::uint64_t checksum = 0;
  if (!ByteReader(bytes.substr(checked.size())).Read(&checksum) || checksum != Checksum(checked)) return damaged;
  ByteReader reader(checked);
  std::string_view magic;
  std::string_view schema;
  std::string_view document;
  std::uint32_t version = 0;
  std::uint32_t id = 0;
  if (!reader.ReadBytes(kMagic.size(), &magic) || magic != kMagic || !reader.Read(&version) || version != kVersion ||
      !reader.Read(&id) || !reader.ReadLengthPrefixed(&schema) || !reader.ReadLengthPrefixed(&document)) {
    return damaged;
  }
  SchemaCopy copy;
  VDB_ASSIGN_OR_RETURN(copy.schema, DecodeSchema(id, schema));
  VDB_ASSIGN_OR_RETURN(copy.document, DecodeDocument(document));
  return copy;
}

}  // namespace

Status KeepSchemaCopy(const std::string& folder, const SchemaCopy& copy) {
  const std::string path = StrCat(folder, "/", kSchemaCopyName);
  const std::string wanted = Encode(copy);
  const Result<std::string> present = ReadWholeFile(path, kMaxBytes);
  if (present.ok() && *present == wanted) return OkStatus();
  return ReplaceFile(path, wanted);
}

Result<std::vector<SchemaCopy>> ListSchemaCopies(const std::string& index) {
  std::vector<SchemaCopy> copies;
  if (!PathExists(index)) return copies;
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> folders, ListDirectory(index));
  for (const std::string& folder : folders) {
    const Result<std::string> bytes = ReadWholeFile(StrCat(index, "/", folder, "/", kSchemaCopyName), kMaxBytes);
    if (!bytes.ok()) continue;
    Result<SchemaCopy> copy = Decode(*bytes);
    if (copy.ok()) copies.push_back(*std::move(copy));
  }
  const auto order = [](const SchemaCopy& copy) { return std::tuple(copy.schema.id, copy.schema.generation); };
  std::sort(copies.begin(), copies.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  return copies;
}

}  // namespace vdb::storage
