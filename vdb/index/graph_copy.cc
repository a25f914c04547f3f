#include "vdb/index/graph_copy.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <utility>

namespace vdb {
namespace {

constexpr std::size_t kRowsPerTask = 1'024;

}  // namespace

GraphCopy::GraphCopy(std::shared_ptr<const Graph> graph, std::shared_ptr<const CodeSpace> space)
    : graph_(std::move(graph)), copy_(std::make_shared<Graph>(graph_->m())) {
  copy_->UseCodes(std::move(space));
}

bool GraphCopy::Encode(const VectorView& vectors, ThreadPool* pool, const std::function<bool()>& give_up) {
  const std::uint32_t linked = std::min(graph_->linked(), vectors.rows);
  copy_->Reserve(linked);
  std::atomic<bool> given_up{false};
  pool->ParallelFor(linked - encoded_, kRowsPerTask, [&](std::size_t from, std::size_t to) {
    if (given_up.load(std::memory_order_relaxed)) return;
    if (give_up != nullptr && give_up()) given_up.store(true, std::memory_order_relaxed);
    for (std::size_t i = from; i < to; ++i) {
      const std::uint32_t slot = encoded_ + static_cast<std::uint32_t>(i);
      copy_->SetCode(slot, vectors.row(slot));
    }
  });
  if (given_up.load(std::memory_order_relaxed)) return false;
  encoded_ = linked;
  return true;
}

std::shared_ptr<Graph> GraphCopy::Finish(const VectorView& vectors, ThreadPool* pool) {
  Encode(vectors, pool, nullptr);
  pool->ParallelFor(encoded_, kRowsPerTask, [&](std::size_t from, std::size_t to) {
    for (auto slot = static_cast<std::uint32_t>(from); slot < to; ++slot) {
      copy_->SetLinks(slot, 0, std::span(graph_->Links(slot, 0), graph_->Degree(0)));
    }
  });
  graph_->ForEachRaised(0, encoded_, [&](std::uint32_t slot, std::uint32_t level) {
    for (std::uint32_t l = 1; l <= level; ++l) copy_->SetLinks(slot, l, std::span(graph_->Links(slot, l), graph_->m()));
  });
  copy_->SetConstructionStop(graph_->construction_stop());
  if (const RecallCurve* curve = graph_->recall_curve(); curve != nullptr) {
    copy_->SetRecallCurve(std::make_unique<const RecallCurve>(*curve));
  }
  EntryPoint entry;
  const bool has_entry = graph_->LoadEntryPoint(&entry);
  copy_->Finish(encoded_, has_entry ? &entry : nullptr);
  return copy_;
}

}  // namespace vdb
