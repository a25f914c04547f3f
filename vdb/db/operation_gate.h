// Lets Close wait for calls that are under way, without a lock that calls would share.
//
// Each call counts itself in one of several counters, by thread, and looks whether the gate is closed; closing sets the
// flag and waits until every counter is zero.
// Thread safety: safe from any thread.
#ifndef VDB_DB_OPERATION_GATE_H_
#define VDB_DB_OPERATION_GATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>

namespace vdb {

class OperationGate {
 public:
  // Returns false if the gate is closed; otherwise Leave must follow, from the same thread.
  bool Enter() {
    Counter& counter = Mine();
    counter.active.fetch_add(1, std::memory_order_seq_cst);
    if (!closed_.load(std::memory_order_seq_cst)) return true;
    Leave();
    return false;
  }

  void Leave() {
    Counter& counter = Mine();
    if (counter.active.fetch_sub(1, std::memory_order_seq_cst) == 1 && closed_.load(std::memory_order_seq_cst)) {
      counter.active.notify_all();
    }
  }

  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // Returns false if it was closed before; otherwise no call is under way when it returns.
  bool CloseAndWait() {
    if (closed_.exchange(true, std::memory_order_seq_cst)) return false;
    for (Counter& counter : counters_) {
      for (std::uint32_t active = counter.active.load(); active != 0; active = counter.active.load()) {
        counter.active.wait(active);
      }
    }
    return true;
  }

 private:
  struct alignas(64) Counter {
    std::atomic<std::uint32_t> active{0};
  };

  Counter& Mine() {
    thread_local const std::size_t hash = std::hash<std::thread::id>()(std::this_thread::get_id());
    return counters_[hash % counters_.size()];
  }

  std::array<Counter, 16> counters_;
  std::atomic<bool> closed_{false};
};

}  // namespace vdb

#endif  // VDB_DB_OPERATION_GATE_H_
