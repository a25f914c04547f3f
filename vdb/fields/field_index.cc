#include "vdb/fields/field_index.h"

#include <algorithm>
#include <array>
#include <utility>

namespace vdb {
namespace {

std::vector<std::string> TypeNames(std::uint32_t tags_seen) {
  struct TypeOfTags {
    const char* name;
    std::uint32_t tags;
  };
  constexpr auto kBit = [](CellTag tag) { return 1U << static_cast<unsigned>(tag); };
  constexpr std::array<TypeOfTags, 7> kTypes = {{
      {"null", kBit(CellTag::kNull)},
      {"bool", kBit(CellTag::kFalse) | kBit(CellTag::kTrue)},
      {"int", kBit(CellTag::kInt64) | kBit(CellTag::kUint64)},
      {"double", kBit(CellTag::kDouble)},
      {"string", kBit(CellTag::kCode) | kBit(CellTag::kHash) | kBit(CellTag::kHashTime)},
      {"list", kBit(CellTag::kList) | kBit(CellTag::kPayload)},
      {"object", kBit(CellTag::kObject)},
  }};
  std::vector<std::string> names;
  for (const TypeOfTags& type : kTypes) {
    if ((tags_seen & type.tags) != 0) names.emplace_back(type.name);
  }
  return names;
}

}  // namespace

void FieldIndex::Write(std::uint32_t slot, const ParsedPayload& payload) {
  if (slot < written_) ClearSlot(slot);
  written_ = std::max(written_, std::uint64_t{slot} + 1);
  bool complete = payload.complete;
  for (const FlatEntry& entry : payload.entries) {
    Column* column = FindOrAdd(payload.Path(entry));
    if (column == nullptr) {
      complete = false;
    } else {
      column->Write(slot, payload, entry);
    }
  }
  if (!complete) unindexed_.Mark(slot);
}

const Column* FieldIndex::Find(std::string_view path) const {
  const MutexLock lock(&mutex_);
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

Column* FieldIndex::FindOrAdd(std::string_view path) {
  const MutexLock lock(&mutex_);
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) return found->second;
  if (columns_.size() >= max_paths_) return nullptr;
  auto column = std::make_unique<Column>(std::string(path));
  columns_.reserve(columns_.size() + 1);  // nothing below the emplace may throw
  by_path_.emplace(column->path(), column.get());
  columns_.push_back(std::move(column));
  return columns_.back().get();
}

std::vector<const Column*> FieldIndex::Columns() const {
  const MutexLock lock(&mutex_);
  std::vector<const Column*> columns;
  columns.reserve(columns_.size());
  for (const auto& column : columns_) columns.push_back(column.get());
  return columns;
}

void FieldIndex::ClearSlot(std::uint32_t slot) {
  const MutexLock lock(&mutex_);
  for (const auto& column : columns_) column->Clear(slot);
  unindexed_.Clear(slot);
  without_vector_.Clear(slot);
}

std::vector<PathStats> FieldIndex::Paths() const {
  std::vector<PathStats> paths;
  for (const Column* column : Columns()) {
    PathStats stats;
    stats.path = column->path();
    stats.types = TypeNames(column->tags_seen());
    stats.distinct_strings = column->dictionary().size();
    stats.hashed = column->hashed();
    stats.memory_bytes = column->ReservedBytes();
    paths.push_back(std::move(stats));
  }
  std::sort(paths.begin(), paths.end(), [](const PathStats& a, const PathStats& b) { return a.path < b.path; });
  return paths;
}

std::size_t FieldIndex::MemoryBytes() const {
  std::size_t bytes =
      sizeof(*this) + ids_.ReservedBytes() + unindexed_.ReservedBytes() + without_vector_.ReservedBytes();
  for (const Column* column : Columns()) bytes += sizeof(Column) + column->ReservedBytes();
  return bytes;
}

}  // namespace vdb
