// A disk without space: nothing acknowledged is lost, every refusal says what to do, and all works again with space.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "tests/db/tiny_disk.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kPlenty = 1'024 * kMiB;

std::string Id(int i) {
  return "r" + std::to_string(i);
}

std::vector<float> MakeVector(int i) {
  std::vector<float> v(16, 0.0F);
  v[0] = static_cast<float>(i);
  return v;
}

// A payload of about this many bytes.
std::string BigPayload(std::size_t bytes) {
  return R"({"text": ")" + std::string(bytes, 'x') + R"("})";
}

std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Says(const Status& status, const std::string& words) {
  return status.message().find(words) != std::string::npos;
}

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.error().empty()) GTEST_SKIP() << "cannot mount a small tmpfs (root only): " << disk_.error();
    Open();
    collection_.emplace(database_->CreateCollection("c", {.dim = 16, .metric = Metric::kL2Squared}).value());
  }
  void TearDown() override { SyncPoints::Clear(); }

  void Open() {
    database_.emplace(Database::Open(disk_.Path("db")).value());
    if (collection_) collection_.emplace(database_->OpenCollection("c").value());
  }
  Status Put(int i, const std::string& payload = "{}") {
    const std::vector<float> v = MakeVector(i);
    return collection_->Upsert({Id(i), v, payload});
  }
  void PutMany(int begin, int end) {
    for (int i = begin; i < end; i += 500) {
      WriteBatch batch;
      for (int j = i; j < std::min(end, i + 500); ++j) batch.Upsert(*collection_, {Id(j), MakeVector(j), "{}"});
      ASSERT_EQ(database_->Write(batch), OkStatus());
    }
  }
  std::string Nearest(int i) {
    const std::vector<float> v = MakeVector(i);
    return collection_->Search({.vector = v, .k = 1}).value().hits.at(0).id;
  }

  TinyDisk disk_{512};
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(FullDisk, WritesBelowTheReserveAreRefusedAndWorkAgainWithSpace) {
  PutMany(0, 100);
  ASSERT_TRUE(disk_.LeaveFree(kMinFreeBytes - kMiB));
  const auto refused = [](const Status& status) {
    return status.code() == StatusCode::kResourceExhausted && Says(status, "64 MiB") && Says(status, "try again");
  };
  EXPECT_TRUE(refused(Put(100))) << Put(100);
  EXPECT_TRUE(refused(Put(5, R"({"new": true})")));
  EXPECT_TRUE(refused(collection_->Delete(Id(5)).status()));
  EXPECT_TRUE(refused(collection_->DeleteWhere("new IS NULL").status()));
  EXPECT_TRUE(refused(database_->CreateCollection("d", {.dim = 2}).status()));
  EXPECT_TRUE(refused(BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).status()));
  EXPECT_TRUE(refused(collection_->Compact()));
  // Nothing was changed, and the handle is as good as before.
  EXPECT_EQ(database_->WritableStatus(), OkStatus());
  EXPECT_EQ(collection_->Count().value(), 100U);
  EXPECT_EQ(collection_->Get(Id(5)).value().payload, "{}");
  EXPECT_EQ(Nearest(99), Id(99));
  EXPECT_EQ(database_->ListCollections().value(), std::vector<std::string>{"c"});

  ASSERT_TRUE(disk_.LeaveFree(kMinFreeBytes + 32 * kMiB));
  EXPECT_EQ(Put(100), OkStatus());
  EXPECT_EQ(collection_->Delete(Id(5)).value(), 1U);
  ASSERT_EQ(database_->Close(), OkStatus());
  Open();
  EXPECT_EQ(collection_->Count().value(), 100U);
  EXPECT_EQ(Nearest(5), Id(4));
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(FullDisk, DroppingACollectionWorksWithoutSpace) {
  PutMany(0, 100);
  ASSERT_TRUE(disk_.LeaveFree(4 * kMiB));
  EXPECT_EQ(database_->DropCollection("c"), OkStatus());
  EXPECT_TRUE(database_->ListCollections().value().empty());
  EXPECT_EQ(database_->WritableStatus(), OkStatus());
}

TEST_F(FullDisk, AWriteThatFailsInTheStoreMakesTheHandleReadOnlyUntilReopened) {
  PutMany(0, 100);
  // Other programs take the space after the look at it, before the write.
  SyncPoints::Set("commit.before_write", [&] { ASSERT_TRUE(disk_.LeaveFree(0)); });
  const std::string payload = BigPayload(8 * kMiB);
  int next = 100;
  Status status;
  for (; next < 130; ++next) {  // the store allocates ahead, so not the first write fails
    status = Put(next, payload);
    if (!status.ok()) break;
    ASSERT_TRUE(disk_.LeaveFree(kPlenty));
  }
  SyncPoints::Clear();
  ASSERT_EQ(status.code(), StatusCode::kIoError) << status;
  EXPECT_TRUE(Says(status, "outcome is unknown")) << status;
  EXPECT_TRUE(Says(status, "open it again")) << status;
  // Reads go on, on the state before; writes do not, also with space.
  ASSERT_TRUE(disk_.LeaveFree(kPlenty));
  const auto check_reads = [&] {
    EXPECT_EQ(collection_->Count().value(), static_cast<std::uint64_t>(next));
    EXPECT_EQ(collection_->Get(Id(next)).status().code(), StatusCode::kNotFound);
    EXPECT_EQ(Nearest(next + 5), Id(next - 1));
  };
  check_reads();
  const Status second = Put(0, R"({"second": 1})");
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition) << second;
  EXPECT_TRUE(Says(second, "read-only until it is closed and opened again")) << second;
  EXPECT_EQ(database_->WritableStatus().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(collection_->Publish().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(database_->DropCollection("c").code(), StatusCode::kFailedPrecondition);
  check_reads();
  ASSERT_EQ(database_->Close(), OkStatus());

  Open();
  // All that was acknowledged, and of the last write all or nothing.
  const bool is_there = collection_->Get(Id(next)).ok();
  EXPECT_EQ(collection_->Count().value(), static_cast<std::uint64_t>(next + (is_there ? 1 : 0)));
  EXPECT_EQ(collection_->Get(Id(0)).value().payload, "{}");
  EXPECT_EQ(collection_->Verify(), OkStatus());
  EXPECT_EQ(Put(next, "{}"), OkStatus());
  EXPECT_EQ(collection_->Count().value(), static_cast<std::uint64_t>(next) + 1);
}

TEST_F(FullDisk, OpeningWithoutSpaceLosesNothing) {
  PutMany(0, 100);
  ASSERT_EQ(database_->Close(), OkStatus());
  ASSERT_TRUE(disk_.LeaveFree(0));
  const std::vector<std::string> before = FilesBelow(disk_.Path("db"));
  for (int i = 0; i < 3; ++i) {
    const Status refused = Database::Open(disk_.Path("db")).status();
    EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused;
    EXPECT_TRUE(Says(refused, "opening needs")) << refused;
  }
  EXPECT_EQ(FilesBelow(disk_.Path("db")), before);
  // Little is needed to open, less than to write.
  ASSERT_TRUE(disk_.LeaveFree(16 * kMiB));
  Open();
  EXPECT_EQ(collection_->Count().value(), 100U);
  EXPECT_EQ(Put(100).code(), StatusCode::kResourceExhausted);
  ASSERT_EQ(database_->Close(), OkStatus());
  ASSERT_TRUE(disk_.LeaveFree(kPlenty));
  Open();
  EXPECT_EQ(collection_->Count().value(), 100U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(FullDisk, APublicationThatFindsNoSpaceSaysSoAndIsMadeUpFor) {
  PutMany(0, 3'000);
  ASSERT_TRUE(disk_.LeaveFree(200 * kMiB));  // enough for writes
  const Status no_space = collection_->Publish();
  EXPECT_EQ(no_space.code(), StatusCode::kResourceExhausted) << no_space;
  EXPECT_TRUE(Says(no_space, "MiB free")) << no_space;
  EXPECT_EQ(collection_->Stats().value().publish_error, no_space.ToString());
  EXPECT_EQ(collection_->Stats().value().publish_failures, 1U);
  EXPECT_EQ(Put(3'000), OkStatus());

  // The space goes away in the middle: half a publication is not left there.
  ASSERT_TRUE(disk_.LeaveFree(kPlenty));
  SyncPoints::Set("publish.after_links", [&] { ASSERT_TRUE(disk_.LeaveFree(0)); });
  const Status half = collection_->Publish();
  SyncPoints::Clear();
  EXPECT_EQ(half.code(), StatusCode::kResourceExhausted) << half;
  EXPECT_TRUE(Says(half, "columns")) << half;
  EXPECT_EQ(collection_->Stats().value().publish_failures, 2U);
  EXPECT_EQ(FilesBelow(disk_.Path("db/index")), (std::vector<std::string>{"1-1", "1-1/schema", "1-1/vectors"}));
  EXPECT_EQ(collection_->Count().value(), 3'001U);
  EXPECT_EQ(Nearest(2'999), Id(2'999));

  ASSERT_TRUE(disk_.LeaveFree(kPlenty));
  EXPECT_EQ(collection_->Publish(), OkStatus());
  const CollectionStats stats = collection_->Stats().value();
  EXPECT_EQ(stats.publish_error, "");
  EXPECT_EQ(stats.publish_failures, 0U);
  EXPECT_EQ(stats.published, 3'001U);
  ASSERT_EQ(database_->Close(), OkStatus());
  Open();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  EXPECT_EQ(collection_->Count().value(), 3'001U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
}

TEST_F(FullDisk, ABulkLoadThatFillsTheDiskLeavesTheCollectionAsItWas) {
  PutMany(0, 100);
  std::mt19937 random(1);
  std::string text(kMiB, ' ');  // that does not compress
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  const std::string payload = R"({"text": ")" + text + R"("})";
  for (const bool reserve : {true, false}) {
    ASSERT_TRUE(disk_.LeaveFree(kMinFreeBytes + 20 * kMiB));
    // Either the reserve stops it, or others took that too.
    if (!reserve) SyncPoints::Set("build.before_rows", [&] { ASSERT_TRUE(disk_.LeaveFree(0)); });
    {
      BulkLoader loader = BulkLoader::Begin(&*database_, "c", BulkMode::kReplace, {}).value();
      Status status;
      for (int i = 0; i < 1'000 && status.ok(); ++i) {
        const std::vector<float> v = MakeVector(i);
        const std::string id = Id(i);
        const RecordView record{id, v, payload};
        status = loader.Add({&record, 1});
        if (!reserve && status.ok()) {
          ASSERT_TRUE(disk_.LeaveFree(kPlenty));
        }
      }
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
      EXPECT_TRUE(Says(status, reserve ? "64 MiB" : "No space left")) << status;
      EXPECT_TRUE(Says(status, "the collection is as it was")) << status;
      EXPECT_EQ(collection_->Count().value(), 100U);
      EXPECT_EQ(loader.Finish().status().code(), StatusCode::kResourceExhausted);
    }
    SyncPoints::Clear();
    ASSERT_TRUE(disk_.LeaveFree(kPlenty));
    EXPECT_EQ(collection_->Count().value(), 100U);
    EXPECT_EQ(Nearest(99), Id(99));
    EXPECT_EQ(Put(0, R"({"after": true})"), OkStatus());
    ASSERT_EQ(database_->Close(), OkStatus());
    Open();
    EXPECT_EQ(FilesBelow(disk_.Path("db/index")), (std::vector<std::string>{"1-1", "1-1/schema", "1-1/vectors"}));
    EXPECT_EQ(collection_->Count().value(), 100U);
    EXPECT_EQ(collection_->Verify(), OkStatus());
  }
}

}  // namespace
}  // namespace vdb
