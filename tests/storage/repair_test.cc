// What a repair makes of a catalog that has lost a collection's schema while its rows are there.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/db/temp_folder.h"
#include "vdb/storage/schema_copy.h"
#include "vdb/storage/store.h"
#include "vdb/storage/store_repair.h"
#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"

namespace vdb::storage {
namespace {

constexpr GenerationKey kKey{.collection = 3, .generation = 2};

class Repair : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(MakeDirectory(folder_.Path("index")), OkStatus());
    ASSERT_EQ(MakeDirectory(Generation()), OkStatus());
    SchemaCopy copy;
    copy.schema.id = kKey.collection;
    copy.schema.generation = kKey.generation;
    copy.schema.name = "notes";
    copy.schema.fields.resize(1);
    copy.schema.fields[0].dim = 2;
    copy.document = R"({"model": "m"})";
    ASSERT_EQ(KeepSchemaCopy(Generation(), copy), OkStatus());
  }

  std::string Generation() const { return folder_.Path("index/3-2"); }
  std::string StorePath() const { return folder_.Path("store"); }

  // One record of the generation, counters, and perhaps an intent; no schema.
  void WriteRow(const std::optional<IntentKind>& intent) const {
    const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
    StoreBatch batch;
    batch.PutId(kKey, "a", 0);
    batch.PutRecord(kKey, {.slot = 0, .id = "a", .payload = "{}"});
    batch.PutVector(kKey, 0, std::vector<float>{1, 2});
    batch.PutCounters(kKey, {.slots = 1, .live = 1});
    if (intent) batch.PutIntent({*intent, kKey});
    ASSERT_EQ(store->Write(&batch, true), OkStatus());
  }

  std::vector<CollectionSchema> Repaired() const {
    const Result<RepairReport> report = RepairStore(StorePath(), folder_.Path("index"));
    EXPECT_TRUE(report.ok()) << report.status();
    const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
    return store->Schemas().value();
  }

  TempFolder folder_;
};

TEST_F(Repair, RowsGetTheirCollectionBackFromTheCopy) {
  WriteRow(std::nullopt);
  const std::vector<CollectionSchema> schemas = Repaired();
  ASSERT_EQ(schemas.size(), 1U);
  EXPECT_EQ(schemas[0].id, kKey.collection);
  EXPECT_EQ(schemas[0].generation, kKey.generation);
  EXPECT_EQ(schemas[0].name, "notes");
  EXPECT_EQ(schemas[0].fields.at(0).dim, 2U);
  const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
  EXPECT_EQ(store->GetDocument(kKey.collection).value(), R"({"model": "m"})");
  EXPECT_EQ(store->NextCollection().value(), kKey.collection + 1);
}

// The copy is written after the batch that installs, which also removes the intent: that batch is what was lost.
TEST_F(Repair, AGenerationWithACopyHadBeenInstalled) {
  WriteRow(IntentKind::kBuild);
  EXPECT_EQ(Repaired().size(), 1U);
  const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
  EXPECT_TRUE(store->Intents().value().empty());
}

TEST_F(Repair, ADropThatHadBegunStays) {
  WriteRow(IntentKind::kDrop);
  EXPECT_TRUE(Repaired().empty());
}

TEST_F(Repair, ACopyWithoutRowsIsNoCollection) {
  ASSERT_TRUE(Store::Open(StorePath(), {}).ok());
  EXPECT_TRUE(Repaired().empty());
}

TEST_F(Repair, RecordsWithoutAVectorStayAndThoseThatLostTheirsGo) {
  {
    const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
    StoreBatch batch;
    const char* const ids[] = {"whole", "without", "robbed"};
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      batch.PutId(kKey, ids[slot], slot);
      batch.PutRecord(kKey, {.slot = slot, .id = ids[slot], .payload = "{}", .without_vector = slot == 1});
    }
    batch.PutVector(kKey, 0, std::vector<float>{1, 2});
    batch.PutCounters(kKey, {.slots = 3, .live = 3});
    ASSERT_EQ(store->Write(&batch, true), OkStatus());
  }
  const RepairReport report = RepairStore(StorePath(), folder_.Path("index")).value();
  EXPECT_EQ(report.records, 2U);
  EXPECT_EQ(report.missing, 1U);
  const std::unique_ptr<Store> store = Store::Open(StorePath(), {}).value();
  EXPECT_EQ(store->FindId(kKey, "whole").value(), 0U);
  EXPECT_EQ(store->FindId(kKey, "without").value(), 1U);
  EXPECT_EQ(store->FindId(kKey, "robbed").value(), std::nullopt);
  bool without_vector = false;
  EXPECT_EQ(store->GetRecord(kKey, 1, nullptr, nullptr, &without_vector), OkStatus());
  EXPECT_TRUE(without_vector);
  EXPECT_EQ(store->GetRecord(kKey, 2, nullptr, nullptr).code(), StatusCode::kNotFound);
}

// FORMAT.md §9, byte for byte but for the checksum at the end: files of today must be read for good.
TEST_F(Repair, TheCopyIsWrittenAsTheFormatSays) {
  using std::string_literals::operator""s;
  const std::string schema = "\1\2\0\0\0\5\0\0\0notes\1\0\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0\0\0\0\0\0\0"s;
  const std::string document = "\1{\"model\": \"m\"}"s;
  std::string wanted = "VDBSCHEM\1\0\0\0\3\0\0\0"s;
  AppendLengthPrefixed(&wanted, schema);
  AppendLengthPrefixed(&wanted, document);
  AppendLittleEndian(&wanted, Checksum(wanted));
  EXPECT_EQ(ReadWholeFile(Generation() + "/schema", 1'000).value(), wanted);
}

TEST_F(Repair, ADamagedCopyIsNotBelieved) {
  WriteRow(std::nullopt);
  const std::string path = Generation() + "/" + std::string(kSchemaCopyName);
  const std::string whole = ReadWholeFile(path, 1'000).value();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_EQ(ReplaceFile(path, damaged), OkStatus());
    EXPECT_TRUE(ListSchemaCopies(folder_.Path("index")).value().empty()) << at;
    ASSERT_EQ(ReplaceFile(path, whole.substr(0, at)), OkStatus());
    EXPECT_TRUE(ListSchemaCopies(folder_.Path("index")).value().empty()) << at;
  }
  ASSERT_EQ(ReplaceFile(path, whole), OkStatus());
  EXPECT_EQ(ListSchemaCopies(folder_.Path("index")).value().size(), 1U);
}

}  // namespace
}  // namespace vdb::storage
