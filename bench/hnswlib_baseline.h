// Stock hnswlib as the baseline: built as its users build it, in a library of its own with -O3 -march=native -DNDEBUG,
// because hnswlib chooses its kernels by compile flags.
//
// Thread safety: Search from many threads after Build.
#ifndef VDB_BENCH_HNSWLIB_BASELINE_H_
#define VDB_BENCH_HNSWLIB_BASELINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vdb::bench {

class HnswlibBaseline {
 public:
  // is_l2: squared Euclidean; otherwise 1 - inner product (rows and queries normalised by the caller for cosine).
  HnswlibBaseline(bool is_l2, std::size_t dim, std::size_t capacity, std::size_t m, std::size_t ef_construction);
  HnswlibBaseline(bool is_l2, std::size_t dim, const std::string& path);
  ~HnswlibBaseline();
  HnswlibBaseline(const HnswlibBaseline&) = delete;
  HnswlibBaseline& operator=(const HnswlibBaseline&) = delete;

  void Add(const float* row, std::uint64_t label);
  void SetEf(std::size_t ef);
  void Search(const float* query, std::size_t k, std::vector<std::uint64_t>* labels) const;
  // hnswlib's own file; the second constructor reads it. Both throw std::runtime_error.
  void Save(const std::string& path) const;

  // Which kernels hnswlib was compiled to.
  static std::string InstructionSet();

 private:
  struct Index;
  std::unique_ptr<Index> index_;
};

}  // namespace vdb::bench

#endif  // VDB_BENCH_HNSWLIB_BASELINE_H_
