// Flipped bits and truncations. In files of ours every one ends in right answers. In RocksDB's files, what was
// acknowledged is there, or the loss is reported with the file and the way out, and that way out works. Damage that
// RocksDB itself cannot see (padding, its OPTIONS and LOG files) is harmless. VDB_FLIPS sets the number of trials per
// kind.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDim = 256;
constexpr int kPublishedRows = 4'500;
constexpr int kRows = 5'000;
constexpr const char* kDocument = R"({"model": "m"})";

std::vector<float> MakeVector(int i) {
  std::mt19937 random(static_cast<unsigned>(i));
  std::vector<float> vector(kDim);
  for (float& x : vector) x = static_cast<float>(random() % 2'000) / 1'000 - 1;
  return vector;
}

void Put(Collection* collection, int begin, int end) {
  for (int i = begin; i < end; i += 100) {
    std::vector<std::string> ids;
    std::vector<std::vector<float>> vectors;
    for (int j = i; j < i + 100; ++j) ids.push_back("r" + std::to_string(j));
    for (int j = i; j < i + 100; ++j) vectors.push_back(MakeVector(j));
    const std::string payload = R"({"part": )" + std::to_string(i / 1'000) + "}";
    std::vector<RecordView> records;
    for (std::size_t j = 0; j < ids.size(); ++j) records.push_back({ids[j], vectors[j], payload});
    collection->Upsert(records).value();
  }
}

// Makes the database and dies without closing it: published files, flushed tables and a log that is still needed.
[[noreturn]] void RunWriter(const std::string& folder) {
  Database database = Database::Open(folder, {.memtable_bytes = std::size_t{1} << 20}).value();
  Collection collection = database.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value();
  Put(&collection, 0, kPublishedRows);
  collection.Delete("r0").value();
  collection.WaitForIndex().value();
  collection.Publish().value();
  Put(&collection, kPublishedRows, kRows);
  collection.Delete("r1").value();
  ::_exit(0);
}

// Dies with all rows in the log and in no table.
[[noreturn]] void RunLogWriter(const std::string& folder) {
  Database database = Database::Open(folder).value();
  Collection collection = database.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value();
  Put(&collection, 0, 200);
  ::_exit(0);
}

// What a database that opened must answer; empty if it does.
std::string Wrong(Database* database) {
  Result<Collection> collection = database->OpenCollection("c");
  if (!collection.ok()) return collection.status().ToString();
  const Result<std::uint64_t> count = collection->Count();
  if (!count.ok() || *count != kRows - 2)
    return "count " + (count.ok() ? std::to_string(*count) : count.status().message());
  if (collection->Count("part = 3").value() != 1'000) return "filter";
  for (const int i : {2, 777, kPublishedRows - 1, kPublishedRows, kRows - 1}) {
    const std::vector<float> vector = MakeVector(i);
    const Result<Record> record = collection->Get("r" + std::to_string(i), true);
    if (!record.ok() || record->vector != vector) return "get " + std::to_string(i);
    for (const bool exact : {true, false}) {
      const Result<SearchResult> result = collection->Search({.vector = vector, .k = 3, .exact = exact});
      if (!result.ok()) return result.status().ToString();
      if (result->hits.size() != 3 || result->hits[0].id != record->id || result->hits[0].distance != 0) {
        return "search " + std::to_string(i);
      }
    }
  }
  for (const char* dead : {"r0", "r1"}) {
    if (collection->Get(dead).status().code() != StatusCode::kNotFound) return std::string(dead) + " is back";
  }
  const Status verified = collection->Verify();
  return verified.ok() ? "" : verified.ToString();
}

class Flip : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    RunInProcess("--writer", folder_->Path("master"));
  }
  static void TearDownTestSuite() { delete folder_; }

  // This program with these arguments, to its end.
  static void RunInProcess(const char* what, const std::string& folder) {
    char self[4096] = {};
    ASSERT_GT(::readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(self, self, what, folder.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  static std::string Fresh() {
    std::string copy = folder_->Path("copy");
    fs::remove_all(copy);
    fs::remove_all(folder_->Path("repaired"));
    fs::copy(folder_->Path("master"), copy, fs::copy_options::recursive);
    return copy;
  }

  // Files below the folder for which `wanted` holds, sorted.
  template <typename Wanted>
  static std::vector<std::string> Files(Wanted wanted) {
    const std::string master = folder_->Path("master");
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(master)) {
      const std::string relative = fs::relative(entry.path(), master).string();
      if (entry.is_regular_file() && entry.file_size() > 0 && wanted(relative)) files.push_back(relative);
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  // Flips a bit, or cuts the file; says what it did.
  std::string Damage(const std::string& path) {
    const std::uint64_t size = fs::file_size(path);
    const std::uint64_t at = random_() % size;
    if (random_() % 3 == 0) {
      fs::resize_file(path, at);
      return "cut at " + std::to_string(at);
    }
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    const int bit = static_cast<int>(random_() % 8);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ (1 << bit)));
    return "bit " + std::to_string(bit) + " of byte " + std::to_string(at);
  }

  static int Trials(int otherwise) {
    const char* wanted = std::getenv("VDB_FLIPS");
    return wanted == nullptr ? otherwise : std::atoi(wanted);
  }

  static inline TempFolder* folder_ = nullptr;
  std::mt19937_64 random_{11};
};

TEST_F(Flip, DamageInFilesOfOursEndsInRightAnswers) {
  const std::vector<std::string> files = Files([](const std::string& name) { return !name.starts_with("store/"); });
  ASSERT_GE(files.size(), 5U);  // FORMAT, WATERMARK, LOCK, links, columns, vectors
  int noticed = 0;
  for (int i = 0; i < Trials(60); ++i) {
    const std::string copy = Fresh();
    const std::string& file = files[static_cast<std::size_t>(i) % files.size()];
    SCOPED_TRACE(testing::Message() << file << ", " << Damage(fs::path(copy) / file));
    Result<Database> database = Database::Open(copy);
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_EQ(Wrong(&*database), "");
    noticed += database->OpenCollection("c").value().Stats().value().damage.empty() ? 0 : 1;
  }
  std::printf("%d of %d damages were seen in published files\n", noticed, Trials(60));
  EXPECT_GT(noticed, Trials(60) / 6);
}

TEST_F(Flip, DamageInTheStoreIsReportedOrHarmlessAndTheWayOutWorks) {
  const std::vector<std::string> files = Files([](const std::string& name) { return name.starts_with("store/"); });
  int reported = 0;
  int repaired = 0;
  for (int i = 0; i < Trials(60); ++i) {
    const std::string copy = Fresh();
    // Half of the trials hit logs, MANIFEST and CURRENT: what RocksDB forgets silently.
    std::string file = files[random_() % files.size()];
    for (int tries = 0; i % 2 == 0 && tries < 200 && !file.ends_with(".log") &&
                        file.find("MANIFEST") == std::string::npos && file.find("CURRENT") == std::string::npos;
         ++tries) {
      file = files[random_() % files.size()];
    }
    SCOPED_TRACE(testing::Message() << file << ", " << Damage(fs::path(copy) / file));
    std::string problem;
    {
      Result<Database> database = Database::Open(copy);
      if (!database.ok()) {
        ASSERT_EQ(database.status().code(), StatusCode::kDataLoss) << database.status();
        ASSERT_NE(database.status().message().find(copy), std::string::npos) << database.status();
        ASSERT_NE(database.status().message().find("vdbctl repair"), std::string::npos) << database.status();
        problem = database.status().ToString();
      } else {
        problem = Wrong(&*database);
        if (problem.empty()) continue;  // harmless
      }
    }
    ++reported;
    // A loss that the watermark saw is accepted in place; else a copy is repaired.
    const bool lost_commits = problem.find("--accept-loss") != std::string::npos;
    if (lost_commits) {
      Result<Database> accepted = Database::Open(copy, {.accept_data_loss = true});
      ASSERT_TRUE(accepted.ok()) << problem << '\n' << accepted.status();
      ASSERT_EQ(accepted->Close(), OkStatus());
      Result<Database> again = Database::Open(copy);
      ASSERT_TRUE(again.ok()) << again.status();
      ASSERT_TRUE(again->ListCollections().ok());
      continue;
    }
    // Never silent: what is wrong was told by a Status, not by a wrong answer.
    ASSERT_TRUE(problem.starts_with("DataLoss") || problem.find("DataLoss") != std::string::npos ||
                problem.starts_with("IoError") || problem.starts_with("count ") || problem.starts_with("get "))
        << problem;
    const Result<RepairReport> report = RepairCopy(copy, folder_->Path("repaired"));
    ASSERT_TRUE(report.ok()) << problem << '\n' << report.status();
    ASSERT_TRUE(Database::Open(folder_->Path("repaired")).ok());
    ++repaired;
  }
  std::printf("%d of %d damages reported; %d copies repaired\n", reported, Trials(60), repaired);
  EXPECT_GT(reported, Trials(60) / 10);
}

// Two sessions, so that the catalog's first table has the collection's schema and document and nothing else.
TEST_F(Flip, NoTableTakesTheWholeCollectionWithIt) {
  const std::string master = folder_->Path("sessions");
  {
    Database database = Database::Open(master).value();
    Collection collection = database.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value();
    ASSERT_EQ(collection.SetDocument(kDocument), OkStatus());
    ASSERT_EQ(database.Close(), OkStatus());
  }
  {
    Database database = Database::Open(master).value();
    Collection collection = database.OpenCollection("c").value();
    Put(&collection, 0, 500);
    ASSERT_EQ(database.Close(), OkStatus());
  }
  std::vector<std::string> tables;
  for (const auto& entry : fs::directory_iterator(master + "/store")) {
    if (entry.path().extension() == ".sst") tables.push_back(entry.path().filename());
  }
  ASSERT_GE(tables.size(), 4U);  // two of the catalog, ids, records, vectors
  std::size_t without_a_loss = 0;
  for (const std::string& table : tables) {
    SCOPED_TRACE(table);
    const std::string copy = folder_->Path("copy");
    fs::remove_all(copy);
    fs::remove_all(folder_->Path("repaired"));
    fs::copy(master, copy, fs::copy_options::recursive);
    const fs::path damaged = fs::path(copy) / "store" / table;
    fs::resize_file(damaged, fs::file_size(damaged) / 2);
    EXPECT_EQ(Database::Open(copy).status().code(), StatusCode::kDataLoss);
    const Result<RepairReport> report = RepairCopy(copy, folder_->Path("repaired"));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->collections, 1U);
    Database repaired = Database::Open(folder_->Path("repaired")).value();
    const Collection collection = repaired.OpenCollection("c").value();
    EXPECT_EQ(collection.options().dim, kDim);
    EXPECT_EQ(collection.GetDocument().value(), kDocument);
    EXPECT_EQ(collection.Count().value(), report->records);
    without_a_loss += report->records == 500 ? 1 : 0;
  }
  EXPECT_EQ(without_a_loss, 2U);  // tables of the catalog have no rows
}

// RocksDB's repair alone takes from a log only what belongs to column families that have tables.
TEST_F(Flip, ALogWithoutAnyTableIsRepaired) {
  const std::string source = folder_->Path("log");
  RunInProcess("--log-writer", source);
  fs::remove(source + "/store/CURRENT");
  for (const auto& entry : fs::directory_iterator(source + "/store")) {
    ASSERT_NE(entry.path().extension(), ".sst");
    if (entry.path().filename().string().starts_with("MANIFEST-")) fs::remove(entry.path());
  }
  fs::remove_all(folder_->Path("repaired"));
  const Result<RepairReport> report = RepairCopy(source, folder_->Path("repaired"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->records, 200U);
  Database repaired = Database::Open(folder_->Path("repaired")).value();
  EXPECT_EQ(repaired.OpenCollection("c").value().Verify(), OkStatus());
}

// The newest commits come from the log then, and their rows are all that is left of the collection.
TEST_F(Flip, AManifestThatForgotTheCollectionIsReportedAndNoTableIsLost) {
  const std::vector<std::string> manifests =
      Files([](const std::string& name) { return name.starts_with("store/MANIFEST-"); });
  ASSERT_EQ(manifests.size(), 1U);
  const auto tables = [](const fs::path& folder) {
    const auto is_table = [](const fs::directory_entry& entry) { return entry.path().extension() == ".sst"; };
    return std::count_if(fs::directory_iterator(folder), fs::directory_iterator(), is_table);
  };
  const fs::path copy = Fresh();
  const auto all_tables = tables(copy / "store");
  ASSERT_GT(all_tables, 2);
  fs::resize_file(copy / manifests.front(), 508);  // behind the column families, before the first table
  for (const bool read_only : {true, false}) {
    const Status refused = Database::Open(copy, {.read_only = read_only}).status();
    EXPECT_EQ(refused.code(), StatusCode::kDataLoss) << refused;
    EXPECT_NE(refused.message().find("rows of a collection"), std::string::npos) << refused;
  }
  EXPECT_EQ(tables(copy / "rescue"), all_tables);
  Result<Database> accepted = Database::Open(copy, {.accept_data_loss = true});
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->ListCollections().value(), std::vector<std::string>());
  ASSERT_EQ(accepted->Close(), OkStatus());
  Result<Database> again = Database::Open(copy);
  ASSERT_TRUE(again.ok()) << again.status();
}

}  // namespace
}  // namespace vdb

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the writer, which the test then reports.
int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--writer") == 0) vdb::RunWriter(argv[2]);
  if (argc == 3 && std::strcmp(argv[1], "--log-writer") == 0) vdb::RunLogWriter(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
