#include "vdb/fields/field_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>
#include <thread>

namespace vdb {
namespace {

void Write(FieldIndex* index, std::uint32_t slot, const std::string& json) {
  PayloadParser parser;
  ParsedPayload payload;
  ASSERT_TRUE(parser.Parse(json, &payload).ok()) << json;
  index->Write(slot, payload);
}

CellTag TagAt(const FieldIndex& index, const char* path, std::uint32_t slot) {
  const Column* column = index.Find(path);
  return column == nullptr ? CellTag::kMissing : column->cells().Tag(slot);
}

std::string StringAt(const FieldIndex& index, const char* path, std::uint32_t slot) {
  EXPECT_EQ(TagAt(index, path, slot), CellTag::kCode);
  const Column* column = index.Find(path);
  return std::string(column->dictionary().Get(column->cells().codes[slot]));
}

TEST(FieldIndex, StoresEveryKindOfCell) {
  FieldIndex index;
  Write(&index, 0, R"({"s": "x", "n": 5, "d": 0.5, "b": true, "z": null, "o": {}, "l": ["x", 7]})");
  Write(&index, 1, R"({"s": "y", "n": "five"})");
  Write(&index, 2, R"({"s": "x"})");
  EXPECT_EQ(StringAt(index, "s", 0), "x");
  EXPECT_EQ(StringAt(index, "s", 1), "y");
  EXPECT_EQ(index.Find("s")->cells().codes[2], index.Find("s")->cells().codes[0]);
  EXPECT_EQ(TagAt(index, "n", 0), CellTag::kInt64);
  EXPECT_EQ(index.Find("n")->cells().words[0], 5U);
  EXPECT_EQ(StringAt(index, "n", 1), "five");
  EXPECT_EQ(TagAt(index, "n", 2), CellTag::kMissing);
  EXPECT_EQ(TagAt(index, "d", 0), CellTag::kDouble);
  EXPECT_EQ(TagAt(index, "b", 0), CellTag::kTrue);
  EXPECT_EQ(TagAt(index, "z", 0), CellTag::kNull);
  EXPECT_EQ(TagAt(index, "o", 0), CellTag::kObject);
  ASSERT_EQ(TagAt(index, "l", 0), CellTag::kList);
  const Column* list = index.Find("l");
  EXPECT_EQ(Column::ListCount(list->cells().words[0]), 2U);
  EXPECT_EQ(list->elements().Tag(0), CellTag::kCode);
  EXPECT_EQ(list->elements().Tag(1), CellTag::kInt64);
  EXPECT_EQ(list->elements().words[1], 7U);
  EXPECT_EQ(index.Find("nothing"), nullptr);
}

TEST(FieldIndex, AColumnMadeLateReadsAsMissingBefore) {
  FieldIndex index;
  Write(&index, 1'000'000, R"({"late": 1})");
  EXPECT_EQ(TagAt(index, "late", 1'000'000), CellTag::kInt64);
  for (const std::uint32_t slot : {0U, 63U, 64U, 999'999U, 1'000'001U, 50'000'000U}) {
    EXPECT_EQ(TagAt(index, "late", slot), CellTag::kMissing) << slot;
  }
}

TEST(FieldIndex, ASlotWrittenAgainForgetsTheFailedCommit) {
  FieldIndex index(2);
  Write(&index, 0, R"({"a": 1, "b": 2, "c": 3})");
  EXPECT_EQ(index.UnindexedWord(0), 1U);
  Write(&index, 0, R"({"a": 5})");
  EXPECT_EQ(index.Find("a")->cells().words[0], 5U);
  EXPECT_EQ(TagAt(index, "b", 0), CellTag::kMissing);
  EXPECT_EQ(index.UnindexedWord(0), 0U);
}

TEST(FieldIndex, PathsBeyondTheLimitMarkTheirRows) {
  FieldIndex index(kMaxIndexedPaths);
  for (std::uint32_t i = 0; i < kMaxIndexedPaths; ++i) Write(&index, i, "{\"p" + std::to_string(i) + "\": 1}");
  EXPECT_EQ(index.unindexed_rows(), 0U);
  Write(&index, 1'030, R"({"one_more": 1, "p5": 2})");
  EXPECT_EQ(index.Find("one_more"), nullptr);
  EXPECT_EQ(TagAt(index, "p5", 1'030), CellTag::kInt64);
  EXPECT_EQ(index.UnindexedWord(1'030 / 64), std::uint64_t{1} << (1'030 % 64));
  EXPECT_EQ(index.unindexed_rows(), 1U);
  EXPECT_EQ(index.Paths().size(), kMaxIndexedPaths);
}

TEST(FieldIndex, MostlyDistinctStringsAreHashedAfterTenThousand) {
  FieldIndex index;
  for (std::uint32_t i = 0; i < Column::kMinStringsToHash; ++i) {
    Write(&index, i, "{\"u\": \"u" + std::to_string(i) + "\", \"few\": \"f" + std::to_string(i % 5'000) + "\"}");
  }
  EXPECT_FALSE(index.Find("u")->hashed());
  Write(&index, 10'000, R"({"u": "new", "few": "f7"})");
  Write(&index, 10'001, R"({"u": "2024-01-02T03:04:05Z", "few": "fresh"})");
  Write(&index, 10'002, R"({"u": "u77"})");
  EXPECT_TRUE(index.Find("u")->hashed());
  EXPECT_FALSE(index.Find("few")->hashed());
  EXPECT_EQ(TagAt(index, "u", 10'000), CellTag::kHash);
  EXPECT_EQ(TagAt(index, "u", 10'001), CellTag::kHashTime);
  EXPECT_EQ(index.Find("u")->cells().words[10'001], 1'704'164'645'000'000U);
  EXPECT_EQ(StringAt(index, "u", 10'002), "u77");
  EXPECT_EQ(StringAt(index, "few", 10'001), "fresh");
}

TEST(FieldIndex, LongStringsAndLongListsAskThePayload) {
  FieldIndex index;
  Write(&index, 0, "{\"s\": \"" + std::string(kMaxIndexedStringBytes, 'x') + "\"}");
  Write(&index, 1, "{\"s\": \"" + std::string(kMaxIndexedStringBytes + 1, 'x') + "\"}");
  std::string list = "{\"l\": [0";
  for (std::size_t i = 1; i < kMaxIndexedListElements; ++i) list += ",1";
  Write(&index, 2, list + "]}");
  Write(&index, 3, list + ",1]}");
  EXPECT_EQ(TagAt(index, "s", 0), CellTag::kCode);
  EXPECT_EQ(TagAt(index, "s", 1), CellTag::kHash);
  EXPECT_EQ(TagAt(index, "l", 2), CellTag::kList);
  EXPECT_EQ(TagAt(index, "l", 3), CellTag::kPayload);
}

TEST(FieldIndex, SaysWhichTypesAPathHas) {
  FieldIndex index;
  Write(&index, 0, R"({"b": 1, "a": ["x"]})");
  Write(&index, 1, R"({"b": "s", "a": null})");
  const std::vector<PathStats> paths = index.Paths();
  ASSERT_EQ(paths.size(), 2U);
  EXPECT_EQ(paths[0].path, "a");
  EXPECT_EQ(paths[0].types, (std::vector<std::string>{"null", "string", "list"}));
  EXPECT_EQ(paths[0].distinct_strings, 1U);
  EXPECT_EQ(paths[1].types, (std::vector<std::string>{"int", "string"}));
  EXPECT_GT(index.MemoryBytes(), 0U);
}

TEST(StringPool, KeepsIdsApart) {
  StringPool ids;
  std::vector<std::string> expected;
  for (std::uint32_t i = 0; i < 20'000; ++i)
    expected.push_back(std::string(1 + i % 512, static_cast<char>('a' + i % 26)));
  for (std::uint32_t i = 0; i < expected.size(); ++i) ids.Write(i, expected[i]);
  ids.Write(5, "again");
  expected[5] = "again";
  for (std::uint32_t i = 0; i < expected.size(); ++i) ASSERT_EQ(ids.Get(i), expected[i]) << i;
  EXPECT_EQ(ids.Get(3'000'000), "");
}

// Readers look at every slot below the count that they loaded, while the writer makes columns, strings and elements.
TEST(FieldIndex, ReadersRunBesideTheWriter) {
  constexpr std::uint32_t kRows = 12'000;
  FieldIndex index;
  std::atomic<std::uint32_t> committed{0};
  std::atomic<std::uint64_t> checked{0};
  const auto read = [&] {
    std::uint32_t seen = 0;
    while (seen < kRows) {
      const std::uint32_t from = seen;
      seen = committed.load(std::memory_order_acquire);
      const Column* number = index.Find("n");
      const Column* text = index.Find("s");
      for (std::uint32_t slot = from; slot < seen; ++slot) {
        ASSERT_EQ(number->cells().words[slot], slot);
        ASSERT_EQ(text->dictionary().Get(text->cells().codes[slot]), "s" + std::to_string(slot % 3'000));
        ASSERT_EQ(index.ids().Get(slot), "id" + std::to_string(slot));
        const std::string path = "p" + std::to_string(slot / 100);
        ASSERT_EQ(index.Find(path)->cells().Tag(slot), CellTag::kList);
        checked.fetch_add(1, std::memory_order_relaxed);
      }
    }
  };
  std::thread a(read);
  std::thread b(read);
  PayloadParser parser;
  ParsedPayload payload;
  for (std::uint32_t slot = 0; slot < kRows; ++slot) {
    const std::string json = "{\"n\": " + std::to_string(slot) + ", \"s\": \"s" + std::to_string(slot % 3'000) +
                             "\", \"p" + std::to_string(slot / 100) + "\": [1, \"x\"]}";
    ASSERT_TRUE(parser.Parse(json, &payload).ok());
    index.ids().Write(slot, "id" + std::to_string(slot));
    index.Write(slot, payload);
    committed.store(slot + 1, std::memory_order_release);
  }
  a.join();
  b.join();
  EXPECT_EQ(checked.load(), 2 * std::uint64_t{kRows});
}

}  // namespace
}  // namespace vdb
