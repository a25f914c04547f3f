// FieldIndex::Load: nothing in the file is believed before its checksum, and no number in it after.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "vdb/fields/field_file.h"
#include "vdb/fields/field_index.h"
#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {

class FieldFileReader {
 public:
  FieldFileReader(FileHandle file, std::size_t max_paths)
      : file_(std::move(file)), index_(std::make_unique<FieldIndex>(max_paths)), buffer_(kFieldPieceBytes) {}

  Result<std::unique_ptr<FieldIndex>> Read(std::uint32_t rows, std::uint64_t stamp) {
    VDB_RETURN_IF_ERROR(ReadHeader(rows, stamp));
    VDB_RETURN_IF_ERROR(ReadTable());
    VDB_RETURN_IF_ERROR(ReadIds());
    for (std::uint32_t c = 0; c < records_.size(); ++c) VDB_RETURN_IF_ERROR(ReadColumn(c));
    index_->written_ = rows;
    return std::move(index_);
  }

 private:
  struct ColumnRecord {
    std::string_view path;
    std::uint32_t tags_seen = 0;
    std::uint32_t hashed = 0;
    std::uint64_t strings = 0;
    std::uint64_t elements = 0;
    std::uint32_t dictionary = 0;
  };

  Status Damaged(std::string_view what) const { return DataLossError(StrCat(file_.path(), ": ", what)); }

  Status ReadHeader(std::uint32_t rows, std::uint64_t stamp) {
    VDB_ASSIGN_OR_RETURN(const std::uint64_t file_size, file_.Size());
    if (file_size < sizeof(header_)) return Damaged(StrCat("is cut short to ", file_size, " bytes"));
    VDB_RETURN_IF_ERROR(file_.ReadAt(0, &header_, sizeof(header_)));
    if (header_.magic != kFieldFileMagic) return Damaged("is not a field file (magic number)");
    if (header_.header_checksum != Checksum(&header_, offsetof(FieldFileHeader, header_checksum))) {
      return Damaged("the header's checksum is wrong");
    }
    if (header_.version != kFieldFileVersion) {
      return Damaged(StrCat("has version ", header_.version, "; this program reads ", kFieldFileVersion));
    }
    if (header_.rows != rows || header_.stamp != stamp) {
      return Damaged(StrCat("covers ", header_.rows, " rows with stamp ", header_.stamp, "; wanted ", rows,
                            " rows with stamp ", stamp));
    }
    if (header_.table_offset > file_size || header_.table_size != file_size - header_.table_offset) {
      return Damaged(StrCat("has ", file_size, " bytes, but its table should end at ", header_.table_offset, " + ",
                            header_.table_size));
    }
    return OkStatus();
  }

  Status ReadTable() {
    table_.resize(header_.table_size);
    VDB_RETURN_IF_ERROR(file_.ReadAt(header_.table_offset, table_.data(), table_.size()));
    if (Checksum(table_) != header_.table_checksum) return Damaged("the table's checksum is wrong");
    ByteReader reader(table_);
    std::uint32_t section_count = 0;
    bool ok = reader.Read(&section_count);
    for (std::uint32_t s = 0; ok && s < section_count; ++s) {
      FieldSection section;
      ok = reader.Read(&section);
      if (ok) VDB_RETURN_IF_ERROR(AddSection(section));
    }
    std::uint32_t column_count = 0;
    ok = ok && reader.Read(&column_count);
    for (std::uint32_t c = 0; ok && c < column_count; ++c) {
      ColumnRecord record;
      ok = reader.ReadLengthPrefixed(&record.path) && reader.Read(&record.tags_seen) && reader.Read(&record.hashed) &&
           reader.Read(&record.strings) && reader.Read(&record.elements) && reader.Read(&record.dictionary);
      records_.push_back(record);
    }
    if (!ok || !reader.empty()) return Damaged("the table is malformed");
    return OkStatus();
  }

  Status AddSection(const FieldSection& section) {
    if (section.offset > header_.table_offset || section.size > header_.table_offset - section.offset) {
      return Damaged(StrCat("a section of kind ", section.kind, " lies outside the file"));
    }
    const std::uint32_t kind = section.kind;
    const bool known = (kind >= 1 && kind <= 4) || (kind >= 16 && kind <= 23);
    if (!known && (section.flags & kFieldSectionRequired) == 0) return OkStatus();
    if (!known) return Damaged(StrCat("has a section of kind ", kind, ", which this program does not know"));
    if (!sections_.emplace(std::pair(section.column, kind), section).second) {
      return Damaged(StrCat("has two sections of kind ", kind, " for column ", section.column));
    }
    return OkStatus();
  }

  // Fills an array from its section, if there is one; at most max_count elements. *count: how many there were.
  template <typename T, unsigned kBaseBits>
  Status ReadArray(FieldSectionKind kind, std::uint32_t column, std::uint64_t max_count,
                   SegmentedArray<T, kBaseBits>* array, std::uint64_t* count) {
    *count = 0;
    const auto found = sections_.find(std::pair(column, static_cast<std::uint32_t>(kind)));
    if (found == sections_.end()) return OkStatus();
    const FieldSection& section = found->second;
    if (section.element_bytes != sizeof(T) || section.size % sizeof(T) != 0 || section.size / sizeof(T) > max_count) {
      return Damaged(StrCat("the section of kind ", section.kind, " of column ", column, " has ", section.size,
                            " bytes; at most ", max_count, " elements of ", sizeof(T), " are possible"));
    }
    *count = section.size / sizeof(T);
    array->Reserve(*count);
    constexpr std::uint64_t kPieceElements = kFieldPieceBytes / sizeof(T);
    std::vector<std::uint64_t> pieces;
    for (std::uint64_t first = 0; first < *count; first += kPieceElements) {
      const std::uint64_t end = std::min(*count, first + kPieceElements);
      const std::uint64_t offset = section.offset + first * sizeof(T);
      std::uint64_t length = 0;
      T* run = array->Run(first, end, &length);
      if (first + length == end) {
        VDB_RETURN_IF_ERROR(file_.ReadAt(offset, static_cast<void*>(run), length * sizeof(T)));
        pieces.push_back(Checksum(static_cast<const void*>(run), length * sizeof(T)));
        continue;
      }
      const std::size_t bytes = (end - first) * sizeof(T);
      VDB_RETURN_IF_ERROR(file_.ReadAt(offset, buffer_.data(), bytes));
      pieces.push_back(Checksum(buffer_.data(), bytes));
      for (std::uint64_t i = first; i < end; i += length) {
        run = array->Run(i, end, &length);
        std::memcpy(static_cast<void*>(run), buffer_.data() + (i - first) * sizeof(T), length * sizeof(T));
      }
    }
    if (Checksum(pieces.data(), pieces.size() * sizeof(std::uint64_t)) != section.checksum) {
      return Damaged(StrCat("the checksum of the section of kind ", section.kind, " of column ", column, " is wrong"));
    }
    return OkStatus();
  }

  Status ReadIds() {
    const std::uint32_t rows = header_.rows;
    VDB_RETURN_IF_ERROR(ReadPool(FieldSectionKind::kIdEntries, kNoColumn, rows, &index_->ids_));
    VDB_RETURN_IF_ERROR(ReadMarked(FieldSectionKind::kUnindexed, &index_->unindexed_));
    return ReadMarked(FieldSectionKind::kWithoutVector, &index_->without_vector_);
  }

  Status ReadMarked(FieldSectionKind kind, MarkedRows* marked) {
    const std::uint32_t rows = header_.rows;
    std::uint64_t words = 0;
    VDB_RETURN_IF_ERROR(ReadArray(kind, kNoColumn, (std::uint64_t{rows} + 63) / 64, &marked->words_, &words));
    std::uint64_t count = 0;
    for (std::uint64_t w = 0; w < words; ++w) {
      const std::uint64_t bits = marked->Word(w);
      if (rows - w * 64 < 64 && bits >> (rows - w * 64) != 0) return Damaged("marks rows beyond its last");
      count += static_cast<std::uint64_t>(std::popcount(bits));
    }
    marked->count_.store(count, std::memory_order_release);
    return OkStatus();
  }

  // Entries, and bytes in the section kind after; every entry must lie within one segment of the bytes.
  Status ReadPool(FieldSectionKind entries_kind, std::uint32_t column, std::uint64_t max_entries, StringPool* pool) {
    const auto bytes_kind = static_cast<FieldSectionKind>(static_cast<std::uint32_t>(entries_kind) + 1);
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    VDB_RETURN_IF_ERROR(ReadArray(entries_kind, column, max_entries, &pool->mutable_entries(), &entries));
    VDB_RETURN_IF_ERROR(ReadArray(bytes_kind, column, header_.table_offset, &pool->mutable_bytes(), &bytes));
    pool->set_bytes_end(bytes);
    std::uint64_t length = 0;
    for (std::uint64_t i = 0; i < entries; i += length) {
      const std::uint64_t* run = pool->entries().Run(i, entries, &length);
      for (std::uint64_t j = 0; j < length; ++j) {
        const std::uint64_t offset = StringPool::OffsetOf(run[j]);
        const std::uint64_t size = StringPool::SizeOf(run[j]);
        if (size == 0) continue;
        std::uint64_t room = 0;
        if (offset < bytes) (void)pool->bytes().Run(offset, bytes, &room);
        if (size > room) return Damaged(StrCat("string ", i + j, " of column ", column, " lies outside its bytes"));
      }
    }
    return OkStatus();
  }

  Status ReadColumn(std::uint32_t c) {
    const ColumnRecord& record = records_[c];
    Column* column = nullptr;
    {
      const MutexLock lock(&index_->mutex_);
      if (index_->by_path_.contains(record.path)) return Damaged(StrCat("has two columns ", record.path));
      index_->columns_.push_back(std::make_unique<Column>(std::string(record.path)));
      column = index_->columns_.back().get();
      index_->by_path_.emplace(column->path(), column);
    }
    column->tags_seen_.store(record.tags_seen, std::memory_order_relaxed);
    column->hashed_.store(record.hashed != 0, std::memory_order_relaxed);
    column->strings_.store(record.strings, std::memory_order_relaxed);
    if (record.elements > header_.table_offset) return Damaged(StrCat("column ", record.path, ": elements overflow"));
    VDB_RETURN_IF_ERROR(
        ReadPool(FieldSectionKind::kDictionaryEntries, c, record.dictionary, &column->dictionary_.mutable_pool()));
    if (record.dictionary > 0) {
      const auto entries =
          sections_.find(std::pair(c, static_cast<std::uint32_t>(FieldSectionKind::kDictionaryEntries)));
      if (entries == sections_.end() || entries->second.size != std::uint64_t{record.dictionary} * 8) {
        return Damaged(StrCat("column ", record.path, ": the dictionary has another size than its record says"));
      }
    }
    column->dictionary_.SetLoaded(record.dictionary);
    VDB_RETURN_IF_ERROR(ReadCells(FieldSectionKind::kElementTags, c, record.elements, &column->elements_));
    column->elements_end_.store(record.elements, std::memory_order_release);
    return ReadCells(FieldSectionKind::kCellTags, c, header_.rows, &column->cells_);
  }

  // Tags, codes and words: three kinds in a row.
  Status ReadCells(FieldSectionKind tags_kind, std::uint32_t c, std::uint64_t max_count, Cells* cells) {
    const auto kind = static_cast<std::uint32_t>(tags_kind);
    std::uint64_t tags = 0;
    std::uint64_t codes = 0;
    std::uint64_t words = 0;
    VDB_RETURN_IF_ERROR(ReadArray(tags_kind, c, max_count, &cells->tags, &tags));
    VDB_RETURN_IF_ERROR(ReadArray(static_cast<FieldSectionKind>(kind + 1), c, max_count, &cells->codes, &codes));
    VDB_RETURN_IF_ERROR(ReadArray(static_cast<FieldSectionKind>(kind + 2), c, max_count, &cells->words, &words));
    // The three arrays have the same segments, so a run of tags has runs of codes and words beside it.
    if (tags_kind == FieldSectionKind::kElementTags && tags != max_count) {
      return Damaged(StrCat("column ", records_[c].path, ": has ", tags, " elements; its record says ", max_count));
    }
    RunCheck check{.record = records_[c], .element = tags_kind == FieldSectionKind::kElementTags};
    std::uint64_t length = 0;
    for (std::uint64_t i = 0; i < tags; i += length) {
      const std::uint8_t* run = cells->tags.Run(i, tags, &length);
      check.code_count = check.word_count = 0;
      if (i < codes) check.codes = cells->codes.Run(i, codes, &check.code_count);
      if (i < words) check.words = cells->words.Run(i, words, &check.word_count);
      for (std::uint64_t j = 0; j < length; ++j) {
        if (!check.IsSound(static_cast<CellTag>(run[j]), j)) {
          return Damaged(StrCat("column ", records_[c].path, ": cell ", i + j, " is malformed"));
        }
      }
    }
    return OkStatus();
  }

  // Whether cells of a run have tags that are known and refer to what exists.
  struct RunCheck {
    bool IsSound(CellTag tag, std::uint64_t j) const {
      switch (tag) {
        case CellTag::kMissing:
        case CellTag::kNull:
        case CellTag::kFalse:
        case CellTag::kTrue:
        case CellTag::kObject:
          return true;
        case CellTag::kInt64:
        case CellTag::kUint64:
        case CellTag::kDouble:
          return j < word_count;
        case CellTag::kCode:
          return j < code_count && codes[j] < record.dictionary;
        case CellTag::kHash:
          return j < code_count;
        case CellTag::kHashTime:
          return j < code_count && j < word_count;
        case CellTag::kList:
          return !element && j < word_count && Column::ListFirst(words[j]) <= record.elements &&
                 Column::ListCount(words[j]) <= record.elements - Column::ListFirst(words[j]);
        case CellTag::kPayload:
          return !element;
      }
      return false;
    }

    const ColumnRecord& record;
    bool element = false;
    const std::uint32_t* codes = nullptr;
    std::uint64_t code_count = 0;
    const std::uint64_t* words = nullptr;
    std::uint64_t word_count = 0;
  };

  FileHandle file_;
  FieldFileHeader header_;
  std::unique_ptr<FieldIndex> index_;
  std::vector<char> buffer_;
  std::string table_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, FieldSection> sections_;  // by {column, kind}
  std::vector<ColumnRecord> records_;                                         // views into table_
};

Result<std::unique_ptr<FieldIndex>> FieldIndex::Load(const std::string& path, std::uint32_t rows, std::uint64_t stamp,
                                                     std::size_t max_paths) {
  try {
    VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForRead(path));
    return FieldFileReader(std::move(file), max_paths).Read(rows, stamp);
  } catch (const std::bad_alloc&) {
    return ResourceExhaustedError(StrCat(path, ": not enough memory to load the columns"));
  }
}

}  // namespace vdb
