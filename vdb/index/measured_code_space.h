// The code space of a collection's rows, measured on them: their mean, which components codes hold, in how many bits,
// whether they are rotated.
//
// Thread safety: pure function.
#ifndef VDB_INDEX_MEASURED_CODE_SPACE_H_
#define VDB_INDEX_MEASURED_CODE_SPACE_H_

#include <vdb/types.h>

#include <cstdint>
#include <functional>

#include "vdb/index/code_space.h"
#include "vdb/index/vector_file.h"

namespace vdb {

// Fewer rows do not tell what neighbours differ in: codes are of all components then, of 8 bits each.
inline constexpr std::uint32_t kMinRowsToMeasure = 4'096;

// The mean of up to some thousand rows, evenly spaced among the first `rows`. Not for inner product: a rotation, if
// codes are much better for it; else components are left out where neighbours hardly differ in them, and a code takes
// fewer lines of the cache without; and it is packed where that tells neighbours apart. use(slot) says which rows may
// be taken. Looks at up to a million rows; give_up(), asked now and then if not null, ends that, and codes are as of
// too few rows. The same on every machine. Throws std::bad_alloc.
CodeSpace MeasureCodeSpace(Metric metric, const VectorView& vectors, std::uint32_t rows,
                           const std::function<bool(std::uint32_t)>& use,
                           const std::function<bool()>& give_up = nullptr);

// With the mean of another one and all components, 8 bits each, not rotated.
CodeSpace WithAllComponents(const CodeSpace& space);

}  // namespace vdb

#endif  // VDB_INDEX_MEASURED_CODE_SPACE_H_
