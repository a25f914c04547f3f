// Which slots a clock sees: against a plain model, and under a writer that goes on.

#include "vdb/util/visibility.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace vdb {
namespace {

bool ModelSees(const std::vector<std::uint32_t>& died_at, std::uint32_t slot, Clock clock) {
  return slot < clock.committed && (died_at[slot] == 0 || died_at[slot] > clock.epoch);
}

TEST(Visibility, ASlotIsSeenUntilTheEpochThatKilledIt) {
  Deaths deaths;
  deaths.Reserve(10);
  deaths.Kill(3, 5);
  EXPECT_TRUE(deaths.IsDead(3));
  EXPECT_FALSE(deaths.IsDead(4));
  EXPECT_TRUE(deaths.IsVisible(3, {.committed = 10, .epoch = 4}));
  EXPECT_FALSE(deaths.IsVisible(3, {.committed = 10, .epoch = 5}));
  EXPECT_FALSE(deaths.IsVisible(3, {.committed = 3, .epoch = 4}));
  EXPECT_FALSE(deaths.IsVisible(9, {.committed = 9, .epoch = 0}));
  EXPECT_TRUE(deaths.IsVisible(9, {.committed = 10, .epoch = 9}));
  EXPECT_EQ(deaths.DeadWord(0), std::uint64_t{1} << 3);
}

TEST(Visibility, AgreesWithAModelSlotBySlotAndWordByWord) {
  std::mt19937 random(21);
  for (int round = 0; round < 60; ++round) {
    const std::uint32_t slots = 1 + random() % 400;
    Deaths deaths;
    std::vector<std::uint32_t> died_at(slots);
    std::uint32_t epoch = 1;
    for (std::uint32_t reserved = 0; reserved < slots;) {
      reserved = std::min<std::uint32_t>(slots, reserved + 1 + random() % 100);
      deaths.Reserve(reserved);
      for (std::uint32_t kill = 0; kill < reserved / 3; ++kill) {
        const std::uint32_t slot = random() % reserved;
        if (died_at[slot] != 0) continue;
        epoch += random() % 2;
        deaths.Kill(slot, epoch);
        died_at[slot] = epoch;
      }
    }
    for (int look = 0; look < 20; ++look) {
      const Clock clock = {.committed = static_cast<std::uint32_t>(random() % (slots + 1)),
                           .epoch = static_cast<std::uint32_t>(random() % (epoch + 2))};
      for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const bool seen = ModelSees(died_at, slot, clock);
        ASSERT_EQ(deaths.IsVisible(slot, clock), seen) << slot;
        ASSERT_EQ((deaths.VisibleWord(slot / 64, clock) >> (slot % 64)) & 1, seen ? 1U : 0U) << slot;
      }
      const std::uint64_t last_word = deaths.VisibleWord((slots - 1) / 64, clock);
      EXPECT_EQ(last_word >> ((slots - 1) % 64) >> 1, 0U);
      EXPECT_EQ(deaths.VisibleWord(100, clock), 0U);
    }
  }
}

// One logical record is replaced again and again: each commit adds a slot and kills the one before. A reader that loads
// the clock once sees exactly one slot, by either way of asking.
TEST(Visibility, AReplacedRecordNeitherVanishesNorAppearsTwice) {
  constexpr std::uint32_t kCommits = 30'000;
  Deaths deaths;
  deaths.Reserve(1);
  std::atomic<std::uint64_t> clock_word{(std::uint64_t{1} << 32) | 1};  // committed, epoch
  std::atomic<bool> started{false};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> looks{0};
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      for (bool last = false; !last;) {
        const std::uint64_t word = clock_word.load(std::memory_order_acquire);
        const Clock clock = {.committed = static_cast<std::uint32_t>(word >> 32),
                             .epoch = static_cast<std::uint32_t>(word)};
        last = clock.committed == kCommits;
        // The record's slot is near the end; older ones were killed long before.
        const std::uint32_t first = clock.committed > 100 ? (clock.committed - 100) / 64 * 64 : 0;
        int by_slot = 0;
        int by_word = 0;
        for (std::uint32_t slot = first; slot < clock.committed; ++slot) by_slot += deaths.IsVisible(slot, clock);
        for (std::uint32_t w = first / 64; w * 64 < clock.committed; ++w) {
          by_word += std::popcount(deaths.VisibleWord(w, clock));
        }
        if (by_slot != 1 || by_word != 1) wrong.fetch_add(1);
        looks.fetch_add(1);
        started.store(true, std::memory_order_release);
      }
    });
  }
  while (!started.load(std::memory_order_acquire)) std::this_thread::yield();
  for (std::uint32_t slot = 1; slot < kCommits; ++slot) {
    const std::uint32_t epoch = slot + 1;
    deaths.Reserve(slot + 1);
    deaths.Kill(slot - 1, epoch);
    clock_word.store((std::uint64_t{slot + 1} << 32) | epoch, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_GE(looks.load(), 3U);
}

TEST(Deaths, CountsUpToTheLastEpoch) {
  constexpr std::uint32_t kLast = 0xFFFF'FFFF;
  Deaths deaths;
  deaths.Reserve(2);
  deaths.Kill(1, kLast);
  EXPECT_TRUE(deaths.IsVisible(1, {.committed = 2, .epoch = kLast - 1}));
  EXPECT_FALSE(deaths.IsVisible(1, {.committed = 2, .epoch = kLast}));
  EXPECT_TRUE(deaths.IsVisible(0, {.committed = 2, .epoch = kLast}));
}

}  // namespace
}  // namespace vdb
