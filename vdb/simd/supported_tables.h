// The tables of kernels that a CPU runs, out of those compiled for its architecture. Private to vdb/simd. A value;
// thread safety: constant once constructed.
#ifndef VDB_SIMD_SUPPORTED_TABLES_H_
#define VDB_SIMD_SUPPORTED_TABLES_H_

#include <array>
#include <cstddef>
#include <span>

namespace vdb::simd {

template <typename Table>
struct Candidate {
  const Table* table;
  bool supported;
};

template <typename Table, std::size_t kCount>
class SupportedTables {
 public:
  explicit SupportedTables(const std::array<Candidate<Table>, kCount>& candidates) {
    for (const Candidate<Table>& candidate : candidates) {
      if (candidate.supported) tables_[count_++] = candidate.table;
    }
  }
  std::span<const Table* const> tables() const { return {tables_.data(), count_}; }

 private:
  std::array<const Table*, kCount> tables_{};
  std::size_t count_ = 0;
};

}  // namespace vdb::simd

#endif  // VDB_SIMD_SUPPORTED_TABLES_H_
