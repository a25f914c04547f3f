// Mutex, CondVar, SyncPoints and ThreadPool under several threads. A lost wake-up or a deadlock ends in ctest's
// timeout.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vdb/util/mutex.h"
#include "vdb/util/priority_mutex.h"
#include "vdb/util/sync_point.h"
#include "vdb/util/thread_pool.h"

namespace vdb {
namespace {

TEST(Mutex, ExcludesOthers) {
  Mutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        MutexLock lock(&mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 40'000);
}

TEST(Mutex, TryLockFailsWhileAnotherThreadHoldsIt) {
  Mutex mutex;
  const auto try_elsewhere = [&mutex] {
    bool locked = false;
    std::thread([&] {
      if (!mutex.TryLock()) return;
      locked = true;
      mutex.Unlock();
    }).join();
    return locked;
  };
  {
    MutexLock lock(&mutex);
    EXPECT_FALSE(try_elsewhere());
  }
  EXPECT_TRUE(try_elsewhere());
}

TEST(CondVar, HandsATurnBackAndForth) {
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  const auto play = [&](int parity) {
    for (int i = 0; i < 2'000; ++i) {
      MutexLock lock(&mutex);
      while (turn % 2 != parity) changed.Wait(&mutex);
      ++turn;
      changed.NotifyAll();
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(turn, 4'000);
}

TEST(CondVar, WaitForEndsWithoutANotification) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(&mutex);
  while (changed.WaitFor(&mutex, std::chrono::milliseconds(1))) {
  }
  EXPECT_FALSE(changed.WaitFor(&mutex, std::chrono::milliseconds(-1)));
}

TEST(SyncPoints, CallTheHandlerOfTheirNameUntilCleared) {
  int first = 0;
  int second = 0;
  SyncPoints::Reached("test.a");
  SyncPoints::Set("test.a", [&] { ++first; });
  SyncPoints::Reached("test.a");
  SyncPoints::Reached("test.b");
  EXPECT_EQ(first, 1);
  SyncPoints::Set("test.a", [&] { ++second; });
  SyncPoints::Reached("test.a");
  EXPECT_EQ(std::pair(first, second), std::pair(1, 1));
  SyncPoints::Clear();
  SyncPoints::Reached("test.a");
  EXPECT_EQ(std::pair(first, second), std::pair(1, 1));
}

TEST(SyncPoints, AHandlerMayChangeHandlers) {
  int inner = 0;
  SyncPoints::Set("test.outer", [&] { SyncPoints::Set("test.inner", [&] { ++inner; }); });
  SyncPoints::Reached("test.outer");
  SyncPoints::Reached("test.inner");
  EXPECT_EQ(inner, 1);
  SyncPoints::Clear();
}

TEST(SyncPoints, HoldAThreadUntilAnotherLetsItGo) {
  std::latch reached(1);
  std::latch released(1);
  SyncPoints::Set("test.hold", [&] {
    reached.count_down();
    released.wait();
  });
  std::atomic<bool> passed{false};
  std::thread held([&] {
    SyncPoints::Reached("test.hold");
    passed.store(true);
  });
  reached.wait();
  SyncPoints::Reached("test.other");
  EXPECT_FALSE(passed.load());
  released.count_down();
  held.join();
  EXPECT_TRUE(passed.load());
  SyncPoints::Clear();
}

TEST(ThreadPool, OneThreadRunsTasksInOrder) {
  std::vector<int> order;
  {
    ThreadPool pool(1);
    EXPECT_EQ(pool.size(), 1U);
    for (int i = 0; i < 100; ++i) pool.Post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPool, DestructorRunsWhatIsPostedAlsoByTasks) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(3);
    for (int i = 0; i < 200; ++i) {
      pool.Post([&] {
        ran.fetch_add(1);
        pool.Post([&] { ran.fetch_add(1); });
      });
    }
  }
  EXPECT_EQ(ran.load(), 400);
}

TEST(ThreadPool, ThreadsAreAsNiceAsAskedForAndTheCallerIsNot) {
  const int own = ::getpriority(PRIO_PROCESS, 0);
  std::atomic<int> niceness{-1};
  {
    ThreadPool pool(1, 19);
    pool.Post([&] { niceness.store(::getpriority(PRIO_PROCESS, 0)); });
  }
  EXPECT_EQ(niceness.load(), 19);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), own);
}

TEST(ThreadPool, ParallelForVisitsEveryIndexOnceInRangesOfAtMostGrain) {
  ThreadPool pool(3);
  for (const std::size_t count : {0, 1, 2, 7, 64, 1000}) {
    for (const std::size_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(count);
      std::atomic<std::size_t> longest{0};
      pool.ParallelFor(count, grain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) visits[i].fetch_add(1);
        std::size_t seen = longest.load();
        while (seen < end - begin && !longest.compare_exchange_weak(seen, end - begin)) {
        }
      });
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(visits[i].load(), 1) << i << " of " << count << " by " << grain;
      ASSERT_LE(longest.load(), grain);
    }
  }
}

TEST(ThreadPool, ParallelForRunsOnTheCallerAndOnThePool) {
  ThreadPool pool(1);
  // Each of two ranges waits for the other to have begun.
  std::latch both(2);
  pool.ParallelFor(2, 1, [&](std::size_t, std::size_t) { both.arrive_and_wait(); });
  EXPECT_TRUE(both.try_wait());
}

// Every thread of the pool is busy with a loop of its own: only the callers are left to do the work.
TEST(ThreadPool, ParallelForInsideTasksAndInsideItself) {
  std::atomic<int> visits{0};
  {
    ThreadPool pool(2);
    for (int task = 0; task < 8; ++task) {
      pool.Post([&] {
        pool.ParallelFor(10, 1, [&](std::size_t, std::size_t) {
          pool.ParallelFor(
              10, 2, [&](std::size_t begin, std::size_t end) { visits.fetch_add(static_cast<int>(end - begin)); });
        });
      });
    }
  }
  EXPECT_EQ(visits.load(), 8 * 10 * 10);
}

TEST(ThreadPool, LoopsOfSeveralCallersDoNotMix) {
  ThreadPool pool(2);
  std::vector<std::thread> callers;
  std::vector<std::size_t> sums(4);
  for (std::size_t caller = 0; caller < sums.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 50; ++round) {
        std::atomic<std::size_t> sum{0};
        pool.ParallelFor(100, 7, [&](std::size_t begin, std::size_t end) {
          for (std::size_t i = begin; i < end; ++i) sum.fetch_add(i);
        });
        sums[caller] += sum.load();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const std::size_t sum : sums) EXPECT_EQ(sum, 50U * 4950U);
}

TEST(PriorityMutex, ExcludesOthersOfBothClasses) {
  PriorityMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        if (t % 2 == 0) {
          const PriorityLock lock(&mutex);
          ++count;
        } else {
          const LastLock lock(&mutex);
          ++count;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20'000);
  EXPECT_FALSE(mutex.IsWanted());
}

TEST(PriorityMutex, BackgroundWorkSeesWhoWaitsAndLetsThemGoFirst) {
  PriorityMutex mutex;
  for (int round = 0; round < 100; ++round) {
    bool went = false;  // guarded by mutex
    mutex.LockLast();
    EXPECT_FALSE(mutex.IsWanted());
    std::thread other([&] {
      const PriorityLock lock(&mutex);
      went = true;
    });
    while (!mutex.IsWanted()) std::this_thread::yield();
    mutex.Unlock();
    mutex.LockLast();
    EXPECT_TRUE(went);
    EXPECT_FALSE(mutex.IsWanted());
    mutex.Unlock();
    other.join();
  }
}

}  // namespace
}  // namespace vdb
