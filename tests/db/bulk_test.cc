// Bulk loads and compaction: all or nothing, beside readers.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include "tests/db/gate.h"
#include "tests/db/temp_folder.h"
#include "vdb/storage/store.h"

namespace vdb {
namespace {

class Bulk : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    if (database_) {
      ASSERT_EQ(database_->Close(), OkStatus());
    }
    database_.emplace(Database::Open(folder_.Path("db")).value());
  }
  static Status AddRows(BulkLoader* loader, int begin, int end, const std::string& tag) {
    for (int i = begin; i < end; ++i) {
      const std::string id = "r" + std::to_string(i);
      const std::vector<float> v = {static_cast<float>(i), 0};
      const std::string payload = R"({"tag": ")" + tag + R"(", "i": )" + std::to_string(i) + "}";
      const RecordView record{id, v, payload};
      if (Status status = loader->Add({&record, 1}); !status.ok()) return status;
    }
    return OkStatus();
  }
  Collection Load(BulkMode mode, int begin, int end, const std::string& tag) {
    BulkLoader loader = BulkLoader::Begin(&*database_, "c", mode, {.dim = 2, .metric = Metric::kL2Squared}).value();
    EXPECT_EQ(AddRows(&loader, begin, end, tag), OkStatus());
    return loader.Finish().value();
  }

  int CountFolders() const {
    int folders = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.Path("db") + "/index")) {
      folders += entry.is_directory() ? 1 : 0;
    }
    return folders;
  }

  TempFolder folder_;
  std::optional<Database> database_;
};

TEST_F(Bulk, CreatesACollectionThatSurvivesReopening) {
  {
    Collection c = Load(BulkMode::kCreate, 0, 1'000, "one");
    EXPECT_EQ(c.Count().value(), 1'000U);
  }
  Reopen();
  Collection c = database_->OpenCollection("c").value();
  EXPECT_EQ(c.Stats().value().published, 1'000U);
  EXPECT_EQ(c.Count("tag = 'one' AND i < 10").value(), 10U);
  EXPECT_EQ(c.Get("r7", true).value().vector, (std::vector<float>{7, 0}));
  EXPECT_EQ(c.Search({.vector = std::vector<float>{500.2F, 0}, .k = 1}).value().hits[0].id, "r500");
  EXPECT_EQ(c.Delete("r500").value(), 1U);
  EXPECT_EQ(c.Verify(), OkStatus());
}

TEST_F(Bulk, AnEmptyLoadKeepsItsPublishedFiles) {
  Load(BulkMode::kCreate, 0, 0, "none");
  for (int open = 0; open < 3; ++open) {
    Reopen();
    Collection c = database_->OpenCollection("c").value();
    EXPECT_EQ(c.Count().value(), 0U);
    EXPECT_EQ(c.Stats().value().damage, "");
  }
}

TEST_F(Bulk, OfOneIdTheLastRecordWins) {
  BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kCreate, {.dim = 2}).value();
  const std::vector<float> v1 = {1, 0};
  const std::vector<float> v2 = {0, 1};
  const std::vector<RecordView> records = {{"a", v1, R"({"n": 1})"}, {"b", v1, "{}"}, {"a", v2, R"({"n": 2})"}};
  ASSERT_EQ(loader.Add(records), OkStatus());
  Collection c = loader.Finish().value();
  EXPECT_EQ(c.Count().value(), 2U);
  EXPECT_EQ(c.Get("a").value().payload, R"({"n": 2})");
  EXPECT_EQ(c.Verify(), OkStatus());
}

// The files of a load know them from the start: none has to be read at an opening once it is purged.
TEST_F(Bulk, RepeatedIdsArePurgedOnceForAll) {
  Load(BulkMode::kCreate, 1, 2, "before");
  for (const bool reopens : {false, true}) {
    const Passages purges({"purge.after_write"});
    std::optional<Collection> c;
    {
      BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
      for (int copy = 0; copy < 3; ++copy) ASSERT_EQ(AddRows(&loader, 1, 101, "of three"), OkStatus());
      c.emplace(loader.Finish().value());
    }
    if (reopens) {
      Reopen();
      c.emplace(database_->OpenCollection("c").value());
    }
    const std::uint64_t generation = c->Stats().value().generation;
    for (std::uint64_t seen = purges.count(); c->Stats().value().purged < 200; seen = purges.count()) {
      purges.WaitBeyond(seen);
    }
    ASSERT_EQ(database_->Close(), OkStatus());
    {
      const auto store = storage::Store::Open(folder_.Path("db") + "/store", {}).value();
      EXPECT_TRUE(
          store->Deletes({.collection = 1, .generation = static_cast<std::uint32_t>(generation)}).value().empty())
          << reopens;
    }
    database_.emplace(Database::Open(folder_.Path("db")).value());
    EXPECT_EQ(database_->OpenCollection("c").value().Count().value(), 100U);
  }
}

TEST_F(Bulk, ReplaceKeepsTheOldContentsUntilItIsFinished) {
  Collection c = Load(BulkMode::kCreate, 0, 100, "old");
  Scanner scanner = c.Scan().value();
  {
    BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
    ASSERT_EQ(AddRows(&loader, 50, 150, "new"), OkStatus());
    EXPECT_EQ(c.Count("tag = 'old'").value(), 100U);
    ASSERT_TRUE(loader.Finish().ok());
  }
  EXPECT_EQ(c.Count("tag = 'new'").value(), 100U);
  EXPECT_EQ(c.Count().value(), 100U);
  EXPECT_EQ(c.Get("r0").status().code(), StatusCode::kNotFound);
  // A scan that began before reads on in the old generation.
  int seen = 0;
  while (std::optional<Record> record = scanner.Next().value()) {
    EXPECT_NE(record->payload.find("old"), std::string::npos);
    ++seen;
  }
  EXPECT_EQ(seen, 100);
  const std::vector<float> v = {1, 1};
  ASSERT_EQ(c.Upsert({"later", v, "{}"}), OkStatus());
  Reopen();
  EXPECT_EQ(database_->OpenCollection("c").value().Count().value(), 101U);
}

TEST_F(Bulk, AbandonedLoadsLeaveNothing) {
  Collection c = Load(BulkMode::kCreate, 0, 10, "old");
  {
    BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
    ASSERT_EQ(AddRows(&loader, 0, 1'000, "new"), OkStatus());
  }
  {
    BulkLoader loader = BulkLoader::Begin(&*database_, "other", BulkMode::kCreate, {.dim = 2}).value();
    ASSERT_EQ(AddRows(&loader, 1, 1'000, "new"), OkStatus());
  }
  EXPECT_EQ(c.Count("tag = 'old'").value(), 10U);
  EXPECT_EQ(database_->ListCollections().value(), std::vector<std::string>{"c"});
  EXPECT_EQ(CountFolders(), 1);
}

TEST_F(Bulk, ALoaderMayOutliveItsDatabase) {
  Load(BulkMode::kCreate, 0, 10, "old");
  for (const BulkMode mode : {BulkMode::kReplace, BulkMode::kCreate}) {
    {
      BulkLoader loader = BulkLoader::Begin(&*database_, mode == BulkMode::kCreate ? "new" : "c", mode,
                                            {.dim = 2, .metric = Metric::kL2Squared})
                              .value();
      ASSERT_EQ(AddRows(&loader, 0, 100, "new"), OkStatus());
      ASSERT_EQ(database_->Close(), OkStatus());
      EXPECT_EQ(AddRows(&loader, 100, 101, "new").code(), StatusCode::kFailedPrecondition);
      EXPECT_EQ(loader.Finish().status().code(), StatusCode::kFailedPrecondition);
    }
    Reopen();
    EXPECT_EQ(database_->ListCollections().value(), std::vector<std::string>{"c"});
    Collection c = database_->OpenCollection("c").value();
    EXPECT_EQ(c.Count("tag = 'old'").value(), 10U);
    EXPECT_EQ(CountFolders(), 1);
  }
}

TEST_F(Bulk, BadRecordsAreRefused) {
  BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kCreate, {.dim = 2}).value();
  const std::vector<float> bad = {1};
  const RecordView record{"a", bad, "{}"};
  EXPECT_EQ(loader.Add({&record, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(loader.Finish().value().Count().value(), 0U);
  EXPECT_EQ(BulkLoader::Begin(&*database_, "c", BulkMode::kCreate, {.dim = 2}).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(BulkLoader::Begin(&*database_, "none", BulkMode::kReplace, {}).status().code(), StatusCode::kNotFound);
}

TEST_F(Bulk, CompactDropsDeadSlotsAndKeepsEveryRecord) {
  Collection c = Load(BulkMode::kCreate, 0, 500, "x");
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      const std::vector<float> v = {static_cast<float>(i), 1};
      const std::string id = "r" + std::to_string(i);
      ASSERT_EQ(c.Upsert({id, v, R"({"round": true})"}, {.durability = Durability::kOsBuffered}), OkStatus());
    }
  }
  EXPECT_EQ(c.Stats().value().slots, 800U);
  ASSERT_EQ(c.Compact(), OkStatus());
  EXPECT_EQ(c.Stats().value().slots, 500U);
  EXPECT_EQ(c.Count("round = TRUE").value(), 100U);
  EXPECT_EQ(c.Verify(), OkStatus());
  Reopen();
  Collection again = database_->OpenCollection("c").value();
  EXPECT_EQ(again.Count().value(), 500U);
  EXPECT_EQ(again.Verify(), OkStatus());
}

TEST_F(Bulk, RepairKeepsEveryRecordOfLoadedAndCompactedCollections) {
  for (const bool compact : {false, true}) {
    SCOPED_TRACE(compact ? "compacted" : "loaded");
    if (compact) {
      ASSERT_EQ(database_->OpenCollection("c").value().Compact(), OkStatus());
    } else {
      Load(BulkMode::kCreate, 0, 500, "x");
    }
    ASSERT_EQ(database_->Close(), OkStatus());
    const std::string target = folder_.Path(compact ? "repaired-2" : "repaired-1");
    const RepairReport report = RepairCopy(folder_.Path("db"), target).value();
    EXPECT_EQ(report.records, 500U);
    EXPECT_EQ(report.missing, 0U);
    {
      Database repaired = Database::Open(target).value();
      Collection c = repaired.OpenCollection("c").value();
      EXPECT_EQ(c.Count("tag = 'x'").value(), 500U);
      EXPECT_EQ(c.Verify(), OkStatus());
    }
    Reopen();
  }
}

}  // namespace
}  // namespace vdb
