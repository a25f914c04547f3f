// Index files of hnswlib (0.6.2 to 0.8.0 write the same bytes): written from a graph, and read into one.
//
// The files are written and parsed here, without hnswlib: its loader crashes on damaged files. Levels in this project
// are a function of the slot, in hnswlib they are random, so an import keeps level 0 and links the levels above anew.
// Thread safety: pure functions. Source: hnswlib's HierarchicalNSW::saveIndex and loadIndex (hnswalg.h).
#ifndef VDB_INDEX_HNSWLIB_BRIDGE_H_
#define VDB_INDEX_HNSWLIB_BRIDGE_H_

#include <vdb/status.h>
#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vdb/index/graph.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/thread_pool.h"
#include "vdb/util/visibility.h"

namespace vdb {

// Writes slots [0, graph.linked()) with their rows; labels are slots, dead slots are marked deleted. Read it with
// L2Space, or with InnerProductSpace under inner product and cosine. Call with linking stopped. The file is replaced
// as a whole or not at all. Errors: ResourceExhausted, IoError.
Status ExportHnswlibIndex(const std::string& path, const Graph& graph, const VectorView& vectors, const Deaths& deaths,
                          std::uint32_t ef_construction);

struct HnswlibImport {
  std::uint32_t ef_construction = 0;
  std::vector<float> rows;            // n * dim float32, row-major, by slot
  std::vector<std::uint64_t> labels;  // n, by slot
  std::vector<std::uint32_t> dead;    // slots marked deleted
  std::unique_ptr<Graph> graph;       // of n nodes; m() is the file's M
};

// Reads a file of dim float32 components per row. Rows are taken as they are: under cosine they are expected to be
// normalised. Errors: NotFound; DataLoss naming the file and the place: not such a file, other sizes, damage. Throws
// std::bad_alloc, only for what the file's size justifies.
Result<HnswlibImport> ImportHnswlibIndex(const std::string& path, std::size_t dim, Metric metric, ThreadPool* pool);

}  // namespace vdb

#endif  // VDB_INDEX_HNSWLIB_BRIDGE_H_
