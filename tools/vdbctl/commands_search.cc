// search, explain.

#include <cinttypes>
#include <cstdio>

#include "tools/lib/json_text.h"
#include "tools/vdbctl/commands.h"
#include "tools/vdbctl/output.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

// The request without its vector, which the caller keeps and sets.
Result<SearchRequest> MakeRequest(const Arguments& arguments) {
  SearchRequest request;
  request.id = arguments.id;
  request.k = arguments.k;
  request.filter = Filter(arguments.filter);
  VDB_ASSIGN_OR_RETURN(request.bind, BindValues(arguments));
  request.ef = arguments.ef;
  request.min_recall = arguments.min_recall;
  request.exact = arguments.exact;
  request.radius = arguments.radius;
  request.timeout = std::chrono::milliseconds(arguments.timeout_ms);
  request.with_vector = arguments.with_vector;
  return request;
}

Result<std::vector<float>> QueryVector(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(std::vector<float> vector, GivenVector(a));
  if (vector.empty() && a.id.empty()) return InvalidArgumentError("wanted --vector, --vector-file or --id");
  return vector;
}

// A cell for each of --fields, or the whole payload.
std::vector<std::string> PayloadCells(const std::string& payload, const std::vector<std::string>& fields) {
  if (fields.empty()) return {OneLine(payload)};
  std::vector<std::string> cells;
  const Result<ObjectText> object = ObjectText::Parse(payload);
  for (const std::string& field : fields) {
    const std::optional<std::string_view> value = object.ok() ? object->Find(field) : std::nullopt;
    std::string cell = value ? OneLine(*value) : "";
    if (cell.starts_with('"')) {
      if (const Result<std::optional<std::string>> text = PlainText(cell); text.ok() && *text) cell = **text;
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

void PrintHits(const Arguments& arguments, const SearchResult& result) {
  std::vector<std::string> head = {"id", "distance"};
  if (arguments.fields.empty()) head.push_back("payload");
  head.insert(head.end(), arguments.fields.begin(), arguments.fields.end());
  std::vector<std::vector<std::string>> rows;
  for (const Hit& hit : result.hits) {
    char distance[32];
    std::snprintf(distance, sizeof(distance), "%.4f", static_cast<double>(hit.distance));
    std::vector<std::string> row = {hit.id, distance};
    for (std::string& cell : PayloadCells(hit.payload, arguments.fields)) row.push_back(std::move(cell));
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    std::printf("no record matches\n");
  } else {
    PrintTable(head, rows);
  }
}

}  // namespace

Status Search(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const std::vector<float> vector, QueryVector(a));
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  VDB_ASSIGN_OR_RETURN(SearchRequest request, MakeRequest(a));
  request.vector = vector;
  VDB_ASSIGN_OR_RETURN(const SearchResult result, collection.Search(request));
  if (a.json) {
    std::printf("%s\n", SearchResultJson(result, a.fields).c_str());
    return OkStatus();
  }
  PrintHits(a, result);
  const PlanDetails& d = result.details;
  std::printf("%s%s%s; %" PRIu64 " of %" PRIu64 " records match; %s (filter %s, search %s)\n",
              std::string(PlanName(result.plan)).c_str(), result.exact ? ", exact" : "",
              result.complete ? ", complete" : ", INCOMPLETE", d.matches, d.live_rows, Micros(d.total_us).c_str(),
              Micros(d.filter_us).c_str(), Micros(d.search_us).c_str());
  return OkStatus();
}

Status Explain(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const std::vector<float> vector, QueryVector(a));
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  VDB_ASSIGN_OR_RETURN(SearchRequest request, MakeRequest(a));
  request.vector = vector;
  VDB_ASSIGN_OR_RETURN(const Explanation explanation, collection.Explain(request));
  std::printf("%s%s", (a.json ? ExplanationJson(explanation) : explanation.ToText()).c_str(), a.json ? "\n" : "");
  return OkStatus();
}

}  // namespace vdb::tools
