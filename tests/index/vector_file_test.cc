// The vector file: rows come back, through growth and reopening; damage is found and not covered up.

#include "vdb/index/vector_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

std::vector<float> RowsFrom(std::uint32_t first, std::uint32_t count, std::size_t dim) {
  std::vector<float> rows;
  for (std::uint32_t slot = first; slot < first + count; ++slot) {
    for (std::size_t i = 0; i < dim; ++i) rows.push_back(static_cast<float>(slot) + static_cast<float>(i) / 1024);
  }
  return rows;
}

void ExpectRows(const VectorFile& file, std::uint32_t count, std::size_t dim) {
  const VectorView view = file.view();
  ASSERT_GE(view.rows, count);
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    const std::vector<float> wanted = RowsFrom(slot, 1, dim);
    ASSERT_EQ(std::memcmp(view.row(slot), wanted.data(), dim * sizeof(float)), 0) << slot;
  }
}

class VectorFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<VectorFile> Create(std::size_t dim) { return VectorFile::Create(path_, dim).value(); }
  Result<std::unique_ptr<VectorFile>> Open(std::size_t dim, std::uint32_t rows) {
    return VectorFile::Open(path_, dim, rows, checksums_);
  }
  void Flip(std::uint64_t offset) {
    const FileHandle file = FileHandle::OpenForWrite(path_).value();
    char byte = 0;
    ASSERT_EQ(file.ReadAt(offset, &byte, 1), OkStatus());
    byte = static_cast<char>(byte ^ 4);
    ASSERT_EQ(file.WriteAt(offset, {&byte, 1}), OkStatus());
  }

  TempFolder folder_;
  const std::string path_ = folder_.Path("vectors");
  std::vector<std::uint64_t> checksums_;
};

// As rows are written anew from the store while new ones come.
TEST_F(VectorFileTest, WritersOfDifferentRowsRunBesideEachOther) {
  constexpr std::size_t kDim = 256;
  constexpr std::uint32_t kRowsAtOnce = 512;
  constexpr std::uint32_t kTurns = 16;
  const std::unique_ptr<VectorFile> file = Create(kDim);
  std::vector<std::thread> writers;
  for (std::uint32_t w = 0; w < 2; ++w) {
    writers.emplace_back([&, w] {
      for (std::uint32_t turn = w; turn < kTurns; turn += 2) {
        const std::uint32_t first = turn * kRowsAtOnce;
        EXPECT_EQ(file->WriteRows(first, RowsFrom(first, kRowsAtOnce, kDim)), OkStatus());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ExpectRows(*file, kTurns * kRowsAtOnce, kDim);
}

TEST_F(VectorFileTest, RowsComeBackForEveryDimension) {
  for (const std::size_t dim : {1U, 3U, 4U, 15U, 16U, 17U, 100U, 65'535U}) {
    const auto file = Create(dim);
    const std::uint32_t count = dim > 1'000 ? 5 : 200;
    for (std::uint32_t slot = 0; slot < count; slot += 5) {
      ASSERT_EQ(file->WriteRows(slot, RowsFrom(slot, std::min(5U, count - slot), dim)), OkStatus());
    }
    ExpectRows(*file, count, dim);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file->view().row(3)) % (dim >= 16 ? 64 : 16), 0U);
  }
}

TEST_F(VectorFileTest, ReopensWithChecksumsAndGrowsOn) {
  constexpr std::size_t kDim = 100;
  constexpr std::uint32_t kRows = 9'000;  // about 4 MiB
  {
    const auto file = Create(kDim);
    ASSERT_EQ(file->WriteRows(0, RowsFrom(0, 5'000, kDim)), OkStatus());
    file->Checksums(5'000);
    ASSERT_EQ(file->WriteRows(5'000, RowsFrom(5'000, kRows - 5'000, kDim)), OkStatus());
    checksums_ = file->Checksums(kRows);
    ASSERT_EQ(file->Sync(), OkStatus());
  }
  const auto file = Open(kDim, kRows).value();
  EXPECT_EQ(file->Verify(), OkStatus());
  ExpectRows(*file, kRows, kDim);
  ASSERT_EQ(file->WriteRows(kRows, RowsFrom(kRows, 1'000, kDim)), OkStatus());
  ExpectRows(*file, kRows + 1'000, kDim);
  EXPECT_EQ(file->Verify(), OkStatus());
  checksums_ = file->Checksums(kRows + 1'000);
  EXPECT_EQ(Open(kDim, kRows + 1'000).value()->Verify(), OkStatus());
}

TEST_F(VectorFileTest, DamageIsNamedAndNotCoveredUpByTheNextPublication) {
  constexpr std::size_t kDim = 64;
  constexpr std::uint32_t kRows = 10'000;  // 2.44 MiB
  {
    const auto file = Create(kDim);
    ASSERT_EQ(file->WriteRows(0, RowsFrom(0, kRows, kDim)), OkStatus());
    checksums_ = file->Checksums(kRows);
  }
  Flip((std::uint64_t{1} << 20) + 77);
  {
    const auto file = Open(kDim, kRows).value();
    const Status status = file->Verify();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_NE(status.message().find(path_), std::string::npos);
    ASSERT_EQ(file->WriteRows(kRows, RowsFrom(kRows, 10, kDim)), OkStatus());
    checksums_ = file->Checksums(kRows + 10);
  }
  EXPECT_EQ(Open(kDim, kRows + 10).value()->Verify().code(), StatusCode::kDataLoss);
  {
    const auto file = Open(kDim, kRows + 10).value();  // written again, it is whole
    ASSERT_EQ(file->WriteRows(0, RowsFrom(0, kRows + 10, kDim)), OkStatus());
    checksums_ = file->Checksums(kRows + 10);
  }
  EXPECT_EQ(Open(kDim, kRows + 10).value()->Verify(), OkStatus());
}

TEST_F(VectorFileTest, EveryFlipAndTruncationIsFound) {
  constexpr std::size_t kDim = 16;
  constexpr std::uint32_t kRows = 20'000;  // 1.22 MiB
  {
    const auto file = Create(kDim);
    ASSERT_EQ(file->WriteRows(0, RowsFrom(0, kRows, kDim)), OkStatus());
    checksums_ = file->Checksums(kRows);
  }
  constexpr std::uint64_t kBytes = std::uint64_t{kRows} * kDim * sizeof(float);
  for (std::uint64_t offset = 0; offset < kBytes; offset += 32'771) {
    Flip(offset);
    Result<std::unique_ptr<VectorFile>> opened = Open(kDim, kRows);
    EXPECT_EQ((opened.ok() ? (*opened)->Verify() : opened.status()).code(), StatusCode::kDataLoss) << offset;
    Flip(offset);
  }
  EXPECT_EQ(Open(kDim, kRows).value()->Verify(), OkStatus());
  ASSERT_EQ(FileHandle::OpenForWrite(path_).value().Truncate(kBytes - 1), OkStatus());
  EXPECT_EQ(Open(kDim, kRows).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Open(kDim, kRows + 100'000).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(VectorFile::Open(path_ + ".no", kDim, 0, {}).status().code(), StatusCode::kNotFound);
}

// Readers keep the mapping that they loaded; a larger one takes over for those who come later.
TEST_F(VectorFileTest, OldViewsStayReadableWhileTheFileOutgrowsItsMapping) {
  constexpr std::size_t kDim = 65'535;  // 256 KiB a row: the room of 256 MiB ends after 1,024 rows
  const auto file = Create(kDim);
  ASSERT_EQ(file->WriteRows(0, RowsFrom(0, 1, kDim)), OkStatus());
  const VectorView old = file->view();
  ASSERT_EQ(file->WriteRows(old.rows, RowsFrom(old.rows, 1, kDim)), OkStatus());
  const VectorView grown = file->view();
  EXPECT_GT(grown.rows, old.rows);
  EXPECT_NE(grown.data, old.data);
  EXPECT_EQ(old.row(0)[1], grown.row(0)[1]);
  EXPECT_EQ(grown.row(old.rows)[0], static_cast<float>(old.rows));
}

}  // namespace
}  // namespace vdb
