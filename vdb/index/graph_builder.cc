#include "vdb/index/graph_builder.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "vdb/index/construction_search.h"
#include "vdb/index/construction_stop.h"
#include "vdb/index/measured_code_space.h"
#include "vdb/index/neighbour_selection.h"
#include "vdb/index/walk.h"

namespace vdb {
namespace {

// Pool of the construction search on upper levels: they are small and their links only have to lead somewhere near.
constexpr std::size_t kUpperEf = 64;
constexpr std::size_t kRowsPerTask = 32;  // consecutive on the chain below: they share the cache
constexpr std::size_t kTargetsPerTask = 8;
constexpr std::size_t kTileRows = 64;

struct OwnLinks {
  std::uint32_t slot = 0;
  std::uint32_t level = 0;
  std::vector<std::uint32_t> links;
};

// Rows: Float32Rows or Int8Rows.
template <typename Rows>
class BatchLinker {
 public:
  using Codes = typename Rows::Codes;

  // Links at levels from `lowest` on; nodes that do not reach it are left alone.
  BatchLinker(Graph* graph, const BuildContext& context, const Rows& rows, std::uint32_t end, std::uint32_t lowest)
      : graph_(*graph),
        context_(context),
        source_(rows),
        lowest_(lowest),
        begin_(graph->linked()),
        end_(std::min(end, begin_ + kMaxBatchRows)),
        rows_(end_ - begin_) {}

  // Returns false if it was given up, before any link was set.
  bool Run() {
    graph_.Reserve(end_);
    Encode();
    for (std::uint32_t slot = begin_; slot < end_; ++slot) {
      if (!graph_.IsAtLevel(slot, lowest_) || context_.deaths->IsDead(slot)) continue;
      if (context_.has_row == nullptr || context_.has_row(slot)) live_.push_back(slot);
    }
    if (live_.empty()) {
      graph_.Finish(end_, nullptr);
      return true;
    }
    has_entry_ = graph_.LoadEntryPoint(&entry_);
    ComputePairs();
    if (GivesUp()) return false;
    OrderByNeighbourhood();
    own_.resize(rows_);
    context_.pool->ParallelFor(order_.size(), kRowsPerTask, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to && !GivesUp(); ++i) FindLinks(order_[i]);
    });
    if (given_up_.load(std::memory_order_relaxed)) return false;
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
    CountLeftOut();  // after all that may throw: the batch would be linked again
    graph_.Finish(end_, &entry);
    return true;
  }

 private:
  bool GivesUp() {
    if (given_up_.load(std::memory_order_relaxed)) return true;
    if (context_.give_up == nullptr || !context_.give_up()) return false;
    given_up_.store(true, std::memory_order_relaxed);
    return true;
  }

  float& Pair(std::uint32_t a, std::uint32_t b) { return pairs_[std::size_t{a - begin_} * rows_ + (b - begin_)]; }

  // Dead slots get a code like all others: of a row that has died later nobody knows the difference.
  void Encode() {
    if (graph_.code_space() == nullptr) return;
    context_.pool->ParallelFor(rows_, kRowsPerTask, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        const std::uint32_t slot = begin_ + static_cast<std::uint32_t>(i);
        graph_.SetCode(slot, context_.vectors.row(slot));
      }
    });
  }

  void CountLeftOut() {
    const CodeSpace* space = graph_.code_space();
    if (space == nullptr || space->components().AreAll()) return;
    for (const std::uint32_t slot : live_) graph_.CountLeftOut(slot, context_.vectors.row(slot));
  }

  // Distances of all live rows of the batch to each other, in tiles whose rows stay in the cache.
  void ComputePairs() {
    pairs_.resize(std::size_t{rows_} * rows_);
    const std::size_t tiles = (live_.size() + kTileRows - 1) / kTileRows;
    context_.pool->ParallelFor(tiles * tiles, 1, [&](std::size_t from, std::size_t to) {
      for (std::size_t t = from; t < to && !GivesUp(); ++t) {
        if (t / tiles <= t % tiles) ComputeTile(t / tiles * kTileRows, t % tiles * kTileRows);
      }
    });
  }

  void ComputeTile(std::size_t first_row, std::size_t first_column) {
    const std::size_t row_end = std::min(live_.size(), first_row + kTileRows);
    const std::size_t column_end = std::min(live_.size(), first_column + kTileRows);
    for (std::size_t i = first_row; i < row_end; ++i) {
      const Codes row = source_.From(live_[i]);
      std::size_t j = std::max(i + 1, first_column);
      for (; j + 4 <= column_end; j += 4) {
        float distances[4];
        row.Four(&live_[j], distances);
        for (std::size_t x = 0; x < 4; ++x) Pair(live_[i], live_[j + x]) = Pair(live_[j + x], live_[i]) = distances[x];
      }
      for (; j < column_end; ++j) {
        Pair(live_[i], live_[j]) = Pair(live_[j], live_[i]) = row.One(live_[j]);
      }
    }
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

  // The row's own links at each of its levels.
  void FindLinks(std::uint32_t slot) {
    thread_local SearchScratch scratch;
    const Codes codes = source_.From(slot);
    Walk<Codes> walk(graph_, codes, begin_, &scratch.visited);
    const std::uint32_t top = graph_.LevelOf(slot);
    ScoredSlot start;
    if (has_entry_) start = walk.Descend(entry_, std::min(top, entry_.level));
    for (std::uint32_t level = top + 1; level-- > lowest_;) {
      OwnLinks& own = own_[slot - begin_].emplace_back();
      own.slot = slot;
      own.level = level;
      ConstructionRules rules(codes, slot, graph_.m());
      start = ChooseLinks(&walk, start, &rules, &scratch.sorted, &own);
    }
  }

  // Fills own->links; returns where to begin on the level below.
  ScoredSlot ChooseLinks(Walk<Codes>* walk, ScoredSlot start, ConstructionRules* rules, SortedPool* pool,
                         OwnLinks* own) {
    thread_local std::vector<ScoredSlot> candidates;
    thread_local std::vector<ScoredSlot> dead;
    const bool is_upper = own->level > 0;
    const std::size_t ef = context_.ef_construction;
    const WalkLimits limits = ConstructionLimits(
        is_upper ? std::min(kUpperEf, ef) : ef, own->level,
        is_upper ? StopRule() : ConstructionStopRule(source_, own->slot, graph_.construction_stop().factor));
    if (has_entry_ && own->level <= entry_.level) {
      const auto is_live = [&](std::uint32_t found) { return !context_.deaths->IsDead(found); };
      walk->template Search<kConstructionWidth>(start, limits, is_live, *rules, pool);
    } else {
      pool->Begin({.acceptable = limits.ef, .all = limits.pool_max});
    }
    AddBatchRows(*own, rules, pool);
    candidates.clear();
    dead.clear();
    pool->Take(&candidates, &dead);
    if (candidates.size() < graph_.m()) {
      // Too few live ones: the way to the rest of the graph leads through dead ones.
      candidates.insert(candidates.end(), dead.begin(), dead.end());
      std::sort(candidates.begin(), candidates.end());
    }
    SelectNeighbours(source_, own->slot, candidates, graph_.m(), &own->links);
    const auto old = std::ranges::find_if(candidates, [&](const ScoredSlot& c) { return c.slot < begin_; });
    return old == candidates.end() ? start : *old;
  }

  // The other rows of the batch, outwards from the row's own place: of equal ones the pool takes the next by slot, and
  // the last.
  void AddBatchRows(const OwnLinks& own, ConstructionRules* rules, SortedPool* pool) {
    std::uint32_t last_equal = own.slot;  // itself: none
    const auto add = [&](std::uint32_t other) {
      if (!graph_.IsAtLevel(other, own.level)) return;
      const float distance = Pair(own.slot, other);
      if (!pool->MayEnter(distance)) return;
      if (rules->EntersFromBatch(distance)) {
        pool->Insert(distance, other, true);
      } else {
        last_equal = other;
      }
    };
    const auto end_side = [&] {
      if (last_equal != own.slot) pool->Insert(Pair(own.slot, last_equal), last_equal, true);
      last_equal = own.slot;
      rules->BeginSide();
    };
    const auto place = std::lower_bound(live_.begin(), live_.end(), own.slot);
    rules->BeginSide();
    for (auto other = place; other != live_.begin();) add(*--other);
    end_side();
    for (auto other = place + 1; other != live_.end(); ++other) add(*other);
    end_side();
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
    for (const Edge& edge : edges) {
      // A row of this batch may have chosen its target already; an older one may keep links of an attempt that failed.
      if (std::ranges::find(links, edge.source) == links.end()) links.push_back(edge.source);
    }
    if (links.size() <= degree) {
      graph_.SetLinks(target, level, links);
      return;
    }
    const Codes row = source_.From(target);
    std::vector<ScoredSlot> candidates;
    candidates.reserve(links.size());
    for (const std::uint32_t link : links) candidates.push_back({.distance = row.One(link), .slot = link});
    std::sort(candidates.begin(), candidates.end());
    SelectNeighbours(source_, target, candidates, degree, &links);
    graph_.SetLinks(target, level, links);
  }

  Graph& graph_;
  const BuildContext& context_;
  const Rows& source_;
  const std::uint32_t lowest_;
  const std::uint32_t begin_;
  const std::uint32_t end_;
  const std::uint32_t rows_;
  std::vector<std::uint32_t> live_;
  std::vector<std::uint32_t> order_;
  std::vector<float> pairs_;
  std::vector<std::vector<OwnLinks>> own_;
  EntryPoint entry_;
  bool has_entry_ = false;
  std::atomic<bool> given_up_{false};
};

template <typename Rows>
bool LinkRows(Graph* graph, const BuildContext& context, const Rows& rows, std::uint32_t end, std::uint32_t lowest) {
  if (lowest == 0) UpdateConstructionStop(graph, context, rows);
  return BatchLinker<Rows>(graph, context, rows, end, lowest).Run();
}

bool Link(Graph* graph, const BuildContext& context, std::uint32_t end, std::uint32_t lowest) {
  if (context.codes == CodeKind::kInt8 && graph->linked() == 0 && graph->code_space() == nullptr) {
    graph->UseCodes(std::make_shared<const CodeSpace>(
        MeasureCodeSpace(context.metric, context.vectors, context.rows, [&](std::uint32_t slot) {
          return !context.deaths->IsDead(slot) && (context.has_row == nullptr || context.has_row(slot));
        })));
  }
  if (graph->code_space() != nullptr) {
    return LinkRows(graph, context, Int8Rows(*graph), end, lowest);
  }
  const DistanceFunction distance(context.metric, context.vectors.dim);
  return LinkRows(graph, context, Float32Rows(context.vectors, distance), end, lowest);
}

}  // namespace

bool LinkBatch(Graph* graph, const BuildContext& context, std::uint32_t end) {
  return end <= graph->linked() || Link(graph, context, end, 0);
}

void LinkUpperLevels(Graph* graph, const BuildContext& context, std::uint32_t end) {
  while (end > graph->linked()) Link(graph, context, end, 1);
}

}  // namespace vdb
