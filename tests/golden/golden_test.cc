// Databases of every format that was ever released, as their first writer left them.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "tests/db/temp_folder.h"
#include "tests/golden/contents.h"

namespace vdb {
namespace {

class GoldenFolder : public ::testing::Test {
 protected:
  void Unpack(const std::string& name) {
    const std::string unpack = "cd '" + folder_.path() + "' && '" + VDB_CMAKE + "' -E tar xzf '" + VDB_GOLDEN_FOLDER +
                               "/format-" + name + ".tar.gz'";
    ASSERT_EQ(std::system(unpack.c_str()), 0) << unpack;
    Reopen();
  }
  void Reopen() {
    if (database_) {
      ASSERT_EQ(database_->Close(), OkStatus());
    }
    database_.emplace(Database::Open(folder_.Path("db"), {.create_if_missing = false}).value());
  }
  Collection Open(std::string_view name) { return database_->OpenCollection(name).value(); }

  TempFolder folder_;
  std::optional<Database> database_;
};

class Golden : public GoldenFolder, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { Unpack(GetParam()); }

  void CheckNotes() {
    Collection c = Open("notes");
    EXPECT_EQ(c.options().dim, 4U);
    EXPECT_EQ(c.options().metric, Metric::kCosine);
    std::set<std::string> scanned;
    Scanner scanner = c.Scan().value();
    while (std::optional<Record> record = scanner.Next().value()) scanned.insert(record->id);
    std::uint64_t live = 0;
    for (int i = 0; i < kNotes; ++i) {
      const Result<Record> record = c.Get(NoteId(i), true);
      EXPECT_EQ(scanned.contains(NoteId(i)), !IsNoteDeleted(i)) << i;
      if (IsNoteDeleted(i)) {
        EXPECT_EQ(record.status().code(), StatusCode::kNotFound) << i;
        continue;
      }
      ++live;
      ASSERT_TRUE(record.ok()) << i << ": " << record.status();
      EXPECT_EQ(record->payload, IsNoteRewritten(i) ? RewrittenPayload(i) : NotePayload(i)) << i;
      EXPECT_EQ(record->vector, NoteVector(i)) << i;
      const SearchResult found = c.Search({.vector = NoteVector(i), .k = 1}).value();
      EXPECT_EQ(found.hits.at(0).id, NoteId(i));
      EXPECT_NEAR(found.hits.at(0).distance, 0, 1e-5);
    }
    EXPECT_EQ(c.Count().value(), live);
    EXPECT_EQ(scanned.size(), live);
    EXPECT_EQ(c.Verify(), OkStatus());
    CheckFilters(c);
  }

  static void CheckFilters(const Collection& c) {
    const auto expect = [&](const std::string& filter, const auto& matches) {
      std::uint64_t wanted = 0;
      for (int i = 0; i < kNotes; ++i) wanted += !IsNoteDeleted(i) && !IsNoteRewritten(i) && matches(i) ? 1U : 0U;
      EXPECT_EQ(c.Count(filter).value(), wanted) << filter;
      EXPECT_EQ(c.Search({.vector = NoteVector(0), .k = 100, .filter = filter}).value().hits.size(), wanted) << filter;
    };
    expect("lang = 'de'", [](int i) { return i % 3 == 0; });
    expect("even = TRUE AND n >= 10", [](int i) { return i % 2 == 0 && i >= 10; });
    expect("half BETWEEN 3 AND 12", [](int i) { return i >= 3 && i <= 11; });
    expect("big = 9007199254740993", [](int) { return true; });
    expect("at < TIMESTAMP '2024-01-06T00:00:00Z'", [](int i) { return i < 5; });
    expect("none IS NULL AND n IS NOT NULL", [](int) { return true; });
    for (const int i : {0, 11, 19}) {
      expect("tags CONTAINS 't" + std::to_string(i) + "'", [i](int n) { return n == i; });
      expect("deep.list[].x CONTAINS " + std::to_string(i), [i](int n) { return n == i; });
    }
    EXPECT_EQ(c.Count("rewritten > 0").value(), 2U);
  }

  void CheckWide() {
    Collection c = Open("wide");
    EXPECT_EQ(c.options().m, 4U);
    EXPECT_EQ(c.options().ef_construction, 40U);
    EXPECT_EQ(c.options().codes, CodeKind::kFloat32);
    const CollectionStats stats = c.Stats().value();
    EXPECT_EQ(stats.linked, static_cast<std::uint64_t>(kWide));
    EXPECT_EQ(stats.records, static_cast<std::uint64_t>(kWide));
    for (int i = 0; i < kWide; ++i) {
      EXPECT_EQ(c.Search({.vector = WideVector(i), .k = 1}).value().hits.at(0).id, WideId(i));
      EXPECT_EQ(c.Get(WideId(i), true).value().vector, WideVector(i));
    }
    EXPECT_EQ(c.Verify(), OkStatus());
  }

  void CheckBulk() {
    Collection c = Open("bulk");
    EXPECT_EQ(c.options().metric, Metric::kInnerProduct);
    EXPECT_EQ(c.Stats().value().generation, 2U);
    EXPECT_EQ(c.Count().value(), static_cast<std::uint64_t>(kBulk - 1));
    EXPECT_EQ(c.Get(BulkId(0)).status().code(), StatusCode::kNotFound);
    for (int i = 1; i < kBulk; ++i) EXPECT_EQ(c.Get(BulkId(i), true).value().vector, BulkVector(i));
    EXPECT_EQ(c.Search({.vector = BulkVector(5), .k = 1}).value().hits.at(0).id, BulkId(kBulk - 1));
    EXPECT_EQ(c.Verify(), OkStatus());
  }

  void CheckAll() {
    EXPECT_EQ(database_->ListCollections().value(), (std::vector<std::string>{"bulk", "notes", "wide"}));
    CheckNotes();
    CheckWide();
    CheckBulk();
  }
};

TEST_P(Golden, IsReadAsItWasWritten) {
  // Its published files are used, not made anew.
  const std::vector<std::string> names = database_->ListCollections().value();
  for (const std::string& name : names) {
    EXPECT_EQ(Open(name).Stats().value().damage, "") << name;
  }
  EXPECT_EQ(Open("notes").Stats().value().published, static_cast<std::uint64_t>(kNotesPublished) + 1);
  EXPECT_EQ(Open("wide").Stats().value().published, static_cast<std::uint64_t>(kWide));
  CheckAll();
  Reopen();
  CheckAll();
}

TEST_P(Golden, IsWrittenToAndReadAgain) {
  CheckAll();
  Collection notes = Open("notes");
  const std::vector<float> v = {-1, 2, 3, 4};
  ASSERT_EQ(notes.Upsert({"new", v, R"({"new": 1})"}), OkStatus());
  ASSERT_EQ(notes.Publish(), OkStatus());
  Reopen();
  notes = Open("notes");
  EXPECT_EQ(notes.Stats().value().damage, "");
  EXPECT_EQ(notes.Count("new = 1").value(), 1U);
  EXPECT_EQ(notes.Delete("new").value(), 1U);
  ASSERT_EQ(notes.Compact(), OkStatus());
  Reopen();
  CheckAll();
}

INSTANTIATE_TEST_SUITE_P(Formats, Golden, ::testing::Values("1.0"));

TEST_F(GoldenFolder, RecordsWithoutAVectorAndADocument) {
  Unpack("1.0-bare");
  for (int round = 0; round < 2; ++round) {
    Collection c = Open("bare");
    EXPECT_EQ(c.Stats().value().damage, "");
    EXPECT_EQ(c.options().dim, 2U);
    EXPECT_EQ(c.GetDocument().value(), kBareDocument);
    EXPECT_EQ(c.Count("n >= 0").value(), static_cast<std::uint64_t>(kBare));
    std::set<std::string> wanted;
    for (int i = 0; i < kBare; ++i) {
      const Record record = c.Get(BareId(i), true).value();
      EXPECT_EQ(record.payload, BarePayload(i));
      EXPECT_EQ(record.vector, BareHasVector(i) ? BareVector(i) : std::vector<float>()) << i;
      if (BareHasVector(i)) wanted.insert(BareId(i));
    }
    std::set<std::string> found;
    const std::vector<float> query = {0, 0};
    for (const Hit& hit : c.Search({.vector = query, .k = 100}).value().hits) found.insert(hit.id);
    EXPECT_EQ(found, wanted);
    EXPECT_EQ(c.Verify(), OkStatus());
    Reopen();
  }
}

void ExpectCoded(const Collection& c, bool outlier) {
  const CollectionStats stats = c.Stats().value();
  EXPECT_EQ(stats.damage, "");
  EXPECT_EQ(stats.options.codes, CodeKind::kInt8);
  EXPECT_EQ(stats.published, static_cast<std::uint64_t>(kCoded));
  EXPECT_EQ(stats.linked, static_cast<std::uint64_t>(kCoded));
  for (int i = 0; i < kCoded; ++i) {
    const Record record = c.Get(CodedId(i), true).value();
    ASSERT_EQ(record.vector, CodedVector(i, outlier)) << i;
    EXPECT_EQ(record.payload, CodedPayload(i));
  }
  EXPECT_EQ(c.Verify(), OkStatus());
}

// Rows beside those of the archive: among so many a walk is cheaper than a scan of their codes. Recall would be
// measured anew for twice as many.
constexpr int kCodedInAll = 2'200;

void AddCoded(Collection c, bool outlier) {
  for (int i = kCoded; i < kCodedInAll; ++i) {
    const std::string id = CodedId(i);
    const std::vector<float> v = CodedVector(i, outlier);
    ASSERT_EQ(c.Upsert({.id = id, .vector = v}, {.durability = Durability::kOsBuffered}), OkStatus());
  }
}

// The curve is read with the links: an index that was never measured has no stop factor to go by.
void ExpectCodedWalks(Collection c, bool outlier) {
  ASSERT_EQ(c.WaitForIndex(), OkStatus());
  EXPECT_EQ(c.Stats().value().linked, static_cast<std::uint64_t>(kCodedInAll));
  int found = 0;
  for (int i = 0; i < kCoded; ++i) {
    std::vector<float> query = CodedVector(i, outlier);
    query[0] += 0.5F;
    const SearchResult result = c.Search({.vector = query, .k = 1, .min_recall = 0.9F}).value();
    EXPECT_EQ(result.plan, PlanKind::kSweep) << result.why;
    EXPECT_GE(result.details.stop_factor, 1) << result.why;
    EXPECT_GE(static_cast<float>(result.details.expected_recall), 0.9F) << result.why;
    found += result.hits.at(0).id == CodedId(i) ? 1 : 0;
  }
  EXPECT_GE(found, kCoded * 9 / 10);
  EXPECT_EQ(c.Verify(), OkStatus());
}

TEST_F(GoldenFolder, Int8CodesRotationAndRecallCurve) {
  Unpack("1.0-codes");
  for (int round = 0; round < 2; ++round) {
    ExpectCoded(Open("codes"), false);
    ExpectCoded(Open("rotated"), true);
    Reopen();
  }
  AddCoded(Open("codes"), false);
  AddCoded(Open("rotated"), true);
  for (int round = 0; round < 2; ++round) {
    ExpectCodedWalks(Open("codes"), false);
    ExpectCodedWalks(Open("rotated"), true);
    Reopen();
  }
}

TEST_F(GoldenFolder, ComponentsOfCodes) {
  Unpack("1.0-components");
  for (int round = 0; round < 2; ++round) {
    Collection c = Open("components");
    EXPECT_EQ(c.WaitForIndex(), OkStatus());
    const CollectionStats stats = c.Stats().value();
    EXPECT_EQ(stats.damage, "");
    EXPECT_EQ(stats.linked, static_cast<std::uint64_t>(kQuiet + round));
    // 48 of 256 components, in one line with what they mean; ids and links beside them.
    EXPECT_LT(stats.anonymous_bytes, static_cast<std::uint64_t>(kQuiet) * 220);
    for (int i = 0; i < kQuiet; i += 100) {
      const std::vector<float> v = QuietVector(i);
      EXPECT_EQ(c.Get(QuietId(i), true).value().vector, v);
      EXPECT_EQ(c.Search({.vector = v, .k = 1, .exact = true}).value().hits.at(0).id, QuietId(i));
    }
    EXPECT_EQ(c.Verify(), OkStatus());
    const std::vector<float> v = QuietVector(kQuiet);
    c.Upsert({QuietId(kQuiet), v, "{}"}).value();
    Reopen();
  }
}

}  // namespace
}  // namespace vdb
