// SegmentedArray, Bitset and the coding of integers, against their obvious counterparts.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "vdb/util/bitset.h"
#include "vdb/util/checksum.h"
#include "vdb/util/coding.h"
#include "vdb/util/round_up.h"
#include "vdb/util/segmented_array.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

TEST(RoundUp, GivesTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 4), 0U);
  EXPECT_EQ(RoundUp(1, 4), 4U);
  EXPECT_EQ(RoundUp(4, 4), 4U);
  EXPECT_EQ(RoundUp(5, 4), 8U);
  EXPECT_EQ(RoundUp(100, 48), 144U);
  EXPECT_EQ(RoundUp((std::uint64_t{1} << 40) + 1, 4'096), (std::uint64_t{1} << 40) + 4'096);
}

TEST(SegmentedArray, NewElementsAreZeroAndKeepTheirValuesAndAddressesAsItGrows) {
  SegmentedArray<std::uint64_t, 2> array;
  std::vector<std::uint64_t*> addresses;
  for (std::uint64_t size = 1; size <= 1000; ++size) {
    array.Reserve(size);
    ASSERT_EQ(array[size - 1], 0U);
    array[size - 1] = size * 7;
    addresses.push_back(&array[size - 1]);
  }
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(array[i], (i + 1) * 7);
    ASSERT_EQ(&array[i], addresses[i]);
  }
}

TEST(SegmentedArray, LargeSegmentsAreWholeZeroAndBeginOnAHugePage) {
  constexpr std::uint64_t kElements = std::uint64_t{1} << 19;  // the last segments have 1, 2 and 4 MiB
  SegmentedArray<std::uint64_t> array;
  array.Reserve(kElements * 2 - 64);
  std::uint64_t length = 0;
  const std::uint64_t* const run = array.Run(kElements - 64, ~std::uint64_t{0}, &length);
  ASSERT_EQ(length, kElements);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(run) % kHugePageBytes, 0U);
  for (std::uint64_t i = 0; i < kElements * 2 - 64; i += 511) {
    ASSERT_EQ(array[i], 0U);
    array[i] = i;
  }
  array[kElements * 2 - 65] = 7;
  for (std::uint64_t i = 0; i < kElements * 2 - 65; i += 511) ASSERT_EQ(array[i], i);
}

TEST(SegmentedArray, SegmentsDoubleFromTheBase) {
  SegmentedArray<std::uint32_t, 3> array;
  EXPECT_EQ(array.ReservedBytes(), 0U);
  array.Reserve(0);
  EXPECT_FALSE(array.IsReserved(0));
  array.Reserve(1);
  EXPECT_TRUE(array.IsReserved(7));
  EXPECT_FALSE(array.IsReserved(8));
  EXPECT_EQ(array.ReservedBytes(), 8 * sizeof(std::uint32_t));
  array.Reserve(9);
  EXPECT_TRUE(array.IsReserved(8 + 15));
  EXPECT_FALSE(array.IsReserved(8 + 16));
  EXPECT_EQ(array.ReservedBytes(), (8 + 16) * sizeof(std::uint32_t));
}

TEST(SegmentedArray, RunsCoverARangeWithoutGapOrOverlap) {
  SegmentedArray<std::uint32_t, 2> array;
  constexpr std::uint64_t kSize = 500;
  array.Reserve(kSize);
  for (std::uint32_t i = 0; i < kSize; ++i) array[i] = i;
  for (const std::uint64_t begin : {0, 1, 3, 4, 11, 12, 250, 499}) {
    std::uint64_t runs = 0;
    for (std::uint64_t at = begin; at < kSize; ++runs) {
      std::uint64_t length = 0;
      const std::uint32_t* run = array.Run(at, kSize, &length);
      ASSERT_GT(length, 0U);
      for (std::uint64_t i = 0; i < length; ++i) ASSERT_EQ(run[i], at + i);
      at += length;
      ASSERT_LE(at, kSize);
    }
    EXPECT_LE(runs, 8U) << "from " << begin;
  }
}

// The last index of a uint32 is addressable: only the segments' arithmetic is tested, nothing is allocated.
TEST(SegmentedArray, KnowsTheLargestSlot) {
  const SegmentedArray<char> array;
  EXPECT_FALSE(array.IsReserved(std::numeric_limits<std::uint32_t>::max()));
}

TEST(Bitset, AgreesWithASet) {
  std::mt19937 random(11);
  for (const std::uint64_t size : {1, 63, 64, 65, 1000}) {
    Bitset bits(size);
    std::set<std::uint64_t> model;
    for (int step = 0; step < 2000; ++step) {
      const std::uint64_t bit = random() % size;
      if (random() % 3 == 0) {
        bits.Clear(bit);
        model.erase(bit);
      } else {
        bits.Set(bit);
        model.insert(bit);
      }
      ASSERT_EQ(bits.Test(bit), model.count(bit) == 1);
    }
    EXPECT_EQ(bits.size(), size);
    EXPECT_EQ(bits.Count(), model.size());
    std::vector<std::uint64_t> visited;
    bits.ForEach([&](std::uint64_t bit) { visited.push_back(bit); });
    EXPECT_EQ(visited, std::vector<std::uint64_t>(model.begin(), model.end()));
  }
}

TEST(Bitset, EmptyHasNoBits) {
  EXPECT_EQ(Bitset().Count(), 0U);
  EXPECT_TRUE(Bitset(0).words().empty());
}

TEST(Coding, BigEndianOrderIsNumberOrder) {
  std::string bytes;
  AppendBigEndian<std::uint32_t>(&bytes, 0x01020304);
  EXPECT_EQ(bytes, std::string("\x01\x02\x03\x04"));
  std::mt19937_64 random(12);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t a = random() >> (random() % 64);
    const std::uint64_t b = random() >> (random() % 64);
    std::string x;
    std::string y;
    AppendBigEndian(&x, a);
    AppendBigEndian(&y, b);
    ASSERT_EQ(x < y, a < b);
    ASSERT_EQ(LoadBigEndian<std::uint64_t>(x), a);
  }
  EXPECT_EQ(LoadBigEndian<std::uint16_t>("\xFE\xDCmore"), 0xFEDC);
}

TEST(Coding, ReaderReadsWhatWasAppended) {
  std::string bytes;
  AppendLittleEndian<std::uint32_t>(&bytes, 7);
  AppendLengthPrefixed(&bytes, std::string_view("a\0b", 3));
  AppendLittleEndian(&bytes, 1.5);
  AppendLengthPrefixed(&bytes, "");
  EXPECT_EQ(bytes.substr(0, 4), std::string("\x07\0\0\0", 4));

  ByteReader reader(bytes);
  std::uint32_t number = 0;
  double real = 0;
  std::string_view text;
  std::string_view nothing = "x";
  ASSERT_TRUE(reader.Read(&number) && reader.ReadLengthPrefixed(&text) && reader.Read(&real) &&
              reader.ReadLengthPrefixed(&nothing));
  EXPECT_EQ(number, 7U);
  EXPECT_EQ(text, std::string_view("a\0b", 3));
  EXPECT_EQ(real, 1.5);
  EXPECT_TRUE(nothing.empty());
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.Read(&number));
}

TEST(Coding, ReaderRefusesEveryTruncation) {
  std::string bytes;
  AppendLengthPrefixed(&bytes, "abcdef");
  std::string_view text;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(reader.ReadLengthPrefixed(&text)) << size;
  }
  std::string huge;
  AppendLittleEndian<std::uint32_t>(&huge, std::numeric_limits<std::uint32_t>::max());
  ByteReader reader(huge);
  EXPECT_FALSE(reader.ReadLengthPrefixed(&text));
}

// XXH3 as its specification prints it: files written elsewhere stay readable.
TEST(Checksum, IsXxh3) {
  EXPECT_EQ(Checksum(""), 0x2D06800538D394C2U);
  EXPECT_NE(Checksum("a"), Checksum("b"));
}

TEST(StrCat, JoinsTextAndNumbers) {
  const std::string text = "b";
  EXPECT_EQ(StrCat("a", text, std::string_view("c"), 1, -2, std::uint64_t{18'446'744'073'709'551'615U}, 0.5),
            "abc1-2184467440737095516150.5");
}

}  // namespace
}  // namespace vdb
