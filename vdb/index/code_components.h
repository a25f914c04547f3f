// Which components of a row its code holds: all, or those without the ones in which rows hardly differ.
//
// Thread safety: immutable.
#ifndef VDB_INDEX_CODE_COMPONENTS_H_
#define VDB_INDEX_CODE_COMPONENTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vdb {

class CodeComponents {
 public:
  // All of them.
  explicit CodeComponents(std::size_t dim);
  // held: ascending, below dim, not empty.
  CodeComponents(std::size_t dim, std::vector<std::uint32_t> held);

  std::size_t size() const { return held_.empty() ? dim_ : held_.size(); }
  bool AreAll() const { return held_.empty(); }
  // Ascending; empty if all are.
  std::span<const std::uint32_t> held() const { return held_; }

  // out: size() components of row.
  void Gather(const float* row, float* out) const;
  // The sum of the squares of row - mean over the components that are not held. row, mean: dim float32.
  double SquareOfOthers(const float* row, const float* mean) const;

 private:
  struct Run {
    std::uint32_t begin;
    std::uint32_t end;
  };

  std::size_t dim_;
  std::vector<std::uint32_t> held_;
  std::vector<Run> runs_;    // of held ones
  std::vector<Run> others_;  // between them
};

}  // namespace vdb

#endif  // VDB_INDEX_CODE_COMPONENTS_H_
