// make_golden FOLDER [bare|codes|components]: writes the database that contents.h describes (or another one of it), and
// ends without closing it, so that the store's log holds commits.

#include <unistd.h>
#include <vdb/bulk_loader.h>
#include <vdb/vdb.h>

#include <cstdio>
#include <string_view>

#include "tests/golden/contents.h"

namespace vdb {
namespace {

void WriteNotes(Database* database) {
  Collection c = database->CreateCollection("notes", {.dim = 4, .metric = Metric::kCosine}).value();
  const auto put = [&](int i, const std::string& payload) {
    const std::vector<float> v = NoteVector(i);
    c.Upsert({NoteId(i), v, payload}).value();
  };
  for (int i = 0; i < kNotesPublished; ++i) put(i, NotePayload(i));
  put(4, RewrittenPayload(4));
  c.Delete(NoteId(2)).value();
  c.Publish().value();
  for (int i = kNotesPublished; i < kNotes; ++i) put(i, NotePayload(i));
  put(17, RewrittenPayload(17));
  c.Delete(NoteId(9)).value();
  c.Delete(NoteId(18)).value();
}

void WriteWide(Database* database) {
  Collection c =
      database->CreateCollection("wide", {.dim = kWideDim, .metric = Metric::kL2Squared, .m = 4, .ef_construction = 40})
          .value();
  for (int i = 0; i < kWide; ++i) {
    const std::vector<float> v = WideVector(i);
    c.Upsert({WideId(i), v, "{}"}).value();
  }
  c.WaitForIndex().value();
  c.Publish().value();
}

void WriteBulk(Database* database) {
  BulkLoader loader =
      BulkLoader::Begin(database, "bulk", BulkMode::kCreate, {.dim = 3, .metric = Metric::kInnerProduct}).value();
  for (int i = 0; i < kBulk; ++i) {
    const std::vector<float> v = BulkVector(i);
    const std::string id = BulkId(i);
    const RecordView record{id, v, "{}"};
    loader.Add({&record, 1}).value();
  }
  Collection c = loader.Finish().value();
  c.Delete(BulkId(0)).value();
  c.Compact().value();
}

void WriteGone(Database* database) {
  Collection c = database->CreateCollection("gone", {.dim = 1}).value();
  const std::vector<float> v = {1};
  c.Upsert({"x", v, "{}"}).value();
  database->DropCollection("gone").value();
}

void WriteBare(Database* database) {
  Collection c = database->CreateCollection("bare", {.metric = Metric::kL2Squared}).value();
  c.SetDocument(kBareDocument).value();
  for (int i = 0; i < kBare; ++i) {
    if (i == kBarePublished) c.Publish().value();
    const std::string id = BareId(i);
    const std::string payload = BarePayload(i);
    const std::vector<float> v = BareHasVector(i) ? BareVector(i) : std::vector<float>();
    c.Upsert({.id = id, .vector = v, .payload = payload, .without_vector = v.empty()}).value();
  }
}

void WriteCoded(Database* database, std::string_view name, bool outlier) {
  BulkLoader loader =
      BulkLoader::Begin(
          database, name, BulkMode::kCreate,
          {.dim = kCodedDim, .metric = Metric::kL2Squared, .m = 8, .ef_construction = 60, .codes = CodeKind::kInt8})
          .value();
  for (int i = 0; i < kCoded; ++i) {
    const std::string id = CodedId(i);
    const std::string payload = CodedPayload(i);
    const std::vector<float> v = CodedVector(i, outlier);
    const RecordView record{id, v, payload};
    loader.Add({&record, 1}).value();
  }
  loader.Finish().value();
}

void WriteQuiet(Database* database) {
  BulkLoader loader = BulkLoader::Begin(database, "components", BulkMode::kCreate,
                                        {.dim = kQuietDim, .metric = Metric::kL2Squared, .m = 4, .ef_construction = 40})
                          .value();
  for (int i = 0; i < kQuiet; ++i) {
    const std::string id = QuietId(i);
    const std::vector<float> v = QuietVector(i);
    const RecordView record{id, v, "{}"};
    loader.Add({&record, 1}).value();
  }
  loader.Finish().value();
}

}  // namespace
}  // namespace vdb

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the program, as it should.
int main(int count, char** words) {
  const bool bare = count == 3 && std::string_view(words[2]) == "bare";
  const bool codes = count == 3 && std::string_view(words[2]) == "codes";
  const bool components = count == 3 && std::string_view(words[2]) == "components";
  if (count != 2 && !bare && !codes && !components) {
    std::fprintf(stderr, "usage: make_golden FOLDER [bare|codes|components]\n");
    return 2;
  }
  vdb::Database database = vdb::Database::Open(words[1]).value();
  if (bare) {
    vdb::WriteBare(&database);
    ::_exit(0);
  }
  if (components) {
    vdb::WriteQuiet(&database);
    ::_exit(0);
  }
  if (codes) {
    vdb::WriteCoded(&database, "codes", false);
    vdb::WriteCoded(&database, "rotated", true);
    ::_exit(0);
  }
  vdb::WriteWide(&database);
  vdb::WriteBulk(&database);
  vdb::WriteGone(&database);
  vdb::WriteNotes(&database);
  ::_exit(0);
}
