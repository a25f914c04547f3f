#include "vdb/index/link_file.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "vdb/util/checksum.h"
#include "vdb/util/round_up.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::array<char, 8> kMagic = {'V', 'D', 'B', 'L', 'I', 'N', 'K', 'S'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kAlignment = std::uint64_t{64} << 10;
constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;
// Segments of a graph begin at multiples of it.
constexpr std::uint64_t kNodesPerBlock = 1024;
constexpr std::size_t kMaxSections = 32;

// Persistent: never renumber.
enum SectionKind : std::uint32_t {
  kLevel0 = 1,
  kUpper = 2,
  kDead = 3,
  kChecksums = 4,
  kMean = 5,
  kCurve = 6,
  kComponents = 7
};
// A reader that does not know a section may skip it unless it has this flag.
constexpr std::uint32_t kRequired = 1;

struct Section {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint32_t entry_bytes = 0;
  std::uint32_t first_checksum = 0;  // index in the section of checksums
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t block_bytes = 0;  // each with a checksum; the last may be shorter
};

// FORMAT.md §7. The rest of the page up to its checksum is zero.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t code_kind = 0;  // CodeKind
  std::uint32_t m = 0;
  std::uint32_t slots = 0;
  std::uint32_t linked = 0;
  std::uint32_t has_entry = 0;
  std::uint32_t entry_slot = 0;
  std::uint32_t entry_level = 0;
  std::uint64_t commit_seq = 0;
  std::uint64_t checksums_checksum = 0;  // XXH3 of the section of checksums
  std::uint32_t section_count = 0;
  std::uint32_t rotation = 0;  // RotationKind, of int8 codes
  std::array<Section, kMaxSections> sections{};
  std::uint32_t code_bits = 0;  // CodeBits of int8 codes; 0: 8
  std::array<char, 2740> rest{};
  std::uint64_t checksum = 0;  // XXH3 of the bytes before it

  std::uint64_t ComputeChecksum() const { return Checksum(this, offsetof(Header, checksum)); }
};
static_assert(sizeof(Section) == 40);
static_assert(sizeof(Header) == 4096);
static_assert(sizeof(CurvePoint) == 16);

template <typename T>
std::string_view BytesOf(const T& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

void AppendChecksums(std::string_view bytes, std::uint64_t block_bytes, std::vector<std::uint64_t>* out) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), block_bytes))) {
    out->push_back(Checksum(bytes.substr(0, block_bytes)));
  }
}

std::uint64_t Level0BlockBytes(std::uint32_t m) {
  return kNodesPerBlock * Graph::StrideFor(m) * sizeof(std::uint32_t);
}

}  // namespace

// Reads and verifies the sections of one file.
class LinkFileReader {
 public:
  LinkFileReader(PublishedLinks* file, const LinkFileStamp& stamp) : file_(*file), stamp_(stamp) {}

  Status ReadHeader() {
    VDB_ASSIGN_OR_RETURN(file_bytes_, file_.file_.Size());
    VDB_RETURN_IF_ERROR(file_.file_.ReadAt(0, &header_, sizeof(header_)));
    if (header_.magic != kMagic) return file_.Damaged("it does not begin as a file of links");
    if (header_.checksum != header_.ComputeChecksum()) return file_.Damaged("its header differs from its checksum");
    if (header_.version != kVersion || header_.code_kind > static_cast<std::uint32_t>(CodeKind::kInt8)) {
      return FailedPreconditionError(
          StrCat(file_.file_.path(), " has version ", header_.version, ", codes ", header_.code_kind,
                 "; this program reads version ", kVersion, ", codes 0 and 1"),
          StatusReason::kNewerFormat);
    }
    if (header_.rotation > static_cast<std::uint32_t>(RotationKind::kHadamard)) {
      return FailedPreconditionError(
          StrCat(file_.file_.path(), " has codes with rotation ", header_.rotation, "; this program knows 0 and 1"),
          StatusReason::kNewerFormat);
    }
    if (header_.code_bits != 0 && header_.code_bits != static_cast<std::uint32_t>(CodeBits::kFive)) {
      return FailedPreconditionError(
          StrCat(file_.file_.path(), " has codes of ", header_.code_bits, " bits; this program knows 0, for 8, and 5"),
          StatusReason::kNewerFormat);
    }
    if (header_.code_kind != static_cast<std::uint32_t>(stamp_.codes)) {
      return file_.Damaged(
          StrCat("it is for codes ", header_.code_kind, ", the collection has ", CodeKindName(stamp_.codes)));
    }
    if (header_.m != stamp_.m || header_.slots != stamp_.slots || header_.commit_seq != stamp_.commit_seq) {
      return file_.Damaged(StrCat("it is of commit ", header_.commit_seq, " with ", header_.slots, " slots and M ",
                                  header_.m, "; wanted commit ", stamp_.commit_seq, " with ", stamp_.slots, " and M ",
                                  stamp_.m));
    }
    if (header_.section_count > kMaxSections || header_.linked > header_.slots) return file_.Damaged("header");
    for (const Section& section : Sections()) {
      if ((section.flags & kRequired) != 0 && (section.kind < kLevel0 || section.kind > kComponents)) {
        return FailedPreconditionError(
            StrCat(file_.file_.path(), " needs section ", section.kind, ", which this program does not know"),
            StatusReason::kNewerFormat);
      }
      if (section.offset > file_bytes_ || section.size > file_bytes_ - section.offset) {
        return file_.Damaged(StrCat("section ", section.kind, " of ", section.size, " bytes at ", section.offset,
                                    " lies outside its ", file_bytes_, " bytes"));
      }
    }
    file_.m_ = header_.m;
    file_.linked_ = header_.linked;
    return OkStatus();
  }

  Status ReadChecksums() {
    VDB_ASSIGN_OR_RETURN(const Section section, Find(kChecksums));
    checksums_.resize(section.size / sizeof(std::uint64_t));
    VDB_RETURN_IF_ERROR(file_.file_.ReadAt(section.offset, checksums_.data(), BytesOf(checksums_).size()));
    if (Checksum(BytesOf(checksums_)) != header_.checksums_checksum) return file_.Damaged("table of checksums");
    return OkStatus();
  }

  // A section of so many entries.
  template <typename T>
  Status ReadVerified(SectionKind kind, std::uint64_t entries, std::vector<T>* out) {
    VDB_ASSIGN_OR_RETURN(const Section section, Find(kind));
    if (section.size != entries * sizeof(T)) return WrongSize(section, entries * sizeof(T));
    out->resize(entries);
    VDB_RETURN_IF_ERROR(file_.file_.ReadAt(section.offset, out->data(), section.size));
    VDB_ASSIGN_OR_RETURN(const std::span<const std::uint64_t> wanted, ChecksumsOf(section, kBlockBytes));
    std::vector<std::uint64_t> found;
    AppendChecksums(BytesOf(*out), kBlockBytes, &found);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i] != wanted[i]) return file_.Damaged(StrCat("section ", kind, ", block ", i));
    }
    return OkStatus();
  }

  // All levels and the entry point. That a link is at its level is for walks to check.
  Status ReadNodes(Graph* graph) {
    VDB_ASSIGN_OR_RETURN(const Section section, Find(kUpper));
    std::vector<std::uint32_t> upper;
    VDB_RETURN_IF_ERROR(ReadVerified(kUpper, section.size / sizeof(std::uint32_t), &upper));
    VDB_ASSIGN_OR_RETURN(const std::uint32_t* const level0, MapLevel0(graph->stride()));
    const Status mapped = graph->Map(level0, header_.linked, upper, file_.mapping_);
    if (!mapped.ok()) return file_.Damaged(mapped.message());
    const EntryPoint entry{.slot = header_.entry_slot, .level = header_.entry_level};
    if (header_.has_entry != 0 && (entry.slot >= header_.linked || entry.level != graph->LevelOf(entry.slot))) {
      return file_.Damaged(StrCat("its entry point is slot ", entry.slot, " at level ", entry.level));
    }
    graph->Finish(header_.linked, header_.has_entry != 0 ? &entry : nullptr);
    return OkStatus();
  }

  // Null: no nodes.
  Result<const std::uint32_t*> MapLevel0(std::size_t stride) {
    VDB_ASSIGN_OR_RETURN(const Section section, Find(kLevel0));
    const std::uint64_t wanted_bytes = std::uint64_t{header_.linked} * stride * sizeof(std::uint32_t);
    if (section.size != wanted_bytes) return WrongSize(section, wanted_bytes);
    if (section.offset % kAlignment != 0) return file_.Damaged("level 0 is not aligned");
    VDB_ASSIGN_OR_RETURN(const std::span<const std::uint64_t> checksums,
                         ChecksumsOf(section, Level0BlockBytes(header_.m)));
    file_.level0_checksums_.assign(checksums.begin(), checksums.end());
    file_.level0_offset_ = section.offset;
    if (section.size == 0) return nullptr;
    const std::size_t bytes = section.size;
    void* address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_.file_.fd(), static_cast<off_t>(section.offset));
    if (address == MAP_FAILED) return SystemError("cannot map", file_.file_.path(), errno);
    ::madvise(address, bytes, MADV_RANDOM);  // walks read a node here and a node there
    file_.mapping_bytes_ = bytes;
    file_.mapping_ = std::shared_ptr<const void>(
        address, [bytes](const void* mapped) { ::munmap(const_cast<void*>(mapped), bytes); });
    return static_cast<const std::uint32_t*>(address);
  }

  // A graph of int8 codes has a mean as soon as it has a node.
  Status ReadMean(Graph* graph) {
    if (stamp_.codes != CodeKind::kInt8 || header_.linked == 0) return OkStatus();
    std::vector<float> mean;
    VDB_RETURN_IF_ERROR(ReadVerified(kMean, stamp_.dim + 1, &mean));
    if (!std::ranges::all_of(mean, [](float x) { return std::isfinite(x); })) return file_.Damaged("mean");
    const float largest_norm = mean.back();
    mean.pop_back();
    VDB_ASSIGN_OR_RETURN(const CodeComponents components, ReadComponents());
    const CodeBits bits = header_.code_bits == 0 ? CodeBits::kEight : CodeBits::kFive;
    if (bits != CodeBits::kEight && (header_.rotation != 0 || stamp_.metric == Metric::kInnerProduct)) {
      return file_.Damaged(StrCat("codes of ", header_.code_bits, " bits"));
    }
    graph->UseCodes(std::make_shared<const CodeSpace>(
        stamp_.metric, std::move(mean), largest_norm, components,
        CodeForm{.rotation = static_cast<RotationKind>(header_.rotation), .bits = bits}));
    return OkStatus();
  }

  // Absent where codes hold all.
  Result<CodeComponents> ReadComponents() {
    const auto found = std::ranges::find(Sections(), kComponents, &Section::kind);
    if (found == Sections().end()) return CodeComponents(stamp_.dim);
    std::vector<std::uint32_t> held;
    VDB_RETURN_IF_ERROR(ReadVerified(kComponents, found->size / sizeof(std::uint32_t), &held));
    const bool ascend = std::ranges::adjacent_find(held, std::greater_equal<>()) == held.end();
    if (held.empty() || !ascend || held.back() >= stamp_.dim || header_.rotation != 0 ||
        stamp_.metric == Metric::kInnerProduct) {
      return file_.Damaged("components of codes");
    }
    return CodeComponents(stamp_.dim, std::move(held));
  }

  // Absent until it was measured.
  Status ReadCurve(Graph* graph) {
    const auto found = std::ranges::find(Sections(), kCurve, &Section::kind);
    if (found == Sections().end()) return OkStatus();
    std::vector<CurvePoint> points;
    // Damage here costs another measurement, not the graph.
    if (!ReadVerified(kCurve, found->size / sizeof(CurvePoint), &points).ok() || !IsRecallCurve(points)) {
      return OkStatus();
    }
    graph->SetRecallCurve(std::make_unique<const RecallCurve>(std::move(points)));
    return OkStatus();
  }

  const Header& header() const { return header_; }

 private:
  std::span<const Section> Sections() const { return std::span(header_.sections).first(header_.section_count); }

  Result<Section> Find(SectionKind kind) const {
    for (const Section& section : Sections()) {
      if (section.kind == kind) return section;
    }
    return file_.Damaged(StrCat("section ", kind, " is missing"));
  }

  Status WrongSize(const Section& section, std::uint64_t wanted) const {
    return file_.Damaged(StrCat("section ", section.kind, " has ", section.size, " bytes; wanted ", wanted));
  }

  Result<std::span<const std::uint64_t>> ChecksumsOf(const Section& section, std::uint64_t block_bytes) const {
    const std::uint64_t blocks = (section.size + block_bytes - 1) / block_bytes;
    if (section.block_bytes != block_bytes || section.first_checksum > checksums_.size() ||
        blocks > checksums_.size() - section.first_checksum) {
      return file_.Damaged(StrCat("section ", section.kind, " has no checksums"));
    }
    return std::span(checksums_).subspan(section.first_checksum, blocks);
  }

  PublishedLinks& file_;
  const LinkFileStamp& stamp_;
  Header header_;
  std::uint64_t file_bytes_ = 0;
  std::vector<std::uint64_t> checksums_;
};

Status PublishedLinks::Damaged(const std::string& what) const {
  return DataLossError(StrCat(file_.path(), " is damaged: ", what));
}

Result<std::unique_ptr<PublishedLinks>> PublishedLinks::Open(const std::string& path, const LinkFileStamp& stamp,
                                                             LoadedLinks* links) {
  VDB_ASSIGN_OR_RETURN(FileHandle handle, FileHandle::OpenForRead(path));
  std::unique_ptr<PublishedLinks> file(new PublishedLinks(std::move(handle)));
  LinkFileReader reader(file.get(), stamp);
  VDB_RETURN_IF_ERROR(reader.ReadHeader());
  VDB_RETURN_IF_ERROR(reader.ReadChecksums());
  VDB_RETURN_IF_ERROR(reader.ReadVerified(kDead, (std::uint64_t{stamp.slots} + 63) / 64, &links->dead));
  links->graph = std::make_unique<Graph>(stamp.m);
  VDB_RETURN_IF_ERROR(reader.ReadMean(links->graph.get()));
  VDB_RETURN_IF_ERROR(reader.ReadNodes(links->graph.get()));
  VDB_RETURN_IF_ERROR(reader.ReadCurve(links->graph.get()));
  return file;
}

Status PublishedLinks::CheckNodes(std::uint32_t first, std::span<const std::uint32_t> words) const {
  const std::size_t stride = Graph::StrideFor(m_);
  for (std::size_t block = first / kNodesPerBlock; !words.empty(); ++block) {
    const std::span<const std::uint32_t> nodes = words.first(std::min(words.size(), kNodesPerBlock * stride));
    if (Checksum(BytesOf(nodes)) != level0_checksums_[block]) return Damaged(StrCat("level 0, block ", block));
    for (std::size_t node = 0; node < nodes.size(); node += stride) {
      const std::uint32_t highest = *std::ranges::max_element(nodes.subspan(node, std::size_t{2} * m_));
      if (highest >= linked_) {
        return Damaged(StrCat("slot ", block * kNodesPerBlock + node / stride, " links to ", highest, " of ", linked_));
      }
    }
    words = words.subspan(nodes.size());
  }
  return OkStatus();
}

Status PublishedLinks::LoadLevel0(Graph* graph, const VectorView& vectors, const std::function<bool()>& give_up) const {
  const std::size_t stride = graph->stride();
  std::vector<std::uint32_t> block(kNodesPerBlock * stride);
  VDB_RETURN_IF_ERROR(graph->ReplaceMapped([&]() -> Status {
    for (std::uint32_t first = 0; first < linked_;) {
      if (give_up && give_up()) return AbortedError(StrCat("reading ", file_.path(), " was given up"));
      const std::uint32_t nodes = std::min<std::uint32_t>(kNodesPerBlock, linked_ - first);
      const std::span<std::uint32_t> words = std::span(block).first(nodes * stride);
      const std::uint64_t offset = level0_offset_ + std::uint64_t{first} * stride * sizeof(std::uint32_t);
      VDB_RETURN_IF_ERROR(file_.ReadAt(offset, words.data(), words.size_bytes()));
      VDB_RETURN_IF_ERROR(CheckNodes(first, words));
      for (std::uint32_t i = 0; i < nodes; ++i) {
        graph->SetLinks(first + i, 0, words.subspan(i * stride, graph->Degree(0)));
        if (graph->code_space() != nullptr) graph->SetCode(first + i, vectors.row(first + i));
      }
      first += nodes;
    }
    return OkStatus();
  }));
  // Walks that are still on the mapped pages fetch them again; nobody else needs them in memory.
  if (mapping_ != nullptr) ::madvise(const_cast<void*>(mapping_.get()), mapping_bytes_, MADV_DONTNEED);
  return OkStatus();
}

LinkSnapshot CopyLinks(const Graph& graph) {
  LinkSnapshot copy;
  copy.linked = graph.linked();
  copy.has_entry = graph.LoadEntryPoint(&copy.entry);
  if (graph.code_space() != nullptr) {
    copy.mean.assign(graph.code_space()->mean().begin(), graph.code_space()->mean().end());
    copy.mean.push_back(graph.code_space()->LargestNorm());
    copy.rotation = graph.code_space()->rotation();
    const std::span<const std::uint32_t> held = graph.code_space()->components().held();
    copy.components.assign(held.begin(), held.end());
    copy.bits = graph.code_space()->bits();
  }
  if (const RecallCurve* curve = graph.recall_curve(); curve != nullptr) {
    copy.curve.assign(curve->points().begin(), curve->points().end());
  }
  const std::size_t stride = graph.stride();
  copy.level0.resize(copy.linked * stride);
  for (std::uint32_t slot = 0; slot < copy.linked; ++slot) {
    std::memcpy(&copy.level0[slot * stride], graph.Links(slot, 0), graph.Degree(0) * sizeof(std::uint32_t));
  }
  graph.ForEachRaised(0, copy.linked, [&](std::uint32_t slot, std::uint32_t level) {
    for (std::uint32_t l = 1; l <= level; ++l) {
      const std::uint32_t* links = graph.Links(slot, l);
      copy.upper.insert(copy.upper.end(), links, links + graph.m());
    }
  });
  return copy;
}

namespace {

Status WriteContents(const std::string& path, const Header& header,
                     std::span<const std::pair<std::uint64_t, std::string_view>> contents) {
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::CreateEmpty(path));
  const auto& [last_offset, last_bytes] = contents.back();
  VDB_RETURN_IF_ERROR(file.Allocate(0, std::max(RoundUp(last_offset + last_bytes.size(), kAlignment), kAlignment)));
  VDB_RETURN_IF_ERROR(file.WriteAt(0, {reinterpret_cast<const char*>(&header), sizeof(header)}));
  for (const auto& [offset, bytes] : contents) VDB_RETURN_IF_ERROR(file.WriteAt(offset, bytes));
  return file.Sync();
}

}  // namespace

Status WriteLinkFile(const std::string& path, const LinkFileStamp& stamp, const LinkSnapshot& links,
                     const std::vector<std::uint64_t>& dead) {
  Header header;
  header.code_kind = static_cast<std::uint32_t>(stamp.codes);
  header.m = stamp.m;
  header.slots = stamp.slots;
  header.linked = links.linked;
  header.has_entry = links.has_entry ? 1 : 0;
  header.entry_slot = links.entry.slot;
  header.entry_level = links.entry.level;
  header.commit_seq = stamp.commit_seq;
  header.rotation = static_cast<std::uint32_t>(links.rotation);
  if (links.bits != CodeBits::kEight) header.code_bits = static_cast<std::uint32_t>(links.bits);
  std::vector<std::uint64_t> checksums;
  std::vector<std::pair<std::uint64_t, std::string_view>> contents;
  std::uint64_t offset = kAlignment;
  const auto add = [&](Section section, std::string_view bytes) {
    section.flags = section.kind == kCurve ? 0 : kRequired;
    section.offset = offset;
    section.size = bytes.size();
    section.first_checksum = static_cast<std::uint32_t>(checksums.size());
    if (section.block_bytes > 0) AppendChecksums(bytes, section.block_bytes, &checksums);
    header.sections[header.section_count++] = section;
    contents.emplace_back(offset, bytes);
    offset += RoundUp(bytes.size(), kAlignment);
  };
  const auto words = [](std::size_t count) { return static_cast<std::uint32_t>(count * sizeof(std::uint32_t)); };
  add({.kind = kLevel0, .entry_bytes = words(Graph::StrideFor(stamp.m)), .block_bytes = Level0BlockBytes(stamp.m)},
      BytesOf(links.level0));
  add({.kind = kUpper, .entry_bytes = words(stamp.m), .block_bytes = kBlockBytes}, BytesOf(links.upper));
  add({.kind = kDead, .entry_bytes = sizeof(std::uint64_t), .block_bytes = kBlockBytes}, BytesOf(dead));
  if (!links.mean.empty())
    add({.kind = kMean, .entry_bytes = sizeof(float), .block_bytes = kBlockBytes}, BytesOf(links.mean));
  if (!links.components.empty()) {
    add({.kind = kComponents, .entry_bytes = sizeof(std::uint32_t), .block_bytes = kBlockBytes},
        BytesOf(links.components));
  }
  if (!links.curve.empty()) {
    add({.kind = kCurve, .entry_bytes = sizeof(CurvePoint), .block_bytes = kBlockBytes}, BytesOf(links.curve));
  }
  add({.kind = kChecksums, .entry_bytes = sizeof(std::uint64_t)}, BytesOf(checksums));
  header.checksums_checksum = Checksum(BytesOf(checksums));
  header.checksum = header.ComputeChecksum();

  const std::string temporary = StrCat(path, ".tmp");
  Status written = WriteContents(temporary, header, contents);
  if (written.ok()) written = RenameDurably(temporary, path);
  if (!written.ok()) static_cast<void>(RemoveTree(temporary));
  return written;
}

}  // namespace vdb
