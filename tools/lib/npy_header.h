// The header of a .npy file (numpy.lib.format, versions 1 to 3).
//
// Thread safety: pure functions.
#ifndef VDB_TOOLS_LIB_NPY_HEADER_H_
#define VDB_TOOLS_LIB_NPY_HEADER_H_

#include <vdb/status.h>

#include <cstdint>

#include "tools/lib/file_window.h"

namespace vdb::tools {

struct NpyHeader {
  std::uint64_t data_offset = 0;
  std::uint64_t rows = 0;
  std::uint64_t dim = 0;
  std::uint64_t component_bytes = 0;  // 4: float32; 2: float16
};

// Reads the header of a two-dimensional little-endian array in C order and compares it with the file's size: the array
// is all that follows. InvalidArgument for anything else, naming the file.
Result<NpyHeader> ReadNpyHeader(FileWindow* file);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_NPY_HEADER_H_
