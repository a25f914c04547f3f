// Recall@k, microseconds and build rate of vdb beside stock hnswlib over a range of ef, in one run on one data folder.
//
// Both engines are measured in turn, round by round, so that a machine that slows down slows both. bench/README.md
// says how to read the figures.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "bench/engine.h"
#include "vdb/simd/kernels.h"

namespace vdb::bench {
namespace {

struct SweepOptions {
  std::string folder;
  std::string work;
  std::string json;
  DataOptions data;
  BuildParameters build;
  std::vector<std::size_t> efs = {10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256};
  std::size_t rounds = 3;
  std::size_t search_threads = 2;
};

// One engine at one ef. Recall on two halves of the queries: ef is chosen on the first and reported on the second.
struct Point {
  std::size_t ef = 0;
  double tuning_recall = 0;
  double recall = 0;
  double micros = 0;  // mean of the best round
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double parallel_per_second = 0;  // queries, with search_threads
};

double MicrosSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

double RecallOf(const Engine& engine, const DataSet& data, std::size_t begin, std::size_t end) {
  std::size_t found = 0;
  std::vector<std::uint64_t> rows;
  for (std::size_t q = begin; q < end; ++q) {
    engine.Search(q, &rows);
    for (const std::uint64_t row : rows) found += data.IsNeighbour(q, row) ? 1 : 0;
  }
  return static_cast<double>(found) / static_cast<double>(data.k * (end - begin));
}

// All queries once on one thread; keeps the round with the smallest mean.
void MeasureOneThread(const Engine& engine, const DataSet& data, Point* point) {
  std::vector<double> micros;
  std::vector<std::uint64_t> rows;
  double sum = 0;
  for (std::size_t q = 0; q < data.queries.rows(); ++q) {
    const auto start = std::chrono::steady_clock::now();
    engine.Search(q, &rows);
    sum += micros.emplace_back(MicrosSince(start));
  }
  const double mean = sum / static_cast<double>(micros.size());
  if (point->micros != 0 && mean >= point->micros) return;
  std::sort(micros.begin(), micros.end());
  const auto at = [&](double share) {
    return micros[static_cast<std::size_t>(share * static_cast<double>(micros.size() - 1))];
  };
  point->micros = mean;
  point->p50 = at(0.5);
  point->p95 = at(0.95);
  point->p99 = at(0.99);
}

void MeasureParallel(const Engine& engine, const DataSet& data, std::size_t threads, Point* point) {
  std::atomic<std::size_t> next{0};
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      std::vector<std::uint64_t> rows;
      for (std::size_t q = next.fetch_add(1); q < data.queries.rows(); q = next.fetch_add(1)) engine.Search(q, &rows);
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double per_second = 1e6 * static_cast<double>(data.queries.rows()) / MicrosSince(start);
  point->parallel_per_second = std::max(point->parallel_per_second, per_second);
}

std::vector<std::vector<Point>> Sweep(const std::vector<Engine*>& engines, const DataSet& data,
                                      const SweepOptions& options) {
  std::vector<std::vector<Point>> points(engines.size());
  const std::size_t half = data.queries.rows() / 2;
  for (std::size_t e = 0; e < engines.size(); ++e) {
    for (const std::size_t ef : options.efs) {
      Point& point = points[e].emplace_back();
      point.ef = ef;
      engines[e]->SetEf(ef);
      point.tuning_recall = RecallOf(*engines[e], data, 0, half);
      point.recall = RecallOf(*engines[e], data, half, data.queries.rows());
    }
  }
  for (std::size_t round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < options.efs.size(); ++i) {
      for (std::size_t e = 0; e < engines.size(); ++e) {
        engines[e]->SetEf(options.efs[i]);
        MeasureOneThread(*engines[e], data, &points[e][i]);
        if (options.search_threads > 1) MeasureParallel(*engines[e], data, options.search_threads, &points[e][i]);
      }
    }
  }
  return points;
}

const Point* AtRecall(const std::vector<Point>& points, double target) {
  const auto found =
      std::find_if(points.begin(), points.end(), [&](const Point& point) { return point.tuning_recall >= target; });
  return found == points.end() ? nullptr : &*found;
}

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

void PrintTables(const std::vector<Engine*>& engines, const std::vector<std::vector<Point>>& points,
                 const DataSet& data, const SweepOptions& options) {
  std::printf("%s, %u threads; vdb kernels: %s; hnswlib compiled for: %s\n", CpuName().c_str(),
              std::thread::hardware_concurrency(), simd::ActiveFloatKernels().name,
              HnswlibBaseline::InstructionSet().c_str());
  std::printf("%zu rows of %zu, %s, %zu queries, k %zu, M %u, efConstruction %u, deleted rows %zu\n\n",
              data.base.rows(), data.base.dim, std::string(MetricName(data.metric)).c_str(), data.queries.rows(),
              data.k, options.build.m, options.build.ef_construction,
              static_cast<std::size_t>(std::count(data.deleted.begin(), data.deleted.end(), true)));
  for (const Engine* engine : engines) {
    const BuildCost& cost = engine->cost();
    std::printf("%-8s built in %.1f s; linking %.1f CPU s, %.0f rows per CPU second", engine->name().c_str(),
                cost.wall_seconds, cost.cpu_seconds, static_cast<double>(data.base.rows()) / cost.cpu_seconds);
    if (cost.disk_bytes != 0) {
      std::printf("; %.0f MB on disk; reopened and answered in %.0f ms", static_cast<double>(cost.disk_bytes) / 1e6,
                  cost.open_seconds * 1e3);
    }
    std::printf("\n");
  }
  std::printf("\n%5s |%9s%9s%9s%9s |%9s%9s%9s%9s | hnswlib us / vdb us, queries/s\n", "ef", "vdb", "us", "p99 us",
              "q/s", "hnswlib", "us", "p99 us", "q/s");
  for (std::size_t i = 0; i < options.efs.size(); ++i) {
    const Point& ours = points[0][i];
    const Point& theirs = points[1][i];
    std::printf("%5zu |%9.4f%9.1f%9.1f%9.0f |%9.4f%9.1f%9.1f%9.0f |%6.2f%6.2f\n", ours.ef, ours.recall, ours.micros,
                ours.p99, ours.parallel_per_second, theirs.recall, theirs.micros, theirs.p99,
                theirs.parallel_per_second, theirs.micros / ours.micros,
                ours.parallel_per_second / std::max(1.0, theirs.parallel_per_second));
  }
  std::printf("\nat equal recall (ef chosen on the first half of the queries, recall of the second):\n");
  for (const double target : {0.95, 0.99}) {
    const Point* ours = AtRecall(points[0], target);
    const Point* theirs = AtRecall(points[1], target);
    if (ours == nullptr || theirs == nullptr) {
      std::printf("  %.2f: not reached by %s\n", target, ours == nullptr ? "vdb" : "hnswlib");
      continue;
    }
    std::printf("  %.2f: vdb ef %zu %.4f %.1f us; hnswlib ef %zu %.4f %.1f us; %.2f times as fast\n", target, ours->ef,
                ours->recall, ours->micros, theirs->ef, theirs->recall, theirs->micros, theirs->micros / ours->micros);
  }
}

nlohmann::json ToJson(const std::vector<Engine*>& engines, const std::vector<std::vector<Point>>& points,
                      const DataSet& data, const SweepOptions& options) {
  nlohmann::json out = {{"cpu", CpuName()},
                        {"kernels", simd::ActiveFloatKernels().name},
                        {"hnswlib_kernels", HnswlibBaseline::InstructionSet()},
                        {"folder", options.folder},
                        {"rows", data.base.rows()},
                        {"dim", data.base.dim},
                        {"metric", MetricName(data.metric)},
                        {"k", data.k},
                        {"m", options.build.m},
                        {"ef_construction", options.build.ef_construction},
                        {"search_threads", options.search_threads}};
  for (std::size_t e = 0; e < engines.size(); ++e) {
    const BuildCost& cost = engines[e]->cost();
    nlohmann::json sweep = nlohmann::json::array();
    for (const Point& point : points[e]) {
      sweep.push_back({{"ef", point.ef},
                       {"tuning_recall", point.tuning_recall},
                       {"recall", point.recall},
                       {"mean_us", point.micros},
                       {"p50_us", point.p50},
                       {"p95_us", point.p95},
                       {"p99_us", point.p99},
                       {"parallel_qps", point.parallel_per_second}});
    }
    out["engines"].push_back({{"name", engines[e]->name()},
                              {"build_wall_seconds", cost.wall_seconds},
                              {"build_cpu_seconds", cost.cpu_seconds},
                              {"open_seconds", cost.open_seconds},
                              {"disk_bytes", cost.disk_bytes},
                              {"sweep", sweep}});
  }
  return out;
}

int Run(const SweepOptions& options) {
  std::filesystem::create_directories(options.work);
  Result<DataSet> data = OpenDataFolder(options.folder, options.data, options.work);
  if (!data.ok()) {
    std::fprintf(stderr, "ef_sweep: %s\n", data.status().ToString().c_str());
    return 1;
  }
  const std::string folder = options.work + "/ef_sweep.vdb";
  std::filesystem::remove_all(folder);
  VdbEngine ours(*data, options.build, folder);
  HnswlibEngine theirs(*data, options.build);
  const std::vector<Engine*> engines = {&ours, &theirs};
  const std::vector<std::vector<Point>> points = Sweep(engines, *data, options);
  PrintTables(engines, points, *data, options);
  if (!options.json.empty()) std::ofstream(options.json) << ToJson(engines, points, *data, options).dump(2) << '\n';
  return 0;
}

}  // namespace
}  // namespace vdb::bench

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int argc, char** argv) {
  using vdb::Metric;
  vdb::bench::SweepOptions options;
  CLI::App app("Recall, latency and build rate of vdb beside stock hnswlib, in one run.");
  app.add_option("folder", options.folder, "holds base.{npy,fvecs,bvecs} and query.{npy,fvecs,bvecs}")->required();
  app.add_option("--work", options.work, "database and truth are kept here")->required();
  app.add_option("--metric", options.data.metric, "l2, ip or cosine")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Metric>{
          {"l2", Metric::kL2Squared}, {"ip", Metric::kInnerProduct}, {"cosine", Metric::kCosine}}));
  app.add_option("--ef", options.efs, "values of ef, ascending");
  app.add_option("--k", options.data.k)->check(CLI::Range(1, 1000));
  app.add_option("--queries", options.data.max_queries, "read at most so many")->check(CLI::Range(2, 1'000'000));
  app.add_option("--deleted", options.data.deleted_share, "share of the rows deleted before the sweep")
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--m", options.build.m);
  app.add_option("--ef-construction", options.build.ef_construction);
  app.add_option("--build-threads", options.build.threads, "of vdb; hnswlib is built on one");
  app.add_option("--search-threads", options.search_threads, "of the parallel figures; 1: none");
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 100));
  app.add_option("--json", options.json, "write all figures to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    return vdb::bench::Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ef_sweep: %s\n", error.what());
    return 1;
  }
}
