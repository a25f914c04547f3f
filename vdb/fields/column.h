// One payload path as a column by slot: a tag byte per slot, and where the tag says so a 4-byte code or an 8-byte word.
//
// Strings are dictionary-coded. Once more than half of a column's strings (of 10,000 or more) are distinct, strings new
// to the dictionary keep a 4-byte hash only, as do strings over kMaxIndexedStringBytes: a filter that cannot decide by
// the hash reads the payload. Arrays are lists of such cells in a second set of arrays.
// Thread safety: one writer at a time (Write, Clear); readers read slots below a committed count that they loaded with
// acquire after the writer's Write. Dictionary lookups take a short lock.
// Ownership: the column owns its arrays; they never move.
#ifndef VDB_FIELDS_COLUMN_H_
#define VDB_FIELDS_COLUMN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "vdb/fields/payload_parser.h"
#include "vdb/fields/string_pool.h"
#include "vdb/util/mutex.h"
#include "vdb/util/segmented_array.h"

namespace vdb {

// What a cell holds. Persistent: never renumber; below 128.
enum class CellTag : std::uint8_t {
  kMissing = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInt64 = 4,     // word
  kUint64 = 5,    // word; above the largest int64
  kDouble = 6,    // word: its bits
  kCode = 7,      // code: string of the dictionary
  kHash = 8,      // code: hash of a string that is no ISO 8601 time
  kHashTime = 9,  // code: hash of a string; word: the time it reads as, µs
  kList = 10,     // word: first element << 16 | elements
  kObject = 11,   // an object; as an element also an array
  kPayload = 12,  // only the payload knows
};
inline constexpr std::size_t kCellTags = 13;

// Parallel arrays of cells. codes and words are reserved only up to the last cell that uses them.
struct Cells {
  SegmentedArray<std::uint8_t> tags;
  SegmentedArray<std::uint32_t> codes;
  SegmentedArray<std::uint64_t> words;

  // kMissing where nothing was ever reserved.
  CellTag Tag(std::uint64_t index) const {
    return tags.IsReserved(index) ? static_cast<CellTag>(tags[index]) : CellTag::kMissing;
  }
  std::size_t ReservedBytes() const { return tags.ReservedBytes() + codes.ReservedBytes() + words.ReservedBytes(); }
};

// Distinct strings of a column, by code in order of first sight.
class Dictionary {
 public:
  Dictionary();

  // Strings so far (acquire): codes below it may be passed to Get.
  std::uint32_t size() const { return size_.load(std::memory_order_acquire); }
  std::string_view Get(std::uint32_t code) const { return pool_.Get(code); }
  std::optional<std::uint32_t> Find(std::string_view text, std::uint64_t hash) const;
  // The code of text, added if it is new. Writer only. Throws std::bad_alloc.
  std::uint32_t Add(std::string_view text, std::uint64_t hash);

  const StringPool& pool() const { return pool_; }
  // After loading: the pool was filled with `size` strings.
  StringPool& mutable_pool() { return pool_; }
  void SetLoaded(std::uint32_t size) { size_.store(size, std::memory_order_release); }
  std::size_t ReservedBytes() const;

 private:
  struct Probe {
    std::string_view text;
    std::uint64_t hash;
  };
  struct Hash {
    using is_transparent = void;
    const StringPool* pool;
    std::size_t operator()(std::uint32_t code) const;
    std::size_t operator()(const Probe& probe) const { return probe.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const StringPool* pool;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(std::uint32_t a, const Probe& b) const { return pool->Get(a) == b.text; }
    bool operator()(const Probe& a, std::uint32_t b) const { return pool->Get(b) == a.text; }
  };

  // Brings the table up to the pool: it is built at first use after loading.
  void CatchUp() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  StringPool pool_;
  std::atomic<std::uint32_t> size_{0};
  mutable Mutex mutex_;
  mutable absl::flat_hash_set<std::uint32_t, Hash, Equal> table_ ABSL_GUARDED_BY(mutex_);
};

class Column {
 public:
  // Rows after which a column with mostly distinct strings stops coding them, and the hash of a string.
  static constexpr std::uint64_t kMinStringsToHash = 10'000;
  static std::uint32_t HashCode(std::uint64_t checksum) { return static_cast<std::uint32_t>(checksum); }

  explicit Column(std::string path) : path_(std::move(path)) {}

  // Sets the cell of slot; throws std::bad_alloc (the cell is then missing or whole). Writer only.
  void Write(std::uint32_t slot, const ParsedPayload& payload, const FlatEntry& entry);
  // Makes the cell missing: the slot is written again after a commit that failed. Writer only.
  void Clear(std::uint32_t slot);

  const std::string& path() const { return path_; }
  const Cells& cells() const { return cells_; }
  const Cells& elements() const { return elements_; }
  const Dictionary& dictionary() const { return dictionary_; }

  static std::uint64_t ListFirst(std::uint64_t word) { return word >> 16; }
  static std::uint64_t ListCount(std::uint64_t word) { return word & 0xFFFF; }
  static std::uint64_t PackList(std::uint64_t first, std::uint64_t count) { return first << 16 | count; }

  // Bit t is set if a cell or element was ever of CellTag t.
  std::uint32_t tags_seen() const { return tags_seen_.load(std::memory_order_relaxed); }
  // Whether strings new to the dictionary are hashed.
  bool hashed() const { return hashed_.load(std::memory_order_relaxed); }
  std::uint64_t strings() const { return strings_.load(std::memory_order_relaxed); }
  // Elements in use (acquire).
  std::uint64_t elements_end() const { return elements_end_.load(std::memory_order_acquire); }
  std::size_t ReservedBytes() const;

 private:
  friend class FieldFileReader;  // fills the arrays

  // Sets cell `index` of `cells` to a scalar.
  void WriteScalar(Cells* cells, std::uint64_t index, const ParsedPayload& payload, const FlatValue& value);
  CellTag WriteString(Cells* cells, std::uint64_t index, std::string_view text);
  CellTag WriteList(std::uint32_t slot, const ParsedPayload& payload, const FlatEntry& entry);
  void Saw(CellTag tag) {
    const std::uint32_t seen = tags_seen_.load(std::memory_order_relaxed);
    tags_seen_.store(seen | 1U << static_cast<unsigned>(tag), std::memory_order_relaxed);
  }

  const std::string path_;
  Cells cells_;
  Cells elements_;
  Dictionary dictionary_;
  std::atomic<std::uint64_t> elements_end_{0};
  std::atomic<std::uint64_t> strings_{0};
  std::atomic<std::uint32_t> tags_seen_{0};
  std::atomic<bool> hashed_{false};
};

}  // namespace vdb

#endif  // VDB_FIELDS_COLUMN_H_
