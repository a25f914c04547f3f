// Filters that are compiled and counted while rows are written.
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <string>
#include <thread>
#include <vector>

#include "vdb/fields/payload_parser.h"
#include "vdb/query/filter_program.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Each reader loads the clock, compiles and counts; every count has a known answer.
TEST(FilterProgram, ReadersCountBesideTheWriter) {
  constexpr std::uint32_t kRows = 6'000;
  FieldIndex index;
  std::atomic<std::uint32_t> committed{0};
  std::atomic<std::uint32_t> rounds{0};
  const std::vector<Value> seven = {7};
  const auto read = [&](const char* text, std::uint32_t every, std::uint32_t first) {
    TriWords words;
    std::uint32_t seen = 0;
    while (seen < kRows) {
      seen = committed.load(std::memory_order_acquire);
      const FilterProgram program = FilterProgram::Compile(text, seven, index).value();
      program.Evaluate(0, seen, &words);
      std::uint32_t count = 0;
      for (const std::uint64_t word : words.is_true) count += static_cast<std::uint32_t>(std::popcount(word));
      ASSERT_EQ(count, seen > first ? (seen - first + every - 1) / every : 0) << text << " at " << seen;
      rounds.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread number(read, "n = $1", 10U, 7U);
  std::thread text(read, "s LIKE 's7%' AND n IN ($1, 8)", 10U, 7U);
  std::thread list(read, "t CONTAINS ANY ('t7', 'none') AND n = $1", 10U, 7U);
  PayloadParser parser;
  ParsedPayload payload;
  for (std::uint32_t slot = 0; slot < kRows; ++slot) {
    const std::string n = std::to_string(slot % 10);
    ASSERT_TRUE(parser
                    .Parse(StrCat(R"({"n":)", n, R"(,"s":"s)", n, "-", slot / 2, R"(","t":["t)", n, R"("],"p)",
                                  slot / 50, R"(":1})"),
                           &payload)
                    .ok());
    index.Write(slot, payload);
    committed.store(slot + 1, std::memory_order_release);
  }
  number.join();
  text.join();
  list.join();
  EXPECT_GE(rounds.load(), 3U);
}

}  // namespace
}  // namespace vdb
