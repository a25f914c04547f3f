// Published links are walked in their file until they are verified, behind the first answer.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/db/gate.h"
#include "tests/db/temp_folder.h"
#include "vdb/db/collection_impl.h"
#include "vdb/util/steady_time.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 128;
constexpr std::size_t kRows = 9'000;  // 4.6 MB: enough for a graph

class MappedOpen : public ::testing::TestWithParam<CodeKind> {
 protected:
  // Every test gets a copy of one published database: linking it is most of the time, under ThreadSanitizer above all.
  static void TearDownTestSuite() { published_.clear(); }
  void SetUp() override {
    CollectionImpl::SetVerifyAtOpenBytes(0);
    const auto [published, is_new] = published_.try_emplace(GetParam());
    if (is_new) {
      Open();
      for (std::size_t begin = 0; begin < kRows; begin += 1'000) Put(begin, begin + 1'000);
      ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
      ASSERT_EQ(collection_->Publish(), OkStatus());
      Close();
      std::filesystem::rename(folder_.Path("db"), published->second.Path("db"));
    }
    std::filesystem::copy(published->second.Path("db"), folder_.Path("db"), std::filesystem::copy_options::recursive);
  }
  void TearDown() override { CollectionImpl::SetVerifyAtOpenBytes(std::uint64_t{64} << 20); }

  void Open() {
    database_.emplace(Database::Open(folder_.Path("db")).value());
    Result<Collection> opened = database_->OpenCollection("c");
    if (!opened.ok())
      opened = database_->CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared, .codes = GetParam()});
    collection_.emplace(std::move(opened).value());
  }
  void Close() {
    collection_.reset();
    ASSERT_EQ(database_->Close(), OkStatus());
  }
  void Put(std::size_t begin, std::size_t end) {
    std::vector<std::string> ids;
    std::vector<std::vector<float>> vectors;
    std::vector<RecordView> records;
    for (std::size_t i = begin; i < end; ++i) {
      ids.push_back(std::to_string(i));
      vectors.push_back(VectorOf(i));
    }
    for (std::size_t i = 0; i < ids.size(); ++i) records.push_back({.id = ids[i], .vector = vectors[i]});
    ASSERT_EQ(collection_->Upsert(records, {.durability = Durability::kOsBuffered}), OkStatus());
  }
  static std::vector<float> VectorOf(std::size_t i) {
    std::mt19937 random(static_cast<std::uint32_t>(i));
    std::normal_distribution<float> normal;
    std::vector<float> v(kDim);
    for (std::size_t j = 0; j < kDim; ++j) v[j] = normal(random) * (j < 12 ? 1.0F : 0.1F);
    return v;
  }
  // Rows among the first n that a walk finds as their own nearest neighbour.
  std::size_t FoundByWalks(std::size_t n) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const SearchResult result = collection_->Search({.vector = VectorOf(i * 7), .k = 1}).value();
      EXPECT_EQ(result.plan, PlanKind::kSweep) << result.why;
      found += result.hits.at(0).id == std::to_string(i * 7) ? 1 : 0;
    }
    return found;
  }
  // Verification stands at the gate.
  void CloseWhileVerifying(Gate* gate) {
    std::thread closing([this] { EXPECT_EQ(database_->Close(), OkStatus()); });
    while (collection_->Stats().status().reason() != StatusReason::kClosed) std::this_thread::yield();
    gate->Open();
    closing.join();
    collection_.reset();
  }
  void WaitUntilVerified() {
    while (collection_->Stats().value().verifying) std::this_thread::yield();
  }
  // Overwrites some bytes in the middle of level 0.
  void DamageLinks() { Damage("links-", 64 * 1024 + 128 * 3'000); }
  // Rows that become NaN.
  void DamageVectors() { Damage("vectors", 1'000'000); }
  bool VectorsAreDamaged() {
    std::ifstream file(folder_.Path("db/index/1-1/vectors"), std::ios::binary);
    file.seekg(1'000'000);
    return file.get() == 0xFF;
  }
  void Damage(const std::string& name, std::streamoff offset) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.Path("db/index"))) {
      if (!entry.path().filename().string().starts_with(name)) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(offset);
      const std::string garbage(20'000, '\xFF');
      file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
    }
  }

  static inline std::map<CodeKind, TempFolder> published_;
  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

INSTANTIATE_TEST_SUITE_P(Codes, MappedOpen, ::testing::Values(CodeKind::kFloat32, CodeKind::kInt8),
                         [](const auto& codes) { return std::string(CodeKindName(codes.param)); });

TEST_P(MappedOpen, AnswersBeforeItIsVerifiedAndSaysSo) {
  {
    Gate gate("verify.before_links");
    Open();
    gate.WaitUntilReached();
    EXPECT_TRUE(collection_->Stats().value().verifying);
    EXPECT_EQ(collection_->Stats().value().linked, kRows);
    EXPECT_GE(FoundByWalks(100), 98U);
    const std::vector<float> query = VectorOf(1);
    const SearchResult all = collection_->Search({.vector = query, .exact = true}).value();
    EXPECT_TRUE(!all.exact && all.complete);
    EXPECT_NE(all.why.find("verified"), std::string::npos);
  }
  WaitUntilVerified();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  const std::vector<float> query = VectorOf(1);
  EXPECT_TRUE(collection_->Search({.vector = query, .exact = true}).value().exact);
  Put(kRows, kRows + 600);
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().linked, kRows + 600);
  EXPECT_GE(FoundByWalks(100), 98U);
  Close();
}

// What the first search reads from the disk it need not share with the verification.
TEST_P(MappedOpen, IsVerifiedAfterTheFirstSearchOrAtTheNextTick) {
  SteadyTime::SetTickPeriod(std::chrono::hours(1));
  for (const bool searches : {true, false}) {
    const Passages verifications({"verify.before_links"});
    if (!searches) SteadyTime::SetTickPeriod(std::chrono::milliseconds(20));
    Open();
    if (searches) {
      EXPECT_TRUE(collection_->Get("1").ok());
      EXPECT_EQ(verifications.count(), 0U);
      EXPECT_GE(FoundByWalks(1), 1U);
    }
    verifications.WaitBeyond(0);
    WaitUntilVerified();
    EXPECT_EQ(verifications.count(), 1U);
    EXPECT_EQ(collection_->Stats().value().damage, "");
    Close();
  }
  SteadyTime::SetTickPeriod(std::chrono::seconds(1));
}

TEST_P(MappedOpen, WritesAndPublicationsDoNotWaitForIt) {
  {
    Gate gate("verify.before_links");
    Open();
    gate.WaitUntilReached();
    Put(kRows, kRows + 600);
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());  // reads the links itself
    ASSERT_EQ(collection_->Publish(), OkStatus());
    Put(kRows + 600, kRows + 700);
    ASSERT_EQ(collection_->Publish(), OkStatus());  // its checksums are not those that are verified
    EXPECT_GE(FoundByWalks(100), 98U);
  }
  WaitUntilVerified();
  Close();
  Open();
  WaitUntilVerified();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  EXPECT_EQ(collection_->Stats().value().slots, kRows + 700);
  Close();
}

TEST_P(MappedOpen, DamagedLinksAreMadeAnewBehindTheAnswers) {
  DamageLinks();
  Open();
  std::size_t complete = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    const std::vector<float> query = VectorOf(i);
    complete += collection_->Search({.vector = query, .k = 10}).value().hits.size() == 10 ? 1 : 0;
  }
  EXPECT_EQ(complete, 50U);
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  WaitUntilVerified();
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  const CollectionStats stats = collection_->Stats().value();
  EXPECT_NE(stats.damage.find("links"), std::string::npos) << stats.damage;
  EXPECT_EQ(stats.linked, kRows);
  EXPECT_GE(FoundByWalks(100), 98U);
  EXPECT_EQ(collection_->Verify(), OkStatus());
  ASSERT_EQ(collection_->Publish(), OkStatus());
  Close();
  Open();
  WaitUntilVerified();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  EXPECT_GE(FoundByWalks(100), 98U);
  Close();
}

// Links that were made with codes of damaged rows, or checksums of these, would be taken for sound.
TEST_P(MappedOpen, NothingIsPublishedBesideDamagedRows) {
  DamageVectors();
  {
    Gate gate("verify.before_links");
    Open();
    gate.WaitUntilReached();
    Put(kRows, kRows + 600);
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
    EXPECT_EQ(collection_->Publish().code(), StatusCode::kDataLoss);
    CloseWhileVerifying(&gate);
  }
  EXPECT_TRUE(VectorsAreDamaged());
  {
    Gate gate("verify.mended");
    Open();
    gate.WaitUntilReached();
    EXPECT_FALSE(VectorsAreDamaged());
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
    EXPECT_EQ(collection_->Publish().code(), StatusCode::kAborted);
    EXPECT_EQ(collection_->Stats().value().published, kRows);
    CloseWhileVerifying(&gate);
  }
  Open();
  EXPECT_EQ(collection_->Stats().value().published, kRows);
  WaitUntilVerified();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  EXPECT_GE(FoundByWalks(1'300), 1'280U);
  EXPECT_EQ(collection_->Publish(), OkStatus());
  EXPECT_EQ(collection_->Stats().value().published, kRows + 600);
  EXPECT_EQ(collection_->Verify(), OkStatus());
  Close();
}

// Which says nothing about the files.
TEST_P(MappedOpen, WithoutDescriptorsOpeningFailsAndKeepsWhatThereIs) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  // With so many descriptors more than are in use.
  const auto with_descriptors = [&](int more, const auto& call) {
    const int lowest_free = ::dup(0);
    ASSERT_GE(lowest_free, 0);
    ASSERT_EQ(::close(lowest_free), 0);
    const rlimit few{.rlim_cur = static_cast<rlim_t>(lowest_free + more), .rlim_max = limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const Status refused = call();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << more << ": " << refused;
  };
  for (int more = 0; more < 8; ++more) {
    with_descriptors(more, [&] { return Database::Open(folder_.Path("db")).status(); });
  }
  database_.emplace(Database::Open(folder_.Path("db")).value());
  with_descriptors(0, [&] { return database_->OpenCollection("c").status(); });
  collection_.emplace(database_->OpenCollection("c").value());
  WaitUntilVerified();
  EXPECT_EQ(collection_->Stats().value().damage, "");
  EXPECT_EQ(collection_->Stats().value().published, kRows);
  EXPECT_EQ(collection_->Stats().value().linked_batches, 0U);
  Close();
}

// A program that opens, asks once and ends does not pay for what it has no more use for.
TEST_P(MappedOpen, ClosingGivesUpTheVerification) {
  DamageVectors();
  {
    Gate gate("verify.before_links");
    Open();
    gate.WaitUntilReached();
    CloseWhileVerifying(&gate);
  }
  EXPECT_TRUE(VectorsAreDamaged());
  Open();
  WaitUntilVerified();
  EXPECT_FALSE(VectorsAreDamaged());
  EXPECT_NE(collection_->Stats().value().damage.find("vectors"), std::string::npos);
  EXPECT_EQ(collection_->Verify(), OkStatus());
  Close();
}

// Codes are made of rows: those of damaged ones are thrown away with the links that were made from them.
TEST_P(MappedOpen, DamagedRowsAreMendedAndTheirCodesToo) {
  DamageVectors();
  {
    Gate gate("verify.before_links");
    Open();
    gate.WaitUntilReached();
    Put(kRows, kRows + 600);
    ASSERT_EQ(collection_->WaitForIndex(), OkStatus());  // reads links and codes before the rows are verified
    const std::vector<float> query = VectorOf(5);
    EXPECT_EQ(collection_->Search({.vector = query, .k = 10}).value().hits.size(), 10U);
  }
  WaitUntilVerified();
  ASSERT_EQ(collection_->WaitForIndex(), OkStatus());
  const CollectionStats stats = collection_->Stats().value();
  EXPECT_NE(stats.damage.find("vectors"), std::string::npos) << stats.damage;
  EXPECT_EQ(stats.linked, kRows + 600);
  EXPECT_GE(FoundByWalks(1'300), 1'280U);  // the damaged rows among them
  EXPECT_EQ(collection_->Verify(), OkStatus());
  Close();
}

}  // namespace
}  // namespace vdb
