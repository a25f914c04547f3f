#include "tools/vdb_load/command_line.h"

#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <string>

#include "tools/lib/json_text.h"
#include "tools/lib/open_collection.h"
#include "tools/vdb_load/loader.h"

namespace vdb::tools {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitSkipped = 3;

constexpr const char* kFooter = R"(
Vectors: .npy (float32, float16), .fvecs, .bvecs, or .jsonl, one vector per line: an array, or an object with a member
--vector-field, whose other members are the payload unless --payloads is given.
Payloads: .jsonl, one object per vector, in the same order.
Ids: the payload's member --id-field; a row without it is named by its number, from 0. A row whose id exists replaces
that record.
A new or replaced collection appears whole, or not at all if the load is stopped. An append that is stopped leaves whole
batches; the same command again completes it.
Exit status: 0 loaded; 1 failed; 2 wrong usage; 3 loaded, with bad rows skipped.
Example: vdb-load notes.vdb notes --vectors notes.npy --payloads notes.jsonl --create --metric cosine)";

int Fail(const Status& status) {
  std::fprintf(stderr, "vdb-load: %s\n", status.ToString().c_str());
  return kExitFailed;
}

int Report(const Result<LoadReport>& loaded, bool json) {
  if (!loaded.ok()) return Fail(loaded.status());
  const LoadReport& report = *loaded;
  if (json) {
    std::printf("{\"rows\": %" PRIu64 ", \"skipped\": %" PRIu64 ", \"records\": %" PRIu64
                ", \"seconds\": %.3f, \"errors\": [",
                report.rows, report.skipped, report.records, report.seconds);
    const char* separator = "";
    for (const std::string& message : report.first_skipped) {
      std::printf("%s%s", separator, Quote(message).c_str());
      separator = ", ";
    }
    std::printf("]}\n");
  } else {
    std::printf("%" PRIu64 " rows loaded in %.1f s; the collection has %" PRIu64 " records\n", report.rows,
                report.seconds, report.records);
  }
  if (report.skipped > 0) {
    std::fprintf(stderr, "vdb-load: %" PRIu64 " bad row%s skipped, the first:\n", report.skipped,
                 report.skipped == 1 ? "" : "s");
    for (const std::string& message : report.first_skipped) std::fprintf(stderr, "  %s\n", message.c_str());
  }
  if (const Status status = FlushOutput(); !status.ok()) return Fail(status);
  return report.skipped > 0 ? kExitSkipped : 0;
}

class CommandLine {
 public:
  CommandLine() : app_("Loads vectors with payloads from files into a collection of a vdb database.", "vdb-load") {
    app_.footer(kFooter);
    AddFiles();
    AddCollection();
    app_.add_flag("--skip-bad", job_.skip_bad, "Go on after a bad row; the first ones are reported at the end");
    app_.add_flag("--quiet", job_.progress.quiet, "No progress");
    app_.add_option("--progress-seconds", job_.progress.line_seconds,
                    "Between lines of progress when not on a terminal; 0: after each batch")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app_.add_flag("--json", json_, "Report as JSON");
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : kExitUsage;
    }
    job_.mode = create_ ? LoadMode::kCreate : (mode_ == "append" ? LoadMode::kAppend : LoadMode::kReplace);
    job_.options.metric = MetricNamed(metric_).value();  // the parser knows no others
    job_.options.codes = CodeKindNamed(codes_).value();
    try {
      return Report(Load(job_), json_);
    } catch (const std::exception& error) {
      return Fail(InternalError(error.what()));
    }
  }

 private:
  void AddFiles() {
    SourceFiles& files = job_.files;
    app_.add_option("database", job_.database, "Folder of the database")->required();
    app_.add_option("collection", job_.collection, "Name of the collection")->required();
    app_.add_option("--vectors", files.vectors, "File of vectors")->required()->check(CLI::ExistingFile);
    app_.add_option("--payloads", files.payloads, "File of payloads")->check(CLI::ExistingFile);
    app_.add_option("--vector-field", files.vector_field, "Member that holds the vector in .jsonl objects")
        ->capture_default_str();
    app_.add_option("--id-field", files.id_field, "Member of the payload that is the id")->capture_default_str();
    app_.add_option("--limit", files.limit, "Load only the first rows")->check(CLI::PositiveNumber);
  }

  void AddCollection() {
    CLI::Option* create = app_.add_flag("--create", create_, "Make the collection, and the database if there is none");
    app_.add_option("--mode", mode_, "What to do with an existing collection")
        ->check(CLI::IsMember({"append", "replace"}))
        ->excludes(create)
        ->capture_default_str();
    app_.add_option("--metric", metric_, "With --create")
        ->check(CLI::IsMember({"l2", "ip", "cosine"}))
        ->needs(create)
        ->capture_default_str();
    app_.add_option("--codes", codes_, "With --create: what the graph is built on; auto: int8 from 64 dimensions on")
        ->check(CLI::IsMember({"float32", "int8", "auto"}))
        ->needs(create)
        ->capture_default_str();
    app_.add_option("--m", job_.options.m, "With --create: links per node (HNSW's M)")
        ->needs(create)
        ->capture_default_str();
    app_.add_option("--ef-construction", job_.options.ef_construction, "With --create: candidates while linking")
        ->needs(create)
        ->capture_default_str();
  }

  CLI::App app_;
  LoadJob job_;
  bool create_ = false;
  bool json_ = false;
  std::string mode_ = "append";
  std::string metric_ = "cosine";
  std::string codes_ = "auto";
};

}  // namespace

int RunVdbLoad(int argc, char** argv) {
  return CommandLine().Run(argc, argv);
}

}  // namespace vdb::tools
