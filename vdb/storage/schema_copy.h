// A second copy of what the catalog says of a collection, in the folder of its generation: with the catalog's table
// files damaged, a repair still knows what the rows that it found belong to.
//
// Written after the catalog, so it may be one change behind; nothing but a repair reads it.
// Thread safety: free functions; one writer for a folder. Source: FORMAT.md §9.
#ifndef VDB_STORAGE_SCHEMA_COPY_H_
#define VDB_STORAGE_SCHEMA_COPY_H_

#include <vdb/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "vdb/storage/catalog.h"

namespace vdb::storage {

// Its name in the generation's folder.
inline constexpr std::string_view kSchemaCopyName = "schema";

struct SchemaCopy {
  CollectionSchema schema;
  std::string document;  // JSON text
};

// Durable when it returns; a file that says so already stays as it is.
Status KeepSchemaCopy(const std::string& folder, const SchemaCopy& copy);

// The copies in the folders below `index`, by collection, then generation. Damaged ones are left out: there is no
// third.
Result<std::vector<SchemaCopy>> ListSchemaCopies(const std::string& index);

}  // namespace vdb::storage

#endif  // VDB_STORAGE_SCHEMA_COPY_H_
