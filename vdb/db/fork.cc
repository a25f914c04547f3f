#include "vdb/db/fork.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
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

// Of this process; a database was open, so that threads of RocksDB did not come along.
std::atomic<bool> threads_were_lost{false};

// At exit, before the destructors of RocksDB's global objects: these would wait for its threads, which a forked child
// does not have, for ever. What has been registered since then with atexit, and a program's output, comes first.
void EndForkedChild(int status, void* /*argument*/) {
  if (!threads_were_lost.load(std::memory_order_acquire)) return;
  std::cout.flush();
  std::clog.flush();
  std::fflush(nullptr);
  ::_exit(status);
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
  threads_were_lost.store(true, std::memory_order_release);
  GlobalRegistry().databases.clear();
  GlobalRegistry().mutex.Unlock();
  OpenRegistry::Global().ForgetInChild();
}

}  // namespace

void RegisterForFork(DatabaseImpl* database) {
  static const int installed = pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild);
  static_cast<void>(installed);
  // Later than RocksDB registers its destructors, which it does in the first open of either kind: run in reverse order.
  static const int first_open = ::on_exit(EndForkedChild, nullptr);
  static_cast<void>(first_open);
  if (!database->read_only()) {
    static const int first_writer = ::on_exit(EndForkedChild, nullptr);
    static_cast<void>(first_writer);
  }
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  registry.databases.push_back(database);
}

void UnregisterForFork(DatabaseImpl* database) {
  Registry& registry = GlobalRegistry();
  MutexLock lock(&registry.mutex);
  std::erase(registry.databases, database);
}

bool ThreadsWereLost() {
  return threads_were_lost.load(std::memory_order_acquire);
}

}  // namespace vdb
