// The field file: what is saved is loaded, damage is seen, and a file with right checksums but wrong numbers is
// refused.
#include "vdb/fields/field_file.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "tests/db/temp_folder.h"
#include "vdb/fields/field_index.h"
#include "vdb/util/checksum.h"
#include "vdb/util/file.h"

namespace vdb {
namespace {

constexpr std::uint64_t kStamp = 42;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;

class FieldFile : public ::testing::Test {
 protected:
  // Thousands of times: without fsync, and as a new file, since emptying an old one makes some file systems flush.
  void WriteBytes(const std::string& bytes) {
    std::filesystem::remove(path_);
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string ReadBytes() { return ReadWholeFile(path_, kMaxFileBytes).value(); }

  TempFolder folder_;
  std::string path_ = folder_.Path("fields");
};

std::string Payload(std::uint32_t slot) {
  const std::string n = std::to_string(slot);
  std::string json = "{\"s\": \"s" + std::to_string(slot % 7) + "\", \"n\": " + n;
  if (slot % 3 == 0) json += ", \"tags\": [\"t" + std::to_string(slot % 5) + "\", " + n + ", null]";
  if (slot % 4 == 0)
    json += ", \"author\": {\"odd name\": " + n + ".5, \"ok\": " + (slot % 8 == 0 ? "true" : "false") + "}";
  if (slot % 10 == 9) json += ", \"long\": \"" + std::string(200, 'x') + n + "\"";
  return json + "}";
}

void Append(FieldIndex* index, std::uint32_t begin, std::uint32_t end) {
  PayloadParser parser;
  ParsedPayload payload;
  for (std::uint32_t slot = begin; slot < end; ++slot) {
    ASSERT_TRUE(parser.Parse(Payload(slot), &payload).ok());
    if (slot % 11 != 10) index->ids().Write(slot, "id-" + std::to_string(slot));  // else: a slot without a record
    index->Write(slot, payload);
  }
}

void DumpCell(const Column& column, const Cells& cells, std::uint64_t i, std::string* out) {
  const CellTag tag = cells.Tag(i);
  *out += static_cast<char>('A' + static_cast<int>(tag));
  switch (tag) {
    case CellTag::kInt64:
    case CellTag::kUint64:
    case CellTag::kDouble:
      *out += std::to_string(cells.words[i]);
      break;
    case CellTag::kCode:
      *out += column.dictionary().Get(cells.codes[i]);
      break;
    case CellTag::kHashTime:
      *out += std::to_string(cells.words[i]);
      [[fallthrough]];
    case CellTag::kHash:
      *out += std::to_string(cells.codes[i]);
      break;
    case CellTag::kList: {
      const std::uint64_t first = Column::ListFirst(cells.words[i]);
      for (std::uint64_t j = first; j < first + Column::ListCount(cells.words[i]); ++j) {
        DumpCell(column, column.elements(), j, out);
      }
      break;
    }
    default:
      break;
  }
  *out += ' ';
}

// Everything that a reader can see of the slots [0, rows).
std::string Dump(const FieldIndex& index, std::uint32_t rows) {
  std::string out;
  for (std::uint32_t slot = 0; slot < rows; ++slot) {
    out += index.ids().Get(slot);
    out += (index.UnindexedWord(slot / 64) >> (slot % 64) & 1) != 0 ? "* " : " ";
  }
  for (const PathStats& stats : index.Paths()) {
    const Column* column = index.Find(stats.path);
    out += "\n" + stats.path + (stats.hashed ? " hashed: " : ": ");
    for (std::uint32_t slot = 0; slot < rows; ++slot) DumpCell(*column, column->cells(), slot, &out);
  }
  return out;
}

TEST_F(FieldFile, LoadsWhatWasSaved) {
  for (const std::uint32_t rows : {0U, 1U, 63U, 64U, 65U, 1'000U, 70'000U}) {
    FieldIndex index(5);  // fewer than there are paths: some rows are marked
    Append(&index, 0, rows + 10);
    ASSERT_TRUE(index.Save(path_, rows, kStamp).ok());
    Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, rows, kStamp, 5);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(Dump(**loaded, rows), Dump(index, rows)) << rows;
    // … and goes on where it was left.
    Append(loaded->get(), rows, rows + 10);
    ASSERT_EQ(Dump(**loaded, rows + 10), Dump(index, rows + 10)) << rows;
    EXPECT_FALSE(PathExists(path_ + ".tmp"));
  }
}

TEST_F(FieldFile, HashedColumnsStayHashed) {
  FieldIndex index;
  PayloadParser parser;
  ParsedPayload payload;
  for (std::uint32_t slot = 0; slot < 10'100; ++slot) {
    ASSERT_TRUE(parser.Parse("{\"u\": \"2024-01-02T03:04:05." + std::to_string(10'000 + slot) + "\"}", &payload).ok());
    index.Write(slot, payload);
  }
  ASSERT_TRUE(index.Find("u")->hashed());
  ASSERT_TRUE(index.Save(path_, 10'100, kStamp).ok());
  Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, 10'100, kStamp);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE((*loaded)->Find("u")->hashed());
  EXPECT_EQ(Dump(**loaded, 10'100), Dump(index, 10'100));
}

TEST_F(FieldFile, SaysWhyItDoesNotLoad) {
  EXPECT_EQ(FieldIndex::Load(path_, 10, kStamp).status().code(), StatusCode::kNotFound);
  FieldIndex index;
  Append(&index, 0, 10);
  ASSERT_TRUE(index.Save(path_, 10, kStamp).ok());
  for (const Status& status : {FieldIndex::Load(path_, 9, kStamp).status(), FieldIndex::Load(path_, 10, 43).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_NE(status.message().find(path_), std::string::npos) << status;
  }
  EXPECT_EQ(index.Save(folder_.Path("no/such/folder"), 10, kStamp).code(), StatusCode::kNotFound);
}

TEST_F(FieldFile, EveryFlippedByteIsSeenOrChangesNothing) {
  constexpr std::uint32_t kRows = 40;
  FieldIndex index(5);
  Append(&index, 0, kRows);
  ASSERT_TRUE(index.Save(path_, kRows, kStamp).ok());
  const std::string whole = ReadBytes();
  const std::string expected = Dump(index, kRows);
  std::size_t seen = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    WriteBytes(bytes);
    const Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, kRows, kStamp, 5);
    if (loaded.ok()) {
      ASSERT_EQ(Dump(**loaded, kRows), expected) << "byte " << i;  // a gap between sections
    } else {
      ASSERT_EQ(loaded.status().code(), StatusCode::kDataLoss) << "byte " << i << ": " << loaded.status();
      ++seen;
    }
  }
  EXPECT_GT(seen, whole.size() / 2);
}

TEST_F(FieldFile, EveryTruncationIsSeen) {
  FieldIndex index;
  Append(&index, 0, 40);
  ASSERT_TRUE(index.Save(path_, 40, kStamp).ok());
  const std::string whole = ReadBytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    WriteBytes(whole.substr(0, size));
    ASSERT_EQ(FieldIndex::Load(path_, 40, kStamp).status().code(), StatusCode::kDataLoss) << size;
  }
  WriteBytes(whole + '\0');
  EXPECT_EQ(FieldIndex::Load(path_, 40, kStamp).status().code(), StatusCode::kDataLoss);
}

// Makes every checksum right again. The table must be in order.
void Resign(std::string* bytes) {
  FieldFileHeader header;
  std::memcpy(&header, bytes->data(), sizeof(header));
  std::uint32_t sections = 0;
  std::memcpy(&sections, bytes->data() + header.table_offset, sizeof(sections));
  for (std::uint32_t s = 0; s < sections; ++s) {
    char* at = bytes->data() + header.table_offset + 4 + s * sizeof(FieldSection);
    FieldSection section;
    std::memcpy(&section, at, sizeof(section));
    ASSERT_LE(section.size, kFieldPieceBytes);
    const std::uint64_t piece = Checksum(bytes->data() + section.offset, section.size);
    section.checksum = Checksum(&piece, sizeof(piece));
    std::memcpy(at, &section, sizeof(section));
  }
  header.table_checksum = Checksum(bytes->data() + header.table_offset, header.table_size);
  header.header_checksum = Checksum(&header, offsetof(FieldFileHeader, header_checksum));
  std::memcpy(bytes->data(), &header, sizeof(header));
}

// Wrong codes, offsets and tags under right checksums: refused, or harmless to read.
TEST_F(FieldFile, BelievesNoNumberInTheFile) {
  constexpr std::uint32_t kRows = 40;
  FieldIndex index(5);
  Append(&index, 0, kRows);
  ASSERT_TRUE(index.Save(path_, kRows, kStamp).ok());
  const std::string whole = ReadBytes();
  FieldFileHeader header;
  std::memcpy(&header, whole.data(), sizeof(header));
  std::uint32_t sections = 0;
  std::memcpy(&sections, whole.data() + header.table_offset, sizeof(sections));
  const std::size_t columns = header.table_offset + 4 + sections * sizeof(FieldSection);
  std::mt19937_64 random(7);
  int refused = 0;
  for (int round = 0; round < 4'000; ++round) {
    std::string bytes = whole;
    std::size_t at = sizeof(header) + random() % (header.table_offset - sizeof(header));
    if (round % 4 == 0) at = columns + random() % (whole.size() - columns);  // what the table says of the columns
    bytes[at] = static_cast<char>(random());
    ASSERT_NO_FATAL_FAILURE(Resign(&bytes));
    WriteBytes(bytes);
    const Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, kRows, kStamp, 5);
    if (loaded.ok()) {
      EXPECT_FALSE(Dump(**loaded, kRows).empty());
    } else {
      ASSERT_EQ(loaded.status().code(), StatusCode::kDataLoss) << loaded.status();
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST_F(FieldFile, SkipsUnknownSectionsUnlessRequired) {
  FieldIndex index;
  Append(&index, 0, 20);
  ASSERT_TRUE(index.Save(path_, 20, kStamp).ok());
  const std::string whole = ReadBytes();
  FieldFileHeader header;
  std::memcpy(&header, whole.data(), sizeof(header));
  for (const std::uint32_t flags : {0U, kFieldSectionRequired}) {
    FieldSection section;
    section.kind = 999;
    section.flags = flags;
    section.element_bytes = 1;
    section.offset = sizeof(header);
    std::string bytes = whole;
    bytes.insert(header.table_offset + 4, reinterpret_cast<const char*>(&section), sizeof(section));
    ++bytes[header.table_offset];  // the number of sections
    FieldFileHeader longer = header;
    longer.table_size += sizeof(section);
    std::memcpy(bytes.data(), &longer, sizeof(longer));
    ASSERT_NO_FATAL_FAILURE(Resign(&bytes));
    WriteBytes(bytes);
    const Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, 20, kStamp);
    EXPECT_EQ(loaded.ok(), flags == 0) << loaded.status();
  }
}

// A save sees exactly the slots that were published to it, whatever the writer does meanwhile.
TEST_F(FieldFile, SavesBesideTheWriter) {
  constexpr std::uint32_t kRows = 9'000;
  FieldIndex index;
  std::atomic<std::uint32_t> committed{0};
  std::thread writer([&] {
    for (std::uint32_t slot = 0; slot < kRows; ++slot) {
      Append(&index, slot, slot + 1);
      committed.store(slot + 1, std::memory_order_release);
    }
  });
  for (std::uint32_t rows = 0; rows < kRows;) {
    rows = committed.load(std::memory_order_acquire);
    ASSERT_TRUE(index.Save(path_, rows, kStamp).ok());
    Result<std::unique_ptr<FieldIndex>> loaded = FieldIndex::Load(path_, rows, kStamp);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    if (rows == 0) continue;
    FieldIndex expected;
    Append(&expected, rows - 1, rows);
    const Column* column = (*loaded)->Find("n");
    ASSERT_NE(column, nullptr);
    EXPECT_EQ(column->cells().words[rows - 1], rows - 1);
    EXPECT_EQ((*loaded)->ids().Get(rows - 1), expected.ids().Get(rows - 1));
  }
  writer.join();
}

}  // namespace
}  // namespace vdb
