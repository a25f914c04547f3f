#include "vdb/index/link_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "vdb/util/checksum.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::array<char, 8> kMagic = {'V', 'D', 'B', 'L', 'I', 'N', 'K', 'S'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kAlignment = std::uint64_t{64} << 10;
constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;

// Persistent: never renumber. Readers skip kinds that they do not know.
enum SectionKind : std::uint32_t { kLevel0 = 1, kUpper = 2, kDead = 3, kChecksums = 4 };
constexpr std::size_t kSections = 4;

struct Section {
  std::uint32_t kind = 0;
  std::uint32_t stride = 0;  // bytes of one entry
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// FORMAT.md §7.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t code_kind = 0;  // 0: float32 rows, in their own file
  std::uint32_t m = 0;
  std::uint32_t slots = 0;
  std::uint32_t linked = 0;
  std::uint32_t has_entry = 0;
  std::uint32_t entry_slot = 0;
  std::uint32_t entry_level = 0;
  std::uint64_t commit_seq = 0;
  std::array<Section, kSections> sections{};
  std::uint64_t checksums_checksum = 0;  // XXH3 of the section of checksums
  std::uint64_t checksum = 0;            // XXH3 of the fields before

  std::uint64_t ComputeChecksum() const { return Checksum(this, offsetof(Header, checksum)); }
};
static_assert(sizeof(Header) == 160);

std::uint64_t RoundUp(std::uint64_t value) {
  return (value + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
std::string_view BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

void AppendBlockChecksums(std::string_view bytes, std::vector<std::uint64_t>* out) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), kBlockBytes))) {
    out->push_back(Checksum(bytes.substr(0, kBlockBytes)));
  }
}

// Reads and verifies sections of one file.
class Reader {
 public:
  Reader(const FileHandle& file, const Header& header) : file_(file), header_(header) {}

  Status Damaged(std::string_view what) const { return DataLossError(StrCat(file_.path(), " is damaged: ", what)); }

  Status ReadChecksums(std::uint64_t file_size) {
    file_size_ = file_size;
    VDB_RETURN_IF_ERROR(Read(kChecksums, &checksums_));
    if (Checksum(BytesOf(checksums_)) != header_.checksums_checksum) return Damaged("table of checksums");
    return OkStatus();
  }

  // Sections are verified in the order of their checksums: level 0, upper, dead.
  template <typename T>
  Status ReadVerified(SectionKind kind, std::uint64_t entries, std::vector<T>* out) {
    VDB_RETURN_IF_ERROR(Read(kind, out));
    if (out->size() != entries) return Damaged(StrCat("section ", kind, " has ", out->size(), " entries of ", entries));
    std::vector<std::uint64_t> found;
    AppendBlockChecksums(BytesOf(*out), &found);
    for (const std::uint64_t checksum : found) {
      if (next_ >= checksums_.size() || checksums_[next_] != checksum) {
        return Damaged(StrCat("section ", kind, ", checksum ", next_));
      }
      ++next_;
    }
    return OkStatus();
  }

 private:
  template <typename T>
  Status Read(SectionKind kind, std::vector<T>* out) {
    for (const Section& section : header_.sections) {
      if (section.kind != kind) continue;
      if (section.size % sizeof(T) != 0 || section.offset > file_size_ || section.size > file_size_ - section.offset) {
        return Damaged(StrCat("section ", kind, " lies outside the file"));
      }
      out->resize(section.size / sizeof(T));
      return file_.ReadAt(section.offset, out->data(), section.size);
    }
    return Damaged(StrCat("section ", kind, " is missing"));
  }

  const FileHandle& file_;
  const Header& header_;
  std::uint64_t file_size_ = 0;
  std::vector<std::uint64_t> checksums_;
  std::size_t next_ = 0;
};

// Links of a node, without the padding that is its own slot; false if one is no node of that level.
// 6 parameters: one node of one level, and where its links go.
bool TakeLinks(const Graph& graph, std::uint32_t slot, std::uint32_t level, std::span<const std::uint32_t> words,
               std::uint32_t linked, std::vector<std::uint32_t>* links) {
  links->clear();
  for (const std::uint32_t link : words) {
    if (link >= linked || (level > 0 && graph.LevelOf(link) < level)) return false;
    if (link != slot) links->push_back(link);
  }
  return true;
}

std::uint64_t UpperWords(const Graph& graph, std::uint32_t linked) {
  std::uint64_t words = 0;
  for (std::uint32_t slot = 0; slot < linked; ++slot) words += std::uint64_t{graph.LevelOf(slot)} * graph.m();
  return words;
}

// Puts verified words into the graph; DataLoss if they are no graph.
Status Assemble(const Header& header, const Reader& reader, const std::vector<std::uint32_t>& level0,
                const std::vector<std::uint32_t>& upper, Graph* graph) {
  graph->Reserve(header.linked);
  std::vector<std::uint32_t> links;
  std::span<const std::uint32_t> upper_rest(upper);
  for (std::uint32_t slot = 0; slot < header.linked; ++slot) {
    const std::span<const std::uint32_t> words(level0.data() + std::size_t{slot} * 2 * header.m,
                                               std::size_t{2} * header.m);
    if (!TakeLinks(*graph, slot, 0, words, header.linked, &links)) return reader.Damaged("a link leads nowhere");
    graph->SetLinks(slot, 0, links);
    for (std::uint32_t level = 1; level <= graph->LevelOf(slot); ++level) {
      if (!TakeLinks(*graph, slot, level, upper_rest.first(header.m), header.linked, &links)) {
        return reader.Damaged("an upper link leads nowhere");
      }
      graph->SetLinks(slot, level, links);
      upper_rest = upper_rest.subspan(header.m);
    }
  }
  const EntryPoint entry{.slot = header.entry_slot, .level = header.entry_level};
  if (header.has_entry != 0 && (entry.slot >= header.linked || entry.level != graph->LevelOf(entry.slot))) {
    return reader.Damaged("the entry point is no node");
  }
  graph->Finish(header.linked, header.has_entry != 0 ? &entry : nullptr);
  return OkStatus();
}

}  // namespace

LinkSnapshot CopyLinks(const Graph& graph) {
  LinkSnapshot copy;
  copy.linked = graph.linked();
  copy.has_entry = graph.LoadEntryPoint(&copy.entry);
  const std::size_t degree = graph.Degree(0);
  copy.level0.resize(copy.linked * degree);
  for (std::uint32_t slot = 0; slot < copy.linked; ++slot) {
    const std::uint32_t* words = graph.Links(slot, 0);
    for (std::size_t i = 0; i < degree; ++i) copy.level0[slot * degree + i] = Graph::Link(words + i);
    const std::uint32_t level = graph.LevelOf(slot);
    if (level == 0) continue;
    const std::uint32_t* upper = graph.Links(slot, 1);  // levels follow each other
    for (std::size_t i = 0; i < std::size_t{level} * graph.m(); ++i) copy.upper.push_back(Graph::Link(upper + i));
  }
  return copy;
}

Status WriteLinkFile(const std::string& path, const LinkFileStamp& stamp, const LinkSnapshot& links,
                     const std::vector<std::uint64_t>& dead) {
  const std::array<std::string_view, 3> contents = {BytesOf(links.level0), BytesOf(links.upper), BytesOf(dead)};
  std::vector<std::uint64_t> checksums;
  for (const std::string_view bytes : contents) AppendBlockChecksums(bytes, &checksums);
  Header header;
  header.m = stamp.m;
  header.slots = stamp.slots;
  header.linked = links.linked;
  header.has_entry = links.has_entry ? 1 : 0;
  header.entry_slot = links.entry.slot;
  header.entry_level = links.entry.level;
  header.commit_seq = stamp.commit_seq;
  std::uint64_t offset = kAlignment;
  const auto place = [&](SectionKind kind, std::uint32_t stride, std::uint64_t size) {
    header.sections[kind - 1] = {kind, stride, offset, size};
    offset += RoundUp(size);
  };
  place(kLevel0, stamp.m * 2 * sizeof(std::uint32_t), contents[0].size());
  place(kUpper, stamp.m * sizeof(std::uint32_t), contents[1].size());
  place(kDead, sizeof(std::uint64_t), contents[2].size());
  place(kChecksums, sizeof(std::uint64_t), BytesOf(checksums).size());
  header.checksums_checksum = Checksum(BytesOf(checksums));
  header.checksum = header.ComputeChecksum();

  const std::string temporary = StrCat(path, ".tmp");
  {
    VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::CreateEmpty(temporary));
    VDB_RETURN_IF_ERROR(file.Allocate(0, offset));
    VDB_RETURN_IF_ERROR(file.WriteAt(0, {reinterpret_cast<const char*>(&header), sizeof(header)}));
    for (std::size_t i = 0; i < contents.size(); ++i) {
      VDB_RETURN_IF_ERROR(file.WriteAt(header.sections[i].offset, contents[i]));
    }
    VDB_RETURN_IF_ERROR(file.WriteAt(header.sections[kChecksums - 1].offset, BytesOf(checksums)));
    VDB_RETURN_IF_ERROR(file.Sync());
  }
  return RenameDurably(temporary, path);
}

Result<LoadedLinks> LoadLinkFile(const std::string& path, const LinkFileStamp& stamp) {
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(path));
  VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  Header header;
  VDB_RETURN_IF_ERROR(file.ReadAt(0, &header, sizeof(header)));
  Reader reader(file, header);
  if (header.magic != kMagic || header.checksum != header.ComputeChecksum()) return reader.Damaged("header");
  if (header.version != kVersion || header.code_kind != 0) {
    return reader.Damaged(StrCat("version ", header.version, ", codes ", header.code_kind));
  }
  if (header.m != stamp.m || header.slots != stamp.slots || header.commit_seq != stamp.commit_seq ||
      header.linked > header.slots) {
    return reader.Damaged(StrCat("it is of commit ", header.commit_seq, " with ", header.slots,
                                 " slots; wanted commit ", stamp.commit_seq, " with ", stamp.slots));
  }
  VDB_RETURN_IF_ERROR(reader.ReadChecksums(size));
  LoadedLinks loaded;
  loaded.graph = std::make_unique<Graph>(header.m);
  std::vector<std::uint32_t> level0;
  std::vector<std::uint32_t> upper;
  VDB_RETURN_IF_ERROR(reader.ReadVerified(kLevel0, std::uint64_t{header.linked} * 2 * header.m, &level0));
  VDB_RETURN_IF_ERROR(reader.ReadVerified(kUpper, UpperWords(*loaded.graph, header.linked), &upper));
  VDB_RETURN_IF_ERROR(reader.ReadVerified(kDead, (std::uint64_t{header.slots} + 63) / 64, &loaded.dead));
  VDB_RETURN_IF_ERROR(Assemble(header, reader, level0, upper, loaded.graph.get()));
  return loaded;
}

}  // namespace vdb
