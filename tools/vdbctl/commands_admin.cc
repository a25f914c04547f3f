// create, collections, info, verify, compact, drop, repair, checkpoint, document.

#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "tools/lib/json_text.h"
#include "tools/lib/open_collection.h"
#include "tools/vdbctl/commands.h"
#include "tools/vdbctl/output.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

Result<std::vector<CollectionStats>> AllStats(Database* database) {
  VDB_ASSIGN_OR_RETURN(const std::vector<std::string> names, database->ListCollections());
  std::vector<CollectionStats> all;
  all.reserve(names.size());
  for (const std::string& name : names) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, database->OpenCollection(name));
    VDB_ASSIGN_OR_RETURN(CollectionStats stats, collection.Stats());
    all.push_back(std::move(stats));
  }
  return all;
}

std::string CollectionsJson(const std::vector<CollectionStats>& all) {
  std::string json = "[";
  for (const CollectionStats& stats : all) json += StrCat(json.size() > 1 ? ", " : "", StatsJson(stats));
  return json + "]";
}

void PrintCollections(const std::vector<CollectionStats>& all) {
  if (all.empty()) {
    std::printf("no collections\n");
    return;
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(all.size());
  for (const CollectionStats& s : all) {
    rows.push_back({s.name, StrCat(s.records), StrCat(s.options.dim), std::string(MetricName(s.options.metric)),
                    Bytes(s.anonymous_bytes), Bytes(s.mapped_bytes)});
  }
  PrintTable({"collection", "records", "dim", "metric", "memory", "mapped"}, rows);
}

// Bytes of the files in a folder; files that vanish meanwhile count 0.
std::uint64_t DiskBytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const std::uintmax_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

Status DatabaseInfo(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenForReading(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<CollectionStats> all, AllStats(&database));
  std::uint64_t records = 0;
  std::uint64_t anonymous = 0;
  std::uint64_t mapped = 0;
  for (const CollectionStats& stats : all) {
    records += stats.records;
    anonymous += stats.anonymous_bytes;
    mapped += stats.mapped_bytes;
  }
  const std::uint64_t disk = DiskBytes(a.database);
  const Status writable = database.WritableStatus();
  if (a.json) {
    std::printf("%s\n", StrCat("{\"path\": ", Quote(a.database), ", \"records\": ", records, ", \"disk_bytes\": ", disk,
                               ", \"anonymous_bytes\": ", anonymous, ", \"mapped_bytes\": ", mapped, ", \"writable\": ",
                               writable.ok() ? "true" : "false", ", \"why_not_writable\": ", Quote(writable.message()),
                               ", \"collections\": ", CollectionsJson(all), "}")
                            .c_str());
    return OkStatus();
  }
  PrintTable({"database", a.database}, {{"records", StrCat(records)},
                                        {"on disk", Bytes(disk)},
                                        {"memory", StrCat(Bytes(anonymous), ", and ", Bytes(mapped), " mapped")},
                                        {"state", writable.ok() ? "good" : writable.message()}});
  std::printf("\n");
  PrintCollections(all);
  return OkStatus();
}

std::string GraphText(const CollectionStats& s) {
  return s.linked == 0 ? "none yet: every search is exact" : StrCat(s.linked, " of ", s.slots, " slots");
}

std::string StateText(const CollectionStats& s) {
  if (!s.damage.empty()) return s.damage;
  if (!s.publish_error.empty()) return StrCat("cannot publish: ", s.publish_error);
  return s.verifying ? "good; published files are still being verified" : "good";
}

}  // namespace

Status Create(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, Database::Open(a.database));
  VDB_RETURN_IF_ERROR(database.CreateCollection(a.collection, a.options).status());
  VDB_RETURN_IF_ERROR(database.Close());
  if (a.json) {
    std::printf("{\"created\": %s}\n", Quote(a.collection).c_str());
  } else {
    std::printf("created %s: %zu dimensions, %s\n", a.collection.c_str(), a.options.dim,
                std::string(MetricName(a.options.metric)).c_str());
  }
  return OkStatus();
}

Status Collections(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenForReading(a));
  VDB_ASSIGN_OR_RETURN(const std::vector<CollectionStats> all, AllStats(&database));
  if (a.json) {
    std::printf("%s\n", CollectionsJson(all).c_str());
  } else {
    PrintCollections(all);
  }
  return OkStatus();
}

// What was chosen, and what that means.
std::string CodesText(const CollectionOptions& options) {
  const std::string_view chosen = CodeKindName(options.codes);
  if (options.codes != CodeKind::kByDimension) return std::string(chosen);
  if (options.dim == 0) return StrCat(chosen, ", not known yet");
  return StrCat(CodeKindName(ResolveCodes(options.codes, options.dim)), " (", chosen, ")");
}

Status Info(const Arguments& a) {
  if (a.collection.empty()) return DatabaseInfo(a);
  VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionOf(a));
  VDB_ASSIGN_OR_RETURN(const CollectionStats s, collection.Stats());
  if (a.json) {
    std::printf("%s\n", StatsJson(s).c_str());
    return OkStatus();
  }
  PrintTable({"collection", s.name},
             {{"records", StrCat(s.records)},
              {"dimension, metric", StrCat(s.options.dim, ", ", MetricName(s.options.metric))},
              {"M, efConstruction", StrCat(s.options.m, ", ", s.options.ef_construction)},
              {"codes", CodesText(s.options)},
              {"slots", StrCat(s.slots, " (", s.slots - s.records, " dead)")},
              {"graph", GraphText(s)},
              {"published", StrCat(s.published, " slots, generation ", s.generation)},
              {"oldest view", StrCat(s.oldest_view_seconds, " s")},
              {"memory", StrCat(Bytes(s.anonymous_bytes), ", and ", Bytes(s.mapped_bytes), " mapped")},
              {"payload paths", s.unindexed_rows == 0
                                    ? StrCat(s.paths)
                                    : StrCat(s.paths, "; ", s.unindexed_rows, " rows have more, read from payloads")},
              {"state", StateText(s)}});
  return OkStatus();
}

Status Verify(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenForReading(a));
  std::vector<std::string> names = {a.collection};
  if (a.collection.empty()) {
    VDB_ASSIGN_OR_RETURN(names, database.ListCollections());
  }
  // One damaged collection does not hide another.
  std::string json;
  Status first;
  std::size_t damaged = 0;
  for (const std::string& name : names) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, OpenNamed(&database, name));
    const Status status = collection.Verify();
    json += StrCat(json.empty() ? "" : ", ", "{\"name\": ", Quote(name), ", \"good\": ", status.ok() ? "true" : "false",
                   ", \"problem\": ", Quote(status.message()), "}");
    if (!a.json) std::printf("%s: %s\n", name.c_str(), status.ok() ? "good" : status.message().c_str());
    if (status.ok()) continue;
    ++damaged;
    if (first.ok()) first = status;
  }
  if (a.json) std::printf("{\"verified\": %zu, \"collections\": [%s]}\n", names.size(), json.c_str());
  if (damaged == 0) return OkStatus();
  return first.WithMessage(StrCat(damaged, " of ", names.size(), " collections, the first: ", first.message()));
}

Status Compact(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenCollectionOf(a));
  VDB_ASSIGN_OR_RETURN(const CollectionStats before, collection.Stats());
  VDB_RETURN_IF_ERROR(collection.Compact());
  VDB_ASSIGN_OR_RETURN(const CollectionStats after, collection.Stats());
  std::printf(a.json ? "{\"slots_before\": %" PRIu64 ", \"slots_after\": %" PRIu64 "}\n"
                     : "%" PRIu64 " slots became %" PRIu64 "\n",
              before.slots, after.slots);
  return OkStatus();
}

Status Checkpoint(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  VDB_RETURN_IF_ERROR(database.Checkpoint(a.target));
  std::printf(a.json ? "{\"checkpoint\": %s}\n" : "copied to %s\n",
              (a.json ? Quote(a.target) : Printable(a.target)).c_str());
  return OkStatus();
}

Status Document(const Arguments& a) {
  if (a.payload.empty()) {
    VDB_ASSIGN_OR_RETURN(const Collection collection, OpenCollectionForReading(a));
    VDB_ASSIGN_OR_RETURN(const std::string document, collection.GetDocument());
    std::printf("%s\n", Printable(OneLine(document)).c_str());
    return OkStatus();
  }
  VDB_ASSIGN_OR_RETURN(Collection collection, OpenCollectionOf(a));
  VDB_RETURN_IF_ERROR(collection.SetDocument(a.payload));
  std::printf(a.json ? "{\"set\": true}\n" : "set\n");
  return OkStatus();
}

Status Drop(const Arguments& a) {
  VDB_ASSIGN_OR_RETURN(Database database, OpenExisting(a));
  {
    // For the names in the error; the handle goes before the collection does.
    VDB_RETURN_IF_ERROR(OpenNamed(&database, a.collection).status());
  }
  VDB_RETURN_IF_ERROR(database.DropCollection(a.collection));
  VDB_RETURN_IF_ERROR(database.Close());
  if (a.json) {
    std::printf("{\"dropped\": %s}\n", Quote(a.collection).c_str());
  } else {
    std::printf("dropped %s\n", a.collection.c_str());
  }
  return OkStatus();
}

Status Repair(const Arguments& a) {
  if (a.accept_loss != a.target.empty()) {
    return InvalidArgumentError(
        "wanted --accept-loss (opens the database where it is), or a new folder for a repaired copy");
  }
  if (a.accept_loss) {
    VDB_ASSIGN_OR_RETURN(Database database,
                         Database::Open(a.database, {.create_if_missing = false, .accept_data_loss = true}));
    VDB_RETURN_IF_ERROR(database.Close());
    std::printf(a.json ? "{\"accepted\": true}\n" : "opens again; what was lost stays lost\n");
    return OkStatus();
  }
  VDB_ASSIGN_OR_RETURN(const RepairReport report, RepairCopy(a.database, a.target));
  std::printf(a.json ? "{\"collections\": %" PRIu64 ", \"records\": %" PRIu64 ", \"missing\": %" PRIu64
                       ", \"dropped\": %" PRIu64 "}\n"
                     : "%" PRIu64 " collections, %" PRIu64 " records kept, %" PRIu64 " missing, %" PRIu64
                       " incomplete entries dropped\n",
              report.collections, report.records, report.missing, report.dropped);
  if (report.missing == 0) return OkStatus();
  return DataLossError(StrCat(a.target, " was made, but ", report.missing, " records could not be recovered"));
}

}  // namespace vdb::tools
