#include "tools/vdbctl/commands.h"

#include <vdb/repair.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tools/lib/json_text.h"
#include "tools/lib/line_reader.h"
#include "tools/lib/vector_reader.h"
#include "tools/vdbctl/output.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

Result<Database> OpenExisting(const Arguments& arguments) {
  return Database::Open(arguments.database, {.create_if_missing = false});
}

// A handle on the named collection; an unknown name lists those that exist.
Result<Collection> OpenNamed(const Arguments& arguments) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(arguments));
  Result<Collection> collection = database.OpenCollection(arguments.collection);
  if (collection.ok() || collection.status().code() != StatusCode::kNotFound) return collection;
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, database.ListCollections());
  std::string known = names.empty() ? "; there are none" : "; there are:";
  for (const std::string& name : names) known += StrCat(" ", name);
  return NotFoundError(StrCat(collection.status().message(), known));
}

std::vector<Value> BindValues(const Arguments& arguments) {
  std::vector<Value> values;
  for (const std::string& text : arguments.bind) values.push_back(ParseValue(text));
  return values;
}

// --vector, or the row that --vector-file FILE:ROW names; empty if neither is given.
Result<std::vector<float>> GivenVector(const Arguments& arguments) {
  std::vector<float> vector;
  if (!arguments.vector.empty()) {
    VDB_RETURN_IF_ERROR(ParseVector(arguments.vector, "vector", &vector));
    return vector;
  }
  if (arguments.vector_file.empty()) return vector;
  const std::size_t colon = arguments.vector_file.rfind(':');
  const std::string path = arguments.vector_file.substr(0, colon);
  char* end = nullptr;
  const char* digits = colon == std::string::npos ? "" : arguments.vector_file.c_str() + colon + 1;
  const std::uint64_t row = std::strtoull(digits, &end, 10);
  if (end == digits || *end != '\0') {
    return InvalidArgumentError(StrCat("--vector-file is '", arguments.vector_file, "'; wanted FILE:ROW"));
  }
  VDB_ASSIGN_OR_RETURN(const std::unique_ptr<VectorReader> reader, VectorReader::Open(path, "vector"));
  for (std::uint64_t at = 0;; ++at) {
    VDB_ASSIGN_OR_RETURN(const bool found, reader->Next(&vector));
    if (!found) return NotFoundError(StrCat(path, " has ", at, " rows; row ", row, " was asked for"));
    if (at == row) return vector;
  }
}

// The request and what its views point to.
struct OwnedRequest {
  std::vector<float> vector;
  SearchRequest request;
};

Result<OwnedRequest> MakeRequest(const Arguments& arguments) {
  OwnedRequest owned;
  VDB_ASSIGN_OR_RETURN(owned.vector, GivenVector(arguments));
  owned.request.id = arguments.id;
  owned.request.k = arguments.k;
  owned.request.filter = Filter(arguments.filter);
  owned.request.bind = BindValues(arguments);
  owned.request.ef = arguments.ef;
  owned.request.exact = arguments.exact;
  owned.request.with_vector = arguments.with_vector;
  return owned;
}

// The payload, or of it the members that --fields names.
std::string Shown(const std::string& payload, const std::vector<std::string>& fields) {
  if (fields.empty()) return payload;
  std::string shown;
  for (const std::string& field : fields) {
    const Result<std::optional<std::string>> member = MemberJson(payload, field);
    if (member.ok() && *member) shown += StrCat(shown.empty() ? "" : "  ", **member);
  }
  return shown;
}

Status PrintSearch(const Arguments& arguments, const SearchResult& result) {
  if (arguments.json) {
    std::printf("%s\n", SearchResultJson(result).c_str());
    return OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const Hit& hit : result.hits) {
    char distance[32];
    std::snprintf(distance, sizeof(distance), "%.4f", hit.distance);
    rows.push_back({hit.id, distance, Shown(hit.payload, arguments.fields)});
  }
  if (rows.empty()) {
    std::printf("no record matches\n");
  } else {
    PrintTable({"id", "distance", "payload"}, rows);
  }
  std::printf("%s%s%s; %llu of %llu records match; %s (filter %s, search %s)\n",
              std::string(PlanName(result.plan)).c_str(), result.exact ? ", exact" : "",
              result.complete ? ", complete" : ", INCOMPLETE", static_cast<unsigned long long>(result.details.matches),
              static_cast<unsigned long long>(result.details.live_rows), Micros(result.details.total_us).c_str(),
              Micros(result.details.filter_us).c_str(), Micros(result.details.search_us).c_str());
  return OkStatus();
}

Status DoCreate(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, Database::Open(a.database));
  VDB_RETURN_IF_ERROR(database.CreateCollection(a.collection, a.options).status());
  if (a.json) {
    std::printf("{\"created\": %s}\n", Quote(a.collection).c_str());
  } else {
    std::printf("created %s: %zu dimensions, %s\n", a.collection.c_str(), a.options.dim,
                std::string(MetricName(a.options.metric)).c_str());
  }
  return database.Close();
}

Status DoCollections(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, database.ListCollections());
  std::vector<std::vector<std::string>> rows;
  std::string json;
  for (const std::string& name : names) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, database.OpenCollection(name));
    VDB_ASSIGN_OR_RETURN(const CollectionStats stats, collection.Stats());
    json += StrCat(json.empty() ? "" : ", ", StatsJson(stats));
    rows.push_back(
        {name, StrCat(stats.records), StrCat(stats.options.dim), std::string(MetricName(stats.options.metric))});
  }
  if (a.json) {
    std::printf("[%s]\n", json.c_str());
  } else if (rows.empty()) {
    std::printf("no collections\n");
  } else {
    PrintTable({"collection", "records", "dim", "metric"}, rows);
  }
  return OkStatus();
}

Status DoInfo(const Arguments& a) {
  if (a.collection.empty()) return DoCollections(a);
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(const CollectionStats s, collection.Stats());
  if (a.json) {
    std::printf("%s\n", StatsJson(s).c_str());
    return OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {
      {"records", StrCat(s.records)},
      {"dimension, metric", StrCat(s.options.dim, ", ", MetricName(s.options.metric))},
      {"M, efConstruction", StrCat(s.options.m, ", ", s.options.ef_construction)},
      {"slots", StrCat(s.slots, " (", s.slots - s.records, " dead)")},
      {"in the graph", s.linked == 0 ? "none: scans are as fast" : StrCat(s.linked)},
      {"published", StrCat(s.published)},
      {"memory", StrCat(Bytes(s.anonymous_bytes), ", and ", Bytes(s.mapped_bytes), " mapped")},
      {"payload paths", StrCat(s.paths)},
      {"state", s.verifying ? "verifying published files" : (s.damage.empty() ? "good" : s.damage)}};
  PrintTable({"collection", s.name}, rows);
  return OkStatus();
}

Status PutLine(Collection* collection, const std::string& line, const std::string& place) {
  const auto located = [&](const Status& status) {
    return Status(status.code(), StrCat(place, ": ", status.message()));
  };
  Result<std::optional<std::string>> id = Member(line, "id");
  if (!id.ok()) return located(id.status());
  if (!*id) return located(InvalidArgumentError("the object has no member 'id'"));
  std::vector<float> vector;
  if (const Status status = ParseVector(line, "vector", &vector); !status.ok()) return located(status);
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> payload, MemberJson(line, "payload"));
  const Status status =
      collection->Upsert({**id, vector, payload.value_or("{}")}, {.durability = Durability::kOsBuffered});
  return status.ok() ? status : located(status);
}

Status DoPut(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  VDB_ASSIGN_OR_RETURN(Collection collection, database.OpenCollection(a.collection));
  std::uint64_t count = 1;
  if (!a.id.empty()) {
    VDB_ASSIGN_OR_RETURN(const std::vector<float> vector, GivenVector(a));
    VDB_RETURN_IF_ERROR(collection.Upsert({a.id, vector, a.payload}));
  } else {
    VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open("-"));
    std::string line;
    for (count = 0;; ++count) {
      VDB_ASSIGN_OR_RETURN(const bool found, lines.Next(&line));
      if (!found) break;
      VDB_RETURN_IF_ERROR(PutLine(&collection, line, lines.Place()));
    }
  }
  std::printf(a.json ? "{\"written\": %llu}\n" : "%llu written\n", static_cast<unsigned long long>(count));
  return database.Close();
}

Status DoGet(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  for (const std::string& id : a.ids) {
    VDB_ASSIGN_OR_RETURN(const Record record, collection.Get(id, a.with_vector));
    if (a.json) {
      std::printf("%s\n", RecordJson(record).c_str());
      continue;
    }
    std::printf("%s  %s\n", record.id.c_str(), record.payload.c_str());
    if (a.with_vector) std::printf("%s\n", VectorJson(record.vector).c_str());
  }
  return OkStatus();
}

Status DoDelete(const Arguments& a) {
  if (a.ids.empty() == a.filter.empty()) return InvalidArgumentError("wanted ids or --filter, and not both");
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenNamed(a));
  const std::vector<std::string_view> ids(a.ids.begin(), a.ids.end());
  VDB_ASSIGN_OR_RETURN(const std::uint64_t removed,
                       ids.empty() ? collection.DeleteWhere(Filter(a.filter), BindValues(a)) : collection.Delete(ids));
  std::printf(a.json ? "{\"deleted\": %llu}\n" : "%llu deleted\n", static_cast<unsigned long long>(removed));
  return OkStatus();
}

Status DoCount(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(const std::uint64_t count, collection.Count(Filter(a.filter), BindValues(a)));
  std::printf(a.json ? "{\"count\": %llu}\n" : "%llu\n", static_cast<unsigned long long>(count));
  return OkStatus();
}

Status DoSearch(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(OwnedRequest owned, MakeRequest(a));
  owned.request.vector = owned.vector;
  VDB_ASSIGN_OR_RETURN(const SearchResult result, collection.Search(owned.request));
  return PrintSearch(a, result);
}

Status DoExplain(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(OwnedRequest owned, MakeRequest(a));
  owned.request.vector = owned.vector;
  VDB_ASSIGN_OR_RETURN(const Explanation explanation, collection.Explain(owned.request));
  std::printf("%s%s", (a.json ? ExplanationJson(explanation) : explanation.ToText()).c_str(), a.json ? "\n" : "");
  return OkStatus();
}

Status DoScan(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(
      Scanner scanner,
      collection.Scan(
          {.filter = Filter(a.filter), .bind = BindValues(a), .id_prefix = a.prefix, .with_vector = a.with_vector}));
  for (std::uint64_t count = 0; a.limit == 0 || count < a.limit; ++count) {
    VDB_ASSIGN_OR_RETURN(const std::optional<Record> record, scanner.Next());
    if (!record) break;
    std::printf("%s\n", RecordJson(*record).c_str());
  }
  return OkStatus();
}

Status DoVerify(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  std::vector<std::string> names = {a.collection};
  if (a.collection.empty()) {
    VDB_ASSIGN_OR_RETURN(names, database.ListCollections());
  }
  for (const std::string& name : names) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, database.OpenCollection(name));
    VDB_RETURN_IF_ERROR(collection.Verify());
    if (!a.json) std::printf("%s: good\n", name.c_str());
  }
  if (a.json) std::printf("{\"verified\": %zu}\n", names.size());
  return OkStatus();
}

Status DoCompact(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenNamed(a));
  VDB_ASSIGN_OR_RETURN(const CollectionStats before, collection.Stats());
  VDB_RETURN_IF_ERROR(collection.Compact());
  VDB_ASSIGN_OR_RETURN(const CollectionStats after, collection.Stats());
  std::printf(a.json ? "{\"slots_before\": %llu, \"slots_after\": %llu}\n" : "%llu slots became %llu\n",
              static_cast<unsigned long long>(before.slots), static_cast<unsigned long long>(after.slots));
  return OkStatus();
}

Status DoDrop(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  VDB_RETURN_IF_ERROR(database.DropCollection(a.collection));
  if (a.json) {
    std::printf("{\"dropped\": %s}\n", Quote(a.collection).c_str());
  } else {
    std::printf("dropped %s\n", a.collection.c_str());
  }
  return database.Close();
}

Status DoRepair(const Arguments& a) {
  if (a.accept_loss != a.target.empty()) {
    return InvalidArgumentError(
        "wanted --accept-loss (opens the database where it is), or a new folder for a repaired copy");
  }
  if (a.accept_loss) {
    VDB_ASSIGN_OR_RETURN(Database database,
                         Database::Open(a.database, {.create_if_missing = false, .accept_data_loss = true}));
    std::printf(a.json ? "{\"accepted\": true}\n" : "opens again; what was lost stays lost\n");
    return database.Close();
  }
  VDB_ASSIGN_OR_RETURN(const RepairReport report, vdb::RepairCopy(a.database, a.target));
  std::printf(a.json ? "{\"collections\": %llu, \"records\": %llu, \"missing\": %llu, \"dropped\": %llu}\n"
                     : "%llu collections, %llu records kept, %llu missing, %llu incomplete entries dropped\n",
              static_cast<unsigned long long>(report.collections), static_cast<unsigned long long>(report.records),
              static_cast<unsigned long long>(report.missing), static_cast<unsigned long long>(report.dropped));
  if (report.missing == 0) return OkStatus();
  return DataLossError(StrCat(a.target, " was made, but ", report.missing, " records could not be recovered"));
}

int ExitOf(const Status& status) {
  return status.ok() ? 0 : Fail(status);
}

}  // namespace

int Fail(const Status& status) {
  std::fprintf(stderr, "vdbctl: %s\n", status.ToString().c_str());
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return 2;
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

int Create(const Arguments& arguments) {
  return ExitOf(DoCreate(arguments));
}
int Collections(const Arguments& arguments) {
  return ExitOf(DoCollections(arguments));
}
int Info(const Arguments& arguments) {
  return ExitOf(DoInfo(arguments));
}
int Put(const Arguments& arguments) {
  return ExitOf(DoPut(arguments));
}
int Get(const Arguments& arguments) {
  return ExitOf(DoGet(arguments));
}
int Delete(const Arguments& arguments) {
  return ExitOf(DoDelete(arguments));
}
int Count(const Arguments& arguments) {
  return ExitOf(DoCount(arguments));
}
int Search(const Arguments& arguments) {
  return ExitOf(DoSearch(arguments));
}
int Explain(const Arguments& arguments) {
  return ExitOf(DoExplain(arguments));
}
int Scan(const Arguments& arguments) {
  return ExitOf(DoScan(arguments));
}
int Verify(const Arguments& arguments) {
  return ExitOf(DoVerify(arguments));
}
int Compact(const Arguments& arguments) {
  return ExitOf(DoCompact(arguments));
}
int Drop(const Arguments& arguments) {
  return ExitOf(DoDrop(arguments));
}
int Repair(const Arguments& arguments) {
  return ExitOf(DoRepair(arguments));
}

}  // namespace vdb::tools
