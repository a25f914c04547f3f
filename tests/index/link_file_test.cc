// The file of links: what was written comes back, mapped or loaded, beside searches; damage is DataLoss, never a crash.

#include "vdb/index/link_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/index/index_under_test.h"
#include "vdb/util/status_macros.h"

namespace vdb {
namespace {

constexpr ClusterSpec kSpec{.clusters = 20, .dim = 16};

class LinkFileTest : public ::testing::TestWithParam<CodeKind> {
 protected:
  // A graph of `linked` of `rows` rows, every tenth of them dead, and its file.
  void Make(std::uint32_t rows, std::uint32_t linked, std::uint32_t m = 8) {
    index_ = std::make_unique<IndexUnderTest>(Metric::kL2Squared, kSpec.dim, m, 1, GetParam());
    const Rows data = ClusteredRows(rows, kSpec);
    index_->Add(std::span(data).first(linked));
    index_->LinkAll(60);
    index_->Add(std::span(data).subspan(linked));
    dead_.assign((std::uint64_t{rows} + 63) / 64, 0);
    for (std::uint32_t slot = 0; slot < rows; slot += 10) {
      index_->Kill(slot);
      dead_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    path_ = index_->folder().Path("links");
    stamp_ = index_->Stamp(4711);
    ASSERT_EQ(WriteLinkFile(path_, stamp_, CopyLinks(index_->graph()), dead_), OkStatus());
    EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
  }

  // Open and LoadLevel0 in one.
  Result<LoadedLinks> LoadLinkFile(const std::string& path, const LinkFileStamp& stamp) {
    LoadedLinks loaded;
    VDB_ASSIGN_OR_RETURN(const std::unique_ptr<PublishedLinks> file, PublishedLinks::Open(path, stamp, &loaded));
    VDB_RETURN_IF_ERROR(file->LoadLevel0(loaded.graph.get(), index_->vectors().view()));
    return loaded;
  }

  std::string ReadFile() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void WriteFile(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }

  std::unique_ptr<IndexUnderTest> index_;
  std::vector<std::uint64_t> dead_;
  std::string path_;
  LinkFileStamp stamp_;
};

INSTANTIATE_TEST_SUITE_P(Codes, LinkFileTest, ::testing::ValuesIn(kCodeKinds),
                         [](const auto& codes) { return std::string(CodeKindName(codes.param)); });

TEST_P(LinkFileTest, ComesBackAndIsLinkedOn) {
  for (const std::uint32_t m : {2U, 16U, 50U}) {
    Make(3'500, 3'000, m);
    const std::uint64_t hash = index_->GraphHash();
    LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
    EXPECT_EQ(loaded.dead, dead_);
    index_->set_graph(std::move(loaded.graph));
    EXPECT_EQ(index_->GraphHash(), hash);
    index_->LinkAll(60);
    EXPECT_EQ(index_->graph().linked(), 3'500U);
    EXPECT_GE(index_->Recall(ClusteredRows(50, {.clusters = 20, .dim = 16, .row_seed = 5}), 128), m > 2 ? 0.98 : 0.7);
  }
}

TEST_P(LinkFileTest, IsWrittenWithoutAnyLinksToo) {
  Make(10, 0);
  LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_EQ(loaded.graph->linked(), 0U);
  EXPECT_EQ(loaded.dead, dead_);
  index_->set_graph(std::move(loaded.graph));
  index_->LinkAll(60);
  EXPECT_EQ(index_->graph().linked(), 10U);
  Make(0, 0);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).value().graph->linked(), 0U);
}

TEST_P(LinkFileTest, AnotherStampIsDataLoss) {
  Make(100, 100);
  std::vector<LinkFileStamp> others(4, stamp_);
  others[0].m = 9;
  others[1].slots = 101;
  others[2].commit_seq = 4712;
  others[3].codes = GetParam() == CodeKind::kInt8 ? CodeKind::kFloat32 : CodeKind::kInt8;
  for (const LinkFileStamp& other : others) {
    const Status status = LoadLinkFile(path_, other).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_NE(status.message().find(path_), std::string::npos);
  }
  EXPECT_EQ(LoadLinkFile(path_ + ".no", stamp_).status().code(), StatusCode::kNotFound);
}

constexpr std::uint32_t kUnknownSection = 99;

// The header's places, for a file from another time.
void Patch(std::string* file, std::size_t offset, std::uint32_t value) {
  std::memcpy(file->data() + offset, &value, sizeof(value));
  const std::uint64_t checksum = Checksum(file->data(), 4'088);
  std::memcpy(file->data() + 4'088, &checksum, sizeof(checksum));
}

TEST_P(LinkFileTest, NewerVersionsAreRefusedAndOptionalSectionsSkipped) {
  Make(300, 300);
  const std::string good = ReadFile();
  std::string file = good;
  Patch(&file, 8, 2);  // version
  WriteFile(file);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kFailedPrecondition);
  file = good;
  Patch(&file, 12, 2);  // kind of codes
  WriteFile(file);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kFailedPrecondition);
  file = good;
  // One more section, of kind 99.
  const std::uint32_t sections = GetParam() == CodeKind::kInt8 ? 5 : 4;
  const std::size_t at = 64 + sections * 40;
  Patch(&file, 56, sections + 1);
  Patch(&file, at, kUnknownSection);
  WriteFile(file);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status(), OkStatus());
  Patch(&file, at + 4, 1);  // required
  WriteFile(file);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kFailedPrecondition);
}

// Where a section of int8 codes lies: the fourth is the mean.
std::uint64_t MeanOffset(const std::string& file) {
  std::uint64_t offset = 0;
  constexpr std::size_t kOffsetOfFourth = 64 + std::size_t{3} * 40 + 16;
  std::memcpy(&offset, file.data() + kOffsetOfFourth, sizeof(offset));
  return offset;
}

class LinkFileWithMean : public LinkFileTest {};
INSTANTIATE_TEST_SUITE_P(Codes, LinkFileWithMean, ::testing::Values(CodeKind::kInt8));

TEST_P(LinkFileWithMean, ComesBackOrIsDataLoss) {
  Make(600, 500);
  const std::vector<float> mean(index_->graph().code_space()->mean().begin(),
                                index_->graph().code_space()->mean().end());
  const LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_TRUE(std::ranges::equal(loaded.graph->code_space()->mean(), mean));
  EXPECT_EQ(loaded.graph->code_space()->metric(), Metric::kL2Squared);
  const std::string good = ReadFile();
  ASSERT_EQ(std::memcmp(good.data() + MeanOffset(good), mean.data(), mean.size() * sizeof(float)), 0);
  LoadedLinks mapped;
  const auto expect_damage = [&](const std::string& file, const LinkFileStamp& stamp) {
    WriteFile(file);
    EXPECT_EQ(PublishedLinks::Open(path_, stamp, &mapped).status().code(), StatusCode::kDataLoss);
  };
  for (std::size_t i = 0; i < mean.size() * sizeof(float); ++i) {
    std::string bad = good;
    bad[MeanOffset(good) + i] ^= 1;
    expect_damage(bad, stamp_);
  }
  std::string without = good;
  Patch(&without, 64 + 3 * 40, kUnknownSection);
  Patch(&without, 64 + 3 * 40 + 4, 0);
  expect_damage(without, stamp_);
  LinkFileStamp other_dim = stamp_;
  ++other_dim.dim;
  expect_damage(good, other_dim);
  LinkSnapshot infinite = CopyLinks(index_->graph());
  infinite.mean[3] = INFINITY;
  ASSERT_EQ(WriteLinkFile(path_, stamp_, infinite, dead_), OkStatus());
  EXPECT_EQ(PublishedLinks::Open(path_, stamp_, &mapped).status().code(), StatusCode::kDataLoss);
}

// Of the same mean: the file says which codes the rows have.
TEST_P(LinkFileWithMean, TheRotationComesBackAndAnUnknownOneIsRefused) {
  index_ = std::make_unique<IndexUnderTest>(Metric::kL2Squared, kSpec.dim, 8, 1, GetParam());
  index_->Add(ClusteredRows(500, kSpec));
  const std::vector<float> mean(kSpec.dim, 0.25F);
  index_->mutable_graph()->UseCodes(
      std::make_shared<const CodeSpace>(Metric::kL2Squared, mean, 1.0F, RotationKind::kHadamard));
  index_->LinkAll(60);
  const std::uint64_t hash = index_->GraphHash();
  dead_.assign(500 / 64 + 1, 0);
  path_ = index_->folder().Path("links");
  stamp_ = index_->Stamp(4711);
  ASSERT_EQ(WriteLinkFile(path_, stamp_, CopyLinks(index_->graph()), dead_), OkStatus());
  const std::string good = ReadFile();
  LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_EQ(loaded.graph->code_space()->rotation(), RotationKind::kHadamard);
  index_->set_graph(std::move(loaded.graph));
  EXPECT_EQ(index_->GraphHash(), hash);
  constexpr std::size_t kRotationAt = 60;
  std::string other = good;
  Patch(&other, kRotationAt, 0);
  WriteFile(other);
  loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_EQ(loaded.graph->code_space()->rotation(), RotationKind::kNone);
  index_->set_graph(std::move(loaded.graph));
  EXPECT_NE(index_->GraphHash(), hash);
  Patch(&other, kRotationAt, 2);
  WriteFile(other);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kFailedPrecondition);
}

TEST_P(LinkFileWithMean, TheComponentsComeBackAndOthersThanThereCanBeAreDataLoss) {
  index_ = std::make_unique<IndexUnderTest>(Metric::kL2Squared, kSpec.dim, 8, 1, GetParam());
  index_->Add(ClusteredRows(500, kSpec));
  const std::vector<std::uint32_t> held = {1, 2, 3, 7, 9, 15};
  index_->mutable_graph()->UseCodes(std::make_shared<const CodeSpace>(
      Metric::kL2Squared, std::vector<float>(kSpec.dim, 0.25F), 1.0F, CodeComponents(kSpec.dim, held)));
  index_->LinkAll(60);
  const std::uint64_t hash = index_->GraphHash();
  dead_.assign(500 / 64 + 1, 0);
  path_ = index_->folder().Path("links");
  stamp_ = index_->Stamp(4711);
  const LinkSnapshot links = CopyLinks(index_->graph());
  ASSERT_EQ(WriteLinkFile(path_, stamp_, links, dead_), OkStatus());
  LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_TRUE(std::ranges::equal(loaded.graph->code_space()->components().held(), held));
  index_->set_graph(std::move(loaded.graph));
  EXPECT_EQ(index_->GraphHash(), hash);
  const auto expect_damage = [&](const LinkSnapshot& bad) {
    ASSERT_EQ(WriteLinkFile(path_, stamp_, bad, dead_), OkStatus());
    EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kDataLoss);
  };
  for (const std::vector<std::uint32_t>& others :
       {std::vector<std::uint32_t>{1, 2, 2}, {2, 1}, {3, 16}, {0xFFFF'FFFF}}) {
    LinkSnapshot bad = links;
    bad.components = others;
    expect_damage(bad);
  }
  LinkSnapshot rotated = links;
  rotated.rotation = RotationKind::kHadamard;
  expect_damage(rotated);
}

TEST_P(LinkFileWithMean, TheBitsComeBackAndOthersThanThereCanBeAreRefused) {
  index_ = std::make_unique<IndexUnderTest>(Metric::kL2Squared, kSpec.dim, 8, 1, GetParam());
  index_->Add(ClusteredRows(500, kSpec));
  index_->mutable_graph()->UseCodes(std::make_shared<const CodeSpace>(
      Metric::kL2Squared, std::vector<float>(kSpec.dim, 0.25F), 1.0F, CodeComponents(kSpec.dim, {1, 2, 3, 7, 9, 15}),
      CodeForm{.bits = CodeBits::kFive}));
  index_->LinkAll(60);
  const std::uint64_t hash = index_->GraphHash();
  dead_.assign(500 / 64 + 1, 0);
  path_ = index_->folder().Path("links");
  stamp_ = index_->Stamp(4711);
  LinkSnapshot links = CopyLinks(index_->graph());
  ASSERT_EQ(WriteLinkFile(path_, stamp_, links, dead_), OkStatus());
  std::string file = ReadFile();
  LoadedLinks loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_EQ(loaded.graph->code_space()->bits(), CodeBits::kFive);
  EXPECT_EQ(loaded.graph->code_space()->components().size(), 6U);
  index_->set_graph(std::move(loaded.graph));
  EXPECT_EQ(index_->GraphHash(), hash);
  constexpr std::size_t kBitsAt = 1'344;
  Patch(&file, kBitsAt, 0);
  WriteFile(file);
  loaded = LoadLinkFile(path_, stamp_).value();
  EXPECT_EQ(loaded.graph->code_space()->bits(), CodeBits::kEight);
  index_->set_graph(std::move(loaded.graph));
  EXPECT_NE(index_->GraphHash(), hash);
  Patch(&file, kBitsAt, 6);
  WriteFile(file);
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kFailedPrecondition);
  links.rotation = RotationKind::kHadamard;
  ASSERT_EQ(WriteLinkFile(path_, stamp_, links, dead_), OkStatus());
  EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kDataLoss);
}

TEST_P(LinkFileTest, EveryFlipIsDataLossOrDoesNoHarm) {
  Make(2'500, 2'000);
  const std::string good = ReadFile();
  const std::uint64_t hash = index_->GraphHash();
  std::mt19937 random(3);
  std::size_t found = 0;
  for (std::size_t i = 0; i < 750; ++i) {
    std::string bad = good;
    // The header's used part bit by bit, its page, then anywhere.
    const std::size_t at = i < 280 ? i : i < 330 ? random() % 4'096 : random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    WriteFile(bad);
    // The lazy way first: a walk over a damaged file may find less, but must end and give rows that there are.
    LoadedLinks mapped;
    if (const auto file = PublishedLinks::Open(path_, stamp_, &mapped); file.ok()) {
      index_->set_graph(std::move(mapped.graph));
      const auto result = index_->Walk(std::vector<float>(16, 0.1F), {.k = 10, .ef = 64, .max_distances = 5'000});
      for (const ScoredSlot& hit : result.hits) EXPECT_LT(hit.slot, 2'000U);
    }
    Result<LoadedLinks> loaded = LoadLinkFile(path_, stamp_);
    if (loaded.ok()) {  // between the sections
      index_->set_graph(std::move(loaded->graph));
      EXPECT_EQ(index_->GraphHash(), hash) << at;
      EXPECT_EQ(loaded->dead, dead_);
      continue;
    }
    ++found;
    EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss) << at;
    EXPECT_NE(loaded.status().message().find(path_), std::string::npos);
  }
  EXPECT_GT(found, 400U);
}

TEST_P(LinkFileTest, LoadingThatIsGivenUpLeavesTheGraphOnTheFile) {
  Make(3'500, 3'000);
  const std::uint64_t hash = index_->GraphHash();
  LoadedLinks mapped;
  const auto file = PublishedLinks::Open(path_, stamp_, &mapped).value();
  index_->set_graph(std::move(mapped.graph));
  int asked = 0;
  const auto at_the_third_block = [&] { return ++asked == 3; };
  EXPECT_EQ(file->LoadLevel0(index_->mutable_graph(), index_->vectors().view(), at_the_third_block).code(),
            StatusCode::kAborted);
  EXPECT_NE(index_->graph().MappedLevel0(), nullptr);
  EXPECT_EQ(index_->Walk(std::vector<float>(16, 0.1F), {.k = 10, .ef = 64}).hits.size(), 10U);
  EXPECT_EQ(file->LoadLevel0(index_->mutable_graph(), index_->vectors().view()), OkStatus());
  EXPECT_EQ(index_->graph().MappedLevel0(), nullptr);
  EXPECT_EQ(index_->GraphHash(), hash);
}

// A walk over level 0 that is nothing but noise.
TEST_P(LinkFileTest, AWalkOverGarbageEnds) {
  Make(2'000, 2'000);
  std::string bad = ReadFile();
  std::mt19937 random(4);
  for (std::size_t at = 65'536; at < 65'536 + 2'000 * 64; at += 4) {
    const std::uint32_t noise = random();
    std::memcpy(&bad[at], &noise, sizeof(noise));
  }
  WriteFile(bad);
  LoadedLinks mapped;
  const auto file = PublishedLinks::Open(path_, stamp_, &mapped).value();
  index_->set_graph(std::move(mapped.graph));
  const auto result = index_->Walk(std::vector<float>(16, 0.1F), {.k = 10, .ef = 64, .max_distances = 5'000});
  EXPECT_LE(result.hits.size(), 10U);
  EXPECT_EQ(file->LoadLevel0(index_->mutable_graph(), index_->vectors().view()).code(), StatusCode::kDataLoss);
  EXPECT_NE(index_->graph().MappedLevel0(), nullptr);
}

TEST_P(LinkFileTest, EveryTruncationIsDataLoss) {
  Make(2'500, 2'000);
  const std::string good = ReadFile();
  for (std::size_t size = 0; size + 65'536 < good.size(); size += size < 300 ? 23 : 9'973) {
    WriteFile(good.substr(0, size));
    EXPECT_EQ(LoadLinkFile(path_, stamp_).status().code(), StatusCode::kDataLoss) << size;
  }
}

}  // namespace
}  // namespace vdb
