// Named places in the code where a test may stop a thread, look around, or kill the process.
//
// Costs one relaxed load where no test listens. Names are "area.event", listed where they stand.
// Thread safety: safe from any thread; a handler runs on the thread that reached the point, outside the registry's
// lock.
#ifndef VDB_UTIL_SYNC_POINT_H_
#define VDB_UTIL_SYNC_POINT_H_

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

namespace vdb {

class SyncPoints {
 public:
  // handler is called whenever `name` is reached, until Clear. Replaces an earlier handler of that name.
  static void Set(std::string name, std::function<void()> handler);

  // Removes every handler. Does not wait for handlers that are running.
  static void Clear();

  static void Reached(std::string_view name) {
    if (active_.load(std::memory_order_relaxed)) [[unlikely]]
      Call(name);
  }

 private:
  static void Call(std::string_view name);
  static std::atomic<bool> active_;
};

}  // namespace vdb

#endif  // VDB_UTIL_SYNC_POINT_H_
