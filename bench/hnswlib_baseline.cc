#include "bench/hnswlib_baseline.h"

#include <hnswlib/hnswlib.h>

#ifndef NDEBUG
#error "the baseline must be compiled with -DNDEBUG"
#endif
#ifndef __OPTIMIZE__
#error "the baseline must be compiled with -O3"
#endif

namespace vdb::bench {

struct HnswlibBaseline::Index {
  Index(bool is_l2, std::size_t dim) {
    if (is_l2) {
      space = std::make_unique<hnswlib::L2Space>(dim);
    } else {
      space = std::make_unique<hnswlib::InnerProductSpace>(dim);
    }
  }

  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

HnswlibBaseline::HnswlibBaseline(bool is_l2, std::size_t dim, std::size_t capacity, std::size_t m,
                                 std::size_t ef_construction)
    : index_(std::make_unique<Index>(is_l2, dim)) {
  index_->graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(index_->space.get(), capacity, m, ef_construction);
}

HnswlibBaseline::HnswlibBaseline(bool is_l2, std::size_t dim, const std::string& path)
    : index_(std::make_unique<Index>(is_l2, dim)) {
  index_->graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(index_->space.get(), path);
}

HnswlibBaseline::~HnswlibBaseline() = default;

void HnswlibBaseline::Add(const float* row, std::uint64_t label) {
  index_->graph->addPoint(row, label);
}

void HnswlibBaseline::SetEf(std::size_t ef) {
  index_->graph->setEf(ef);
}

void HnswlibBaseline::Search(const float* query, std::size_t k, std::vector<std::uint64_t>* labels) const {
  labels->clear();
  for (auto found = index_->graph->searchKnn(query, k); !found.empty(); found.pop()) {
    labels->push_back(found.top().second);
  }
}

void HnswlibBaseline::Save(const std::string& path) const {
  index_->graph->saveIndex(path);
}

std::string HnswlibBaseline::InstructionSet() {
#if defined(USE_AVX512)
  return "AVX-512";
#elif defined(USE_AVX)
  return "AVX";
#elif defined(USE_SSE)
  return "SSE";
#else
  return "none";
#endif
}

}  // namespace vdb::bench
