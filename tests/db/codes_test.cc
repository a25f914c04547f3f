// What a collection's graph is built on: kept with the collection, through reopening, compaction and checkpoints.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <optional>

#include "tests/db/sample_rows.h"
#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

constexpr int kRows = 2'600;  // enough for walks on codes to be cheaper than scans of them

class CollectionCodes : public ::testing::TestWithParam<CodeKind> {
 protected:
  void Open(bool read_only = false, const std::string& name = "db") {
    collection_.reset();
    if (database_) {
      ASSERT_EQ(database_->Close(), OkStatus());
    }
    database_.emplace(Database::Open(folder_.Path(name), {.read_only = read_only}).value());
    Result<Collection> opened = database_->OpenCollection("c");
    CollectionOptions options = kSampleOptions;
    options.codes = GetParam();
    options.m = 12;
    options.ef_construction = 200;
    if (!opened.ok()) opened = database_->CreateCollection("c", options);
    collection_.emplace(std::move(opened).value());
  }
  void Put(int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const SampleRow row = MakeSampleRow(i, 1);
      ASSERT_EQ(collection_->Upsert({SampleId(i), row.vector, row.payload}, {.durability = Durability::kOsBuffered}),
                OkStatus());
    }
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  }
  // Rows are found, at the distance of their float32 components.
  void Check(int rows) {
    const CollectionStats stats = collection_->Stats().value();
    EXPECT_EQ(stats.damage, "");
    EXPECT_EQ(stats.linked, stats.slots);
    EXPECT_EQ(stats.options.codes, GetParam());
    std::size_t found = 0;
    std::size_t asked = 0;
    for (int i = 0; i < rows; i += 13) {
      std::vector<float> query = MakeSampleRow(i, 1).vector;
      query[3] += 0.25F;
      const SearchResult result = collection_->Search({.vector = query, .k = 1, .ef = 32}).value();
      // On float32 a walk among so few rows costs as much as scoring them all: the planner may choose either.
      if (GetParam() != CodeKind::kFloat32) {
        EXPECT_EQ(result.plan, PlanKind::kSweep) << result.why;
      }
      ++asked;
      if (result.hits.at(0).id != SampleId(i)) continue;
      ++found;
      EXPECT_NEAR(result.hits.at(0).distance, 0.0625, 1e-5);
    }
    EXPECT_GE(found, asked * 9 / 10);
  }

  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, CollectionCodes,
                         ::testing::Values(CodeKind::kFloat32, CodeKind::kInt8, CodeKind::kByDimension),
                         [](const auto& codes) { return std::string(CodeKindName(codes.param)); });

TEST_P(CollectionCodes, StayThroughTheLifeOfACollection) {
  Open();
  Put(0, kRows);
  Check(kRows);
  ASSERT_EQ(collection_->Publish(), OkStatus());
  Open();
  Check(kRows);
  Put(kRows, kRows + 20);
  Check(kRows + 20);
  ASSERT_EQ(database_->Checkpoint(folder_.Path("copy")), OkStatus());
  ASSERT_EQ(collection_->Compact(), OkStatus());
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  Check(kRows + 20);
  ASSERT_EQ(collection_->Publish(), OkStatus());
  Open(true);
  Check(kRows + 20);
  Open(false, "copy");
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  Check(kRows + 20);
}

TEST(CodeOptions, AreCalledWhatTheyAreReadFrom) {
  for (const CodeKind codes : {CodeKind::kFloat32, CodeKind::kInt8, CodeKind::kByDimension}) {
    EXPECT_EQ(CodeKindNamed(CodeKindName(codes)), codes);
  }
  EXPECT_EQ(CodeKindNamed("auto"), CodeKind::kByDimension);
  EXPECT_EQ(CodeKindNamed("by dimension"), std::nullopt);
  EXPECT_EQ(CodeKindNamed(CodeKindName(static_cast<CodeKind>(3))), std::nullopt);
  for (const Metric metric : {Metric::kL2Squared, Metric::kInnerProduct, Metric::kCosine}) {
    EXPECT_EQ(MetricNamed(MetricName(metric)), metric);
  }
  EXPECT_EQ(MetricNamed("L2"), std::nullopt);
}

TEST(CodeOptions, AreCheckedAndResolved) {
  TempFolder folder;
  Database database = Database::Open(folder.Path("db")).value();
  const Status status = database.CreateCollection("c", {.dim = 3, .codes = static_cast<CodeKind>(3)}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ResolveCodes(CodeKind::kByDimension, kMinInt8Dim - 1), CodeKind::kFloat32);
  EXPECT_EQ(ResolveCodes(CodeKind::kByDimension, kMinInt8Dim), CodeKind::kInt8);
  EXPECT_EQ(ResolveCodes(CodeKind::kInt8, 1), CodeKind::kInt8);
  EXPECT_EQ(ResolveCodes(CodeKind::kFloat32, 4'096), CodeKind::kFloat32);
}

}  // namespace
}  // namespace vdb
