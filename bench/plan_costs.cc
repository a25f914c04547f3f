// plan_costs: what the planner expects of its plans, and what they take, at falling shares of matching rows.
//
//   plan_costs DATA DATABASE [--metric l2|ip|cosine] [--k K] [--ef EF] [--queries N] [--rounds N]
// DATA holds base and query as bench_prepare reads them. DATABASE is loaded with base where it does not exist; every
// row has a number of its own, in an order that has nothing to do with the vectors. A table for people.

#include <vdb/vdb.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/check.h"
#include "bench/prepared_set.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

constexpr std::size_t kRowsPerCall = 1'000;
constexpr std::uint64_t kSeed = 1;
constexpr std::array<double, 12> kShares = {1, 0.7, 0.5, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005};

struct Options {
  std::string data;
  std::string folder;
  Metric metric = Metric::kL2Squared;
  std::size_t k = 10;
  std::size_t ef = 0;
  std::size_t queries = 200;
  int rounds = 3;
};

void Load(const Options& options, Database* database) {
  const Matrix base = Check(ReadMatrix(options.data, "base"));
  std::vector<std::size_t> numbers(base.rows());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  std::ranges::shuffle(numbers, std::mt19937_64(kSeed));
  BulkLoader loader =
      Check(BulkLoader::Begin(database, "rows", BulkMode::kCreate, {.dim = base.dim, .metric = options.metric}));
  for (std::size_t begin = 0; begin < base.rows(); begin += kRowsPerCall) {
    const std::size_t end = std::min(base.rows(), begin + kRowsPerCall);
    std::vector<std::string> ids;
    std::vector<std::string> payloads;
    for (std::size_t i = begin; i < end; ++i) {
      ids.push_back(std::to_string(i));
      payloads.push_back(StrCat(R"({"number": )", numbers[i], "}"));
    }
    std::vector<RecordView> records;
    for (std::size_t i = begin; i < end; ++i) {
      records.push_back({.id = ids[i - begin], .vector = base.row(i), .payload = payloads[i - begin]});
    }
    Check(loader.Add(records));
  }
  Check(loader.Finish());
}

// Means over the queries.
struct Means {
  double search_us = 0;
  double exact_estimate_us = 0;
  double sweep_estimate_us = 0;
  double distances = 0;
  double estimated_distances = 0;
  double fell_back = 0;
  double is_sweep = 0;
  double recall = 0;
};

class Searches {
 public:
  Searches(Collection collection, const Options& options)
      : collection_(std::move(collection)),
        options_(options),
        queries_(Check(ReadMatrix(options.data, "query", options.queries))),
        truth_(queries_.rows()) {}
  std::size_t dim() const { return queries_.dim; }
  std::size_t count() const { return queries_.rows(); }

  // The round in which searching took least.
  Means Fastest(std::int64_t matches, bool exact) {
    Means fastest = Round(matches, exact);
    for (int round = 1; round < options_.rounds; ++round) {
      const Means now = Round(matches, exact);
      if (now.search_us < fastest.search_us) fastest = now;
    }
    return fastest;
  }

 private:
  // An exact round notes the nearest, by which the rounds after it are judged.
  Means Round(std::int64_t matches, bool exact) {
    Means means;
    for (std::size_t i = 0; i < queries_.rows(); ++i) {
      const SearchResult result = Check(collection_.Search({.vector = queries_.row(i),
                                                            .k = options_.k,
                                                            .filter = "number < $1",
                                                            .bind = {matches},
                                                            .ef = exact ? 0 : options_.ef,
                                                            .exact = exact,
                                                            .with_payload = false}));
      if (exact) truth_[i] = result.hits;
      Add(result, truth_[i], &means);
    }
    for (double* value : {&means.search_us, &means.exact_estimate_us, &means.sweep_estimate_us, &means.distances,
                          &means.estimated_distances, &means.fell_back, &means.is_sweep, &means.recall}) {
      *value /= static_cast<double>(queries_.rows());
    }
    return means;
  }

  static void Add(const SearchResult& result, const std::vector<Hit>& truth, Means* sums) {
    const PlanDetails& details = result.details;
    sums->search_us += details.search_us;
    sums->exact_estimate_us += details.estimated_exact_ns / 1'000;
    sums->sweep_estimate_us += details.estimated_sweep_ns / 1'000;
    sums->distances += static_cast<double>(details.distances);
    sums->estimated_distances += static_cast<double>(details.estimated_distances);
    sums->fell_back += details.fell_back ? 1 : 0;
    sums->is_sweep += result.plan == PlanKind::kSweep ? 1 : 0;
    const auto is_true = [&](const Hit& hit) { return std::ranges::find(truth, hit.id, &Hit::id) != truth.end(); };
    const auto found = static_cast<double>(std::ranges::count_if(result.hits, is_true));
    sums->recall += truth.empty() ? 1 : found / static_cast<double>(truth.size());
  }

  Collection collection_;
  Options options_;
  Matrix queries_;
  std::vector<std::vector<Hit>> truth_;
};

void Run(const Options& options) {
  const bool is_new = !std::filesystem::exists(options.folder);
  Database database = Check(Database::Open(options.folder));
  if (is_new) Load(options, &database);
  Collection collection = Check(database.OpenCollection("rows"));
  Check(collection.WaitForIndex());
  const auto rows = static_cast<double>(Check(collection.Count()));
  Searches searches(std::move(collection), options);
  std::printf("%.0f rows of %zu, k %zu, ef %zu (0: by itself), %zu queries; microseconds, fastest of %d rounds\n\n",
              rows, searches.dim(), options.k, options.ef, searches.count(), options.rounds);
  std::printf("| share | matches | exact: took | expected | chosen | took | sweep expected | distances | expected |");
  std::printf(" fell back | recall |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const double share : kShares) {
    const auto matches = static_cast<std::int64_t>(rows * share);
    const Means exact = searches.Fastest(matches, true);
    const Means chosen = searches.Fastest(matches, false);
    std::printf("| %.3f | %lld | %.1f | %.1f | %s | %.1f | %.1f | %.0f | %.0f | %.2f | %.3f |\n", share,
                static_cast<long long>(matches), exact.search_us, exact.exact_estimate_us,
                chosen.is_sweep > 0.5 ? "sweep" : "exact", chosen.search_us, chosen.sweep_estimate_us, chosen.distances,
                chosen.estimated_distances, chosen.fell_back, chosen.recall);
  }
}

}  // namespace
}  // namespace vdb::bench

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int argc, char** argv) {
  using vdb::Metric;
  vdb::bench::Options options;
  CLI::App app("What the planner expects of its plans, and what they take.");
  app.add_option("data", options.data, "holds base.{npy,fvecs,bvecs} and query.{npy,fvecs,bvecs}")->required();
  app.add_option("database", options.folder, "loaded with base where it does not exist")->required();
  app.add_option("--metric", options.metric, "l2, ip or cosine")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Metric>{
          {"l2", Metric::kL2Squared}, {"ip", Metric::kInnerProduct}, {"cosine", Metric::kCosine}}));
  app.add_option("--k", options.k)->check(CLI::Range(1, 1000));
  app.add_option("--ef", options.ef, "candidates kept; 0: as many as a search keeps by itself")
      ->check(CLI::Range(0, 10'000));
  app.add_option("--queries", options.queries)->check(CLI::Range(1, 1'000'000));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  try {
    vdb::bench::Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "plan_costs: %s\n", error.what());
    return 1;
  }
  return 0;
}
