// What one call costs from C++: the reference for bench/python/overhead.py, and the fixed cost on a tiny collection.
//
//   call_cost search DATABASE COLLECTION QUERIES [--payloads]   mean microseconds of a search, best of the rounds
//   call_cost upsert FOLDER VECTORS PAYLOADS                    rows per second into a new database, best of the rounds
// Both begin with --warmup rounds that are not timed. Prints one JSON object.

#include <vdb/vdb.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/check.h"
#include "tools/lib/vector_reader.h"

namespace vdb::bench {
namespace {

constexpr std::size_t kRowsPerCall = 1'000;

double Seconds(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<std::vector<float>> ReadVectors(const std::string& path) {
  const std::unique_ptr<tools::VectorReader> reader = Check(tools::VectorReader::Open(path, "vector"));
  std::vector<std::vector<float>> rows;
  std::vector<float> row;
  while (Check(reader->Next(&row))) rows.push_back(row);
  return rows;
}

struct Options {
  std::string folder;
  std::string collection;
  std::string vectors;
  std::string payloads;
  bool with_payloads = false;
  int warmup = 2;
  int rounds = 5;
};

double SearchMicros(const Options& options) {
  Database database = Check(Database::Open(options.folder));
  Collection collection = Check(database.OpenCollection(options.collection));
  Check(collection.WaitForIndex());
  const std::vector<std::vector<float>> queries = ReadVectors(options.vectors);
  double best = std::numeric_limits<double>::max();
  for (int round = -options.warmup; round < options.rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (const std::vector<float>& query : queries) {
      Check(collection.Search({.vector = query, .k = 10, .with_payload = options.with_payloads}).status());
    }
    if (round >= 0) best = std::min(best, Seconds(start) * 1e6 / static_cast<double>(queries.size()));
  }
  return best;
}

double UpsertRowsPerSecond(const Options& options) {
  const std::vector<std::vector<float>> vectors = ReadVectors(options.vectors);
  std::vector<std::string> payloads;
  std::ifstream file(options.payloads);
  for (std::string line; std::getline(file, line);) payloads.push_back(line);
  if (payloads.size() != vectors.size()) throw std::runtime_error("vectors and payloads differ in number");
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < vectors.size(); ++i) ids.push_back(std::to_string(i));
  double best = 0;
  for (int round = -options.warmup; round < options.rounds; ++round) {
    std::filesystem::remove_all(options.folder);
    Database database = Check(Database::Open(options.folder));
    Collection collection = Check(database.CreateCollection("rows", {.dim = vectors[0].size()}));
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t begin = 0; begin < vectors.size(); begin += kRowsPerCall) {
      std::vector<RecordView> records;
      for (std::size_t i = begin; i < std::min(vectors.size(), begin + kRowsPerCall); ++i) {
        records.push_back({.id = ids[i], .vector = vectors[i], .payload = payloads[i]});
      }
      Check(collection.Upsert(records, {.durability = Durability::kOsBuffered}));
    }
    if (round >= 0) best = std::max(best, static_cast<double>(vectors.size()) / Seconds(start));
    Check(database.Close());
  }
  return best;
}

}  // namespace
}  // namespace vdb::bench

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int argc, char** argv) {
  vdb::bench::Options options;
  CLI::App app("Cost of single calls from C++.");
  app.require_subcommand(1);
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000));
  app.add_option("--warmup", options.warmup, "Rounds before them that are not timed")->check(CLI::Range(0, 1000));
  CLI::App* search = app.add_subcommand("search", "Mean microseconds of a search");
  search->add_option("database", options.folder)->required();
  search->add_option("collection", options.collection)->required();
  search->add_option("queries", options.vectors)->required();
  search->add_flag("--payloads", options.with_payloads, "Hits with their payloads");
  CLI::App* upsert = app.add_subcommand("upsert", "Rows per second into a new database");
  upsert->add_option("folder", options.folder, "Removed and made anew")->required();
  upsert->add_option("vectors", options.vectors)->required();
  upsert->add_option("payloads", options.payloads)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    if (search->parsed()) {
      std::printf("{\"search_us\": %.2f}\n", vdb::bench::SearchMicros(options));
    } else {
      std::printf("{\"rows_per_s\": %.0f}\n", vdb::bench::UpsertRowsPerSecond(options));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "call_cost: %s\n", error.what());
    return 1;
  }
  return 0;
}
