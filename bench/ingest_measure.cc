#include "bench/ingest_measure.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "bench/engine.h"
#include "bench/ingest_steps.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

constexpr std::size_t kSearchingThreads = 2;
constexpr int kTurns = 5;
// With less than this left to link the writer beside searches writes another batch.
constexpr std::uint64_t kBusyTailRows = 768;
constexpr off_t kRoomAheadBytes = off_t{64} << 20;
constexpr std::size_t kRecordOverheadBytes = 300;  // of a record in the log: keys, id, payload, counters

// The first error of any thread is thrown where the threads are joined.
class Threads {
 public:
  Threads() = default;
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { stop_ = true; }

  void Start(const std::function<void()>& step) {
    threads_.emplace_back([this, step] {
      try {
        while (!stop_.load(std::memory_order_relaxed)) step();
      } catch (const std::exception& error) {
        if (!failed_.exchange(true)) error_ = error.what();
      }
    });
  }
  void StopAndJoin() {
    stop_ = true;
    for (std::jthread& thread : threads_) thread.join();
    threads_.clear();
    if (failed_) throw std::runtime_error(error_);
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::string error_;
  std::vector<std::jthread> threads_;
};

void Rest(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Times that the processor was taken from this thread.
long Preemptions() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

struct Sample {
  double micros = 0;
  bool disturbed = false;
};

// Searches on threads of its own until Stop.
class Searchers {
 public:
  Searchers(const Collection& collection, const Matrix& queries, std::size_t threads) : samples_(threads) {
    for (std::size_t t = 0; t < threads; ++t) {
      threads_.Start([collection, &queries, samples = &samples_[t], next = t, threads]() mutable {
        const long before = Preemptions();
        const double start = WallSeconds();
        Check(
            collection.Search({.vector = queries.row(next % queries.rows()), .k = 10, .with_payload = false}).status());
        samples->push_back({1e6 * (WallSeconds() - start), Preemptions() != before});
        next += threads;
      });
    }
  }
  // All samples since the start.
  std::vector<Sample> Stop() {
    threads_.StopAndJoin();
    std::vector<Sample> all;
    for (const std::vector<Sample>& of_thread : samples_) all.insert(all.end(), of_thread.begin(), of_thread.end());
    return all;
  }

 private:
  std::vector<std::vector<Sample>> samples_;
  Threads threads_;  // last: it uses the samples
};

double At(const std::vector<double>& sorted, double share) {
  return sorted.empty() ? 0 : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

Latency Summarise(const std::vector<Sample>& samples) {
  std::vector<double> all;
  std::vector<double> undisturbed;
  for (const Sample& sample : samples) {
    all.push_back(sample.micros);
    if (!sample.disturbed) undisturbed.push_back(sample.micros);
  }
  std::sort(all.begin(), all.end());
  std::sort(undisturbed.begin(), undisturbed.end());
  return {.searches = all.size(),
          .p50_us = At(all, 0.5),
          .p99_us = At(all, 0.99),
          .p999_us = At(all, 0.999),
          .max_us = At(all, 1),
          .p99_undisturbed_us = At(undisturbed, 0.99),
          .max_undisturbed_us = At(undisturbed, 1)};
}

void Append(std::vector<Sample>* to, const std::vector<Sample>& more) {
  to->insert(to->end(), more.begin(), more.end());
}

std::uint64_t SlotsOf(const Collection& collection) {
  return Check(collection.Stats()).slots;
}

}  // namespace

LinkingRate MeasureLinking(const IngestSetup& setup) {
  const std::string folder = StrCat(setup.folder, "/linking");
  Database database = Check(Database::Open(folder, {.threads = setup.threads}));
  BulkLoader loader = Check(BulkLoader::Begin(&database, kCollection, BulkMode::kCreate, OptionsOf(setup)));
  AddRows(setup, setup.base_rows + setup.ingest_rows, &loader);
  struct Moment {
    double wall = 0;
    double cpu = 0;
    std::uint64_t rows = 0;
  };
  Moment began;
  Moment ended;
  Check(loader.Finish([&](BulkPhase phase, std::uint64_t done, std::uint64_t) {
    if (phase != BulkPhase::kLinking) return;
    ended = {WallSeconds(), CpuSeconds(), done};
    if (began.rows == 0 && done >= setup.base_rows) began = ended;
  }));
  Check(database.Close());
  std::filesystem::remove_all(folder);
  if (ended.rows <= began.rows) throw std::runtime_error("too few rows to see the rate of linking");
  const auto rows = static_cast<double>(ended.rows - began.rows);
  return {.rows_per_s = rows / (ended.wall - began.wall), .rows_per_cpu_s = rows / (ended.cpu - began.cpu)};
}

IngestRate MeasureIngest(const IngestSetup& setup, Database* database) {
  Collection collection = LoadBase(setup, database);
  IngestRate rate;
  const std::uint64_t published = Check(collection.Stats()).publishes;
  const double cpu = CpuSeconds();
  const double start = WallSeconds();
  const std::size_t end = setup.base_rows + setup.ingest_rows;
  for (std::size_t begin = setup.base_rows; begin < end; begin += setup.batch_rows) {
    const std::size_t until = std::min(end, begin + setup.batch_rows);
    const RowBatch batch(setup.rows, begin, until);
    const double called = WallSeconds();
    Check(collection.Upsert(batch.records(), {.durability = Durability::kOsBuffered}));
    const double now = WallSeconds();
    rate.longest_upsert_ms = std::max(rate.longest_upsert_ms, 1e3 * (now - called));
    if (rate.reached_bound) continue;
    rate.burst_rows = until - setup.base_rows;
    rate.burst_rows_per_s = static_cast<double>(rate.burst_rows) / (now - start);
    rate.reached_bound = ReachedBound(setup, Check(collection.Stats()));
  }
  rate.written_rows_per_s = static_cast<double>(setup.ingest_rows) / (WallSeconds() - start);
  // What is less than a batch of indexing waits for more, or for a pause.
  std::uint64_t linked = 0;
  while (linked + kIndexingBatchRows <= end) {
    Rest(1e-3);
    linked = Check(collection.Stats()).linked;
  }
  const auto indexed = static_cast<double>(linked - setup.base_rows);
  rate.indexed_rows_per_s = indexed / (WallSeconds() - start);
  rate.rows_per_cpu_s = indexed / (CpuSeconds() - cpu);
  rate.publications = Check(collection.Stats()).publishes - published;
  return rate;
}

SearchesBesideIndexing MeasureSearches(const IngestSetup& setup, Collection collection) {
  std::vector<Sample> idle;
  std::vector<Sample> busy;
  double busy_seconds = 0;
  double tails = 0;
  double looks = 0;
  std::uint64_t indexed = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    Check(collection.WaitForIndex());
    Check(collection.Publish());
    {
      Searchers searchers(collection, setup.queries, kSearchingThreads);
      Rest(setup.seconds / kTurns);
      Append(&idle, searchers.Stop());
    }
    const std::uint64_t linked = Check(collection.Stats()).linked;
    const double start = WallSeconds();
    std::uint64_t next = linked;
    Searchers searchers(collection, setup.queries, kSearchingThreads);
    while (WallSeconds() < start + setup.seconds / kTurns) {
      const CollectionStats stats = Check(collection.Stats());
      tails += static_cast<double>(stats.slots - stats.linked);
      ++looks;
      if (stats.slots - stats.linked < kBusyTailRows) {
        UpsertBatch(setup, next, &collection);
        next += setup.batch_rows;
      } else {
        Rest(1e-3);
      }
    }
    Append(&busy, searchers.Stop());
    busy_seconds += WallSeconds() - start;
    indexed += Check(collection.Stats()).linked - linked;
  }
  return {.idle = Summarise(idle),
          .busy = Summarise(busy),
          .indexed_rows_per_s = static_cast<double>(indexed) / busy_seconds,
          .mean_tail_rows = tails / looks};
}

SearchesBesidePublishing MeasurePublishing(const IngestSetup& setup, Collection collection) {
  std::vector<Sample> without;
  std::vector<Sample> during;
  SearchesBesidePublishing result;
  double publishing = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::uint64_t next = SlotsOf(collection);
    UpsertBatch(setup, next, &collection);  // or there would be nothing to publish
    Check(collection.WaitForIndex());
    double took = 0;
    {
      Searchers searchers(collection, setup.queries, 1);
      const double start = WallSeconds();
      Check(collection.Publish());
      took = WallSeconds() - start;
      Append(&during, searchers.Stop());
    }
    publishing += took;
    ++result.publications;
    Searchers searchers(collection, setup.queries, 1);
    Rest(took);
    Append(&without, searchers.Stop());
  }
  result.during = Summarise(during);
  result.without = Summarise(without);
  result.publish_ms = 1e3 * publishing / static_cast<double>(result.publications);
  return result;
}

namespace {

double AppendsPerSecond(const std::string& path, std::size_t bytes, double seconds) {
  const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error(StrCat("cannot make ", path));
  const std::string record(bytes, 'x');
  std::uint64_t appends = 0;
  const double start = WallSeconds();
  bool failed = false;
  // Room ahead, as RocksDB has it for its log: a sync then need not write down where the file lies.
  static_cast<void>(::fallocate(file, FALLOC_FL_KEEP_SIZE, 0, kRoomAheadBytes));
  for (; !failed && WallSeconds() < start + seconds; ++appends) {
    failed =
        ::write(file, record.data(), record.size()) != static_cast<ssize_t>(record.size()) || ::fdatasync(file) != 0;
  }
  const double took = WallSeconds() - start;
  ::close(file);
  std::filesystem::remove(path);
  if (failed) throw std::runtime_error(StrCat("cannot write ", path));
  return static_cast<double>(appends) / took;
}

}  // namespace

SyncedUpserts MeasureSynced(const IngestSetup& setup, Database* database) {
  Collection collection = Check(database->CreateCollection("synced", OptionsOf(setup)));
  const std::size_t record_bytes = setup.rows.dim * sizeof(float) + kRecordOverheadBytes;
  const double seconds = setup.seconds / kTurns / 3;
  std::atomic<std::uint64_t> next{0};
  const auto write = [&] {
    const std::uint64_t row = next.fetch_add(1);
    const RowBatch batch(setup.rows, row, row + 1);
    Check(collection.Upsert(batch.records()[0]));
  };
  const auto rate = [&](std::size_t writers) {
    const std::uint64_t before = next;
    const double start = WallSeconds();
    Threads threads;
    for (std::size_t t = 0; t < writers; ++t) threads.Start(write);
    Rest(seconds);
    threads.StopAndJoin();
    return static_cast<double>(next - before) / (WallSeconds() - start);
  };
  std::vector<double> disk;
  std::vector<double> one;
  std::vector<double> eight;
  double groups = 0;
  double requests = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    disk.push_back(AppendsPerSecond(StrCat(setup.folder, "/appends"), record_bytes, seconds));
    one.push_back(rate(1));
    const DatabaseStats before = Check(database->Stats());
    eight.push_back(rate(8));
    const DatabaseStats after = Check(database->Stats());
    groups += static_cast<double>(after.commit_groups - before.commit_groups);
    requests += static_cast<double>(after.commit_requests - before.commit_requests);
  }
  const auto median = [](std::vector<double> rates) {
    std::sort(rates.begin(), rates.end());
    return At(rates, 0.5);
  };
  return {.disk_per_s = median(disk),
          .one_per_s = median(one),
          .eight_per_s = median(eight),
          .rows_per_group = requests / groups};
}

}  // namespace vdb::bench
