#include "vdb/db/fork.h"

#include <pthread.h>

#include <algorithm>
#include <vector>

#include "vdb/db/database_impl.h"
#include "vdb/db/open_registry.h"
#include "vdb/util/mutex.h"

namespace vdb {
namespace {

struct Registry {
  Mutex mutex;
  std::vector<DatabaseImpl*> databases ABSL_GUARDED_BY(mutex);
};

Registry& GlobalRegistry() {
  static auto* registry = new Registry;  // never destroyed: forks may come during exit
  return *registry;
}

// The registry's lock is held across the fork, so that the child finds it whole.
void BeforeFork() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  OpenRegistry::Global().LockForFork();
  GlobalRegistry().mutex.Lock();
}
void AfterForkInParent() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  GlobalRegistry().mutex.Unlock();
  OpenRegistry::Global().UnlockInParent();
}
void AfterForkInChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (DatabaseImpl* database : GlobalRegistry().databases) database->MarkForked();
  GlobalRegistry().databases.clear();
  GlobalRegistry().mutex.Unlock();
  OpenRegistry::Global().ForgetInChild();
}

}  // namespace

void RegisterForFork(DatabaseImpl* database) {
  static const int installed = pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild);
  static_cast<void>(installed);
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  registry.databases.push_back(database);
}

void UnregisterForFork(DatabaseImpl* database) {
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  std::erase(registry.databases, database);
}

}  // namespace vdb
