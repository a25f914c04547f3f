#include "vdb/fields/payload_parser.h"

#include <vdb/limits.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "vdb/fields/field_path.h"
#include "vdb/util/checksum.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::uint32_t kNoEntry = ~std::uint32_t{0};
constexpr std::size_t kMaxErrorBytes = 200;

struct PathHash {
  std::size_t operator()(std::string_view path) const { return Checksum(path); }
};

// An open object or array of the JSON text.
struct Frame {
  bool array = false;
  bool in_array = false;           // some array stands above, or this is one
  bool addressable = false;        // paths lead here
  bool key_ok = false;             // an object's current key makes an indexable path
  std::uint32_t entry = kNoEntry;  // an array's list
  std::size_t path_size = 0;       // of path_ at this container
  std::uint64_t ordinal = 0;       // tells objects apart
};

struct ListItem {
  std::uint32_t entry;
  FlatValue value;
};

// The library's message without its prefix, cut to a readable length, in ASCII.
std::string CleanMessage(std::string_view message) {
  const std::size_t prefix = message.find("] ");
  if (prefix != std::string_view::npos) message.remove_prefix(prefix + 2);
  std::string out(message.substr(0, kMaxErrorBytes));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x7F || c < 0x20; }, '?');
  return out;
}

}  // namespace

// The library's SAX handler: keeps the path of the place it is at, and notes values.
struct PayloadParser::State {
  using Json = nlohmann::json;

  // --- called by the library; false stops it

  bool null() { return OnValue({JsonKind::kNull, 0, 0}); }
  bool boolean(bool value) { return OnValue({value ? JsonKind::kTrue : JsonKind::kFalse, 0, 0}); }
  bool number_integer(std::int64_t value) { return OnValue({JsonKind::kInt64, 0, static_cast<std::uint64_t>(value)}); }
  bool number_unsigned(std::uint64_t value) {
    return OnValue({std::in_range<std::int64_t>(value) ? JsonKind::kInt64 : JsonKind::kUint64, 0, value});
  }
  bool number_float(double value, const std::string&) {
    return OnValue({JsonKind::kDouble, 0, std::bit_cast<std::uint64_t>(value)});
  }
  bool string(std::string& text) {
    if (!Wanted()) return true;
    if (text.size() > kMaxIndexedStringBytes) return OnValue({JsonKind::kLongString, 0, Checksum(text)});
    const std::uint64_t offset = out->arena.size();
    out->arena += text;
    return OnValue({JsonKind::kString, static_cast<std::uint32_t>(text.size()), offset});
  }
  bool binary(Json::binary_t&) { return false; }

  bool key(std::string& name) {
    Frame& frame = frames.back();
    if (!allow_duplicates && !keys.insert(Checksum(name) + frame.ordinal * 0x9E37'79B9'7F4A'7C15U).second) {
      duplicate = true;
      return false;
    }
    frame.key_ok = false;
    if (!frame.addressable) return true;
    path.resize(frame.path_size);
    if (!path.empty()) path += '.';
    if (name.size() <= kMaxIndexedPathBytes) AppendFieldName(name, &path);
    frame.key_ok = name.size() <= kMaxIndexedPathBytes && path.size() <= kMaxIndexedPathBytes;
    if (!frame.key_ok) out->complete = false;
    return true;
  }

  bool start_object(std::size_t) {
    if (!CheckDepth()) return false;
    Frame child{.addressable = true, .ordinal = ++objects};
    if (!frames.empty()) {
      const Frame& top = frames.back();
      OnValue({JsonKind::kObject, 0, 0});
      child.in_array = top.in_array;
      child.addressable = top.array ? top.entry != kNoEntry : top.key_ok;
      if (child.addressable && top.array) {
        path.resize(top.path_size);
        path += "[]";
      }
      child.path_size = path.size();
    }
    frames.push_back(child);
    return true;
  }
  bool end_object() { return EndContainer(); }

  bool start_array(std::size_t) {
    if (!CheckDepth()) return false;
    Frame child{.array = true, .in_array = true};
    if (frames.back().array) {
      OnValue({JsonKind::kObject, 0, 0});  // an array in an array: a value without a path of its own
    } else if (frames.back().key_ok) {
      child.entry = frames.back().in_array ? FindOrAddList() : AddEntry({JsonKind::kList, 0, 0});
      child.path_size = path.size();
    }
    frames.push_back(child);
    return true;
  }
  bool end_array() { return EndContainer(); }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) {
    status = InvalidArgumentError(
        StrCat("payload is not valid JSON in UTF-8, at byte ", position, ": ", CleanMessage(error.what())));
    return false;
  }

  // --- our side

  bool EndContainer() {
    frames.pop_back();
    return true;
  }

  bool CheckDepth() {
    if (frames.size() < kMaxPayloadDepth) return true;
    status = InvalidArgumentError(StrCat("payload is nested deeper than ", kMaxPayloadDepth, " objects and arrays"));
    return false;
  }

  // Whether the value that comes now has a place to go.
  bool Wanted() const { return frames.back().array ? frames.back().entry != kNoEntry : frames.back().key_ok; }

  bool OnValue(const FlatValue& value) {
    if (!Wanted()) return true;
    const Frame& top = frames.back();
    if (top.array) {
      AddItem(top.entry, value);
    } else if (top.in_array) {
      const std::uint32_t entry = FindOrAddList();
      if (entry != kNoEntry) AddItem(entry, value);
    } else {
      AddEntry(value);
    }
    return true;
  }

  void AddItem(std::uint32_t entry, const FlatValue& value) {
    FlatEntry& list = out->entries[entry];
    if (list.element_total++ >= kMaxIndexedListElements) return;
    ++list.element_count;
    items.push_back({entry, value});
  }

  std::uint32_t AddEntry(const FlatValue& value) {
    if (out->entries.size() >= kMaxIndexedEntries) {
      out->complete = false;
      return kNoEntry;
    }
    FlatEntry entry;
    entry.path_offset = static_cast<std::uint32_t>(out->arena.size());
    entry.path_size = static_cast<std::uint32_t>(path.size());
    entry.value = value;
    out->arena += path;
    out->entries.push_back(entry);
    return static_cast<std::uint32_t>(out->entries.size() - 1);
  }

  // The list of the current path, which other objects of the same array may have begun.
  std::uint32_t FindOrAddList() {
    const auto found = lists.find(path);
    if (found != lists.end()) return found->second;
    const std::uint32_t entry = AddEntry({JsonKind::kList, 0, 0});
    if (entry != kNoEntry) lists.emplace(path, entry);
    return entry;
  }

  // Items came interleaved; each list gets its own run of elements, in the order they came.
  void PlaceElements() {
    std::uint32_t next = 0;
    for (FlatEntry& entry : out->entries) {
      entry.element_first = next;
      next += entry.element_count;
      entry.element_count = 0;
    }
    out->elements.resize(next);
    for (const ListItem& item : items) {
      FlatEntry& list = out->entries[item.entry];
      out->elements[list.element_first + list.element_count++] = item.value;
    }
  }

  void Begin(ParsedPayload* to, bool duplicates_allowed) {
    out = to;
    out->Clear();
    allow_duplicates = duplicates_allowed;
    duplicate = false;
    status = Status();
    objects = 0;
    path.clear();
    frames.clear();
    items.clear();
    lists.clear();
    keys.clear();
  }

  // One pass over json; false if it stopped.
  bool Run(std::string_view json, ParsedPayload* to, bool duplicates_allowed) {
    Begin(to, duplicates_allowed);
    if (!Json::sax_parse(json.begin(), json.end(), this)) return false;
    PlaceElements();
    return true;
  }

  ParsedPayload* out = nullptr;
  bool allow_duplicates = false;
  bool duplicate = false;  // stopped at a key that its object has already
  Status status;
  std::uint64_t objects = 0;
  std::string path;
  std::vector<Frame> frames;
  std::vector<ListItem> items;
  absl::flat_hash_map<std::string, std::uint32_t, PathHash, std::equal_to<>> lists;
  absl::flat_hash_set<std::uint64_t> keys;
};

PayloadParser::PayloadParser() : state_(std::make_unique<State>()) {}
PayloadParser::~PayloadParser() = default;

Status PayloadParser::Parse(std::string_view json, ParsedPayload* out) {
  out->Clear();
  if (json.empty()) return OkStatus();
  if (json.size() > kMaxPayloadBytes) {
    return InvalidArgumentError(
        StrCat("payload has ", json.size(), " bytes; at most ", kMaxPayloadBytes, " are allowed"));
  }
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || json[first] != '{') {
    return InvalidArgumentError(StrCat("payload must be a JSON object, but ",
                                       first == std::string_view::npos
                                           ? std::string("is blank")
                                           : StrCat("begins with '", CleanMessage(json.substr(first, 1)), "'")));
  }
  const std::size_t nul = json.find('\0');  // the library would take it for the end
  if (nul != std::string_view::npos) {
    return InvalidArgumentError(StrCat("payload is not valid JSON, at byte ", nul + 1, ": a NUL byte"));
  }
  try {
    if (state_->Run(json, out, false)) return OkStatus();
    if (state_->duplicate) {
      // Rare: check it all, let the library keep the last of each key, and flatten what that leaves.
      if (!state_->Run(json, out, true)) return state_->status;
      if (state_->Run(State::Json::parse(json).dump(), out, true)) return OkStatus();
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return InternalError(StrCat("the JSON library failed on a payload: ", CleanMessage(error.what())));
  }
  return state_->status.ok() ? InternalError("the JSON library stopped without a reason") : state_->status;
}

}  // namespace vdb
