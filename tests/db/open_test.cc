// One path opened twice in a process, and reading beside other processes.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "tests/db/temp_folder.h"
#include "vdb/storage/store.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

class OpenTest : public ::testing::Test {
 protected:
  std::string Path() const { return folder_.Path("db"); }
  static Status Put(Collection& collection, std::string_view id, std::vector<float> v) {
    return collection.Upsert({.id = id, .vector = v});
  }
  Collection Make(Database& database) {
    return database.CreateCollection("c", {.dim = 2, .metric = Metric::kL2Squared}).value();
  }
  // Every file's bytes by path.
  std::map<std::string, std::string> Contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
  }
  // Runs the disabled test of that name in a process that shares nothing with this one; returns its exit status.
  int InFreshProcess(const std::string& name) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("VDB_TEST_PATH", Path().c_str(), 1);
      const std::string filter = "--gtest_filter=Open.DISABLED_" + name;
      ::execl("/proc/self/exe", "open_test", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Runs body in a forked child; returns what it returned.
  template <typename Body>
  static int InChild(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // Four threads open and leave an existing database, 15 times each; how often that failed.
  int FailuresOf(const std::function<bool()>& open_and_leave) const {
    { Database made = Database::Open(Path()).value(); }
    std::atomic<int> failures{0};
    std::vector<std::thread> users;
    users.reserve(4);
    for (int t = 0; t < 4; ++t) {
      users.emplace_back([&] {
        for (int i = 0; i < 15; ++i) failures += open_and_leave() ? 0 : 1;
      });
    }
    for (std::thread& user : users) user.join();
    return failures;
  }

  TempFolder folder_;
};

TEST_F(OpenTest, TwiceLeadsToTheSameDatabaseAndTheLastCloseCloses) {
  Database first = Database::Open(Path()).value();
  Collection c = Make(first);
  Database second = Database::Open(Path()).value();
  Collection same = second.OpenCollection("c").value();
  ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
  EXPECT_EQ(same.Count().value(), 1U);
  Database copy = first;  // the same opening
  ASSERT_EQ(first.Close(), OkStatus());
  EXPECT_EQ(first.Close(), OkStatus());
  EXPECT_EQ(copy.ListCollections().status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.ListCollections().value(), std::vector<std::string>{"c"});
  ASSERT_EQ(Put(same, "b", {1, 2}), OkStatus());
  ASSERT_EQ(second.Close(), OkStatus());
  EXPECT_EQ(same.Count().status().code(), StatusCode::kFailedPrecondition);
  Database third = Database::Open(Path()).value();
  EXPECT_EQ(third.OpenCollection("c").value().Count().value(), 2U);
}

TEST_F(OpenTest, OpeningBesideClosingNeverFails) {
  EXPECT_EQ(FailuresOf([&] {
              Result<Database> database = Database::Open(Path());
              return database.ok() && database->ListCollections().ok() && database->Close().ok();
            }),
            0);
}

// The handle is let go, not closed: its database is closed where the last one goes.
TEST_F(OpenTest, OpeningBesideAHandleThatIsLetGoNeverFails) {
  EXPECT_EQ(FailuresOf([&] {
              const Result<Database> database = Database::Open(Path());
              return database.ok() && database->ListCollections().ok();
            }),
            0);
}

TEST_F(OpenTest, ALinkToTheFolderIsTheSameDatabase) {
  Database first = Database::Open(Path()).value();
  std::filesystem::create_directory_symlink(Path(), folder_.Path("link"));
  EXPECT_TRUE(Database::Open(folder_.Path("link")).ok());
}

TEST_F(OpenTest, OtherOptionsAreRefusedByName) {
  Database first = Database::Open(Path(), {.threads = 2}).value();
  const Status status = Database::Open(Path(), {.threads = 1}).status();
  EXPECT_EQ(status.reason(), StatusReason::kInUse);
  EXPECT_NE(status.message().find("threads 2"), std::string::npos) << status;
  EXPECT_EQ(Database::Open(Path(), {.threads = 2, .read_only = true}).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(OpenTest, AFolderMadeAgainIsANewDatabase) {
  Database first = Database::Open(Path()).value();
  Make(first);
  std::filesystem::remove_all(Path());
  Database second = Database::Open(Path()).value();
  EXPECT_TRUE(second.ListCollections().value().empty());
}

TEST_F(OpenTest, HandlesThatAreGoneAreNotCounted) {
  { Database dropped = Database::Open(Path()).value(); }
  Database first = Database::Open(Path()).value();
  std::optional<Collection> held;
  {
    Database second = Database::Open(Path()).value();
    held = Make(second);
  }
  ASSERT_EQ(first.Close(), OkStatus());
  EXPECT_EQ(held->Count().status().code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Database::Open(Path()).ok());
}

TEST_F(OpenTest, AForkedChildHasNoneOfTheParentsDatabases) {
  Database database = Database::Open(Path()).value();
  EXPECT_EQ(InChild([&] {
              const Status inherited = database.ListCollections().status();
              const Status opened = Database::Open(Path()).status();
              return inherited.code() == StatusCode::kFailedPrecondition &&
                             opened.message().find("spawn") != std::string::npos
                         ? 0
                         : 1;
            }),
            0);
  EXPECT_TRUE(database.ListCollections().ok());
}

TEST_F(OpenTest, AForkedChildClosesThoughALockOfItsParentIsHeldForEver) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer does not follow a fork that starts threads";
#endif
  {
    Database database = Database::Open(Path()).value();
    Collection c = Make(database);
    ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
  }
  EXPECT_EQ(InChild([&] {
              ::alarm(60);
              for (const bool is_held : {false, true}) {
                if (is_held) SyncPoints::Set("store.before_close_in_child", [] { ::pause(); });
                Database database = Database::Open(Path(), {.read_only = true}).value();
                if (database.OpenCollection("c").value().Count().value() != 1) return 1;
                if (!database.Close().ok()) return 2;
              }
              return 0;
            }),
            0);
  EXPECT_TRUE(Database::Open(Path()).ok());
}

// Run by the next one, in a process of its own.
TEST(Open, DISABLED_ForkWhileOpen) {
  const char* path = std::getenv("VDB_TEST_PATH");
  ASSERT_NE(path, nullptr);
  // Read-only first: the second open starts more threads.
  std::optional<Database> database = Database::Open(path, {.read_only = true}).value();
  ASSERT_EQ(database->Close(), OkStatus());
  database = Database::Open(path).value();
  const Collection c = database->OpenCollection("c").value();
  static std::FILE* file = nullptr;
  file = std::fopen((std::string(path) + "/said").c_str(), "w");
  ASSERT_NE(file, nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // waiting for a thread of the parent would take for ever
    std::atexit([] { std::fputs("at exit", file); });
    std::exit(7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(c.Count().value(), 1U);
}

TEST_F(OpenTest, AForkedChildMayExit) {
  {
    Database database = Database::Open(Path()).value();
    Collection c = Make(database);
    ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
  }
  EXPECT_EQ(InFreshProcess("ForkWhileOpen"), 0);
  EXPECT_EQ(Contents()[Path() + "/said"], "at exit");
}

constexpr std::size_t kDim = 128;
constexpr std::size_t kRows = 9'000;  // enough for a graph; the last ones are in no published file

// Run by the next one, in a process of its own.
TEST(Open, DISABLED_WriteAndDie) {
  const char* path = std::getenv("VDB_TEST_PATH");
  ASSERT_NE(path, nullptr);
  Database database = Database::Open(path).value();
  Collection c = database.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value();
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < kRows; ++i) {
    std::vector<float> v(kDim);
    for (float& x : v) x = normal(random);
    const WriteOptions buffered{.durability = Durability::kOsBuffered};
    const std::string id = std::to_string(i);
    ASSERT_EQ(c.Upsert({.id = id, .vector = v, .payload = R"({"x": 1})"}, buffered), OkStatus());
    if (i == kRows - 500) {
      ASSERT_EQ(c.Publish(), OkStatus());
    }
  }
  ASSERT_TRUE(c.Delete("7").ok());
  ::_exit(0);  // without closing
}

TEST_F(OpenTest, ReadOnlyAnswersFromWhatAKilledWriterLeftAndChangesNothing) {
  ASSERT_EQ(InFreshProcess("WriteAndDie"), 0);
  const auto before = Contents();
  {
    Database database = Database::Open(Path(), {.read_only = true}).value();
    Collection c = database.OpenCollection("c").value();
    ASSERT_EQ(c.WaitForIndex(), OkStatus());
    EXPECT_EQ(c.Stats().value().damage, "");
    EXPECT_EQ(c.Stats().value().linked, kRows);
    EXPECT_EQ(c.Count("x = 1").value(), kRows - 1);
    const Record last = c.Get(std::to_string(kRows - 1), true).value();
    EXPECT_EQ(c.Search({.vector = last.vector, .k = 1}).value().hits[0].id, last.id);
    EXPECT_EQ(c.Get("7").status().code(), StatusCode::kNotFound);
    EXPECT_EQ(c.Verify(), OkStatus());
    const std::vector<Status> refused = {c.Upsert({.id = "n", .vector = last.vector}),
                                         c.Delete("1").status(),
                                         c.DeleteWhere("x = 1").status(),
                                         c.UpdateWhere("x = 1", "{}").status(),
                                         c.SetDocument("{}"),
                                         c.Compact(),
                                         c.Publish(),
                                         database.CreateCollection("d", {.dim = 2}).status(),
                                         database.DropCollection("c"),
                                         database.WritableStatus()};
    for (const Status& status : refused) {
      EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status;
      EXPECT_NE(status.message().find("read-only"), std::string::npos) << status;
    }
    EXPECT_EQ(database.Close(), OkStatus());
  }
  EXPECT_EQ(Contents(), before);
  Database database = Database::Open(Path()).value();
  EXPECT_EQ(database.OpenCollection("c").value().Count().value(), kRows - 1);
}

// Run by the next one, in a process of its own.
TEST(Open, DISABLED_AskAndDie) {
  Database database = Database::Open(std::getenv("VDB_TEST_PATH")).value();
  ASSERT_TRUE(database.OpenCollection("c").value().Get("a").ok());
  ::_exit(0);  // without closing
}

TEST_F(OpenTest, SessionsThatOnlyReadAndAreKilledLeaveNoLogs) {
  {
    Database database = Database::Open(Path()).value();
    Collection c = Make(database);
    ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
  }
  for (int i = 0; i < 5; ++i) ASSERT_EQ(InFreshProcess("AskAndDie"), 0);
  int logs = 0;
  for (const auto& [path, bytes] : Contents()) logs += path.ends_with(".log") ? 1 : 0;
  EXPECT_EQ(logs, 1);
}

TEST(Open, DISABLED_ReadBesideAReader) {
  const char* path = std::getenv("VDB_TEST_PATH");
  ASSERT_NE(path, nullptr);
  Database second = Database::Open(path, {.read_only = true}).value();
  EXPECT_EQ(second.OpenCollection("c").value().Count().value(), 1U);
}

TEST(Open, DISABLED_WriteBesideAReader) {
  const char* path = std::getenv("VDB_TEST_PATH");
  ASSERT_NE(path, nullptr);
  const Status status = Database::Open(path).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("process " + std::to_string(::getppid())), std::string::npos) << status;
  EXPECT_NE(status.message().find("open it read-only here too"), std::string::npos) << status;
}

TEST_F(OpenTest, ManyReadersOrOneWriter) {
  {
    Database database = Database::Open(Path()).value();
    Collection c = Make(database);
    ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
    EXPECT_EQ(InChild([&] {
                const Status status = Database::Open(Path(), {.read_only = true}).status();
                const std::string writer = "process " + std::to_string(::getppid());
                return status.code() == StatusCode::kFailedPrecondition &&
                               status.message().find(writer) != std::string::npos &&
                               status.message().find("open it read-only there too") != std::string::npos
                           ? 0
                           : 1;
              }),
              0);
  }
  Database reader = Database::Open(Path(), {.read_only = true}).value();
  EXPECT_EQ(reader.OpenCollection("c").value().Count().value(), 1U);
  EXPECT_EQ(InFreshProcess("ReadBesideAReader"), 0);
  EXPECT_EQ(InFreshProcess("WriteBesideAReader"), 0);
  ASSERT_EQ(reader.Close(), OkStatus());
  EXPECT_TRUE(Database::Open(Path()).ok());
}

// Each session that writes flushes tables of a few hundred bytes, whose keys are apart: RocksDB alone keeps them all.
TEST_F(OpenTest, ManySessionsThatWriteALittleLeaveFewTables) {
  constexpr int kSessions = 40;
  for (int i = 0; i < kSessions; ++i) {
    Database database = Database::Open(Path()).value();
    Collection collection = i == 0 ? Make(database) : database.OpenCollection("c").value();
    ASSERT_EQ(Put(collection, "r" + std::to_string(1'000 + i), {1.0F * static_cast<float>(i), 0}), OkStatus());
    ASSERT_EQ(database.Close(), OkStatus());
  }
  std::size_t tables = 0;
  for (const auto& [path, bytes] : Contents()) tables += path.ends_with(".sst") ? 1 : 0;
  EXPECT_LT(tables, 60U);  // five column families, of each at most 3 on the first level and 7 below
  Database database = Database::Open(Path()).value();
  Collection collection = database.OpenCollection("c").value();
  EXPECT_EQ(collection.Count().value(), std::uint64_t{kSessions});
  for (int i = 0; i < kSessions; ++i) EXPECT_TRUE(collection.Get("r" + std::to_string(1'000 + i)).ok()) << i;
  EXPECT_EQ(collection.Verify(), OkStatus());
}

// As a repair may bring it back: of a generation that has been installed since.
TEST_F(OpenTest, AnIntentToBuildWhatACollectionHasRemovesNothing) {
  {
    Database database = Database::Open(Path()).value();
    Collection c = Make(database);
    ASSERT_EQ(Put(c, "a", {1, 2}), OkStatus());
    ASSERT_EQ(c.Compact(), OkStatus());
  }
  const auto open_store = [&] { return storage::Store::Open(Path() + "/store", {}).value(); };
  {
    const std::unique_ptr<storage::Store> store = open_store();
    const storage::CollectionSchema schema = store->Schemas().value().at(0);
    storage::StoreBatch batch;
    batch.PutIntent({storage::IntentKind::kBuild, {schema.id, schema.generation}});
    ASSERT_EQ(store->Write(&batch, true), OkStatus());
  }
  {
    Database database = Database::Open(Path()).value();
    EXPECT_TRUE(database.OpenCollection("c").value().Get("a").ok());
  }
  EXPECT_TRUE(open_store()->Intents().value().empty());
}

TEST_F(OpenTest, ReadOnlyMakesNoDatabase) {
  EXPECT_EQ(Database::Open(Path(), {.read_only = true}).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

}  // namespace
}  // namespace vdb
