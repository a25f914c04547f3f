// The published links of a graph, with the dead set, in one file that is never written again.
//
// Reading is in two steps: PublishedLinks::Open checks everything but level 0 and gives a graph that walks the mapped
// file at once (it may be damaged: walks check every slot); LoadLevel0 then verifies level 0 while copying it into the
// graph's own memory, beside searches. Only after that may the graph be linked. Thread safety: const functions are safe
// from any thread. Ownership: the graph holds the mapping by itself. Source: FORMAT.md §7.
#ifndef VDB_INDEX_LINK_FILE_H_
#define VDB_INDEX_LINK_FILE_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vdb/index/graph.h"
#include "vdb/index/recall_curve.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/file.h"

namespace vdb {

// What a file must say to be believed.
struct LinkFileStamp {
  std::uint32_t m = 0;
  std::uint32_t slots = 0;       // the dead set covers slots [0, slots)
  std::uint64_t commit_seq = 0;  // the commit that the file shows
  CodeKind codes = CodeKind::kFloat32;
  // Of the collection, for its codes; not in the file.
  Metric metric = Metric::kCosine;
  std::size_t dim = 0;
};

// The links of a graph at a batch boundary, copied so that linking can go on while they are written.
struct LinkSnapshot {
  std::uint32_t linked = 0;
  bool has_entry = false;
  EntryPoint entry;
  std::vector<std::uint32_t> level0;            // linked * Graph::stride() words
  std::vector<std::uint32_t> upper;             // for slots of level > 0, ascending: level * m words each
  std::vector<float> mean;                      // of int8 codes, then their largest norm; empty for a graph without
  RotationKind rotation = RotationKind::kNone;  // of int8 codes
  std::vector<std::uint32_t> components;        // that int8 codes hold; empty for all
  CodeBits bits = CodeBits::kEight;             // of a component of an int8 code
  std::vector<CurvePoint> curve;                // empty if it was not measured
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

class PublishedLinks {
 public:
  // Maps the file into *links->graph and reads the rest, verifying checksums and structure of all but level 0.
  // Errors: NotFound; DataLoss naming the file: damage, another stamp; FailedPrecondition: written by a newer version.
  // Throws std::bad_alloc, only for what the file's size justifies.
  static Result<std::unique_ptr<PublishedLinks>> Open(const std::string& path, const LinkFileStamp& stamp,
                                                      LoadedLinks* links);

  // Compares level 0 with its checksums, and its links with the number of nodes, copying it into the graph that Open
  // gave, beside the codes of the rows where it has codes. With an error the graph goes on walking the mapped file; it
  // should be replaced, unless it is Aborted: give_up(), asked now and then if not null, said so. Call as the graph's
  // linker. Throws std::bad_alloc.
  Status LoadLevel0(Graph* graph, const VectorView& vectors, const std::function<bool()>& give_up = nullptr) const;

 private:
  friend class LinkFileReader;
  explicit PublishedLinks(FileHandle file) : file_(std::move(file)) {}
  // Words of nodes from `first` on, a multiple of the block; DataLoss if they differ from their checksums or are no
  // links.
  Status CheckNodes(std::uint32_t first, std::span<const std::uint32_t> words) const;
  Status Damaged(const std::string& what) const;

  FileHandle file_;
  std::uint32_t m_ = 0;
  std::uint32_t linked_ = 0;
  std::uint64_t level0_offset_ = 0;
  std::vector<std::uint64_t> level0_checksums_;  // per kNodesPerBlock nodes
  std::shared_ptr<const void> mapping_;
  std::size_t mapping_bytes_ = 0;
};

}  // namespace vdb

#endif  // VDB_INDEX_LINK_FILE_H_
