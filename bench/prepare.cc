// bench_prepare: turns a data folder into the files that every engine of the benchmark reads (prepared_set.h), with the
// exact answers. Prints one JSON object. What is there already is not made again.

#include <vdb/vdb.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/prepared_set.h"
#include "vdb/util/checksum.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

struct PrepareOptions {
  std::string source;
  std::string cache;
  std::string name;
  Metric metric = Metric::kL2Squared;
  std::size_t k = 10;
  std::size_t max_queries = 2'000;
  double deleted_share = 0.01;  // of the base rows, evenly spread
};

void NormaliseRows(Matrix* matrix) {
  for (std::size_t i = 0; i < matrix->rows(); ++i) {
    float* row = matrix->values.data() + i * matrix->dim;
    const double norm = std::sqrt(std::inner_product(row, row + matrix->dim, row, 0.0));
    for (std::size_t j = 0; j < matrix->dim; ++j) row[j] = static_cast<float>(row[j] / norm);
  }
}

std::vector<std::uint32_t> DeletedRows(std::size_t rows, double share) {
  std::vector<std::uint32_t> deleted;
  if (share <= 0) return deleted;
  const double step = 1 / share;
  for (double row = step / 2; row < static_cast<double>(rows); row += step) {
    deleted.push_back(static_cast<std::uint32_t>(row));
  }
  return deleted;
}

std::string Hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::uint64_t ChecksumOf(const Matrix& matrix) {
  return Checksum(matrix.values.data(), matrix.values.size() * sizeof(float)) + matrix.dim;
}

Status Prepare(const PrepareOptions& options) {
  VDB_ASSIGN_OR_RETURN(Matrix base, ReadMatrix(options.source, "base"));
  VDB_ASSIGN_OR_RETURN(Matrix queries, ReadMatrix(options.source, "query", options.max_queries));
  if (base.dim != queries.dim) {
    return InvalidArgumentError(
        StrCat(options.source, ": base has ", base.dim, " components per row, query has ", queries.dim));
  }
  if (options.metric == Metric::kCosine) {
    NormaliseRows(&base);
    NormaliseRows(&queries);
  }
  const std::vector<std::uint32_t> deleted = DeletedRows(base.rows(), options.deleted_share);
  const std::vector<std::uint64_t> parts = {ChecksumOf(base), static_cast<std::uint64_t>(options.metric),
                                            Checksum(deleted.data(), deleted.size() * sizeof(deleted[0]))};
  const std::string checksum = Hexadecimal(Checksum(parts.data(), parts.size() * sizeof(parts[0])));
  const std::string folder = StrCat(options.cache, "/", options.name, "-", checksum);
  const std::string query_checksum = Hexadecimal(ChecksumOf(queries));
  const std::string query_file = StrCat(folder, "/query-", query_checksum, ".npy");
  const std::string truth_file = StrCat(folder, "/truth-", query_checksum, "-k", options.k, ".u32");
  std::filesystem::create_directories(folder);
  if (!std::filesystem::exists(folder + "/base.npy")) {
    VDB_RETURN_IF_ERROR(WriteNumbers(folder + "/deleted.u32", deleted));
    VDB_RETURN_IF_ERROR(WriteNpy(folder + "/base.npy", base));
  }
  if (!std::filesystem::exists(query_file)) VDB_RETURN_IF_ERROR(WriteNpy(query_file, queries));
  if (!std::filesystem::exists(truth_file)) {
    const std::vector<std::uint32_t> live = LiveRows(base.rows(), deleted);
    VDB_RETURN_IF_ERROR(WriteNumbers(truth_file, ComputeTruth(base, queries, live, options.metric, options.k)));
  }
  const nlohmann::json out = {{"folder", folder},
                              {"checksum", checksum},
                              {"name", options.name},
                              {"metric", MetricName(options.metric)},
                              {"rows", base.rows()},
                              {"deleted", deleted.size()},
                              {"dim", base.dim},
                              {"queries", queries.rows()},
                              {"query_file", query_file},
                              {"truth_file", truth_file},
                              {"k", options.k}};
  std::printf("%s\n", out.dump().c_str());
  return {};
}

}  // namespace
}  // namespace vdb::bench

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int argc, char** argv) {
  using vdb::Metric;
  vdb::bench::PrepareOptions options;
  CLI::App app("Turns a data folder into what the engines of the benchmark read, with the exact answers.");
  app.add_option("source", options.source, "holds base.{npy,fvecs,bvecs} and query.{npy,fvecs,bvecs}")->required();
  app.add_option("cache", options.cache, "gets a folder NAME-CHECKSUM")->required();
  app.add_option("--name", options.name)->required();
  app.add_option("--metric", options.metric, "l2, ip or cosine")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Metric>{
          {"l2", Metric::kL2Squared}, {"ip", Metric::kInnerProduct}, {"cosine", Metric::kCosine}}));
  app.add_option("--k", options.k)->check(CLI::Range(1, 1000));
  app.add_option("--queries", options.max_queries, "read at most so many")->check(CLI::Range(2, 1'000'000));
  app.add_option("--deleted", options.deleted_share, "share of the rows deleted before the search")
      ->check(CLI::Range(0.0, 0.5));
  CLI11_PARSE(app, argc, argv);
  const vdb::Status status = vdb::bench::Prepare(options);
  if (!status.ok()) std::fprintf(stderr, "bench_prepare: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
