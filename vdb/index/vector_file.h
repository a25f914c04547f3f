// The vectors of one generation and field: float32 rows by slot, in a file that only grows.
//
// Rows are written with pwrite (a full disk is an error, not a signal) and read through a shared mapping of the same
// pages. The mapping is made once with room ahead of the file's end; when the room is used up, a larger mapping of the
// same pages takes over, and the old one stays until the object goes. Under cosine the caller writes normalised rows.
// State: derived from the store; the file is only trusted up to rows whose checksums were published.
// Thread safety: WriteRows may be called from several threads for rows that are not the same, Checksums and Verify run
// beside it; rows may be read from any thread once they were published to it by an acquire of the clock, with a base
// pointer loaded after that. Ownership: owns descriptor and mappings; base pointers stay valid until it is destroyed.
// Source: FORMAT.md §6.
#ifndef VDB_INDEX_VECTOR_FILE_H_
#define VDB_INDEX_VECTOR_FILE_H_

#include <vdb/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vdb/util/file.h"
#include "vdb/util/mutex.h"

namespace vdb {

// Rows by slot, as walks and scans read them: row(slot) is dim float32 at data + slot * stride.
struct VectorView {
  const float* data = nullptr;
  std::size_t stride = 0;  // float32 components from row to row
  std::size_t dim = 0;
  std::uint32_t rows = 0;  // slots at or above it lie beyond the mapping

  const float* row(std::uint32_t slot) const { return data + std::size_t{slot} * stride; }
};

class VectorFile {
 public:
  // Components from row to row: rows of 16 and more begin on cache lines, smaller ones on 16 bytes.
  static std::size_t StrideFor(std::size_t dim);

  // Creates the file, or empties it.
  static Result<std::unique_ptr<VectorFile>> Create(const std::string& path, std::size_t dim);

  // No file and no rows, for a generation that nobody writes to.
  static std::unique_ptr<VectorFile> Detached(std::size_t dim);

  // Opens a file of which `rows` rows were published with these checksums, one per MiB. DataLoss if it is shorter.
  // Only the last block, where it is shorter than a MiB, is compared; for the others see Verify.
  static Result<std::unique_ptr<VectorFile>> Open(const std::string& path, std::size_t dim, std::uint32_t rows,
                                                  std::vector<std::uint64_t> checksums);
  // The published rows of a file, as Open, in memory that is the process's own: rows are added to it and the file is
  // not changed. capacity: rows that there will be at most; path is not looked at where rows is 0.
  static Result<std::unique_ptr<VectorFile>> OpenPrivate(const std::string& path, std::size_t dim, std::uint32_t rows,
                                                         std::vector<std::uint64_t> checksums, std::uint32_t capacity);
  ~VectorFile();
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  // Writes rows.size() / dim consecutive rows. rows: n * dim float32, row-major.
  // Errors: ResourceExhausted - disk or address space; IoError.
  Status WriteRows(std::uint32_t first_slot, std::span<const float> rows);

  VectorView view() const;
  std::size_t dim() const { return dim_.load(std::memory_order_relaxed); }
  // Makes rows [0, rows) of so many components readable, as zeros where none was written. As WriteRows.
  Status ReserveFor(std::uint32_t rows, std::size_t dim);
  // For a file that was made with dim 0: no row has been written yet, and ReserveFor was called for the slots that
  // there are. As WriteRows.
  void FixDimension(std::size_t dim);

  // fdatasync.
  Status Sync() const { return file_.Sync(); }

  // Checksums of each MiB of the first `rows` rows (the last block may be shorter). Blocks that were whole at an
  // earlier call are not read again.
  std::vector<std::uint64_t> Checksums(std::uint32_t rows);

  // The next call of Checksums reads everything: rows were written anew.
  void ForgetChecksums();

  // Compares the rows that Open was told of with the checksums given to it; DataLoss names the first block that
  // differs. Aborted where give_up(), asked before each block if not null, said so.
  Status Verify(const std::function<bool()>& give_up = nullptr) const;

  // Bytes of rows written or allocated.
  std::uint64_t file_bytes() const { return allocated_.load(std::memory_order_relaxed); }

 private:
  VectorFile(FileHandle file, std::size_t dim);
  // The file has its rows; takes over their checksums.
  Status Adopt(std::uint32_t rows, std::vector<std::uint64_t> checksums);
  Status MapPrivately(std::uint64_t published, std::uint64_t capacity);
  Status Write(std::uint64_t offset, std::span<const float> values) const;
  // Makes [0, bytes) of the file allocated and mapped.
  Status Grow(std::uint64_t bytes) ABSL_LOCKS_EXCLUDED(grow_mutex_);
  // madvise of the mapping in use; a wish.
  void Advise(int advice) const;
  // Takes over the published checksums of the first `bytes` bytes.
  Status TrustPublished(std::uint64_t bytes);
  Status BlockDiffers(std::uint64_t block) const;
  std::uint64_t BlockChecksum(std::uint64_t block, std::uint64_t end) const;

  struct Mapping {
    void* address;
    std::size_t bytes;
  };

  const FileHandle file_;
  bool is_private_ = false;
  // Constant once a row has been written.
  std::atomic<std::size_t> dim_;
  std::atomic<std::size_t> stride_;
  std::atomic<const Mapping*> mapping_{nullptr};
  Mutex grow_mutex_;
  std::vector<std::unique_ptr<const Mapping>> mappings_ ABSL_GUARDED_BY(grow_mutex_);  // the last one is in use
  std::atomic<std::uint64_t> allocated_{0};
  std::vector<std::uint64_t> published_checksums_;
  std::uint64_t published_bytes_ = 0;
  Mutex checksum_mutex_;
  // Checksums of blocks that were whole when last asked for.
  std::vector<std::uint64_t> whole_blocks_ ABSL_GUARDED_BY(checksum_mutex_);
};

}  // namespace vdb

#endif  // VDB_INDEX_VECTOR_FILE_H_
