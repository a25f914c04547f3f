// How fast rows come in and are indexed behind their writers, and what searches notice of it.
//
//   ingest [DATA] [--json]    a folder with base.{npy,fvecs,bvecs}; without one synthetic rows from a seed
//
// bench/README.md says what is measured.

#include <sys/utsname.h>
#include <vdb/vdb.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/ingest_measure.h"
#include "bench/ingest_rows.h"
#include "vdb/simd/code_kernels.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

using nlohmann::json;

constexpr std::size_t kQueries = 1'000;
// 16 times the rows of a tail that searches are meant to see; writers help with linking beyond it.
constexpr std::size_t kTailBoundRows = 24'000;
constexpr std::uint64_t kSeed = 20'240'601;

struct Options {
  std::string data;
  std::string metric = "cosine";
  std::string folder = "build/ingest";
  std::size_t dim = 384;
  std::size_t rows = 100'000;
  std::size_t base = 20'000;
  std::size_t threads = 0;
  double seconds = 15;
  bool as_json = false;
};

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

json Host(const Options& options) {
  utsname system{};
  ::uname(&system);
  double load = 0;
  ::getloadavg(&load, 1);
  return {{"cpu", CpuName()},
          {"cores", std::thread::hardware_concurrency()},
          {"kernels", simd::ActiveCodeKernels().name},
          {"system", StrCat(system.sysname, " ", system.release)},
          {"load_average", load},
          {"data", options.data.empty() ? StrCat("synthetic clusters, seed ", kSeed) : options.data}};
}

Metric ParseMetric(const std::string& name) {
  if (const std::optional<Metric> metric = MetricNamed(name)) return *metric;
  throw std::runtime_error(StrCat("got metric '", name, "', wanted l2, ip or cosine"));
}

IngestSetup MakeSetup(const Options& options) {
  const std::size_t wanted = options.base + options.rows + kQueries;
  Matrix all = options.data.empty() ? SyntheticRows(wanted, options.dim, kSeed) : Matrix();
  if (!options.data.empty()) {
    Result<Matrix> read = ReadMatrix(options.data, "base", wanted);
    if (!read.ok()) throw std::runtime_error(read.status().ToString());
    all = std::move(read).value();
  }
  if (all.rows() <= options.base + kQueries) {
    throw std::runtime_error(StrCat("got ", all.rows(), " rows, wanted more than ", options.base + kQueries));
  }
  IngestSetup setup;
  setup.folder = options.folder;
  setup.queries.dim = all.dim;
  // The first rows are asked for, and never stored.
  const auto cut = all.values.begin() + static_cast<std::ptrdiff_t>(kQueries * all.dim);
  setup.queries.values.assign(all.values.begin(), cut);
  all.values.erase(all.values.begin(), cut);
  setup.base_rows = options.base;
  setup.ingest_rows = options.rows;
  setup.rows = std::move(all);
  setup.metric = ParseMetric(options.metric);
  setup.threads = options.threads == 0 ? std::thread::hardware_concurrency() : options.threads;
  setup.tail_bound = kTailBoundRows;
  setup.seconds = options.seconds;
  return setup;
}

json Json(const Latency& latency) {
  return {{"searches", latency.searches},
          {"p50_us", latency.p50_us},
          {"p99_us", latency.p99_us},
          {"p999_us", latency.p999_us},
          {"max_us", latency.max_us},
          {"p99_undisturbed_us", latency.p99_undisturbed_us},
          {"max_undisturbed_us", latency.max_undisturbed_us}};
}

json Measure(const Options& options) {
  const IngestSetup setup = MakeSetup(options);
  json result = {{"host", Host(options)},         {"dim", setup.rows.dim},          {"base_rows", setup.base_rows},
                 {"rows", setup.ingest_rows},     {"batch_rows", setup.batch_rows}, {"indexing_threads", setup.threads},
                 {"tail_bound", setup.tail_bound}};
  std::filesystem::remove_all(setup.folder);
  std::filesystem::create_directories(setup.folder);
  const Reopening reopening = MeasureReopening(setup);
  result["reopening"] = {{"rows", reopening.rows},
                         {"unlinked", reopening.unlinked},
                         {"unpublished", reopening.unpublished},
                         {"first_hit_ms", reopening.first_hit_ms},
                         {"rocksdb_ms", reopening.rocksdb_ms}};
  const LinkingRate linking = MeasureLinking(setup);
  result["linking"] = {{"rows_per_s", linking.rows_per_s}, {"rows_per_cpu_s", linking.rows_per_cpu_s}};
  Result<Database> opened = Database::Open(setup.folder + "/database", {.threads = setup.threads});
  if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
  Database database = std::move(opened).value();
  const IngestRate ingest = MeasureIngest(setup, &database);
  result["burst"] = {
      {"rows_per_s", ingest.burst_rows_per_s}, {"rows", ingest.burst_rows}, {"reached_bound", ingest.reached_bound}};
  result["sustained"] = {
      {"written_rows_per_s", ingest.written_rows_per_s}, {"indexed_rows_per_s", ingest.indexed_rows_per_s},
      {"rows_per_cpu_s", ingest.rows_per_cpu_s},         {"of_linking", ingest.indexed_rows_per_s / linking.rows_per_s},
      {"longest_upsert_ms", ingest.longest_upsert_ms},   {"publications", ingest.publications}};
  const Collection collection = database.OpenCollection("ingest").value();
  const SearchesBesideIndexing indexing = MeasureSearches(setup, collection);
  result["searches"] = {{"idle", Json(indexing.idle)},
                        {"busy", Json(indexing.busy)},
                        {"p99_ratio", indexing.busy.p99_us / indexing.idle.p99_us},
                        {"indexed_rows_per_s", indexing.indexed_rows_per_s},
                        {"mean_tail_rows", indexing.mean_tail_rows}};
  const SearchesBesidePublishing publishing = MeasurePublishing(setup, collection);
  result["publishing"] = {{"without", Json(publishing.without)},
                          {"during", Json(publishing.during)},
                          {"publications", publishing.publications},
                          {"publish_ms", publishing.publish_ms}};
  const SyncedUpserts synced = MeasureSynced(setup, &database);
  result["synced"] = {{"disk_per_s", synced.disk_per_s},
                      {"one_per_s", synced.one_per_s},
                      {"eight_per_s", synced.eight_per_s},
                      {"requests_per_group", synced.rows_per_group}};
  if (const Status closed = database.Close(); !closed.ok()) throw std::runtime_error(closed.ToString());
  std::filesystem::remove_all(setup.folder);
  return result;
}

void PrintLatency(const char* name, const json& latency) {
  std::printf("  %-22s %9lu %9.0f %9.0f %9.0f %9.0f %12.0f %12.0f\n", name, latency["searches"].get<unsigned long>(),
              latency["p50_us"].get<double>(), latency["p99_us"].get<double>(), latency["p999_us"].get<double>(),
              latency["max_us"].get<double>(), latency["p99_undisturbed_us"].get<double>(),
              latency["max_undisturbed_us"].get<double>());
}

void PrintTable(const json& result) {
  const auto number = [&](const char* group, const char* name) { return result[group][name].get<double>(); };
  const json& host = result["host"];
  std::printf(
      "%s, %u cores, %s kernels, %s, load %.1f\n%s: %lu rows in the graph, then %lu more in batches of %lu, %lu "
      "components; %lu indexing threads\n\n",
      host["cpu"].get<std::string>().c_str(), host["cores"].get<unsigned>(), host["kernels"].get<std::string>().c_str(),
      host["system"].get<std::string>().c_str(), host["load_average"].get<double>(),
      host["data"].get<std::string>().c_str(), result["base_rows"].get<unsigned long>(),
      result["rows"].get<unsigned long>(), result["batch_rows"].get<unsigned long>(),
      result["dim"].get<unsigned long>(), result["indexing_threads"].get<unsigned long>());
  std::printf("rows/s of one writer, not synced\n");
  std::printf(
      "  burst                  %9.0f   %s after %.0f rows\n", number("burst", "rows_per_s"),
      result["burst"]["reached_bound"].get<bool>() ? "the tail reached its bound" : "the tail never reached its bound",
      number("burst", "rows"));
  std::printf("  all, written           %9.0f   longest batch %.1f ms\n", number("sustained", "written_rows_per_s"),
              number("sustained", "longest_upsert_ms"));
  std::printf(
      "  all, in the graph      %9.0f   %.2f of the rate of linking; %.0f rows per CPU second; %.0f publications\n",
      number("sustained", "indexed_rows_per_s"), number("sustained", "of_linking"),
      number("sustained", "rows_per_cpu_s"), number("sustained", "publications"));
  std::printf("  linking alone, bulk    %9.0f   %.0f rows per CPU second\n\n", number("linking", "rows_per_s"),
              number("linking", "rows_per_cpu_s"));
  std::printf("us a search               searches       p50       p99     p99.9       max  p99 undist.  max undist.\n");
  PrintLatency("two threads, idle", result["searches"]["idle"]);
  PrintLatency("two threads, indexing", result["searches"]["busy"]);
  PrintLatency("one thread, alone", result["publishing"]["without"]);
  PrintLatency("one thread, publishing", result["publishing"]["during"]);
  std::printf(
      "  p99 with indexing: %.2f times that of idle; %.0f rows/s indexed meanwhile, %.0f rows in the tail\n"
      "  %.0f publications of %.0f ms\n\n",
      number("searches", "p99_ratio"), number("searches", "indexed_rows_per_s"), number("searches", "mean_tail_rows"),
      number("publishing", "publications"), number("publishing", "publish_ms"));
  std::printf(
      "single synced upserts/s\n  the disk, append + fdatasync  %7.0f\n  one writer   %7.0f\n  8 writers    %7.0f   "
      "%.1f in a group\n\n",
      number("synced", "disk_per_s"), number("synced", "one_per_s"), number("synced", "eight_per_s"),
      number("synced", "requests_per_group"));
  std::printf(
      "opened after kill -9 with a full tail: %.0f ms to the first hits, of them RocksDB's %.0f; %.0f rows, %.0f not "
      "linked, %.0f not published\n",
      number("reopening", "first_hit_ms"), number("reopening", "rocksdb_ms"), number("reopening", "rows"),
      number("reopening", "unlinked"), number("reopening", "unpublished"));
}

}  // namespace
}  // namespace vdb::bench

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int argc, char** argv) {
  vdb::bench::Options options;
  CLI::App app("Writing beside indexing and searching.");
  app.add_option("data", options.data, "Folder with base.{npy,fvecs,bvecs}; synthetic rows without one");
  app.add_option("--metric", options.metric, "l2, ip or cosine")->capture_default_str();
  app.add_option("--folder", options.folder, "Removed, made anew, and removed at the end")->capture_default_str();
  app.add_option("--dim", options.dim, "Components of synthetic rows")->capture_default_str();
  app.add_option("--base", options.base, "Rows in the graph before the first write")->capture_default_str();
  app.add_option("--rows", options.rows, "Rows written behind them; beyond the data, rows between two of it")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Indexing threads; 0: one a processor");
  app.add_option("--seconds", options.seconds, "For each part that is measured by time")->capture_default_str();
  app.add_flag("--json", options.as_json, "JSON instead of a table");
  CLI11_PARSE(app, argc, argv);
  try {
    const nlohmann::json result = vdb::bench::Measure(options);
    if (options.as_json) {
      std::cout << result.dump(2) << "\n";
    } else {
      vdb::bench::PrintTable(result);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ingest: %s\n", error.what());
    return 1;
  }
  return 0;
}
