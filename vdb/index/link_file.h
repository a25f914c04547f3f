// The published links of a graph, with the dead set, in one file that is never written again.
//
// Thread safety: pure functions. Ownership: see each.
// Source: FORMAT.md §7.
#ifndef VDB_INDEX_LINK_FILE_H_
#define VDB_INDEX_LINK_FILE_H_

#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vdb/index/graph.h"

namespace vdb {

// What a file must say to be believed.
struct LinkFileStamp {
  std::uint32_t m = 0;
  std::uint32_t slots = 0;       // the dead set covers slots [0, slots)
  std::uint64_t commit_seq = 0;  // the commit that the file shows
};

// The links of a graph at a batch boundary, copied so that linking can go on while they are written.
struct LinkSnapshot {
  std::uint32_t linked = 0;
  bool has_entry = false;
  EntryPoint entry;
  std::vector<std::uint32_t> level0;  // linked * 2m words
  std::vector<std::uint32_t> upper;   // for slots of level > 0, ascending: level * m words each
};

// Call with linking stopped. Throws std::bad_alloc.
LinkSnapshot CopyLinks(const Graph& graph);

// Writes the file: temporary, fsync, rename, fsync of the folder. dead: bit i of word w is slot 64 w + i.
Status WriteLinkFile(const std::string& path, const LinkFileStamp& stamp, const LinkSnapshot& links,
                     const std::vector<std::uint64_t>& dead);

struct LoadedLinks {
  std::unique_ptr<Graph> graph;
  std::vector<std::uint64_t> dead;
};

// Reads a file back, verifying checksums and structure. Errors: NotFound; DataLoss naming the file: any damage, another
// stamp. Throws std::bad_alloc, only for what the file's size justifies.
Result<LoadedLinks> LoadLinkFile(const std::string& path, const LinkFileStamp& stamp);

}  // namespace vdb

#endif  // VDB_INDEX_LINK_FILE_H_
