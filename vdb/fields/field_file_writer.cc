// FieldIndex::Save.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "vdb/fields/field_file.h"
#include "vdb/fields/field_index.h"
#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"

namespace vdb {

// Writes sections one after another, then the table, then the header.
class FieldFileWriter {
 public:
  explicit FieldFileWriter(FileHandle file) : file_(std::move(file)) { buffer_.reserve(kFieldPieceBytes); }

  Status WriteIndex(const FieldIndex& index, std::uint32_t rows) {
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kIdEntries, kNoColumn, index.ids_.entries(), rows));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kIdBytes, kNoColumn, index.ids_.bytes(), index.ids_.bytes_end()));
    VDB_RETURN_IF_ERROR(WriteMarked(FieldSectionKind::kUnindexed, index.unindexed_, rows));
    VDB_RETURN_IF_ERROR(WriteMarked(FieldSectionKind::kWithoutVector, index.without_vector_, rows));
    const std::vector<const Column*> columns = index.Columns();
    AppendLittleEndian(&column_table_, static_cast<std::uint32_t>(columns.size()));
    for (std::uint32_t c = 0; c < columns.size(); ++c) VDB_RETURN_IF_ERROR(WriteColumn(*columns[c], c, rows));
    return OkStatus();
  }

  Status Finish(std::uint32_t rows, std::uint64_t stamp) {
    std::string table;
    AppendLittleEndian(&table, static_cast<std::uint32_t>(sections_.size()));
    for (const FieldSection& section : sections_) AppendLittleEndian(&table, section);
    table += column_table_;

    FieldFileHeader header;
    header.rows = rows;
    header.stamp = stamp;
    header.table_offset = offset_;
    header.table_size = table.size();
    header.table_checksum = Checksum(table);
    header.header_checksum = Checksum(&header, offsetof(FieldFileHeader, header_checksum));
    VDB_RETURN_IF_ERROR(file_.WriteAt(offset_, table));
    VDB_RETURN_IF_ERROR(file_.WriteAt(0, {reinterpret_cast<const char*>(&header), sizeof(header)}));
    return file_.Sync();
  }

 private:
  Status WriteColumn(const Column& column, std::uint32_t c, std::uint32_t rows) {
    // Sizes first: what they cover is complete, whatever the writer adds meanwhile.
    const std::uint64_t elements = column.elements_end();
    const std::uint32_t strings = column.dictionary().size();
    const StringPool& pool = column.dictionary().pool();
    AppendLengthPrefixed(&column_table_, column.path());
    AppendLittleEndian(&column_table_, column.tags_seen());
    AppendLittleEndian(&column_table_, std::uint32_t{column.hashed() ? 1U : 0U});
    AppendLittleEndian(&column_table_, column.strings());
    AppendLittleEndian(&column_table_, elements);
    AppendLittleEndian(&column_table_, strings);
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kCellTags, c, column.cells().tags, rows));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kCellCodes, c, column.cells().codes, rows));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kCellWords, c, column.cells().words, rows));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kElementTags, c, column.elements().tags, elements));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kElementCodes, c, column.elements().codes, elements));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kElementWords, c, column.elements().words, elements));
    VDB_RETURN_IF_ERROR(WriteArray(FieldSectionKind::kDictionaryEntries, c, pool.entries(), strings));
    return WriteArray(FieldSectionKind::kDictionaryBytes, c, pool.bytes(), pool.bytes_end());
  }

  Status WriteMarked(FieldSectionKind kind, const MarkedRows& marked, std::uint32_t rows) {
    if (marked.count() == 0) return OkStatus();
    Begin(kind, kNoColumn, sizeof(std::uint64_t));
    for (std::uint64_t first = 0; first < rows; first += 64) {
      std::uint64_t bits = marked.Word(first / 64);
      if (rows - first < 64) bits &= (std::uint64_t{1} << (rows - first)) - 1;
      VDB_RETURN_IF_ERROR(Append(&bits, sizeof(bits)));
    }
    return End();
  }

  // Elements [0, count) of an array, or as many of them as were ever reserved; none: no section.
  template <typename T, unsigned kBaseBits>
  Status WriteArray(FieldSectionKind kind, std::uint32_t column, const SegmentedArray<T, kBaseBits>& array,
                    std::uint64_t count) {
    if (count == 0 || !array.IsReserved(0)) return OkStatus();
    Begin(kind, column, sizeof(T));
    std::uint64_t length = 0;
    for (std::uint64_t i = 0; i < count && array.IsReserved(i); i += length) {
      const T* run = array.Run(i, count, &length);
      VDB_RETURN_IF_ERROR(Append(run, length * sizeof(T)));
    }
    return End();
  }

  void Begin(FieldSectionKind kind, std::uint32_t column, std::uint32_t element_bytes) {
    FieldSection section;
    section.kind = static_cast<std::uint32_t>(kind);
    section.flags = kFieldSectionRequired;
    section.column = column;
    section.element_bytes = element_bytes;
    section.offset = offset_;
    sections_.push_back(section);
  }

  Status Append(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const std::size_t part = std::min(size, kFieldPieceBytes - buffer_.size());
      buffer_.append(bytes, part);
      bytes += part;
      size -= part;
      if (buffer_.size() == kFieldPieceBytes) VDB_RETURN_IF_ERROR(WritePiece());
    }
    return OkStatus();
  }

  Status WritePiece() {
    pieces_.push_back(Checksum(buffer_));
    VDB_RETURN_IF_ERROR(file_.WriteAt(offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    return OkStatus();
  }

  Status End() {
    if (!buffer_.empty()) VDB_RETURN_IF_ERROR(WritePiece());
    sections_.back().size = offset_ - sections_.back().offset;
    sections_.back().checksum = Checksum(pieces_.data(), pieces_.size() * sizeof(std::uint64_t));
    pieces_.clear();
    offset_ = (offset_ + kFieldSectionAlignment - 1) / kFieldSectionAlignment * kFieldSectionAlignment;
    return OkStatus();
  }

  FileHandle file_;
  std::uint64_t offset_ = sizeof(FieldFileHeader);
  std::string buffer_;                 // the piece being filled
  std::vector<std::uint64_t> pieces_;  // checksums of the section's pieces
  std::vector<FieldSection> sections_;
  std::string column_table_;
};

Status FieldIndex::Save(const std::string& path, std::uint32_t rows, std::uint64_t stamp) const {
  const std::string temporary = path + ".tmp";
  const auto write = [&]() -> Status {
    VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::CreateEmpty(temporary));
    FieldFileWriter writer(std::move(file));
    VDB_RETURN_IF_ERROR(writer.WriteIndex(*this, rows));
    return writer.Finish(rows, stamp);
  };
  Status status = write();
  if (status.ok()) status = RenameDurably(temporary, path);
  if (!status.ok()) (void)RemoveTree(temporary);
  return status;
}

}  // namespace vdb
