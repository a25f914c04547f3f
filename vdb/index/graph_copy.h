// A graph on other codes: the same links and entry point, what was measured of it, and each row's code made anew.
//
// In two steps, so that the lock of linking is held for the second one only. Thread safety: external lock; readers of
// the graph are not disturbed.
#ifndef VDB_INDEX_GRAPH_COPY_H_
#define VDB_INDEX_GRAPH_COPY_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "vdb/index/code_space.h"
#include "vdb/index/graph.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/thread_pool.h"

namespace vdb {

class GraphCopy {
 public:
  // graph: with nodes in own memory. Throws std::bad_alloc.
  GraphCopy(std::shared_ptr<const Graph> graph, std::shared_ptr<const CodeSpace> space);

  // Codes of the rows of `vectors` that are linked by now, beside the graph's linker. False if give_up() said so
  // meanwhile. Throws std::bad_alloc.
  bool Encode(const VectorView& vectors, ThreadPool* pool, const std::function<bool()>& give_up);

  // As the graph's linker: codes of rows that were linked since, and all links. vectors: of all linked rows. Throws
  // std::bad_alloc.
  std::shared_ptr<Graph> Finish(const VectorView& vectors, ThreadPool* pool);

 private:
  const std::shared_ptr<const Graph> graph_;
  const std::shared_ptr<Graph> copy_;
  std::uint32_t encoded_ = 0;
};

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_COPY_H_
