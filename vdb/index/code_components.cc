#include "vdb/index/code_components.h"

#include <cstring>
#include <utility>

namespace vdb {

CodeComponents::CodeComponents(std::size_t dim) : dim_(dim) {}

CodeComponents::CodeComponents(std::size_t dim, std::vector<std::uint32_t> held) : dim_(dim), held_(std::move(held)) {
  for (const std::uint32_t component : held_) {
    if (runs_.empty() || runs_.back().end != component) runs_.push_back({component, component});
    ++runs_.back().end;
  }
  std::uint32_t begin = 0;
  for (const Run& run : runs_) {
    if (begin < run.begin) others_.push_back({begin, run.begin});
    begin = run.end;
  }
  if (begin < dim_) others_.push_back({begin, static_cast<std::uint32_t>(dim_)});
  if (others_.empty()) held_.clear();
}

void CodeComponents::Gather(const float* row, float* out) const {
  for (const Run& run : runs_) {
    const std::size_t count = run.end - run.begin;
    std::memcpy(out, row + run.begin, count * sizeof(float));
    out += count;
  }
}

double CodeComponents::SquareOfOthers(const float* row, const float* mean) const {
  double squares = 0;
  for (const Run& run : others_) {
    for (std::size_t i = run.begin; i < run.end; ++i) {
      const double difference = double{row[i]} - double{mean[i]};
      squares += difference * difference;
    }
  }
  return squares;
}

}  // namespace vdb
