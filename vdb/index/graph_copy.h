// A graph on other codes: the same links and entry point, what was measured of it, and each row's code made anew.
//
// Thread safety: call as the graph's linker; its readers are not disturbed.
#ifndef VDB_INDEX_GRAPH_COPY_H_
#define VDB_INDEX_GRAPH_COPY_H_

#include <functional>
#include <memory>

#include "vdb/index/code_space.h"
#include "vdb/index/graph.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/thread_pool.h"

namespace vdb {

// graph: with nodes in own memory. vectors: of its rows. Null if give_up() said so meanwhile. Throws std::bad_alloc.
std::shared_ptr<Graph> CopyWithCodes(const Graph& graph, std::shared_ptr<const CodeSpace> space,
                                     const VectorView& vectors, ThreadPool* pool, const std::function<bool()>& give_up);

}  // namespace vdb

#endif  // VDB_INDEX_GRAPH_COPY_H_
