#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "bench/engine.h"
#include "bench/ingest_measure.h"
#include "bench/ingest_steps.h"
#include "vdb/storage/store.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

struct Written {
  std::uint64_t rows = 0;
  std::uint64_t unlinked = 0;  // of them are not in the graph
};

// In the child: writes until the tail is full, or there are no more rows, tells what it has written, and waits to be
// killed.
void WriteUntilFull(const IngestSetup& setup, const std::string& folder, int told) {
  Database database = Check(Database::Open(folder, {.threads = setup.threads}));
  Collection collection = LoadBase(setup, &database);
  std::size_t next = setup.base_rows;
  CollectionStats stats;
  while (!ReachedBound(setup, stats) && next < setup.base_rows + setup.ingest_rows) {
    UpsertBatch(setup, next, &collection);
    next += setup.batch_rows;
    stats = Check(collection.Stats());
  }
  const Written written{.rows = next, .unlinked = stats.slots - stats.linked};
  if (::write(told, &written, sizeof(written)) != sizeof(written)) throw std::runtime_error("the pipe is closed");
  for (;;) ::pause();
}

// Runs WriteUntilFull in a process of its own and kills it; returns what it told.
Written KillWithFullTail(const IngestSetup& setup, const std::string& folder) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no second process");
  if (child == 0) {
    ::close(ends[0]);
    try {
      WriteUntilFull(setup, folder, ends[1]);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "ingest: the process to be killed: %s\n", error.what());
    }
    ::_exit(1);
  }
  ::close(ends[1]);
  Written written;
  const bool is_told = ::read(ends[0], &written, sizeof(written)) == sizeof(written);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  if (!is_told) throw std::runtime_error("the process to be killed ended by itself");
  return written;
}

}  // namespace

Reopening MeasureReopening(const IngestSetup& setup) {
  const std::string folder = StrCat(setup.folder, "/killed");
  const std::string copy = StrCat(setup.folder, "/copy");
  Reopening reopening;
  const Written written = KillWithFullTail(setup, folder);
  reopening.unlinked = written.unlinked;
  std::filesystem::copy(folder, copy, std::filesystem::copy_options::recursive);
  double start = WallSeconds();
  std::unique_ptr<storage::Store> store = Check(storage::Store::Open(StrCat(copy, "/store"), {}));
  reopening.rocksdb_ms = 1e3 * (WallSeconds() - start);
  store.reset();
  start = WallSeconds();
  Database database = Check(Database::Open(folder, {.threads = setup.threads}));
  const Collection collection = Check(database.OpenCollection(kCollection));
  const SearchResult found = Check(collection.Search({.vector = setup.queries.row(0), .k = 10, .with_payload = false}));
  reopening.first_hit_ms = 1e3 * (WallSeconds() - start);
  const CollectionStats stats = Check(collection.Stats());
  if (found.hits.size() != 10 || stats.slots != written.rows) {
    throw std::runtime_error("the reopened collection lost rows");
  }
  reopening.rows = stats.slots;
  reopening.unpublished = stats.slots - stats.published;
  Check(database.Close());
  std::filesystem::remove_all(folder);
  std::filesystem::remove_all(copy);
  return reopening;
}

}  // namespace vdb::bench
