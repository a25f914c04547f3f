#include "tools/vdbctl/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <tuple>
#include <vector>

#include "tools/lib/open_collection.h"
#include "tools/vdbctl/commands.h"
#include "tools/vdbctl/output.h"

namespace vdb::tools {
namespace {

constexpr int kExitUsage = 2;

int ExitStatus(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 0;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kNotFound:
      return 3;
    case StatusCode::kDataLoss:
      return 4;
    case StatusCode::kFailedPrecondition:
      return 5;
    case StatusCode::kAlreadyExists:
      return 6;
    case StatusCode::kResourceExhausted:
      return 7;
    default:
      return 1;
  }
}

constexpr const char* kFooter = R"(
Filters read like SQL's WHERE: "lang = 'en' AND year >= 2020 AND tags CONTAINS 'x'"; $1, $2, ... stand for --bind values.
An id that begins with '-' goes behind '--'.
With --json the answer is one JSON document on one line; scan prints a line for each record.
Exit status: 0 done; 1 failed; 2 wrong usage or input; 3 not found; 4 data loss; 5 in use, closed or read-only;
6 exists already; 7 no space or beyond a limit. Errors go to stderr.)";

using Command = Status (*)(const Arguments&);

class CommandLine {
 public:
  CommandLine() : app_("Administers a vdb database.", "vdbctl") {
    app_.require_subcommand(1);
    app_.footer(kFooter);
    AddAdministration();
    AddRecords();
    AddQueries();
  }

  int Run(int argc, char** argv) {
    // The parser takes them from the back.
    std::vector<std::string> words;
    for (int i = argc - 1; i > 0; --i) words.push_back(Shield(argv[i]));
    try {
      app_.parse(words);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : kExitUsage;
    }
    UnshieldAll();
    return Execute();
  }

 private:
  // CLI11 takes "[a,b]" for a list of two values wherever several are welcome; here it is one id, or a JSON array. A
  // byte in front, which no argument begins with, hides the bracket from it.
  static constexpr char kShield = '\x01';

  static std::string Shield(std::string word) {
    if (word.starts_with('[') && word.ends_with(']')) word.insert(word.begin(), kShield);
    return word;
  }

  void UnshieldAll() {
    Arguments& a = arguments_;
    std::vector<std::string*> words = {&a.database,    &a.collection, &a.id,     &a.payload, &a.vector,
                                       &a.vector_file, &a.filter,     &a.prefix, &a.target,  &a.path};
    for (std::vector<std::string>* list : {&a.ids, &a.bind, &a.fields}) {
      for (std::string& word : *list) words.push_back(&word);
    }
    for (std::string* word : words) {
      if (word->starts_with(kShield)) word->erase(0, 1);
    }
  }

  int Execute() {
    arguments_.options.metric = MetricNamed(metric_).value();  // the parser knows no others
    arguments_.options.codes = CodeKindNamed(codes_).value();
    Status status;
    try {
      status = chosen_(arguments_);
      if (const Status flushed = FlushOutput(); status.ok()) status = flushed;
    } catch (const std::exception& error) {
      status = InternalError(error.what());
    }
    if (!status.ok()) std::fprintf(stderr, "vdbctl: %s\n", Printable(status.ToString()).c_str());
    return ExitStatus(status.code());
  }

  // A subcommand with its database, and its collection unless it is optional.
  CLI::App* Add(const std::string& name, const std::string& description, Command command, bool needs_collection) {
    CLI::App* sub = app_.add_subcommand(name, description);
    sub->add_option("database", arguments_.database, "Folder of the database")->required();
    CLI::Option* collection = sub->add_option("collection", arguments_.collection, "Name of the collection");
    if (needs_collection) collection->required();
    sub->add_flag("--json", arguments_.json, "Print JSON");
    sub->callback([this, command] { chosen_ = command; });
    return sub;
  }

  void AddFilter(CLI::App* sub) {
    sub->add_option("--filter", arguments_.filter, "Which records");
    sub->add_option("--bind", arguments_.bind, "JSON values of $1, $2, ...");
  }

  void AddVector(CLI::App* sub) {
    sub->add_option("--vector", arguments_.vector, "A JSON array");
    sub->add_option("--vector-file", arguments_.vector_file, "FILE:ROW of a .npy, .fvecs, .bvecs or .jsonl file");
  }

  void AddAdministration() {
    CLI::App* create = Add("create", "Make a collection, and the database if there is none", Create, true);
    create->add_option("--dim", arguments_.options.dim, "Components per vector (default: those of the first)");
    create->add_option("--metric", metric_, "How far vectors are from each other")
        ->check(CLI::IsMember({"l2", "ip", "cosine"}))
        ->capture_default_str();
    create->add_option("--codes", codes_, "What the graph is built and walked on; auto: int8 from 64 dimensions on")
        ->check(CLI::IsMember({"float32", "int8", "auto"}))
        ->capture_default_str();
    create->add_option("--m", arguments_.options.m, "Links per node (HNSW's M)")->capture_default_str();
    create->add_option("--ef-construction", arguments_.options.ef_construction, "Candidates while linking")
        ->capture_default_str();
    CLI::App* collections = app_.add_subcommand("collections", "List the collections");
    collections->add_option("database", arguments_.database, "Folder of the database")->required();
    collections->add_flag("--json", arguments_.json, "Print JSON");
    collections->callback([this] { chosen_ = Collections; });
    Add("info", "Show a collection's size, memory and state", Info, false);
    Add("verify", "Read everything and compare it", Verify, false);
    Add("compact", "Rewrite a collection without its dead records", Compact, true);
    Add("drop", "Remove a collection", Drop, true);
    CLI::App* document = Add("document", "Show or set the JSON object that belongs to a collection", Document, true);
    document->add_option("--set", arguments_.payload, "A JSON object");
    CLI::App* checkpoint = app_.add_subcommand("checkpoint", "Copy the whole database into a new folder");
    checkpoint->add_option("database", arguments_.database, "Folder of the database")->required();
    checkpoint->add_option("target", arguments_.target, "New folder for the copy")->required();
    checkpoint->add_flag("--json", arguments_.json, "Print JSON");
    checkpoint->callback([this] { chosen_ = Checkpoint; });
    CLI::App* repair = app_.add_subcommand("repair", "Make a readable copy of a damaged database, or accept a loss");
    repair->add_option("database", arguments_.database, "Folder of the database")->required();
    repair->add_option("target", arguments_.target, "New folder for the repaired copy");
    repair->add_flag("--accept-loss", arguments_.accept_loss, "Go on, in place, without the commits that are missing");
    repair->add_flag("--json", arguments_.json, "Print JSON");
    repair->callback([this] { chosen_ = Repair; });
  }

  void AddRecords() {
    CLI::App* put = Add("put", "Write a record, or JSON lines {id, vector, payload} from stdin", Put, true);
    put->add_option("--id", arguments_.id, "Id of the record; without it, records come from stdin");
    put->add_option("--payload", arguments_.payload, "A JSON object");
    AddVector(put);
    CLI::App* get = Add("get", "Show records by id", Get, true);
    get->add_option("ids", arguments_.ids, "Ids")->required();
    get->add_flag("--with-vector", arguments_.with_vector, "Show vectors, too");
    CLI::App* update = Add("update", "Change payloads, by id or by filter; vectors stay", Update, true);
    update->add_option("--id", arguments_.id, "Id of the record");
    update->add_option("--payload", arguments_.payload, "A JSON object: members to set, null removes one")->required();
    update->add_flag("--replace", arguments_.replace, "The object is the whole new payload");
    AddFilter(update);
    CLI::App* remove = Add("delete", "Remove records by id or by filter", Delete, true);
    remove->add_option("ids", arguments_.ids, "Ids");
    AddFilter(remove);
  }

  void AddQueries() {
    AddFilter(Add("count", "Count records", Count, true));
    CLI::App* facets = Add("facets", "Count the values of a payload path", Facets, true);
    facets->add_option("path", arguments_.path, "Path, e.g. author.name or tags")->required();
    AddFilter(facets);
    facets->add_option("--limit", arguments_.facet_limit, "Values listed at most")->capture_default_str();
    for (const auto& [name, description, command] :
         {std::tuple{"search", "Find the nearest records", &Search},
          std::tuple{"explain", "Show how a search is answered, estimates beside actuals", &Explain}}) {
      CLI::App* search = Add(name, description, command, true);
      AddVector(search);
      search->add_option("--id", arguments_.id, "Search near this record");
      search->add_option("-k", arguments_.k, "Hits wanted")->capture_default_str();
      AddFilter(search);
      search->add_option("--ef", arguments_.ef, "Candidates kept; more is slower and finds more");
      search->add_option("--min-recall", arguments_.min_recall,
                         "Instead of --ef: share of the true nearest wanted, by what was measured on the collection");
      search->add_option("--radius", arguments_.radius,
                         "Only hits at most this far away; scores every matching record");
      search->add_option("--timeout", arguments_.timeout_ms, "Give up after so many milliseconds (0: never)");
      search->add_flag("--exact", arguments_.exact, "Score every matching record");
      search->add_flag("--with-vector", arguments_.with_vector, "Show vectors, too (JSON)");
      search->add_option("--fields", arguments_.fields, "Payload members to show");
    }
    CLI::App* scan = Add("scan", "Print records as JSON lines, in the order of writing", Scan, true);
    AddFilter(scan);
    scan->add_option("--prefix", arguments_.prefix, "Only ids that begin so");
    scan->add_option("--limit", arguments_.limit, "At most so many");
    scan->add_flag("--with-vector", arguments_.with_vector, "With vectors");
  }

  CLI::App app_;
  Arguments arguments_;
  std::string metric_ = "cosine";
  std::string codes_ = "auto";
  Command chosen_ = nullptr;
};

}  // namespace

int RunVdbctl(int argc, char** argv) {
  return CommandLine().Run(argc, argv);
}

}  // namespace vdb::tools
