// What the sweep asks of an engine, and the two engines that it compares in one process.
//
// Thread safety: Search from many threads; the rest under an external lock.
#ifndef VDB_BENCH_ENGINE_H_
#define VDB_BENCH_ENGINE_H_

#include <vdb/vdb.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/data_folder.h"
#include "bench/hnswlib_baseline.h"

namespace vdb::bench {

struct BuildParameters {
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
  std::size_t threads = 1;
};

struct BuildCost {
  double wall_seconds = 0;       // all of it, storing included
  double cpu_seconds = 0;        // of linking alone, over all threads
  double open_seconds = 0;       // closed database to first answer; 0: has no files
  std::uint64_t disk_bytes = 0;  // 0: has no files
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string name() const = 0;
  virtual void SetEf(std::size_t ef) = 0;
  // Base rows nearest to a row of the data set's queries. Throws std::runtime_error.
  virtual void Search(std::size_t query, std::vector<std::uint64_t>* rows) const = 0;

  const BuildCost& cost() const { return cost_; }

 protected:
  BuildCost cost_;
};

// hnswlib over the rows that are not deleted: what deletes cost is ours to bear.
class HnswlibEngine : public Engine {
 public:
  HnswlibEngine(const DataSet& data, const BuildParameters& parameters);
  std::string name() const override { return "hnswlib"; }
  void SetEf(std::size_t ef) override { index_.SetEf(ef); }
  void Search(std::size_t query, std::vector<std::uint64_t>* rows) const override;

 private:
  const DataSet& data_;
  HnswlibBaseline index_;
};

// A database on disk, loaded, with deletes, closed and reopened; searched through Collection::Search.
class VdbEngine : public Engine {
 public:
  // folder must not exist.
  VdbEngine(const DataSet& data, const BuildParameters& parameters, const std::string& folder);
  std::string name() const override { return "vdb"; }
  void SetEf(std::size_t ef) override { ef_ = ef; }
  void Search(std::size_t query, std::vector<std::uint64_t>* rows) const override;

 private:
  void Load(const BuildParameters& parameters, const std::string& folder);
  void Reopen(const std::string& folder);

  const DataSet& data_;
  std::size_t ef_ = 64;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

}  // namespace vdb::bench

#endif  // VDB_BENCH_ENGINE_H_
