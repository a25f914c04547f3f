// Bad input gets a clear error and changes nothing.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    database_.emplace(Database::Open(folder_.Path("db")).value());
    collection_.emplace(database_->CreateCollection("c", {.dim = 3, .metric = Metric::kCosine}).value());
    ASSERT_EQ(collection_->Upsert({"keep", good_, R"({"a": 1})"}), OkStatus());
  }
  void TearDown() override {
    EXPECT_EQ(collection_->Count().value(), 1U);
    EXPECT_EQ(collection_->Get("keep").value().payload, R"({"a": 1})");
  }
  // Expects InvalidArgument with `part` in its message.
  static void Expect(const Status& status, std::string_view part) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }

  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
  const std::vector<float> good_ = {1, 2, 3};
};

TEST_F(BadInput, Vectors) {
  Expect(collection_->Upsert({"x", std::vector<float>{1, 2}, "{}"}), "has 2 components; this collection stores 3");
  Expect(collection_->Upsert({"x", std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 3}, "{}"}),
         "component 1 is NaN");
  Expect(collection_->Upsert({"x", std::vector<float>{1, 2, std::numeric_limits<float>::infinity()}, "{}"}),
         "component 2 is infinite");
  Expect(collection_->Upsert({"x", std::vector<float>{0, 0, 0}, "{}"}), "all zeros");
  Expect(collection_->Search({.vector = std::vector<float>{1}}).status(), "has 1 components");
}

TEST_F(BadInput, Ids) {
  Expect(collection_->Upsert({"", good_, "{}"}), "0 bytes; wanted 1 to 512");
  Expect(collection_->Upsert({std::string(513, 'x'), good_, "{}"}), "513 bytes");
  Expect(collection_->Upsert({"\xff\xfe", good_, "{}"}), "UTF-8");
  Expect(collection_->Upsert({"\xed\xa0\x80", good_, "{}"}), "UTF-8");
  Expect(collection_->Delete("").status(), "0 bytes");
  Expect(collection_->Get("").status(), "0 bytes");
  const std::string longest(512, 'x');
  ASSERT_EQ(collection_->Upsert({longest, good_, "{}"}), OkStatus());
  ASSERT_EQ(collection_->Delete(longest).value(), 1U);
}

TEST_F(BadInput, Payloads) {
  Expect(collection_->Upsert({"x", good_, "[1]"}), "object");
  Expect(collection_->Upsert({"x", good_, "{\"a\": }"}), "record 'x'");
  Expect(collection_->Upsert({"x", good_, "nonsense"}), "record 'x'");
  std::string deep = "1";
  for (int i = 0; i < 65; ++i) deep.insert(0, R"({"a":)").append("}");
  Expect(collection_->Upsert({"x", good_, deep}), "64");
  std::string abyss(200'000, '[');
  Expect(collection_->Upsert({"x", good_, R"({"a":)" + abyss}), "record 'x'");
}

TEST_F(BadInput, KAndEf) {
  Expect(collection_->Search({.vector = good_, .k = 0}).status(), "k is 0; wanted 1 to 65536");
  Expect(collection_->Search({.vector = good_, .k = 65'537}).status(), "k is 65537");
  Expect(collection_->Search({.vector = good_, .k = 10, .ef = 5}).status(), "ef is 5");
  for (const float recall : {-0.5F, 1.0F, NAN}) {
    Expect(collection_->Search({.vector = good_, .min_recall = recall}).status(), "min_recall is ");
  }
  Expect(collection_->Search({.vector = good_, .ef = 20, .min_recall = 0.9F}).status(), "both ef and min_recall");
  EXPECT_TRUE(collection_->Search({.vector = good_, .k = 65'536}).ok());
}

TEST_F(BadInput, Filters) {
  const Status status = collection_->Count("a = ").status();
  Expect(status, "column");
  Expect(collection_->Search({.vector = good_, .filter = "a = $1"}).status(), "$1");
}

TEST_F(BadInput, Collections) {
  EXPECT_EQ(database_->OpenCollection("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(database_->DropCollection("none").code(), StatusCode::kNotFound);
  EXPECT_EQ(database_->CreateCollection("c", {.dim = 3}).status().code(), StatusCode::kAlreadyExists);
  Expect(database_->CreateCollection("bad/name", {.dim = 3}).status(), "bad/name");
  Expect(database_->CreateCollection(".hidden", {.dim = 3}).status(), ".hidden");
  Expect(database_->CreateCollection("", {.dim = 3}).status(), "0 bytes");

  Expect(database_->CreateCollection("d", {.dim = 65'536}).status(), "dim is 65536");
  Expect(database_->CreateCollection("d", {.dim = 3, .m = 1}).status(), "m is 1");
  Expect(database_->CreateCollection("d", {.dim = 3, .m = 129}).status(), "m is 129");
}

TEST_F(BadInput, BatchIsAllOrNothing) {
  const std::vector<float> bad = {1};
  const std::vector<RecordView> records = {{"x", good_, "{}"}, {"y", bad, "{}"}};
  Expect(collection_->Upsert(records), "record 'y'");
  EXPECT_EQ(collection_->Get("x").status().code(), StatusCode::kNotFound);
}

TEST_F(BadInput, FoldersThatAreNoDatabase) {
  const std::string folder = folder_.Path("other");
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/letter.txt") << "dear";
  Expect(Database::Open(folder).status(), "letter.txt");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  Expect(Database::Open(folder + "/letter.txt").status(), "letter.txt");
  EXPECT_EQ(Database::Open(folder_.Path("none"), {.create_if_missing = false}).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("none")));
}

TEST_F(BadInput, DamagedFormatStampIsWrittenAnew) {
  const std::string path = folder_.Path("damaged");
  ASSERT_EQ(Database::Open(path).value().Close(), OkStatus());
  std::filesystem::resize_file(path + "/FORMAT", 3);
  ASSERT_TRUE(Database::Open(path).ok());
  EXPECT_GT(std::filesystem::file_size(path + "/FORMAT"), 3U);
}

}  // namespace
}  // namespace vdb
