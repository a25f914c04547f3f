// Readers that hold a state of the collection while deletes, purges, publications and generations pass under them.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <filesystem>
#include <future>

#include "tests/db/gate.h"
#include "tests/db/sample_rows.h"
#include "tests/db/temp_folder.h"
#include "vdb/storage/store.h"

namespace vdb {
namespace {

constexpr int kRows = 1'200;  // enough for a graph

class ViewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    collection_.emplace(database_->CreateCollection("c", kSampleOptions).value());
    Put(0, kRows, 1);
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
    ASSERT_EQ(collection_->Publish(), OkStatus());
  }
  void Open() { database_.emplace(Database::Open(folder_.Path("db")).value()); }
  void Reopen() {
    ASSERT_EQ(database_->Close(), OkStatus());
    Open();
    collection_.emplace(database_->OpenCollection("c").value());
  }

  void Put(int begin, int end, int version) {
    WriteBatch batch;
    for (int i = begin; i < end; ++i) {
      SampleRow row = MakeSampleRow(i, version);
      batch.Upsert(*collection_, {SampleId(i), row.vector, row.payload});
      expected_[SampleId(i)] = std::move(row);
    }
    ASSERT_EQ(database_->Write(batch), OkStatus());
  }
  void Delete(int begin, int end) {
    WriteBatch batch;
    for (int i = begin; i < end; ++i) {
      batch.Delete(*collection_, SampleId(i));
      expected_.erase(SampleId(i));
    }
    ASSERT_EQ(database_->Write(batch), OkStatus());
  }
  Scanner Scan() { return collection_->Scan({.with_vector = true}).value(); }
  void ExpectEverythingRight() {
    EXPECT_TRUE(ReadAll(*collection_) == expected_);
    EXPECT_EQ(collection_->Count().value(), expected_.size());
    EXPECT_EQ(collection_->Verify(), OkStatus());
    EXPECT_EQ(collection_->Stats().value().damage, "");
  }
  void WaitUntilPurged(const Passages& purges, std::uint64_t slots) {
    for (;;) {
      const std::uint64_t seen = purges.count();
      if (collection_->Stats().value().purged >= slots) return;
      purges.WaitBeyond(seen);
    }
  }
  bool GenerationFolderExists(int generation) const {
    return std::filesystem::exists(folder_.Path("db") + "/index/1-" + std::to_string(generation));
  }
  // A search for the rows around row i, with everything that hits carry.
  Result<SearchResult> SearchNear(int i) {
    const std::vector<float> query = MakeSampleRow(i, 1).vector;
    return collection_->Search({.vector = query, .k = 50, .exact = true, .with_vector = true});
  }

  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
  SampleRows expected_;
};

TEST_F(ViewTest, AScanKeepsItsRowsWhileTheyAreDeletedPurgedAndPublished) {
  const SampleRows before = expected_;
  const Passages purges({"purge.held", "purge.after_write"});
  SampleRows seen;
  {
    Scanner scanner = Scan();
    ReadOn(&scanner, &seen, 10);
    Delete(0, 600);
    Put(600, 700, 2);
    purges.WaitBeyond(purges.count());
    ASSERT_EQ(collection_->Publish(), OkStatus());
    EXPECT_EQ(collection_->Stats().value().purged, 0U);
    EXPECT_TRUE(ReadAll(*collection_) == expected_);
    ReadOn(&scanner, &seen);
  }
  EXPECT_TRUE(seen == before);
  WaitUntilPurged(purges, 700);
  ExpectEverythingRight();
  ASSERT_EQ(collection_->Publish(), OkStatus());
  Reopen();
  ExpectEverythingRight();
}

// Else each opening would read the deletes again, and purge what is gone.
TEST_F(ViewTest, DeletesThatArePublishedFirstAndPurgedThenLeaveNoEntry) {
  const Passages purges({"purge.held", "purge.after_write"});
  {
    const Scanner scanner = Scan();
    Delete(0, 600);
    purges.WaitBeyond(purges.count());
    ASSERT_EQ(collection_->Publish(), OkStatus());
    EXPECT_EQ(collection_->Stats().value().purged, 0U);
  }
  WaitUntilPurged(purges, 600);
  ASSERT_EQ(database_->Close(), OkStatus());
  {
    const auto store = storage::Store::Open(folder_.Path("db") + "/store", {}).value();
    EXPECT_TRUE(store->Deletes({.collection = 1, .generation = 1}).value().empty());
  }
  Open();
  collection_.emplace(database_->OpenCollection("c").value());
  ExpectEverythingRight();
}

TEST_F(ViewTest, ASearchKeepsItsHitsWhileTheyAreDeletedPurgedAndPublished) {
  const SearchResult before = SearchNear(0).value();
  ASSERT_EQ(before.hits.size(), 50U);
  const Passages purges({"purge.held", "purge.after_write"});
  Gate gate("search.before_payloads");
  std::future<Result<SearchResult>> search = std::async(std::launch::async, [&] { return SearchNear(0); });
  gate.WaitUntilReached();
  Delete(0, kRows - 1);
  purges.WaitBeyond(purges.count());
  ASSERT_EQ(collection_->Publish(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().purged, 0U);
  gate.Open();
  const Result<SearchResult> after = search.get();
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ(after->hits.size(), before.hits.size());
  for (std::size_t i = 0; i < before.hits.size(); ++i) {
    EXPECT_EQ(after->hits[i].id, before.hits[i].id);
    EXPECT_EQ(after->hits[i].distance, before.hits[i].distance);
    EXPECT_EQ(after->hits[i].payload, before.hits[i].payload);
    EXPECT_EQ(after->hits[i].vector, before.hits[i].vector);
  }
  WaitUntilPurged(purges, kRows - 1);
  ExpectEverythingRight();
  EXPECT_EQ(SearchNear(0).value().hits.size(), 1U);
}

TEST_F(ViewTest, ReadersOfTheOldGenerationStayWholeWhenCompactionSwitches) {
  Delete(0, 100);
  Put(100, 200, 2);
  const SampleRows before = expected_;
  const Passages removed({"drop.after_keys"});
  Gate gate("search.before_payloads");
  std::future<Result<SearchResult>> search = std::async(std::launch::async, [&] { return SearchNear(500); });
  gate.WaitUntilReached();
  SampleRows seen;
  {
    Scanner scanner = Scan();
    ReadOn(&scanner, &seen, 10);
    ASSERT_EQ(collection_->Compact(), OkStatus());
    EXPECT_EQ(collection_->Stats().value().generation, 2U);
    EXPECT_EQ(collection_->Stats().value().slots, before.size());
    Delete(500, 900);
    Put(150, 300, 3);
    EXPECT_TRUE(ReadAll(*collection_) == expected_);
    ReadOn(&scanner, &seen);
    EXPECT_TRUE(GenerationFolderExists(1));
  }
  EXPECT_TRUE(seen == before);
  gate.Open();
  const Result<SearchResult> found = search.get();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->hits[0].id, SampleId(500));
  for (const Hit& hit : found->hits) EXPECT_TRUE((before.at(hit.id) == SampleRow{hit.payload, hit.vector})) << hit.id;
  removed.WaitBeyond(0);
  EXPECT_FALSE(GenerationFolderExists(1));
  ExpectEverythingRight();
  Reopen();
  ExpectEverythingRight();
}

TEST_F(ViewTest, ReadersOfTheOldGenerationStayWholeWhenALoadReplacesIt) {
  const SampleRows before = expected_;
  const Passages removed({"drop.after_keys"});
  SampleRows seen;
  {
    Scanner scanner = Scan();
    ReadOn(&scanner, &seen, 10);
    BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
    expected_.clear();
    for (int i = 600; i < 1'900; ++i) {
      SampleRow row = MakeSampleRow(i, 4);
      const std::string id = SampleId(i);
      const RecordView record{id, row.vector, row.payload};
      ASSERT_EQ(loader.Add({&record, 1}), OkStatus());
      expected_[id] = std::move(row);
    }
    EXPECT_TRUE(ReadAll(*collection_) == before);
    ASSERT_TRUE(loader.Finish().ok());
    EXPECT_TRUE(ReadAll(*collection_) == expected_);
    EXPECT_EQ(collection_->Get(SampleId(0)).status().code(), StatusCode::kNotFound);
    ReadOn(&scanner, &seen);
  }
  EXPECT_TRUE(seen == before);
  removed.WaitBeyond(0);
  EXPECT_FALSE(GenerationFolderExists(1));
  Reopen();
  ExpectEverythingRight();
}

// A purge that waits for a reader of the old generation knows nothing of the new one's readers.
TEST_F(ViewTest, APurgeThatBeganBeforeASwitchSparesWhatReadersOfTheNewGenerationSee) {
  const Passages purges({"purge.held", "purge.after_write"});
  std::optional<Scanner> old_scanner(Scan());
  for (int i = 0; i < 20; ++i) Delete(i, i + 1);  // as many epochs
  purges.WaitBeyond(purges.count());
  ASSERT_EQ(collection_->Compact(), OkStatus());
  const SampleRows before = expected_;
  Scanner new_scanner = Scan();
  SampleRows seen;
  ReadOn(&new_scanner, &seen, 10);
  Delete(20, 600);
  old_scanner.reset();
  // Twice: the first may have begun before the scanner ended.
  for (int i = 0; i < 2; ++i) {
    Delete(600 + i, 601 + i);
    purges.WaitBeyond(purges.count());
  }
  EXPECT_EQ(collection_->Stats().value().purged, 0U);
  ReadOn(&new_scanner, &seen);
  EXPECT_TRUE(seen == before);
  ExpectEverythingRight();
}

}  // namespace
}  // namespace vdb
