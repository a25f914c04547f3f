#include "vdb/query/facets.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "vdb/query/filter_evaluator.h"
#include "vdb/util/checksum.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

enum class KeyKind : std::uint8_t { kBool, kInt64, kUint64, kDouble, kCode, kText };
constexpr std::size_t kNumberKinds = 3;

// One value, so that equal ones are equal keys: a double that is an integer is kept as that integer.
struct Key {
  KeyKind kind = KeyKind::kBool;
  bool integral = false;   // was written as an integer
  std::uint64_t word = 0;  // bits of a bool or number, code of a string
  std::string text;        // kText: a string that is not in the dictionary

  auto Identity() const { return std::tie(kind, word, text); }
};

Key KeyOfDouble(double value) {
  constexpr double kTwo63 = 9223372036854775808.0;
  Key key;
  if (value != std::floor(value) || value < -kTwo63 || value >= 2 * kTwo63) {
    key.kind = KeyKind::kDouble;
    key.word = std::bit_cast<std::uint64_t>(value);
  } else if (value < kTwo63) {
    key.kind = KeyKind::kInt64;
    key.word = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  } else {
    key.kind = KeyKind::kUint64;
    key.word = static_cast<std::uint64_t>(value);
  }
  return key;
}

// A distinct value that was counted.
struct Item {
  KeyKind kind = KeyKind::kBool;
  bool integral = false;
  std::uint64_t word = 0;
  std::string_view text;  // kCode, kText
  std::uint64_t count = 0;

  long double Number() const {
    if (kind == KeyKind::kInt64) return static_cast<std::int64_t>(word);
    return kind == KeyKind::kUint64 ? static_cast<long double>(word) : std::bit_cast<double>(word);
  }
  bool is_string() const { return kind >= KeyKind::kCode; }
  bool is_number() const { return kind != KeyKind::kBool && !is_string(); }

  Value ToValue() const {
    if (is_string()) return text;
    if (kind == KeyKind::kBool) return word != 0;
    if (!integral) return static_cast<double>(Number());
    return kind == KeyKind::kInt64 ? Value(static_cast<std::int64_t>(word)) : Value(word);
  }
};

// FALSE < TRUE < numbers < strings.
bool InOrder(const Item& a, const Item& b) {
  if (a.is_string() || b.is_string()) return a.is_string() && b.is_string() ? a.text < b.text : b.is_string();
  if (a.is_number() && b.is_number()) return a.Number() < b.Number();
  return a.is_number() == b.is_number() ? a.word < b.word : b.is_number();
}

class FacetCounter {
 public:
  FacetCounter(const FieldPath& path, const FacetScope& scope, PayloadReader& payloads)
      : path_(path),
        index_(scope.index),
        column_(path.is_id ? nullptr : scope.index.Find(path.text)),
        payloads_(payloads),
        codes_(column_ == nullptr ? 0 : column_->dictionary().size()) {}

  // Counts the values of one record.
  Status AddRecord(std::uint32_t slot) {
    ++records_;
    const CellTag tag = column_ == nullptr ? CellTag::kMissing : column_->cells().Tag(slot);
    if (tag == CellTag::kCode) {
      ++codes_[column_->cells().codes[slot]];
      return OkStatus();
    }
    if (tag == CellTag::kInt64) {
      Count(KeyKind::kInt64, column_->cells().words[slot], true);
      return OkStatus();
    }
    keys_.clear();
    if (path_.is_id) {
      AddString(index_.ids().Get(slot));
    } else if (!AddCell(tag, slot)) {
      keys_.clear();
      VDB_RETURN_IF_ERROR(AddPayload(slot));
    }
    if (keys_.empty()) ++missing_;
    if (keys_.size() > 1) {
      // Of equal values one that was written as an integer comes first and stays.
      std::sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) {
        return std::tie(a.kind, a.word, a.text, b.integral) < std::tie(b.kind, b.word, b.text, a.integral);
      });
      const auto same = [](const Key& a, const Key& b) { return a.Identity() == b.Identity(); };
      keys_.erase(std::unique(keys_.begin(), keys_.end(), same), keys_.end());
    }
    for (const Key& key : keys_) Count(key);
    return OkStatus();
  }

  FacetResult Finish(std::size_t limit) const {
    std::vector<Item> items = Items();
    FacetResult result;
    result.distinct = items.size();
    result.records = records_;
    result.missing = missing_;
    result.payloads_read = payloads_read_;
    if (items.empty()) return result;
    const auto [min, max] = std::minmax_element(items.begin(), items.end(), InOrder);
    result.min = min->ToValue();
    result.max = max->ToValue();
    const std::size_t listed = std::min(limit, items.size());
    std::partial_sort(
        items.begin(), items.begin() + static_cast<std::ptrdiff_t>(listed), items.end(),
        [](const Item& a, const Item& b) { return a.count != b.count ? a.count > b.count : InOrder(a, b); });
    result.values.reserve(listed);
    for (std::size_t i = 0; i < listed; ++i) result.values.push_back({items[i].ToValue(), items[i].count});
    return result;
  }

 private:
  struct NumberCount {
    std::uint64_t count = 0;
    bool integral = false;
  };

  // The values of the cell; false if only the payload has them.
  bool AddCell(CellTag tag, std::uint32_t slot) {
    if (tag == CellTag::kMissing) return (index_.UnindexedWord(slot / 64) >> (slot % 64) & 1) == 0;
    if (tag != CellTag::kList) return AddCellValue(column_->cells(), tag, slot);
    const std::uint64_t word = column_->cells().words[slot];
    const std::uint64_t first = Column::ListFirst(word);
    const Cells& elements = column_->elements();
    for (std::uint64_t i = first; i < first + Column::ListCount(word); ++i) {
      if (!AddCellValue(elements, static_cast<CellTag>(elements.tags[i]), i)) return false;
    }
    return true;
  }

  bool AddCellValue(const Cells& cells, CellTag tag, std::uint64_t index) {
    switch (tag) {
      case CellTag::kFalse:
      case CellTag::kTrue:
        keys_.push_back({KeyKind::kBool, false, tag == CellTag::kTrue ? 1U : 0U, {}});
        return true;
      case CellTag::kInt64:
        keys_.push_back({KeyKind::kInt64, true, cells.words[index], {}});
        return true;
      case CellTag::kUint64:
        keys_.push_back({KeyKind::kUint64, true, cells.words[index], {}});
        return true;
      case CellTag::kDouble:
        keys_.push_back(KeyOfDouble(std::bit_cast<double>(cells.words[index])));
        return true;
      case CellTag::kCode:
        keys_.push_back({KeyKind::kCode, false, cells.codes[index], {}});
        return true;
      case CellTag::kHash:
      case CellTag::kHashTime:
      case CellTag::kPayload:
        return false;
      default:
        return true;  // null, objects, lists in lists
    }
  }

  Status AddPayload(std::uint32_t slot) {
    ++payloads_read_;
    VDB_RETURN_IF_ERROR(payloads_.ReadPayload(slot, &payload_));
    Status status = VisitValues(path_, payload_, [this](const ScalarRef& value) { AddScalar(value); });
    if (status.ok()) return status;
    return status.WithMessage(StrCat("record in slot ", slot, ": ", status.message()));
  }

  void AddScalar(const ScalarRef& value) {
    switch (value.kind) {
      case ScalarRef::Kind::kBool:
        keys_.push_back({KeyKind::kBool, false, value.boolean ? 1U : 0U, {}});
        break;
      case ScalarRef::Kind::kInt64:
        keys_.push_back({KeyKind::kInt64, true, static_cast<std::uint64_t>(value.int64), {}});
        break;
      case ScalarRef::Kind::kUint64: {
        const bool small = value.uint64 >> 63 == 0;
        keys_.push_back({small ? KeyKind::kInt64 : KeyKind::kUint64, true, value.uint64, {}});
        break;
      }
      case ScalarRef::Kind::kDouble:
        keys_.push_back(KeyOfDouble(value.number));
        break;
      case ScalarRef::Kind::kString:
        AddString(value.text);
        break;
      case ScalarRef::Kind::kNull:
      case ScalarRef::Kind::kOther:
        break;
    }
  }

  // By its code, if the dictionary had it when the count began: then other cells may have that code.
  void AddString(std::string_view text) {
    if (column_ != nullptr) {
      const std::optional<std::uint32_t> code = column_->dictionary().Find(text, Checksum(text));
      if (code.has_value() && *code < codes_.size()) {
        keys_.push_back({KeyKind::kCode, false, *code, {}});
        return;
      }
    }
    keys_.push_back({KeyKind::kText, false, 0, std::string(text)});
  }

  void Count(const Key& key) {
    switch (key.kind) {
      case KeyKind::kBool:
        ++bools_[key.word];
        break;
      case KeyKind::kCode:
        ++codes_[key.word];
        break;
      case KeyKind::kText:
        ++texts_[key.text];
        break;
      default:
        Count(key.kind, key.word, key.integral);
        break;
    }
  }

  void Count(KeyKind kind, std::uint64_t word, bool integral) {
    NumberCount& number = numbers_[NumbersOf(kind)][word];
    ++number.count;
    number.integral |= integral;
  }

  static std::size_t NumbersOf(KeyKind kind) {
    return static_cast<std::size_t>(kind) - static_cast<std::size_t>(KeyKind::kInt64);
  }

  std::vector<Item> Items() const {
    std::vector<Item> items;
    for (std::size_t i = 0; i < bools_.size(); ++i) {
      if (bools_[i] != 0) items.push_back({KeyKind::kBool, false, i, {}, bools_[i]});
    }
    for (const KeyKind kind : {KeyKind::kInt64, KeyKind::kUint64, KeyKind::kDouble}) {
      for (const auto& [word, number] : numbers_[NumbersOf(kind)]) {
        items.push_back({kind, number.integral, word, {}, number.count});
      }
    }
    for (std::uint32_t code = 0; code < codes_.size(); ++code) {
      if (codes_[code] == 0) continue;
      items.push_back({KeyKind::kCode, false, code, column_->dictionary().Get(code), codes_[code]});
    }
    for (const auto& [text, count] : texts_) items.push_back({KeyKind::kText, false, 0, text, count});
    return items;
  }

  const FieldPath& path_;
  const FieldIndex& index_;
  const Column* const column_;  // null: none
  PayloadReader& payloads_;
  std::uint64_t records_ = 0;
  std::uint64_t missing_ = 0;
  std::uint64_t payloads_read_ = 0;
  std::vector<Key> keys_;  // of the record at hand
  std::string payload_;    // likewise

  std::array<std::uint64_t, 2> bools_{};
  std::array<absl::flat_hash_map<std::uint64_t, NumberCount>, kNumberKinds> numbers_;
  std::vector<std::uint64_t> codes_;
  absl::flat_hash_map<std::string, std::uint64_t> texts_;
};

}  // namespace

Result<FacetResult> ComputeFacets(const FieldPath& path, const FacetScope& scope, std::size_t limit,
                                  PayloadReader& payloads) {
  FacetCounter counter(path, scope, payloads);
  const std::uint64_t words = (std::uint64_t{scope.clock.committed} + 63) / 64;
  for (std::uint64_t word = 0; word < words; ++word) {
    std::uint64_t bits =
        scope.matches != nullptr ? scope.matches->slots.words()[word] : scope.deaths.VisibleWord(word, scope.clock);
    for (; bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(bits));
      VDB_RETURN_IF_ERROR(counter.AddRecord(static_cast<std::uint32_t>(word * 64 + bit)));
    }
  }
  return counter.Finish(limit);
}

}  // namespace vdb
