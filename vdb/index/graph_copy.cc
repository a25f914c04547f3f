#include "vdb/index/graph_copy.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace vdb {
namespace {

constexpr std::size_t kRowsPerTask = 1'024;

}  // namespace

std::shared_ptr<Graph> CopyWithCodes(const Graph& graph, std::shared_ptr<const CodeSpace> space,
                                     const VectorView& vectors, ThreadPool* pool,
                                     const std::function<bool()>& give_up) {
  const std::uint32_t linked = graph.linked();
  auto copy = std::make_shared<Graph>(graph.m());
  copy->UseCodes(std::move(space));
  copy->Reserve(linked);
  std::atomic<bool> given_up{false};
  pool->ParallelFor(linked, kRowsPerTask, [&](std::size_t from, std::size_t to) {
    if (given_up.load(std::memory_order_relaxed)) return;
    if (give_up()) given_up.store(true, std::memory_order_relaxed);
    for (auto slot = static_cast<std::uint32_t>(from); slot < to; ++slot) {
      copy->SetLinks(slot, 0, std::span(graph.Links(slot, 0), graph.Degree(0)));
      copy->SetCode(slot, vectors.row(slot));
    }
  });
  if (given_up.load(std::memory_order_relaxed)) return nullptr;
  graph.ForEachRaised(0, linked, [&](std::uint32_t slot, std::uint32_t level) {
    for (std::uint32_t l = 1; l <= level; ++l) copy->SetLinks(slot, l, std::span(graph.Links(slot, l), graph.m()));
  });
  copy->SetConstructionStop(graph.construction_stop());
  if (const RecallCurve* curve = graph.recall_curve(); curve != nullptr) {
    copy->SetRecallCurve(std::make_unique<const RecallCurve>(*curve));
  }
  EntryPoint entry;
  const bool has_entry = graph.LoadEntryPoint(&entry);
  copy->Finish(linked, has_entry ? &entry : nullptr);
  return copy;
}

}  // namespace vdb
