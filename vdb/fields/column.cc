#include "vdb/fields/column.h"

#include <vdb/filter.h>

#include "vdb/util/checksum.h"

namespace vdb {
namespace {

CellTag TagOfScalar(JsonKind kind) {
  switch (kind) {
    case JsonKind::kNull:
      return CellTag::kNull;
    case JsonKind::kFalse:
      return CellTag::kFalse;
    case JsonKind::kTrue:
      return CellTag::kTrue;
    case JsonKind::kInt64:
      return CellTag::kInt64;
    case JsonKind::kUint64:
      return CellTag::kUint64;
    case JsonKind::kDouble:
      return CellTag::kDouble;
    case JsonKind::kLongString:
      return CellTag::kHash;
    case JsonKind::kString:
    case JsonKind::kList:
    case JsonKind::kObject:
      break;
  }
  return CellTag::kObject;
}

void SetCode(Cells* cells, std::uint64_t index, std::uint32_t code) {
  if (!cells->codes.IsReserved(index)) cells->codes.Reserve(index + 1);
  cells->codes[index] = code;
}

void SetWord(Cells* cells, std::uint64_t index, std::uint64_t word) {
  if (!cells->words.IsReserved(index)) cells->words.Reserve(index + 1);
  cells->words[index] = word;
}

}  // namespace

Dictionary::Dictionary() : table_(0, Hash{&pool_}, Equal{&pool_}) {}

std::size_t Dictionary::Hash::operator()(std::uint32_t code) const {
  return Checksum(pool->Get(code));
}

void Dictionary::CatchUp() const {
  const std::uint32_t size = size_.load(std::memory_order_relaxed);
  if (table_.size() >= size) return;
  table_.reserve(size);
  for (auto code = static_cast<std::uint32_t>(table_.size()); code < size; ++code) table_.insert(code);
}

std::optional<std::uint32_t> Dictionary::Find(std::string_view text, std::uint64_t hash) const {
  const MutexLock lock(&mutex_);
  CatchUp();
  const auto found = table_.find(Probe{text, hash});
  if (found == table_.end()) return std::nullopt;
  return *found;
}

std::uint32_t Dictionary::Add(std::string_view text, std::uint64_t hash) {
  const MutexLock lock(&mutex_);
  CatchUp();
  const auto found = table_.find(Probe{text, hash});
  if (found != table_.end()) return *found;
  const std::uint32_t code = size_.load(std::memory_order_relaxed);
  pool_.Write(code, text);
  table_.insert(code);
  size_.store(code + 1, std::memory_order_release);
  return code;
}

std::size_t Dictionary::ReservedBytes() const {
  const MutexLock lock(&mutex_);
  return pool_.ReservedBytes() + table_.capacity() * (sizeof(std::uint32_t) + 1);
}

void Column::Write(std::uint32_t slot, const ParsedPayload& payload, const FlatEntry& entry) {
  if (!cells_.tags.IsReserved(slot)) cells_.tags.Reserve(std::uint64_t{slot} + 1);
  if (entry.value.kind == JsonKind::kList) {
    const CellTag tag = WriteList(slot, payload, entry);
    Saw(tag);
    cells_.tags[slot] = static_cast<std::uint8_t>(tag);
  } else {
    WriteScalar(&cells_, slot, payload, entry.value);
  }
}

void Column::Clear(std::uint32_t slot) {
  if (cells_.tags.IsReserved(slot)) cells_.tags[slot] = static_cast<std::uint8_t>(CellTag::kMissing);
}

void Column::WriteScalar(Cells* cells, std::uint64_t index, const ParsedPayload& payload, const FlatValue& value) {
  CellTag tag = TagOfScalar(value.kind);
  if (value.kind == JsonKind::kString) {
    tag = WriteString(cells, index, payload.Text(value));
  } else if (tag == CellTag::kHash) {
    SetCode(cells, index, HashCode(value.word));
  } else if (tag >= CellTag::kInt64 && tag <= CellTag::kDouble) {
    SetWord(cells, index, value.word);
  }
  Saw(tag);
  cells->tags[index] = static_cast<std::uint8_t>(tag);
}

CellTag Column::WriteString(Cells* cells, std::uint64_t index, std::string_view text) {
  const std::uint64_t hash = Checksum(text);
  const std::uint64_t strings = strings_.load(std::memory_order_relaxed) + 1;
  strings_.store(strings, std::memory_order_relaxed);
  if (!hashed() && strings > kMinStringsToHash && std::uint64_t{dictionary_.size()} * 2 > strings) {
    hashed_.store(true, std::memory_order_relaxed);
  }
  std::optional<std::uint32_t> code;
  if (hashed()) {
    code = dictionary_.Find(text, hash);
  } else {
    code = dictionary_.Add(text, hash);
  }
  if (code.has_value()) {
    SetCode(cells, index, *code);
    return CellTag::kCode;
  }
  SetCode(cells, index, HashCode(hash));
  const Result<Timestamp> time = Timestamp::Parse(text);
  if (!time.ok()) return CellTag::kHash;
  SetWord(cells, index, static_cast<std::uint64_t>(time->micros));
  return CellTag::kHashTime;
}

CellTag Column::WriteList(std::uint32_t slot, const ParsedPayload& payload, const FlatEntry& entry) {
  if (entry.element_total > entry.element_count) return CellTag::kPayload;
  const std::uint64_t first = elements_end_.load(std::memory_order_relaxed);
  elements_.tags.Reserve(first + entry.element_count);
  for (std::uint32_t i = 0; i < entry.element_count; ++i) {
    WriteScalar(&elements_, first + i, payload, payload.elements[entry.element_first + i]);
  }
  SetWord(&cells_, slot, PackList(first, entry.element_count));
  elements_end_.store(first + entry.element_count, std::memory_order_release);
  return CellTag::kList;
}

std::size_t Column::ReservedBytes() const {
  return cells_.ReservedBytes() + elements_.ReservedBytes() + dictionary_.ReservedBytes();
}

}  // namespace vdb
