// kill -9 in the middle of writes, linking and publishing: nothing acknowledged is lost, nothing deleted returns, and a
// commit is there whole or not at all. A child writes a sequence of commits that depends on a seed only; it notes in
// shared memory which one it has begun and which one was acknowledged. VDB_KILLS sets the number of kills.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 1'024;  // 1,024 rows make a graph worth building
constexpr int kIds = 1'300;

// Shared with the child; plain atomics work across processes.
struct Shared {
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> flushes{0};
  std::atomic<std::uint64_t> linked_batches{0};
  std::atomic<std::uint64_t> publishes{0};
};

// Where the writer tells of every commit that was acknowledged, a byte for each: its parent sleeps meanwhile.
constexpr int kAcknowledgements = 100;  // a descriptor

// What commit number n does.
struct Commit {
  std::vector<int> upserts;
  std::vector<int> deletes;
  bool sync = false;
  bool publish_after = false;
};

Commit MakeCommit(std::uint64_t n) {
  std::mt19937_64 random(n);
  Commit commit;
  const int size = random() % 3 == 0 ? 1 : 10 + static_cast<int>(random() % 30);
  for (int i = 0; i < size; ++i) commit.upserts.push_back(static_cast<int>(random() % kIds));
  if (random() % 4 == 0) {
    for (int i = 0; i < 10; ++i) commit.deletes.push_back(static_cast<int>(random() % kIds));
  }
  commit.sync = random() % 2 == 0;
  commit.publish_after = random() % 8 == 0;
  return commit;
}

std::vector<float> MakeVector(int id, std::uint64_t n) {
  std::mt19937 random(static_cast<unsigned>(id * 1'000'003 + static_cast<int>(n)));
  std::vector<float> vector(kDim);
  for (float& x : vector) x = static_cast<float>(random() % 2'000) / 1'000 - 1;
  return vector;
}

std::string Payload(std::uint64_t n) {
  return R"({"n": )" + std::to_string(n) + "}";
}

using Model = std::map<std::string, std::uint64_t>;  // id → commit that wrote it

void ApplyToModel(std::uint64_t n, Model* model) {
  const Commit commit = MakeCommit(n);
  for (const int id : commit.upserts) (*model)["r" + std::to_string(id)] = n;
  for (const int id : commit.deletes) model->erase("r" + std::to_string(id));
}

constexpr std::size_t kMemtableBytes = std::size_t{4} << 20;  // flushes by size, many of them

[[noreturn]] void RunWriter(const std::string& folder, const std::string& shared_path, std::uint64_t first) {
  FILE* file = std::fopen(shared_path.c_str(), "r+");
  auto* shared =
      static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, ::fileno(file), 0));
  Database database = Database::Open(folder, {.memtable_bytes = kMemtableBytes}).value();
  Collection collection = database.OpenCollection("c").value();
  for (std::uint64_t n = first;; ++n) {
    const Commit commit = MakeCommit(n);
    WriteBatch batch;
    for (const int id : commit.upserts) {
      batch.Upsert(collection, {"r" + std::to_string(id), MakeVector(id, n), Payload(n)});
    }
    for (const int id : commit.deletes) batch.Delete(collection, "r" + std::to_string(id));
    shared->begun.store(n);
    database.Write(batch, {.durability = commit.sync ? Durability::kSync : Durability::kOsBuffered}).value();
    shared->acknowledged.store(n);
    if (::write(kAcknowledgements, "", 1) != 1) std::abort();
    if (commit.publish_after) collection.Publish().value();
    const CollectionStats stats = collection.Stats().value();
    shared->flushes.store(database.Stats().value().flushes);
    shared->linked_batches.store(stats.linked_batches);
    shared->publishes.store(stats.publishes);
  }
}

class Kill : public ::testing::Test {
 protected:
  void SetUp() override {
    shared_path_ = folder_.Path("shared");
    FILE* file = std::fopen(shared_path_.c_str(), "w+");
    ASSERT_EQ(::ftruncate(::fileno(file), sizeof(Shared)), 0);
    shared_ = new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, ::fileno(file), 0)) Shared;
    std::fclose(file);
    Database database = Database::Open(folder_.Path("db")).value();
    database.CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared}).value();
    ASSERT_EQ(database.Close(), OkStatus());
  }

  // Runs the child and kills it some random time after its first acknowledgement.
  void RunAndKill(std::uint64_t first) {
    char self[4096] = {};
    ASSERT_GT(::readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    const std::string folder = folder_.Path("db");
    const std::string number = std::to_string(first);
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(pipe[1], kAcknowledgements);
      ::execl(self, self, "--writer", folder.c_str(), shared_path_.c_str(), number.c_str(), nullptr);
      ::_exit(127);
    }
    // Kill after a random number of acknowledgements, and a random spin: anywhere in a commit or in the work behind it.
    ::close(pipe[1]);
    char byte = 0;
    bool lives = true;
    for (std::uint64_t left = 1 + random_() % 12; left > 0 && lives; --left) lives = ::read(pipe[0], &byte, 1) == 1;
    std::atomic<std::uint64_t> spin{1 + random_() % 1'000'000};
    while (spin.fetch_sub(1) > 1) {
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(pipe[0]);
    ASSERT_TRUE(lives) << "the writer died by itself: " << status;
  }

  // Opens, reads everything, compares; returns the number of the last commit that is there.
  void Check(std::uint64_t* last) {
    Result<Database> opened = Database::Open(folder_.Path("db"));
    ASSERT_TRUE(opened.ok()) << opened.status();
    Collection collection = opened->OpenCollection("c").value();
    Model found;
    Scanner scanner = collection.Scan().value();
    while (std::optional<Record> record = scanner.Next().value()) {
      ASSERT_FALSE(found.contains(record->id)) << record->id << " twice";
      found[record->id] = std::strtoull(record->payload.c_str() + std::strlen(R"({"n": )"), nullptr, 10);
    }
    for (std::uint64_t n = *last + 1; n <= shared_->acknowledged.load(); ++n) ApplyToModel(n, &model_);
    *last = std::max(*last, shared_->acknowledged.load());
    if (found != model_ && shared_->begun.load() == *last + 1) {
      ApplyToModel(*last + 1, &model_);  // begun, not acknowledged, and there
      ++*last;
    }
    ASSERT_EQ(found, model_);
    ASSERT_EQ(collection.Count().value(), model_.size());
    for (int i = 0; i < 5 && !model_.empty(); ++i) {
      auto entry = model_.lower_bound("r" + std::to_string(random_() % kIds));
      if (entry == model_.end()) entry = model_.begin();
      const std::vector<float> vector = MakeVector(std::atoi(entry->first.c_str() + 1), entry->second);
      ASSERT_EQ(collection.Get(entry->first, true).value().vector, vector);
      const SearchResult result = collection.Search({.vector = vector, .k = 1, .exact = true}).value();
      ASSERT_EQ(result.hits.at(0).id, entry->first);
      ASSERT_EQ(result.hits.at(0).distance, 0);
    }
    if (random_() % 10 == 0) {
      ASSERT_EQ(collection.Verify(), OkStatus());
    }
    ASSERT_EQ(collection.Stats().value().damage, "");
  }

  TempFolder folder_;
  std::string shared_path_;
  Shared* shared_ = nullptr;
  std::mt19937_64 random_{7};
  Model model_;
};

TEST_F(Kill, NothingAcknowledgedIsLostAndNothingDeletedReturns) {
  const char* wanted = std::getenv("VDB_KILLS");
  const int kills = wanted == nullptr ? 300 : std::atoi(wanted);
  std::uint64_t last = 0;
  std::uint64_t flushes = 0;
  std::uint64_t linked = 0;
  std::uint64_t publishes = 0;
  for (int i = 0; i < kills && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("kill " + std::to_string(i));
    shared_->acknowledged.store(last);
    RunAndKill(last + 1);
    flushes += shared_->flushes.exchange(0);
    linked += shared_->linked_batches.exchange(0);
    publishes += shared_->publishes.exchange(0);
    Check(&last);
  }
  std::printf("%d kills, %llu commits, %llu flushes, %llu batches linked, %llu publications\n", kills,
              static_cast<unsigned long long>(last), static_cast<unsigned long long>(flushes),
              static_cast<unsigned long long>(linked), static_cast<unsigned long long>(publishes));
  if (kills < 100) return;  // a short run by hand
  EXPECT_GT(flushes, 20U);
  EXPECT_GT(linked, 20U);
  EXPECT_GT(publishes, 20U);
}

}  // namespace
}  // namespace vdb

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the writer, which the test then reports.
int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--writer") == 0) {
    vdb::RunWriter(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10));
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
