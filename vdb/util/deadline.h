// A moment after which a caller does not want an answer any more.
//
// Thread safety: immutable.
#ifndef VDB_UTIL_DEADLINE_H_
#define VDB_UTIL_DEADLINE_H_

#include <vdb/status.h>

#include <chrono>

namespace vdb {

class Deadline {
 public:
  Deadline() = default;  // never
  // Durations beyond the clock's range are never.
  explicit Deadline(std::chrono::microseconds from_now) {
    const auto now = std::chrono::steady_clock::now();
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(at_ - now);
    if (from_now < left) at_ = now + from_now;
  }

  bool IsSet() const { return at_ != std::chrono::steady_clock::time_point::max(); }
  bool Passed() const { return IsSet() && std::chrono::steady_clock::now() >= at_; }
  Status Check() const {
    return Passed() ? DeadlineExceededError("the search was given up at its timeout") : OkStatus();
  }

 private:
  std::chrono::steady_clock::time_point at_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace vdb

#endif  // VDB_UTIL_DEADLINE_H_
