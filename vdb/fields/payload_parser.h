// A JSON payload, checked and flattened in one pass: every path with its value, ready for the columns.
//
// `{"a": {"b": 1}, "tags": ["x"], "items": [{"sku": 7}]}` becomes
//   a → object, a.b → 1, tags → list ['x'], items → list [object], items[].sku → list [7].
// Thread safety: a PayloadParser is for one thread at a time (it keeps buffers); ParsedPayload is a value.
// Ownership: ParsedPayload owns its texts; the JSON may go after Parse.
#ifndef VDB_FIELDS_PAYLOAD_PARSER_H_
#define VDB_FIELDS_PAYLOAD_PARSER_H_

#include <vdb/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vdb {

// Longer paths, more paths per payload and longer lists are not indexed: filters read them from the payload.
inline constexpr std::size_t kMaxIndexedPathBytes = 1'024;
inline constexpr std::size_t kMaxIndexedEntries = 4'096;
inline constexpr std::size_t kMaxIndexedListElements = 1'024;
// Longer strings are kept as a hash only.
inline constexpr std::size_t kMaxIndexedStringBytes = 128;

enum class JsonKind : std::uint8_t {
  kNull,
  kFalse,
  kTrue,
  kInt64,
  kUint64,  // above the largest int64
  kDouble,
  kString,      // word: offset of its text, size: its bytes
  kLongString,  // more than kMaxIndexedStringBytes; word: Checksum of the text
  kObject,      // an object; as an element of a list also an array
  kList,        // only as the value of a path
};

struct FlatValue {
  JsonKind kind = JsonKind::kNull;
  std::uint32_t size = 0;
  std::uint64_t word = 0;  // the bits of an int64, uint64 or double; an offset; a hash
};

struct FlatEntry {
  std::uint32_t path_offset = 0;
  std::uint32_t path_size = 0;
  FlatValue value;                  // kind kList: see below
  std::uint32_t element_first = 0;  // in ParsedPayload::elements
  std::uint32_t element_count = 0;  // stored elements; kMaxIndexedListElements at most
  std::uint64_t element_total = 0;  // in the JSON
};

struct ParsedPayload {
  std::vector<FlatEntry> entries;  // one per path
  std::vector<FlatValue> elements;
  std::string arena;     // texts of paths and strings
  bool complete = true;  // false: some paths were left out (limits above)

  std::string_view Path(const FlatEntry& entry) const {
    return std::string_view(arena).substr(entry.path_offset, entry.path_size);
  }
  // kind kString only.
  std::string_view Text(const FlatValue& value) const { return std::string_view(arena).substr(value.word, value.size); }
  void Clear() {
    entries.clear();
    elements.clear();
    arena.clear();
    complete = true;
  }
};

class PayloadParser {
 public:
  PayloadParser();
  ~PayloadParser();
  PayloadParser(const PayloadParser&) = delete;
  PayloadParser& operator=(const PayloadParser&) = delete;

  // Checks and flattens a payload; an empty text counts as {}. Throws std::bad_alloc.
  // Errors: InvalidArgument - not JSON in UTF-8 (with the byte), not an object, deeper than kMaxPayloadDepth, more than
  // kMaxPayloadBytes.
  Status Parse(std::string_view json, ParsedPayload* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vdb

#endif  // VDB_FIELDS_PAYLOAD_PARSER_H_
