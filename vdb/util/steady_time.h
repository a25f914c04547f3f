// The time that ages are measured with, and the period of background clocks, both of which tests may change.
//
// Thread safety: safe from any thread.
#ifndef VDB_UTIL_STEADY_TIME_H_
#define VDB_UTIL_STEADY_TIME_H_

#include <atomic>
#include <chrono>

namespace vdb {

class SteadyTime {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static TimePoint Now() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(ahead_.load(std::memory_order_relaxed));
  }
  // How long a background clock waits until it next looks around.
  static std::chrono::milliseconds TickPeriod() {
    return std::chrono::milliseconds(tick_.load(std::memory_order_relaxed));
  }

  // Tests: from now on it is so much later.
  static void Advance(std::chrono::seconds by) { ahead_.fetch_add(by.count(), std::memory_order_relaxed); }
  static void SetTickPeriod(std::chrono::milliseconds period) {
    tick_.store(period.count(), std::memory_order_relaxed);
  }

 private:
  static inline std::atomic<std::chrono::seconds::rep> ahead_{0};
  static inline std::atomic<std::chrono::milliseconds::rep> tick_{1'000};
};

}  // namespace vdb

#endif  // VDB_UTIL_STEADY_TIME_H_
