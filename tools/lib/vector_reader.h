// Vectors from files, row by row: .npy (float32, float16), .fvecs, .bvecs, .jsonl.
//
// No length in a file is believed before it is compared with the file's size, and memory is a buffer of a few MiB
// whatever the file says. Errors name the file, the row and the byte offset or line. Thread safety: external lock.
#ifndef VDB_TOOLS_LIB_VECTOR_READER_H_
#define VDB_TOOLS_LIB_VECTOR_READER_H_

#include <vdb/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vdb::tools {

class VectorReader {
 public:
  virtual ~VectorReader() = default;

  // The format is told by the file's ending. vector_field: of the objects in a .jsonl file; its lines may also be
  // arrays.
  static Result<std::unique_ptr<VectorReader>> Open(const std::string& path, const std::string& vector_field);

  // Reads the next row; false at the end. InvalidArgument: this row is bad, the next call goes on with the next one.
  // Any other error is final (DataLoss where the rows behind a damaged one cannot be found).
  virtual Result<bool> Next(std::vector<float>* row) = 0;

  // Passes over rows, or to the end if there are fewer.
  virtual Status Skip(std::uint64_t rows);

  // "file, row 3, byte 528" or "file, line 4": of the row that Next read last.
  virtual std::string Place() const = 0;

  // The object that the last row was a member of, without the vector; empty if the row was no member of one.
  virtual std::string_view rest() const { return {}; }

  // Components per row; 0 if only the rows tell.
  virtual std::uint64_t dim() const = 0;
  // Rows of the file; nothing if only reading tells.
  virtual std::optional<std::uint64_t> rows() const = 0;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_VECTOR_READER_H_
