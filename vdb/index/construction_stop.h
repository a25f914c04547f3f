// How early the construction search at level 0 ends: at a factor of the distance of the 64th nearest row found,
// measured on the graph's own rows while it grows.
//
// A sample of linked rows is searched for with all of ef_construction, and with a ladder of factors; the smallest one
// counts whose searches lose hardly any of the 64 nearest, nor of the links that would be chosen. Fewer distances for
// nearly the same graph are the gain. State: in the graph, not in its files. A graph that was read
// from a file begins as a new one does; its links then depend on when it was read, as they do on its batches.
// The result is the same for every number of threads and, over codes, every instruction set. Thread safety: of the
// linker. Source: measured; see docs/walk.md, "Building".
#ifndef VDB_INDEX_CONSTRUCTION_STOP_H_
#define VDB_INDEX_CONSTRUCTION_STOP_H_

#include <cstdint>

#include "vdb/index/graph.h"
#include "vdb/index/graph_builder.h"

namespace vdb {

// Rows linked since the graph was begun or read before the factor is measured, and by how many times the graph grows
// until it is measured again. A measurement costs as much as linking some 500 rows.
inline constexpr std::uint32_t kMinConstructionStopRows = 4'096;
inline constexpr std::uint32_t kGrowthToMeasureStop = 4;

// Measures the graph's construction stop if that is due; between batches. Rows: Float32Rows or Int8Rows, of the graph.
// Throws std::bad_alloc.
template <typename Rows>
void UpdateConstructionStop(Graph* graph, const BuildContext& context, const Rows& rows);

}  // namespace vdb

#endif  // VDB_INDEX_CONSTRUCTION_STOP_H_
