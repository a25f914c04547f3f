// What a walk computes distances from: one query against rows by slot, over the float32 rows or over int8 codes. And,
// for linking, where queries are rows themselves: the source of such queries.
//
// Two kinds with one interface, so that walks and linking are compiled for each. Thread safety: values over what
// readers may read; a query belongs to one thread.
#ifndef VDB_INDEX_CODES_H_
#define VDB_INDEX_CODES_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "vdb/index/code_space.h"
#include "vdb/index/distance.h"
#include "vdb/index/graph.h"
#include "vdb/index/vector_file.h"
#include "vdb/util/prefetch.h"

namespace vdb {

// Whether rows may not be in memory yet: walks then ask for the pages of several ahead, so that the disk has more than
// one to read at a time. Measured on a million rows of 384 dimensions, none in memory: the first search takes a third.
enum class RowsAre { kInMemory, kPerhapsOnDisk };

// The rows themselves; distances are the metric's.
class Float32Codes {
 public:
  Float32Codes(const VectorView& vectors, const DistanceFunction& distance, const float* query,
               RowsAre rows = RowsAre::kInMemory)
      : vectors_(vectors), distance_(distance), query_(query), bytes_(vectors.dim * sizeof(float)), rows_are_(rows) {}

  void PrefetchEarly(std::uint32_t slot) const {
    const float* const row = vectors_.row(slot);
    if (rows_are_ == RowsAre::kPerhapsOnDisk) FetchPages(reinterpret_cast<const char*>(row));
    PrefetchRowEarly(row, bytes_);
  }
  void PrefetchLate(std::uint32_t slot) const { PrefetchRowLate(vectors_.row(slot), bytes_); }

  std::size_t row_bytes() const { return bytes_; }

  float One(std::uint32_t slot) const { return distance_(query_, vectors_.row(slot)); }

  void Four(const std::uint32_t slots[4], float out[4]) const {
    const float* const rows[4] = {vectors_.row(slots[0]), vectors_.row(slots[1]), vectors_.row(slots[2]),
                                  vectors_.row(slots[3])};
    distance_.Four(query_, rows, out);
  }

 private:
  void FetchPages(const char* row) const {
    static const auto page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(row) % page_bytes;
    static_cast<void>(::madvise(const_cast<char*>(row - offset), bytes_ + offset, MADV_WILLNEED));
  }

  const VectorView vectors_;
  const DistanceFunction& distance_;
  const float* query_;
  const std::size_t bytes_;
  const RowsAre rows_are_;
};

// Codes in a graph's nodes; distances are the space's.
class Int8Codes {
 public:
  // query: of the graph's space, outlives this.
  Int8Codes(const Graph& graph, const NodeCode& query) : graph_(graph), space_(*graph.code_space()), query_(&query) {}
  // The query that stands where a row's code does.
  Int8Codes(const Graph& graph, std::uint32_t slot) : Int8Codes(graph, graph.Code(slot)) {
    if (space_.bits() == CodeBits::kEight) return;  // a row's code is a query's
    auto* query = reinterpret_cast<NodeCode*>(short_);
    if (space_.query_bytes() > sizeof(short_)) {
      long_ = std::make_unique<NodeCode[]>(space_.query_bytes() / sizeof(NodeCode));
      query = long_.get();
    }
    space_.ToQuery(*query_, query);
    query_ = query;
  }
  Int8Codes(const Int8Codes&) = delete;
  Int8Codes& operator=(const Int8Codes&) = delete;

  // As a scan asks: in whole.
  void Prefetch(std::uint32_t slot) const { PrefetchRow(&graph_.Code(slot), space_.node_bytes()); }
  void PrefetchEarly(std::uint32_t slot) const { PrefetchRowEarly(&graph_.Code(slot), space_.node_bytes()); }
  void PrefetchLate(std::uint32_t slot) const { PrefetchRowLate(&graph_.Code(slot), space_.node_bytes()); }

  std::size_t row_bytes() const { return space_.node_bytes(); }

  float One(std::uint32_t slot) const {
    const NodeCode& row = graph_.Code(slot);
    return space_.Distance(*query_, row, space_.Dot(*query_, row));
  }

  void Four(const std::uint32_t slots[4], float out[4]) const {
    const NodeCode* const rows[4] = {&graph_.Code(slots[0]), &graph_.Code(slots[1]), &graph_.Code(slots[2]),
                                     &graph_.Code(slots[3])};
    std::int32_t dots[4];
    space_.DotFour(*query_, rows, dots);
    for (std::size_t j = 0; j < 4; ++j) out[j] = space_.Distance(*query_, *rows[j], dots[j]);
  }

 private:
  const Graph& graph_;
  const CodeSpace& space_;
  const NodeCode* query_;
  // Of a row that was packed; on the heap if it is long.
  alignas(NodeCode) std::byte short_[2'048];
  std::unique_ptr<NodeCode[]> long_;
};

// Queries that are rows, as linking asks them.
class Float32Rows {
 public:
  using Codes = Float32Codes;
  Float32Rows(const VectorView& vectors, const DistanceFunction& distance) : vectors_(vectors), distance_(distance) {}
  Float32Codes From(std::uint32_t slot) const { return {vectors_, distance_, vectors_.row(slot)}; }
  // What makes distances from the row not negative; nothing if that is not known.
  std::optional<float> StopBase(std::uint32_t /*slot*/) const {
    return distance_.metric() == Metric::kInnerProduct ? std::nullopt : std::optional(0.0F);
  }

 private:
  const VectorView& vectors_;
  const DistanceFunction& distance_;
};

class Int8Rows {
 public:
  using Codes = Int8Codes;
  explicit Int8Rows(const Graph& graph) : graph_(graph) {}
  Int8Codes From(std::uint32_t slot) const { return {graph_, slot}; }
  std::optional<float> StopBase(std::uint32_t slot) const { return graph_.code_space()->StopBaseOf(graph_.Code(slot)); }

 private:
  const Graph& graph_;
};

}  // namespace vdb

#endif  // VDB_INDEX_CODES_H_
