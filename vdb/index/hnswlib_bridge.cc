#include "vdb/index/hnswlib_bridge.h"

#include <vdb/limits.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

#include "vdb/index/graph_builder.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// What a file begins with. size_t of hnswlib is 64 bits here.
struct FileHeader {
  std::uint64_t offset_level0 = 0;
  std::uint64_t max_elements = 0;
  std::uint64_t elements = 0;
  std::uint64_t element_bytes = 0;
  std::uint64_t label_offset = 0;
  std::uint64_t data_offset = 0;
  std::int32_t max_level = -1;
  std::uint32_t entry_point = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t max_m = 0;
  std::uint64_t max_m0 = 0;
  std::uint64_t m = 0;
  double level_factor = 0;
  std::uint64_t ef_construction = 0;
};
static_assert(sizeof(FileHeader) == 96);

// An element is {count and flags, 2m links, row, label}; an upper list {count, m links}.
constexpr std::uint32_t kCountMask = 0xFFFF;
constexpr std::uint32_t kDeleted = std::uint32_t{1} << 16;  // bit 0 of the third byte
constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

FileHeader HeaderFor(std::uint32_t m, std::size_t dim) {
  FileHeader header;
  header.data_offset = (std::uint64_t{2} * m + 1) * sizeof(std::uint32_t);
  header.label_offset = header.data_offset + dim * sizeof(float);
  header.element_bytes = header.label_offset + sizeof(std::uint64_t);
  header.max_m = header.m = m;
  header.max_m0 = std::uint64_t{2} * m;
  header.level_factor = 1 / std::log(static_cast<double>(m));
  return header;
}

// Appends to a file through a buffer.
class Appender {
 public:
  explicit Appender(const FileHandle& file) : file_(file) {}

  template <typename T>
  void Add(const T& value) {
    AppendLittleEndian(&buffer_, value);
  }
  void AddBytes(const void* bytes, std::size_t size) { buffer_.append(static_cast<const char*>(bytes), size); }

  // Count with flags, then the links that are not padding, then zeros up to the degree.
  void AddLinks(const Graph& graph, std::uint32_t slot, std::uint32_t level, std::uint32_t flags) {
    const std::uint32_t* words = graph.Links(slot, level);
    std::vector<std::uint32_t> links(1);
    for (std::uint32_t i = 0; i < graph.Degree(level); ++i) {
      const std::uint32_t link = Graph::Link(words + i);
      if (link != slot && graph.IsAtLevel(link, level)) links.push_back(link);
    }
    links[0] = static_cast<std::uint32_t>(links.size() - 1) | flags;
    links.resize(graph.Degree(level) + 1);
    AddBytes(links.data(), links.size() * sizeof(links[0]));
  }

  Status FlushIfLarge() { return buffer_.size() < kFlushBytes ? OkStatus() : Flush(); }
  Status Flush() {
    VDB_RETURN_IF_ERROR(file_.WriteAt(offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    return OkStatus();
  }

 private:
  const FileHandle& file_;
  std::string buffer_;
  std::uint64_t offset_ = 0;
};

Status WriteIndex(const std::string& path, const FileHeader& header, const Graph& graph, const VectorView& vectors,
                  const Deaths& deaths) {
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::CreateEmpty(path));
  Appender out(file);
  out.Add(header);
  for (std::uint32_t slot = 0; slot < header.elements; ++slot) {
    out.AddLinks(graph, slot, 0, deaths.IsDead(slot) ? kDeleted : 0);
    out.AddBytes(vectors.row(slot), vectors.dim * sizeof(float));
    out.Add(std::uint64_t{slot});
    VDB_RETURN_IF_ERROR(out.FlushIfLarge());
  }
  for (std::uint32_t slot = 0; slot < header.elements; ++slot) {
    const std::uint32_t level = graph.LevelOf(slot);
    out.Add(static_cast<std::uint32_t>(sizeof(std::uint32_t) * level * (graph.m() + 1)));
    for (std::uint32_t l = 1; l <= level; ++l) out.AddLinks(graph, slot, l, 0);
    VDB_RETURN_IF_ERROR(out.FlushIfLarge());
  }
  VDB_RETURN_IF_ERROR(out.Flush());
  return file.Sync();
}

// A file that is open, with all it says about its sizes checked against its length.
class IndexReader {
 public:
  IndexReader(const FileHandle& file, std::size_t dim) : file_(file), dim_(dim) {}

  Status ReadHeader() {
    VDB_ASSIGN_OR_RETURN(file_bytes_, file_.Size());
    VDB_RETURN_IF_ERROR(file_.ReadAt(0, &header_, sizeof(header_)));
    if (header_.m < kMinM || header_.m > kMaxM) {
      return Bad(StrCat("M is ", header_.m, "; wanted ", kMinM, " to ", kMaxM));
    }
    const FileHeader wanted = HeaderFor(static_cast<std::uint32_t>(header_.m), dim_);
    if (header_.offset_level0 != 0 || header_.max_m != wanted.max_m || header_.max_m0 != wanted.max_m0 ||
        header_.data_offset != wanted.data_offset || header_.label_offset != wanted.label_offset ||
        header_.element_bytes != wanted.element_bytes) {
      return Bad(StrCat("elements of ", header_.element_bytes, " bytes, rows from ", header_.data_offset, " to ",
                        header_.label_offset, "; wanted ", wanted.element_bytes, ", ", wanted.data_offset, " and ",
                        wanted.label_offset, " for M ", header_.m, " and dimension ", dim_));
    }
    if (header_.elements > kMaxRowsPerGeneration ||
        header_.elements > (file_bytes_ - sizeof(header_)) / header_.element_bytes) {
      return Bad(StrCat(header_.elements, " elements in ", file_bytes_, " bytes"));
    }
    if (header_.ef_construction > kMaxEfConstruction) {
      return Bad(StrCat("efConstruction is ", header_.ef_construction, "; at most ", kMaxEfConstruction));
    }
    return OkStatus();
  }

  // Rows, labels and deleted ones; level0 gets 2m words per element, unused ones the element itself.
  Status ReadElements(HnswlibImport* out, std::vector<std::uint32_t>* level0) {
    const auto elements = static_cast<std::uint32_t>(header_.elements);
    const std::size_t degree = header_.max_m0;
    out->rows.resize(elements * dim_);
    out->labels.resize(elements);
    level0->resize(elements * degree);
    std::string element(header_.element_bytes, '\0');
    for (std::uint32_t slot = 0; slot < elements; ++slot) {
      const std::uint64_t offset = sizeof(header_) + slot * header_.element_bytes;
      VDB_RETURN_IF_ERROR(ReadBuffered(offset, element.data(), element.size()));
      std::uint32_t head = 0;
      std::memcpy(&head, element.data(), sizeof(head));
      if ((head & kCountMask) > degree) return BadElement(slot, StrCat("has ", head & kCountMask, " links"));
      if ((head & kDeleted) != 0) out->dead.push_back(slot);
      std::uint32_t* links = &(*level0)[slot * degree];
      std::fill(links, links + degree, slot);
      std::memcpy(links, element.data() + sizeof(head), (head & kCountMask) * sizeof(std::uint32_t));
      for (std::size_t i = 0; i < degree; ++i) {
        if (links[i] >= elements) return BadElement(slot, StrCat("links to ", links[i], " of ", elements));
      }
      float* row = &out->rows[slot * dim_];
      std::memcpy(row, element.data() + header_.data_offset, dim_ * sizeof(float));
      if (!std::all_of(row, row + dim_, [](float x) { return std::isfinite(x); })) {
        return BadElement(slot, "has a component that is not finite");
      }
      std::memcpy(&out->labels[slot], element.data() + header_.label_offset, sizeof(std::uint64_t));
    }
    return OkStatus();
  }

  // Only walked over: whether the lists of upper levels end with the file says whether this is one.
  Status CheckUpperLists() {
    std::uint64_t offset = sizeof(header_) + header_.elements * header_.element_bytes;
    const std::uint64_t list_bytes = (header_.m + 1) * sizeof(std::uint32_t);
    for (std::uint64_t slot = 0; slot < header_.elements; ++slot) {
      std::uint32_t bytes = 0;
      VDB_RETURN_IF_ERROR(ReadBuffered(offset, &bytes, sizeof(bytes)));
      offset += sizeof(bytes) + bytes;
      if (bytes % list_bytes != 0) return BadElement(slot, StrCat("has upper lists of ", bytes, " bytes"));
    }
    if (offset != file_bytes_) return Bad(StrCat("its lists end at byte ", offset, ", the file at ", file_bytes_));
    return OkStatus();
  }

  const FileHeader& header() const { return header_; }

 private:
  Status Bad(const std::string& what) const {
    return DataLossError(StrCat(file_.path(), " is not a sound hnswlib index of float32 rows: ", what));
  }
  Status BadElement(std::uint64_t slot, const std::string& what) const {
    return Bad(StrCat("element ", slot, " ", what));
  }

  // Reads ahead: elements follow each other.
  Status ReadBuffered(std::uint64_t offset, void* out, std::size_t size) {
    if (offset < buffer_offset_ || offset + size > buffer_offset_ + buffer_.size()) {
      if (offset > file_bytes_ || size > file_bytes_ - offset) return Bad(StrCat("it ends at byte ", file_bytes_));
      buffer_.resize(std::min<std::uint64_t>(std::max(size, kFlushBytes), file_bytes_ - offset));
      buffer_offset_ = offset;
      VDB_RETURN_IF_ERROR(file_.ReadAt(offset, buffer_.data(), buffer_.size()));
    }
    std::memcpy(out, buffer_.data() + (offset - buffer_offset_), size);
    return OkStatus();
  }

  const FileHandle& file_;
  const std::size_t dim_;
  FileHeader header_;
  std::uint64_t file_bytes_ = 0;
  std::string buffer_;
  std::uint64_t buffer_offset_ = 0;
};

}  // namespace

Status ExportHnswlibIndex(const std::string& path, const Graph& graph, const VectorView& vectors, const Deaths& deaths,
                          std::uint32_t ef_construction) {
  FileHeader header = HeaderFor(graph.m(), vectors.dim);
  header.elements = header.max_elements = graph.linked();
  header.ef_construction = ef_construction;
  if (EntryPoint entry; graph.LoadEntryPoint(&entry)) {
    header.max_level = static_cast<std::int32_t>(entry.level);
    header.entry_point = entry.slot;
  }
  const std::string temporary = StrCat(path, ".tmp");
  Status written = WriteIndex(temporary, header, graph, vectors, deaths);
  if (written.ok()) written = RenameDurably(temporary, path);
  if (!written.ok()) static_cast<void>(RemoveTree(temporary));
  return written;
}

Result<HnswlibImport> ImportHnswlibIndex(const std::string& path, std::size_t dim, Metric metric, ThreadPool* pool) {
  VDB_ASSIGN_OR_RETURN(const FileHandle file, FileHandle::OpenForRead(path));
  IndexReader reader(file, dim);
  VDB_RETURN_IF_ERROR(reader.ReadHeader());
  VDB_RETURN_IF_ERROR(reader.CheckUpperLists());
  HnswlibImport import;
  std::vector<std::uint32_t> level0;
  VDB_RETURN_IF_ERROR(reader.ReadElements(&import, &level0));
  import.ef_construction = static_cast<std::uint32_t>(reader.header().ef_construction);
  const auto elements = static_cast<std::uint32_t>(import.labels.size());
  import.graph = std::make_unique<Graph>(static_cast<std::uint32_t>(reader.header().m));
  Deaths none;  // dead ones route: they stay in the upper levels too
  none.Reserve(elements);
  const BuildContext context{.vectors = {.data = import.rows.data(), .stride = dim, .dim = dim, .rows = elements},
                             .metric = metric,
                             .ef_construction = std::max<std::uint32_t>(import.ef_construction, 1),
                             .deaths = &none,
                             .pool = pool};
  LinkUpperLevels(import.graph.get(), context, elements);
  std::vector<std::uint32_t> links;
  const std::size_t degree = import.graph->Degree(0);
  for (std::uint32_t slot = 0; slot < elements; ++slot) {
    links.clear();
    for (const std::uint32_t link : std::span(level0).subspan(slot * degree, degree)) {
      if (link != slot) links.push_back(link);
    }
    import.graph->SetLinks(slot, 0, links);
  }
  EntryPoint entry;
  if (elements > 0 && !import.graph->LoadEntryPoint(&entry)) {
    // Few rows may all be of level 0: then the file's own entry point is as good as any.
    entry.slot = std::min(reader.header().entry_point, elements - 1);
    entry.level = 0;
    import.graph->Finish(elements, &entry);
  }
  return import;
}

}  // namespace vdb
