#include "vdb/util/sync_point.h"

#include <map>
#include <utility>

#include "vdb/util/mutex.h"

namespace vdb {
namespace {

struct Registry {
  Mutex mutex;
  std::map<std::string, std::function<void()>, std::less<>> handlers ABSL_GUARDED_BY(mutex);
};

Registry& GlobalRegistry() {
  static auto* registry = new Registry;  // never destroyed: points may be reached during exit
  return *registry;
}

}  // namespace

std::atomic<bool> SyncPoints::active_{false};

void SyncPoints::Set(std::string name, std::function<void()> handler) {
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  registry.handlers[std::move(name)] = std::move(handler);
  active_.store(true, std::memory_order_relaxed);
}

void SyncPoints::Clear() {
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  registry.handlers.clear();
  active_.store(false, std::memory_order_relaxed);
}

void SyncPoints::Call(std::string_view name) {
  std::function<void()> handler;
  {
    Registry& registry = GlobalRegistry();
    MutexLock lock(&registry.mutex);
    const auto found = registry.handlers.find(name);
    if (found == registry.handlers.end()) return;
    handler = found->second;
  }
  handler();
}

}  // namespace vdb
