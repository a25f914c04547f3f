// put, get, update, delete, count, facets, scan.

#include <cinttypes>
#include <cstdio>

#include "tools/lib/json_text.h"
#include "tools/lib/line_reader.h"
#include "tools/lib/open_collection.h"
#include "tools/vdbctl/commands.h"
#include "tools/vdbctl/output.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

// {"id": …, "vector": […], "payload": {…}}; "vector": null is a record without one.
Status PutLine(Collection* collection, const std::string& line) {
  VDB_ASSIGN_OR_RETURN(const ObjectText object, ObjectText::Parse(line));
  const std::optional<std::string_view> id_text = object.Find("id");
  const std::optional<std::string_view> vector_text = object.Find("vector");
  if (!id_text || !vector_text) {
    return InvalidArgumentError(StrCat("the object has no member '", id_text ? "vector" : "id", "'"));
  }
  VDB_ASSIGN_OR_RETURN(const std::optional<std::string> id, PlainText(*id_text));
  if (!id) return InvalidArgumentError("member 'id' is null; wanted a string or a number");
  std::vector<float> vector;
  const bool without_vector = *vector_text == "null";
  if (!without_vector) VDB_RETURN_IF_ERROR(ParseVector(*vector_text, &vector));
  return collection->Upsert({*id, vector, object.Find("payload").value_or("{}"), without_vector},
                            {.durability = Durability::kOsBuffered});
}

Result<std::uint64_t> PutLines(Collection* collection) {
  VDB_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open("-"));
  std::string line;
  for (std::uint64_t count = 0;; ++count) {
    VDB_ASSIGN_OR_RETURN(const bool found, lines.Next(&line));
    if (!found) return count;
    const Status status = PutLine(collection, line);
    if (status.ok()) continue;
    return status.WithMessage(StrCat(lines.Place(), ": ", status.message(), "; records written before it: ", count));
  }
}

}  // namespace

Status Put(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenNamed(&database, a.collection));
  std::uint64_t count = 1;
  if (!a.id.empty()) {
    VDB_ASSIGN_OR_RETURN(const std::vector<float> vector, GivenVector(a));
    if (vector.empty()) return InvalidArgumentError("wanted --vector or --vector-file beside --id");
    VDB_RETURN_IF_ERROR(collection.Upsert({a.id, vector, a.payload}));
  } else if (!a.vector.empty() || !a.vector_file.empty() || !a.payload.empty()) {
    return InvalidArgumentError("wanted --id beside the vector and payload, or records on the standard input");
  } else {
    VDB_ASSIGN_OR_RETURN(count, PutLines(&collection));
  }
  VDB_RETURN_IF_ERROR(database.Close());  // syncs, before it is said to be written
  std::printf(a.json ? "{\"written\": %" PRIu64 "}\n" : "%" PRIu64 " written\n", count);
  return OkStatus();
}

Status Get(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  std::string json;
  for (const std::string& id : a.ids) {
    VDB_ASSIGN_OR_RETURN(const Record record, collection.Get(id, a.with_vector));
    if (a.json) {
      json += StrCat(json.empty() ? "" : ", ", RecordJson(record));
      continue;
    }
    std::printf("%s  %s\n", Printable(record.id).c_str(), Printable(OneLine(record.payload)).c_str());
    if (a.with_vector) std::printf("%s\n", VectorJson(record.vector).c_str());
  }
  if (a.json) std::printf(a.ids.size() == 1 ? "%s\n" : "[%s]\n", json.c_str());
  return OkStatus();
}

Status Update(const Arguments& a) {
  if (a.id.empty() == a.filter.empty()) return InvalidArgumentError("wanted --id or --filter, and not both");
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenCollectionOf(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<Value> bind, BindValues(a));
  const UpdateOptions options{.mode = a.replace ? UpdateMode::kReplace : UpdateMode::kMerge};
  const PayloadUpdate one{.id = a.id, .payload = a.payload};
  VDB_ASSIGN_OR_RETURN(const std::uint64_t updated,
                       a.id.empty() ? collection.UpdateWhere(Filter(a.filter), a.payload, bind, options)
                                    : collection.Update({&one, 1}, options));
  std::printf(a.json ? "{\"updated\": %" PRIu64 "}\n" : "%" PRIu64 " updated\n", updated);
  return OkStatus();
}

Status Delete(const Arguments& a) {
  if (a.ids.empty() == a.filter.empty()) return InvalidArgumentError("wanted ids or --filter, and not both");
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenCollectionOf(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<Value> bind, BindValues(a));
  const std::vector<std::string_view> ids(a.ids.begin(), a.ids.end());
  VDB_ASSIGN_OR_RETURN(const std::uint64_t removed,
                       ids.empty() ? collection.DeleteWhere(Filter(a.filter), bind) : collection.Delete(ids));
  std::printf(a.json ? "{\"deleted\": %" PRIu64 "}\n" : "%" PRIu64 " deleted\n", removed);
  return OkStatus();
}

Status Count(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<Value> bind, BindValues(a));
  VDB_ASSIGN_OR_RETURN(const std::uint64_t count, collection.Count(Filter(a.filter), bind));
  std::printf(a.json ? "{\"count\": %" PRIu64 "}\n" : "%" PRIu64 "\n", count);
  return OkStatus();
}

Status Facets(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  VDB_ASSIGN_OR_RETURN(std::vector<Value> bind, BindValues(a));
  VDB_ASSIGN_OR_RETURN(
      const FacetResult facets,
      collection.Facets({.path = a.path, .filter = Filter(a.filter), .bind = std::move(bind), .limit = a.facet_limit}));
  if (a.json) {
    std::printf("%s\n", FacetResultJson(facets).c_str());
    return OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const FacetValue& value : facets.values) rows.push_back({ValueJson(value.value), std::to_string(value.count)});
  if (!rows.empty()) PrintTable({"value", "records"}, rows);
  const std::string range =
      facets.distinct == 0 ? "" : StrCat(", from ", ValueJson(facets.min), " to ", ValueJson(facets.max));
  std::printf("%s\n", Printable(StrCat(facets.distinct, " distinct values", range, "; ", facets.records,
                                       " records match, ", facets.missing, " of them without a value"))
                          .c_str());
  return OkStatus();
}

Status Scan(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
  VDB_ASSIGN_OR_RETURN(std::vector<Value> bind, BindValues(a));
  VDB_ASSIGN_OR_RETURN(
      Scanner scanner,
      collection.Scan(
          {.filter = Filter(a.filter), .bind = std::move(bind), .id_prefix = a.prefix, .with_vector = a.with_vector}));
  for (std::uint64_t count = 0; a.limit == 0 || count < a.limit; ++count) {
    VDB_ASSIGN_OR_RETURN(const std::optional<Record> record, scanner.Next());
    if (!record) break;
    std::printf("%s\n", RecordJson(*record).c_str());
    if (std::ferror(stdout) != 0) break;  // reported at the end
  }
  return OkStatus();
}

}  // namespace vdb::tools
