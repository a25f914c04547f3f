#include "vdb/index/graph_builder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "vdb/index/neighbour_selection.h"
#include "vdb/index/walk.h"

namespace vdb {
namespace {

// Pool of the construction search on upper levels: they are small and their links only have to lead somewhere near.
constexpr std::size_t kUpperEf = 64;
constexpr std::size_t kRowsPerTask = 32;  // consecutive on the chain below: they share the cache
constexpr std::size_t kTargetsPerTask = 8;

struct OwnLinks {
  std::uint32_t slot = 0;
  std::uint32_t level = 0;
  std::vector<std::uint32_t> links;
};

class BatchLinker {
 public:
  BatchLinker(Graph* graph, const BuildContext& context, std::uint32_t begin, std::uint32_t end)
      : graph_(*graph),
        context_(context),
        distance_(context.metric, context.vectors.dim),
        begin_(begin),
        end_(end),
        rows_(end - begin) {}

  void Run() {
    graph_.Reserve(end_);
    for (std::uint32_t slot = begin_; slot < end_; ++slot) {
      if (!context_.deaths->IsDead(slot)) live_.push_back(slot);
    }
    if (live_.empty()) {
      graph_.Finish(end_, nullptr);
      return;
    }
    has_entry_ = graph_.LoadEntryPoint(&entry_);
    ComputePairs();
    OrderByNeighbourhood();
    own_.resize(rows_);
    context_.pool->ParallelFor(order_.size(), kRowsPerTask, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) FindLinks(order_[i]);
    });
    for (const std::vector<OwnLinks>& row : own_) {
      for (const OwnLinks& own : row) graph_.SetLinks(own.slot, own.level, own.links);
    }
    AddReverseEdges();
    EntryPoint entry = entry_;
    for (const std::uint32_t slot : live_) {
      const std::uint32_t level = graph_.LevelOf(slot);
      if (!has_entry_ || level > entry.level) {
        entry = {.slot = slot, .level = level};
        has_entry_ = true;
      }
    }
    graph_.Finish(end_, &entry);
  }

 private:
  float& Pair(std::uint32_t a, std::uint32_t b) { return pairs_[std::size_t{a - begin_} * rows_ + (b - begin_)]; }

  // Distances of all live rows of the batch to each other.
  void ComputePairs() {
    pairs_.resize(std::size_t{rows_} * rows_);
    context_.pool->ParallelFor(live_.size(), 4, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        const float* row = context_.vectors.row(live_[i]);
        std::size_t j = i + 1;
        for (; j + 4 <= live_.size(); j += 4) {
          const float* const others[4] = {context_.vectors.row(live_[j]), context_.vectors.row(live_[j + 1]),
                                          context_.vectors.row(live_[j + 2]), context_.vectors.row(live_[j + 3])};
          float distances[4];
          distance_.Four(row, others, distances);
          for (std::size_t x = 0; x < 4; ++x)
            Pair(live_[i], live_[j + x]) = Pair(live_[j + x], live_[i]) = distances[x];
        }
        for (; j < live_.size(); ++j) {
          Pair(live_[i], live_[j]) = Pair(live_[j], live_[i]) = distance_(row, context_.vectors.row(live_[j]));
        }
      }
    });
  }

  // A greedy chain from neighbour to neighbour: searches that follow each other touch the same part of the graph.
  void OrderByNeighbourhood() {
    std::vector<std::uint32_t> rest(live_.begin() + 1, live_.end());
    order_.push_back(live_.front());
    while (!rest.empty()) {
      const std::uint32_t last = order_.back();
      const auto nearest = std::ranges::min_element(
          rest, [&](std::uint32_t a, std::uint32_t b) { return Pair(last, a) < Pair(last, b); });
      order_.push_back(*nearest);
      *nearest = rest.back();
      rest.pop_back();
    }
  }

  void FindLinks(std::uint32_t slot) {
    thread_local SearchScratch scratch;
    thread_local std::vector<ScoredSlot> candidates;
    const Float32Codes codes(context_.vectors, distance_, context_.vectors.row(slot));
    const std::uint32_t top = graph_.LevelOf(slot);
    WalkCounts counts;
    ScoredSlot start;
    if (has_entry_) start = Descend(graph_, codes, entry_, std::min(top, entry_.level), begin_, &counts);
    for (std::uint32_t level = top + 1; level-- > 0;) {
      candidates.clear();
      if (has_entry_ && level <= entry_.level) {
        WalkLimits limits;
        limits.ef = level == 0 ? context_.ef_construction : std::min<std::size_t>(kUpperEf, context_.ef_construction);
        limits.level = level;
        limits.linked = begin_;
        WalkLevel(
            graph_, codes, start, limits, [&](std::uint32_t found) { return !context_.deaths->IsDead(found); },
            &scratch, &counts);
        scratch.pool.ForEachAccepted([&](const ScoredSlot& found) {
          candidates.push_back(found);
          return true;
        });
        if (!candidates.empty()) start = candidates.front();
      }
      for (const std::uint32_t other : live_) {
        if (other != slot && (level == 0 || graph_.LevelOf(other) >= level)) {
          candidates.push_back({.distance = Pair(slot, other), .slot = other});
        }
      }
      std::sort(candidates.begin(), candidates.end());
      if (candidates.size() > context_.ef_construction) candidates.resize(context_.ef_construction);
      OwnLinks& own = own_[slot - begin_].emplace_back();
      own.slot = slot;
      own.level = level;
      SelectNeighbours(context_.vectors, distance_, candidates, graph_.m(), &own.links);
    }
  }

  struct Edge {
    std::uint32_t level;
    std::uint32_t target;
    std::uint32_t source;
    friend auto operator<=>(const Edge&, const Edge&) = default;
  };

  void AddReverseEdges() {
    std::vector<Edge> edges;
    for (const std::vector<OwnLinks>& row : own_) {
      for (const OwnLinks& own : row) {
        for (const std::uint32_t target : own.links) edges.push_back({own.level, target, own.slot});
      }
    }
    std::ranges::sort(edges);
    std::vector<std::size_t> groups;
    for (std::size_t i = 0; i < edges.size(); ++i) {
      if (i == 0 || edges[i].target != edges[i - 1].target || edges[i].level != edges[i - 1].level) groups.push_back(i);
    }
    groups.push_back(edges.size());
    context_.pool->ParallelFor(groups.size() - 1, kTargetsPerTask, [&](std::size_t from, std::size_t to) {
      for (std::size_t g = from; g < to; ++g) {
        AddToTarget(std::span(edges).subspan(groups[g], groups[g + 1] - groups[g]));
      }
    });
  }

  // All new edges to one target: appended while there is room, else the heuristic chooses among old and new.
  void AddToTarget(std::span<const Edge> edges) {
    const std::uint32_t target = edges.front().target;
    const std::uint32_t level = edges.front().level;
    const std::uint32_t degree = graph_.Degree(level);
    std::vector<std::uint32_t> links;
    const std::uint32_t* words = graph_.Links(target, level);
    for (std::uint32_t i = 0; i < degree; ++i) {
      const std::uint32_t link = Graph::Link(words + i);
      if (link != target) links.push_back(link);
    }
    const std::size_t old = links.size();
    for (const Edge& edge : edges) {
      // A row of this batch may have chosen its target already.
      const auto end = links.begin() + static_cast<std::ptrdiff_t>(old);
      if (target < begin_ || std::find(links.begin(), end, edge.source) == end) links.push_back(edge.source);
    }
    if (links.size() <= degree) {
      graph_.SetLinks(target, level, links);
      return;
    }
    const float* row = context_.vectors.row(target);
    std::vector<ScoredSlot> candidates;
    candidates.reserve(links.size());
    for (const std::uint32_t link : links) {
      candidates.push_back({.distance = distance_(row, context_.vectors.row(link)), .slot = link});
    }
    std::sort(candidates.begin(), candidates.end());
    SelectNeighbours(context_.vectors, distance_, candidates, degree, &links);
    graph_.SetLinks(target, level, links);
  }

  Graph& graph_;
  const BuildContext& context_;
  const DistanceFunction distance_;
  const std::uint32_t begin_;
  const std::uint32_t end_;
  const std::uint32_t rows_;
  std::vector<std::uint32_t> live_;
  std::vector<std::uint32_t> order_;
  std::vector<float> pairs_;
  std::vector<std::vector<OwnLinks>> own_;
  EntryPoint entry_;
  bool has_entry_ = false;
};

}  // namespace

void LinkBatch(Graph* graph, const BuildContext& context, std::uint32_t end) {
  const std::uint32_t begin = graph->linked();
  if (end <= begin) return;
  BatchLinker(graph, context, begin, std::min(end, begin + kMaxBatchRows)).Run();
}

}  // namespace vdb
