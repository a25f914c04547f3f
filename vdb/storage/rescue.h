// Rescue links: RocksDB deletes a damaged log when it opens, and tables that a damaged MANIFEST does not name, and says
// nothing. Before every open its files (logs, tables, MANIFEST, CURRENT) get a second name in a folder beside it, so
// that a loss leaves its evidence.
//
// Thread safety: free functions; call them with the database's lock held.
#ifndef VDB_STORAGE_RESCUE_H_
#define VDB_STORAGE_RESCUE_H_

#include <vdb/status.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace vdb::storage {

// Links the files of the store at store_path into rescue_path, unless links of an unaccepted loss are kept there.
Status LinkRescueFiles(const std::string& store_path, const std::string& rescue_path);

// The store holds everything it should: removes the links.
Status DiscardRescueFiles(const std::string& rescue_path);

// The store has lost something, "came back with …": marks the links as evidence to be kept.
Status KeepRescueFiles(const std::string& rescue_path, std::string_view loss);

// The loss was accepted: moves kept links to "<rescue_path>-<commit_seq>", where they stay until somebody removes them.
Status ArchiveRescueFiles(const std::string& rescue_path, std::uint64_t commit_seq);

}  // namespace vdb::storage

#endif  // VDB_STORAGE_RESCUE_H_
