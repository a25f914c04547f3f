// Vectors and payloads side by side, and the line of progress.

#include "tools/vdb_load/row_source.h"

#include <gtest/gtest.h>

#include "tests/tools/sample_files.h"
#include "tools/vdb_load/progress.h"

namespace vdb::tools {
namespace {

class RowSources : public SampleFiles {
 protected:
  RowBatch ReadOne(const SourceFiles& files) { return RowSource::Open(files).value().Next(); }
};

TEST_F(RowSources, IdsComeFromThePayloadOrTheRowNumber) {
  const RowBatch batch = ReadOne({.vectors = Write("v.fvecs", Fvecs({{1}, {2}, {3}, {4}})),
                                  .payloads = Write("p.jsonl", "{\"key\": \"a\"}\n{\"key\": 7}\n{}\n{\"key\": null}\n"),
                                  .id_field = "key"});
  ASSERT_EQ(batch.rows.size(), 4U);
  EXPECT_EQ(batch.rows[0].id, "a");
  EXPECT_EQ(batch.rows[1].id, "7");
  EXPECT_EQ(batch.rows[2].id, "2");
  EXPECT_EQ(batch.rows[3].id, "3");
  EXPECT_TRUE(batch.is_last);
  EXPECT_TRUE(batch.status.ok());
}

TEST_F(RowSources, ObjectsWithVectorsBringTheirPayload) {
  const RowBatch batch =
      ReadOne({.vectors = Write("v.jsonl", "{\"id\": \"a\", \"e\": [1], \"x\": 1.50}\n[2]\n"), .vector_field = "e"});
  ASSERT_EQ(batch.rows.size(), 2U);
  EXPECT_EQ(batch.rows[0].id, "a");
  EXPECT_EQ(batch.rows[0].payload, "{\"id\": \"a\", \"x\": 1.50}");
  EXPECT_EQ(batch.rows[1].id, "1");
  EXPECT_EQ(batch.rows[1].payload, "");
}

TEST_F(RowSources, BadRowsKeepVectorsAndPayloadsTogether) {
  const std::string vectors = Write("v.jsonl", "[1]\n[x]\n[3]\n[4]\n");
  const std::string payloads = Write("p.jsonl", "{\"n\": 0}\n{\"n\": 1}\n{\"id\": []}\n{\"n\": 3}\n");
  const RowBatch batch = ReadOne({.vectors = vectors, .payloads = payloads});
  ASSERT_EQ(batch.rows.size(), 2U);
  EXPECT_EQ(batch.rows[1].number, 3U);
  EXPECT_EQ(batch.rows[1].payload, "{\"n\": 3}");
  EXPECT_EQ(batch.rows[1].place, vectors + ", line 4");
  ASSERT_EQ(batch.bad.size(), 2U);
  EXPECT_EQ(batch.bad[0].number, 1U);
  EXPECT_TRUE(batch.bad[0].status.message().starts_with(vectors + ", line 2: not valid JSON")) << batch.bad[0].status;
  EXPECT_EQ(batch.bad[1].status,
            InvalidArgumentError(payloads + ", line 3: member 'id': wanted a string or a number, got an array"));
}

TEST_F(RowSources, DifferentNumbersOfRowsEndTheReading) {
  const std::string two = Write("2.fvecs", Fvecs({{1}, {2}}));
  const std::string one = Write("1.jsonl", "{}\n");
  const std::string three = Write("3.jsonl", "{}\n{}\n{}\n");
  EXPECT_EQ(ReadOne({.vectors = two, .payloads = one}).status,
            FailedPreconditionError(two + " has more than 1 rows, " + one +
                                    " has only 1: wanted one payload for each vector"));
  EXPECT_EQ(ReadOne({.vectors = two, .payloads = three}).status,
            FailedPreconditionError(two + " has only 2 rows, " + three +
                                    " has more than 2: wanted one payload for each vector"));
  EXPECT_TRUE(ReadOne({.vectors = two, .payloads = one, .limit = 1}).status.ok());
}

TEST_F(RowSources, LimitIsTheTotal) {
  const std::string path = Write("v.fvecs", Fvecs({{1}, {2}, {3}}));
  EXPECT_EQ(RowSource::Open({.vectors = path}).value().total(), 3U);
  EXPECT_EQ(RowSource::Open({.vectors = path, .limit = 2}).value().total(), 2U);
  EXPECT_EQ(RowSource::Open({.vectors = path, .limit = 9}).value().total(), 3U);
  EXPECT_EQ(ReadOne({.vectors = path, .limit = 2}).rows.size(), 2U);
}

TEST_F(RowSources, FileThatShrinksWhileItIsReadEndsTheReading) {
  const std::string path = Write("v.fvecs", Fvecs(std::vector<std::vector<float>>(5'000, std::vector<float>(500))));
  RowSource source = RowSource::Open({.vectors = path}).value();
  RowBatch batch = source.Next();
  ASSERT_EQ(batch.rows.size(), 500U);
  std::filesystem::resize_file(path, 1'000'000);
  while (!batch.is_last) batch = source.Next();  // each error ends it, so this ends
  EXPECT_EQ(batch.status.code(), StatusCode::kDataLoss);
}

TEST(ProgressLines, SayShareRateAndRemainingTime) {
  const ProgressState state{"indexing", 250, 1'000, 10};
  EXPECT_EQ(ProgressLine(state, false, 80), "indexing 25 %, 250 of 1000 rows, 25/s, 30 s left");
  EXPECT_EQ(ProgressLine({"indexing", 1'000, 1'000, 10}, false, 80), "indexing 100 %, 1000 of 1000 rows, 100/s");
  EXPECT_EQ(ProgressLine({"indexing", 1, 4'001, 1}, false, 80), "indexing 0 %, 1 of 4001 rows, 1/s, 1 h 6 min left");
  EXPECT_EQ(ProgressLine({"reading", 500, 0, 2}, false, 80), "reading 500 rows, 250/s");
  EXPECT_EQ(ProgressLine({"publishing", 0, 0, 2}, true, 80), "publishing");
}

TEST(ProgressLines, BarFitsItsWidthAndNeverOverflows) {
  const ProgressState half{"indexing", 500, 1'000, 10};
  EXPECT_EQ(ProgressLine(half, true, 120),
            "indexing [===============               ] 50 %, 500 of 1000 rows, 50/s, 10 s left");
  for (const std::size_t width : {60U, 64U, 72U}) {
    EXPECT_EQ(ProgressLine(half, true, width).size(), width);
  }
  EXPECT_EQ(ProgressLine(half, true, 40).find('['), std::string::npos);
  // More rows than were promised.
  EXPECT_EQ(ProgressLine({"reading", 30, 10, 3}, true, 50), "reading [=============] 100 %, 30 of 10 rows, 10/s");
}

}  // namespace
}  // namespace vdb::tools
