// bench_worker: one engine in a process of its own.
//
//   bench_worker build SPEC   builds the index of the spec (EngineSpec as JSON), prints what it cost, ends
//   bench_worker serve SPEC   answers one JSON line a request, until the end of its input:
//     {"do": "open"}          opens the index and answers the first query: {"seconds"}
//     {"do": "hits", "parameter", "begin", "end"}
//                             {"hits"}: base rows for each of these queries
//     {"do": "time", "parameter", "warm": [begin, end], "begin", "end", "threads", "passes", "seconds"}
//                             asks the first range untimed, then the second one timed, so many times; the whole and
//                             each pass take so many seconds at most: {"micros", "mean_us", "p99_us"} of the first
//                             pass, of each query in order on one thread; {"per_second"}, of the best pass;
//                             {"all_passes_per_second"}
//
//     {"do": "settle"}        waits until what opening left to the background is done: {"seconds"}
//
// bench/peers/worker.py speaks the same but for settle. A failure is {"error"}, and the worker lives on.

#include <vdb/vdb.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/engine.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

using nlohmann::json;

constexpr double kSettleSeconds = 300;  // verification of damaged files may have no end

EngineSpec ParseSpec(const std::string& text) {
  const json from = json::parse(text);
  EngineSpec spec;
  spec.engine = from.at("engine");
  spec.data = from.at("data");
  spec.query_file = from.at("query_file");
  spec.folder = from.at("folder");
  spec.metric = MetricNamed(from.at("metric").get<std::string>()).value();
  spec.dim = from.at("dim");
  spec.k = from.at("k");
  spec.m = from.at("m");
  spec.ef_construction = from.at("ef_construction");
  spec.threads = from.at("threads");
  spec.read_only = from.at("read_only");
  return spec;
}

class Worker {
 public:
  explicit Worker(const EngineSpec& spec) : spec_(spec) {
    const std::size_t slash = spec.query_file.rfind('/');
    const std::string name = spec.query_file.substr(slash + 1, spec.query_file.rfind('.') - slash - 1);
    queries_ = ReadMatrix(spec.query_file.substr(0, slash), name).value();
  }

  json Answer(const json& request) {
    const std::string what = request.at("do");
    if (what == "open") return Open();
    if (!engine_) return {{"error", "the index is not open"}};
    if (what == "settle") return Settle();
    engine_->SetParameter(request.at("parameter"));
    if (what == "hits") return Hits(request.at("begin"), request.at("end"));
    if (what == "time") return Time(request);
    return {{"error", "unknown request: " + what}};
  }

 private:
  json Open() {
    const double start = WallSeconds();
    engine_ = OpenEngine(spec_);
    std::vector<std::uint64_t> rows;
    engine_->Search(queries_.row(0), &rows);
    return {{"seconds", WallSeconds() - start}};
  }

  // Asks, as a user would meanwhile, until nothing of opening is left to do.
  json Settle() const {
    const double start = WallSeconds();
    std::vector<std::uint64_t> rows;
    for (std::size_t q = 0; !engine_->IsSettled(); q = (q + 1) % queries_.rows()) {
      if (WallSeconds() > start + kSettleSeconds)
        throw std::runtime_error(StrCat("opening is not over after ", kSettleSeconds, " s"));
      engine_->Search(queries_.row(q), &rows);
    }
    return {{"seconds", WallSeconds() - start}};
  }

  // Throws unless queries [begin, end) are there, and at least so many.
  void CheckQueries(std::size_t begin, std::size_t end, std::size_t at_least) const {
    if (begin <= end && end <= queries_.rows() && end - begin >= at_least) return;
    throw std::runtime_error(
        StrCat("got queries [", begin, ", ", end, "), wanted ", at_least, " or more of the ", queries_.rows()));
  }

  json Hits(std::size_t begin, std::size_t end) const {
    CheckQueries(begin, end, 1);
    json hits = json::array();
    std::vector<std::uint64_t> rows;
    for (std::size_t q = begin; q < end; ++q) {
      engine_->Search(queries_.row(q), &rows);
      hits.push_back(rows);
    }
    return {{"hits", std::move(hits)}};
  }

  // Asks queries [begin, end) on so many threads until `deadline`; returns the microseconds of each that was asked.
  std::vector<double> Ask(std::size_t begin, std::size_t end, std::size_t threads, double deadline) const {
    std::atomic<std::size_t> next{begin};
    std::vector<double> micros(end - begin);
    const auto work = [&] {
      std::vector<std::uint64_t> rows;
      for (std::size_t q = next.fetch_add(1); q < end; q = next.fetch_add(1)) {
        const double start = WallSeconds();
        if (start > deadline) break;
        engine_->Search(queries_.row(q), &rows);
        micros[q - begin] = 1e6 * (WallSeconds() - start);
      }
    };
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < threads; ++t) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    std::erase(micros, 0.0);  // past the deadline
    return micros;
  }

  json Time(const json& request) const {
    const double seconds = request.at("seconds");
    const std::size_t threads = request.at("threads");
    const std::size_t passes = request.at("passes");
    const std::size_t begin = request.at("begin");
    const std::size_t end = request.at("end");
    CheckQueries(begin, end, 1);
    const std::size_t warm_begin = request.at("warm").at(0);
    const std::size_t warm_end = request.at("warm").at(1);
    CheckQueries(warm_begin, warm_end, 0);
    Ask(warm_begin, warm_end, threads, WallSeconds() + seconds);
    const double start = WallSeconds();
    std::vector<double> micros;  // of the first pass
    double best = 0;
    double asked = 0;
    for (std::size_t pass = 0; pass < passes && (pass == 0 || WallSeconds() < start + seconds); ++pass) {
      const double began = WallSeconds();
      std::vector<double> of_pass = Ask(begin, end, threads, began + seconds);
      best = std::max(best, static_cast<double>(of_pass.size()) / (WallSeconds() - began));
      asked += static_cast<double>(of_pass.size());
      if (pass == 0) micros = std::move(of_pass);
    }
    const double all = asked / (WallSeconds() - start);
    if (micros.empty()) throw std::runtime_error(StrCat("no query was answered in ", seconds, " s"));
    double sum = 0;
    for (const double value : micros) sum += value;
    json in_order = json::array();
    for (const double value : micros) in_order.push_back(std::round(value * 100) / 100);
    std::sort(micros.begin(), micros.end());
    const auto at = [&](double share) {
      return micros[static_cast<std::size_t>(share * static_cast<double>(micros.size() - 1))];
    };
    return {{"mean_us", sum / static_cast<double>(micros.size())},
            {"p99_us", at(0.99)},
            {"per_second", best},
            {"all_passes_per_second", all},
            {"micros", std::move(in_order)}};
  }

  EngineSpec spec_;
  Matrix queries_;
  std::unique_ptr<Engine> engine_;
};

void Print(const json& line) {
  std::cout << line.dump() << std::endl;
}

int Build(const EngineSpec& spec) {
  const BuildCost cost = BuildEngine(spec);
  Print({{"version", EngineVersion(spec)},
         {"seconds", cost.seconds},
         {"cpu_seconds", cost.cpu_seconds},
         {"linking_cpu_seconds", cost.linking_cpu_seconds}});
  return 0;
}

int Serve(const EngineSpec& spec) {
  Worker worker(spec);
  Print({{"version", EngineVersion(spec)}});
  for (std::string line; std::getline(std::cin, line);) {
    try {
      Print(worker.Answer(json::parse(line)));
    } catch (const std::exception& error) {
      Print({{"error", error.what()}});
    }
  }
  return 0;
}

}  // namespace
}  // namespace vdb::bench

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode != "build" && mode != "serve") {
    std::fprintf(stderr, "usage: bench_worker build|serve SPEC\n");
    return 2;
  }
  try {
    const vdb::bench::EngineSpec spec = vdb::bench::ParseSpec(argv[2]);
    return mode == "build" ? vdb::bench::Build(spec) : vdb::bench::Serve(spec);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_worker: %s\n", error.what());
    return 1;
  }
}
