// vdb-load: vectors and payloads from files into a collection.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "tools/lib/json_text.h"
#include "tools/vdb_load/loader.h"

namespace vdb::tools {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitSkipped = 3;

constexpr const char* kFooter = R"(
Vectors: .npy (float32, float16), .fvecs, .bvecs, .jsonl (arrays, or objects with a member --vector-field).
Payloads: .jsonl, one object per vector, in the same order.
A new or replaced collection appears whole, or not at all if the load is stopped. An append that is stopped leaves whole
batches; the same command again completes it, where ids come from the payloads or row numbers.
Exit status: 0 loaded; 1 failed; 2 wrong usage; 3 loaded, with bad rows skipped.
Example: vdb-load notes.vdb notes --vectors notes.npy --payloads notes.jsonl --create --metric cosine)";

int Report(const Result<LoadReport>& loaded, bool json) {
  if (!loaded.ok()) {
    std::fprintf(stderr, "vdb-load: %s\n", loaded.status().ToString().c_str());
    return kExitFailed;
  }
  const LoadReport& report = *loaded;
  if (json) {
    std::printf("{\"rows\": %llu, \"skipped\": %llu, \"records\": %llu, \"seconds\": %.3f, \"errors\": [",
                static_cast<unsigned long long>(report.rows), static_cast<unsigned long long>(report.skipped),
                static_cast<unsigned long long>(report.records), report.seconds);
    const char* separator = "";
    for (const std::string& message : report.first_skipped) {
      std::printf("%s%s", separator, Quote(message).c_str());
      separator = ", ";
    }
    std::printf("]}\n");
  } else {
    std::printf("%llu rows loaded in %.1f s; the collection has %llu records\n",
                static_cast<unsigned long long>(report.rows), report.seconds,
                static_cast<unsigned long long>(report.records));
    if (report.skipped > 0) {
      std::fprintf(stderr, "vdb-load: %llu bad rows skipped, the first:\n",
                   static_cast<unsigned long long>(report.skipped));
      for (const std::string& message : report.first_skipped) std::fprintf(stderr, "  %s\n", message.c_str());
    }
  }
  return report.skipped > 0 ? kExitSkipped : 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Loads vectors with payloads from files into a collection of a vdb database.", "vdb-load");
  app.footer(kFooter);
  LoadJob job;
  bool create = false;
  bool json = false;
  std::string mode = "append";
  job.options.metric = Metric::kCosine;
  const std::map<std::string, Metric> metrics = {
      {"l2", Metric::kL2Squared}, {"ip", Metric::kInnerProduct}, {"cosine", Metric::kCosine}};
  app.add_option("database", job.database, "Folder of the database")->required();
  app.add_option("collection", job.collection, "Name of the collection")->required();
  app.add_option("--vectors", job.vectors, "File of vectors")->required()->check(CLI::ExistingFile);
  app.add_option("--payloads", job.payloads, "File of payloads (.jsonl)")->check(CLI::ExistingFile);
  app.add_option("--vector-field", job.vector_field, "Member that holds the vector in .jsonl objects")
      ->capture_default_str();
  app.add_option("--id-field", job.id_field, "Payload member that is the id; without it the row number is")
      ->capture_default_str();
  app.add_flag("--create", create, "Make the collection (and the database)");
  app.add_option("--mode", mode, "What to do with an existing collection: append or replace")
      ->check(CLI::IsMember({"append", "replace"}))
      ->capture_default_str();
  app.add_option("--metric", job.options.metric, "With --create: l2, ip or cosine")
      ->transform(CLI::CheckedTransformer(metrics, CLI::ignore_case));
  app.add_option("--m", job.options.m, "With --create: links per node (HNSW's M)")->capture_default_str();
  app.add_option("--ef-construction", job.options.ef_construction, "With --create: candidates while linking")
      ->capture_default_str();
  app.add_option("--limit", job.limit, "Load only the first rows");
  app.add_flag("--skip-bad", job.skip_bad, "Go on after a bad row, and report them at the end");
  app.add_flag("--quiet", job.quiet, "No progress");
  app.add_flag("--json", json, "Report as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  job.mode = create ? LoadMode::kCreate : (mode == "append" ? LoadMode::kAppend : LoadMode::kReplace);
  return Report(Load(job), json);
}

}  // namespace
}  // namespace vdb::tools

int main(int argc, char** argv) {
  return vdb::tools::Main(argc, argv);
}
