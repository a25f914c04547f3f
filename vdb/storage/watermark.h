// The watermark file: the highest commit_seq that this database has acknowledged as durable, kept outside RocksDB,
// because RocksDB opens without complaint after losing the end of its log.
//
// Two 4 KiB blocks are written in turn, each with a checksum (FORMAT.md §2), so a torn write leaves the other one.
// Exact after the death of the process; after a power cut up to one second old.
// Thread safety: external lock, except Sync, which may run beside Advance.
#ifndef VDB_STORAGE_WATERMARK_H_
#define VDB_STORAGE_WATERMARK_H_

#include <vdb/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "vdb/util/file.h"

namespace vdb::storage {

class Watermark {
 public:
  // Opens the file, or makes an empty one. A file whose blocks are both damaged counts as empty.
  static Result<Watermark> Open(const std::string& path);

  // The highest valid commit_seq in a file, without changing it; 0 if there is none.
  static Result<std::uint64_t> Read(const std::string& path);

  std::uint64_t commit_seq() const { return commit_seq_; }

  // Records commit_seq (no lower than before) in the older block: in the page cache, not yet on the disk.
  Status Advance(std::uint64_t commit_seq);
  Status Sync() const { return file_.Sync(); }

 private:
  Watermark(FileHandle file, std::uint64_t commit_seq, std::uint64_t writes)
      : file_(std::move(file)), commit_seq_(commit_seq), writes_(writes) {}

  FileHandle file_;
  std::uint64_t commit_seq_;
  std::uint64_t writes_;  // block to write next = writes_ % 2
};

}  // namespace vdb::storage

#endif  // VDB_STORAGE_WATERMARK_H_
