// Files of a newer vdb: the database is refused with not one byte changed, derived files are made anew, and every
// message names the file, the version that it has and the version that this build reads.

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <vdb/repair.h>
#include <vdb/vdb.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/db/temp_folder.h"
#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/file.h"

namespace vdb {
namespace {

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Path below the folder and contents of every file.
std::map<std::string, std::string> Everything(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    files[name] = entry.is_regular_file() ? ReadBytes(entry.path().string()) : "folder";
  }
  return files;
}

template <typename T>
void Poke(std::string* bytes, std::size_t offset, T value) {
  std::string encoded;
  AppendLittleEndian(&encoded, value);
  bytes->replace(offset, encoded.size(), encoded);
}

class NewerFormat : public ::testing::Test {
 protected:
  void SetUp() override {
    Database database = Open().value();
    Collection c = database.CreateCollection("c", {.dim = 2}).value();
    for (int i = 0; i < 50; ++i) {
      const std::vector<float> v = {1, static_cast<float>(i)};
      ASSERT_EQ(c.Upsert({"r" + std::to_string(i), v, R"({"n": 1})"}), OkStatus());
    }
    ASSERT_EQ(c.Delete("r7").value(), 1U);
    ASSERT_EQ(c.Publish(), OkStatus());
    ASSERT_EQ(database.Close(), OkStatus());
  }
  Result<Database> Open() const { return Database::Open(path_); }

  // Rewrites bytes [begin, end) of a file, whose last 8 are the checksum of those before.
  void Rewrite(const std::string& file, std::size_t begin, std::size_t end, std::size_t at, std::uint32_t value) const {
    std::string bytes = ReadBytes(file);
    ASSERT_GE(bytes.size(), end);
    Poke(&bytes, at, value);
    Poke(&bytes, end - 8, Checksum(std::string_view(bytes).substr(begin, end - 8 - begin)));
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }
  void SetStamp(std::size_t field, std::uint32_t value) const {
    for (const std::size_t copy : {0, 512}) Rewrite(path_ + "/FORMAT", copy, copy + 32, copy + field, value);
  }
  void ExpectRefusedUnchanged(const Status& status, const std::string& version) const {
    EXPECT_EQ(status.reason(), StatusReason::kNewerFormat) << status;
    for (const std::string& words : {path_ + "/FORMAT", version, std::string("reads format 1")}) {
      EXPECT_NE(status.message().find(words), std::string::npos) << status << " without " << words;
    }
  }
  std::string Derived(const std::string& prefix) const {
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/index/1-1")) {
      if (entry.path().filename().string().starts_with(prefix)) return entry.path().string();
    }
    return "";
  }
  // The file is not used, the records are all there, and the next publication mends it.
  void ExpectMadeAnew(const std::string& file, const std::string& reads) const {
    Database database = Open().value();
    Collection c = database.OpenCollection("c").value();
    const std::string damage = c.Stats().value().damage;
    for (const std::string& words : {file, std::string("version 2"), reads}) {
      EXPECT_NE(damage.find(words), std::string::npos) << damage << " without " << words;
    }
    EXPECT_EQ(c.Count("n = 1").value(), 49U);
    EXPECT_EQ(c.Verify(), OkStatus());
    ASSERT_EQ(c.Publish(), OkStatus());
    ASSERT_EQ(database.Close(), OkStatus());
    database = Open().value();
    c = database.OpenCollection("c").value();
    EXPECT_EQ(c.Stats().value().damage, "");
    EXPECT_EQ(c.Stats().value().published, 50U);
    EXPECT_EQ(c.Count("n = 1").value(), 49U);
  }

  TempFolder folder_;
  const std::string path_ = folder_.Path("db");
};

TEST_F(NewerFormat, StampOfANewerMajorVersionIsRefusedWithNothingChanged) {
  SetStamp(8, 2);
  const auto before = Everything(path_);
  ExpectRefusedUnchanged(Open().status(), "format 2.0");
  ExpectRefusedUnchanged(Database::Open(path_, {.accept_data_loss = true}).status(), "format 2.0");
  ExpectRefusedUnchanged(RepairCopy(path_, folder_.Path("copy")).status(), "format 2.0");
  EXPECT_TRUE(Everything(path_) == before);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("copy")));
}

TEST_F(NewerFormat, StampWithAnUnknownRequiredFeatureIsRefusedWithNothingChanged) {
  SetStamp(16, 4);
  const auto before = Everything(path_);
  ExpectRefusedUnchanged(Open().status(), "required features 4");
  EXPECT_TRUE(Everything(path_) == before);
}

TEST_F(NewerFormat, StampOfANewerMinorVersionIsReadAndKept) {
  SetStamp(12, 7);
  const std::string stamp = ReadBytes(path_ + "/FORMAT");
  {
    Database database = Open().value();
    EXPECT_EQ(database.OpenCollection("c").value().Count().value(), 49U);
  }
  EXPECT_EQ(ReadBytes(path_ + "/FORMAT"), stamp);
}

TEST_F(NewerFormat, LinksAreMadeAnew) {
  const std::string file = Derived("links-");
  Rewrite(file, 0, 4'096, 8, 2);
  ExpectMadeAnew(file, "reads version 1");
}

TEST_F(NewerFormat, ColumnsAreMadeAnew) {
  const std::string file = Derived("columns-");
  Rewrite(file, 0, 64, 8, 2);
  ExpectMadeAnew(file, "reads 1");
}

// The vectors have no version of their own: rows and nothing else. What is not what was published is made anew.
TEST_F(NewerFormat, VectorsThatAreSomethingElseAreMadeAnew) {
  std::ofstream(path_ + "/index/1-1/vectors", std::ios::binary | std::ios::trunc) << std::string(100'000, 'v');
  Database database = Open().value();
  Collection c = database.OpenCollection("c").value();
  EXPECT_NE(c.Stats().value().damage.find("vectors"), std::string::npos);
  EXPECT_EQ(c.Verify(), OkStatus());
}

// Changes a byte of a catalog value, as a newer vdb would; an offset below 0 counts from the end.
void SetCatalogByte(const std::string& store, char key_prefix, int offset, char byte) {
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), store, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(names.size());
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), store, families, &handles, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  {
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions()));
    it->Seek(std::string(1, key_prefix));
    ASSERT_TRUE(it->Valid() && it->key()[0] == key_prefix);
    std::string value = it->value().ToString();
    value.at(offset < 0 ? value.size() - static_cast<std::size_t>(-offset) : static_cast<std::size_t>(offset)) = byte;
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), it->key(), value).ok());
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  ASSERT_TRUE(db->Close().ok());
}

TEST_F(NewerFormat, CatalogRecordsAreRefused) {
  const auto expect_refused = [&](const Status& status, const std::string& what) {
    EXPECT_EQ(status.reason(), StatusReason::kNewerFormat) << status;
    for (const std::string& words : {path_ + "/store", what + " has version 2", std::string("reads up to 1")}) {
      EXPECT_NE(status.message().find(words), std::string::npos) << status << " without " << words;
    }
  };
  SetCatalogByte(path_ + "/store", 'S', 0, 2);
  expect_refused(Open().status(), "schema");
  SetCatalogByte(path_ + "/store", 'S', 0, 1);
  for (const auto& [prefix, what] : std::map<char, std::string>{{'G', "counters"}, {'P', "published files"}}) {
    SetCatalogByte(path_ + "/store", prefix, 0, 2);
    {
      Database database = Open().value();
      expect_refused(database.OpenCollection("c").status(), what);
    }
    SetCatalogByte(path_ + "/store", prefix, 0, 1);
  }
  Database database = Open().value();
  EXPECT_EQ(database.OpenCollection("c").value().Count().value(), 49U);
  EXPECT_EQ(database.OpenCollection("c").value().Verify(), OkStatus());
}

// A schema ends with kind, dim (4), metric, codes, M (4), efConstruction (4).
TEST_F(NewerFormat, SchemasOfUnknownKindMetricOrCodesAreRefused) {
  const std::map<int, std::string> unknown = {{-15, "kind 9"}, {-10, "metric 9"}, {-9, "codes 9"}};
  for (const auto& [offset, words] : unknown) {
    SetCatalogByte(path_ + "/store", 'S', offset, 9);
    const Status newer = Open().status();
    EXPECT_EQ(newer.reason(), StatusReason::kNewerFormat) << newer;
    EXPECT_NE(newer.message().find(words), std::string::npos) << newer;
    SetCatalogByte(path_ + "/store", 'S', offset, offset == -9 ? 2 : 0);
  }
  EXPECT_EQ(Open().value().OpenCollection("c").value().Count().value(), 49U);
}

}  // namespace
}  // namespace vdb
