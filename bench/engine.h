// The engines that the benchmark's C++ worker runs: vdb through its public API, and stock hnswlib.
//
// Thread safety: Search from many threads; the rest under an external lock.
#ifndef VDB_BENCH_ENGINE_H_
#define VDB_BENCH_ENGINE_H_

#include <vdb/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/prepared_set.h"

namespace vdb::bench {

// One JSON object on the command line.
struct EngineSpec {
  std::string engine;  // vdb, vdb_payload, vdb_ef, vdb_float32, hnswlib
  std::string data;    // folder of a prepared set
  std::string query_file;
  std::string folder;  // of the index
  Metric metric = Metric::kL2Squared;
  std::size_t dim = 0;
  std::size_t k = 10;
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
  std::size_t threads = 1;  // for building
  bool read_only = false;   // vdb: open beside other processes
};

struct BuildCost {
  double seconds = 0;              // rows in memory to files that are safe
  double cpu_seconds = 0;          // of all threads
  double linking_cpu_seconds = 0;  // of them, for the graph; 0: not told apart
};

class Engine {
 public:
  virtual ~Engine() = default;
  // The setting that trades recall for speed, from the next search on: ef, or for vdb n: a recall of 1 - 1 / n.
  virtual void SetParameter(double parameter) = 0;
  // Keeps the answer in *rows as base rows, nearest first. Throws std::runtime_error.
  virtual void Search(std::span<const float> query, std::vector<std::uint64_t>* rows) const = 0;
  // False while work that opening has left to other threads makes searches slower. It begins with the first search.
  virtual bool IsSettled() const { return true; }
};

// Builds the index of a spec into its folder, which is empty, and closes it. Throws std::runtime_error.
BuildCost BuildEngine(const EngineSpec& spec);

// Opens what was built. Throws std::runtime_error.
std::unique_ptr<Engine> OpenEngine(const EngineSpec& spec);

// Of the library, and what it was compiled to.
std::string EngineVersion(const EngineSpec& spec);

double CpuSeconds();   // of this process
double WallSeconds();  // since some moment

}  // namespace vdb::bench

#endif  // VDB_BENCH_ENGINE_H_
