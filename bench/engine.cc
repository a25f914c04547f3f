#include "bench/engine.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <stdexcept>

namespace vdb::bench {
namespace {

constexpr std::size_t kRowsPerCall = 1'000;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

template <typename T>
T Check(Result<T> result) {
  Check(result.status());
  return std::move(result).value();
}

std::uint64_t FolderBytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

HnswlibEngine::HnswlibEngine(const DataSet& data, const BuildParameters& parameters)
    : data_(data),
      index_(data.metric == Metric::kL2Squared, data.base.dim, data.base.rows(), parameters.m,
             parameters.ef_construction) {
  const double wall = WallSeconds();
  const double cpu = CpuSeconds();
  for (std::size_t i = 0; i < data.base.rows(); ++i) {
    if (!data.deleted[i]) index_.Add(data.base.row(i).data(), i);
  }
  cost_.wall_seconds = WallSeconds() - wall;
  cost_.cpu_seconds = CpuSeconds() - cpu;
}

void HnswlibEngine::Search(std::size_t query, std::vector<std::uint64_t>* rows) const {
  index_.Search(data_.queries.row(query).data(), data_.k, rows);
}

VdbEngine::VdbEngine(const DataSet& data, const BuildParameters& parameters, const std::string& folder) : data_(data) {
  Load(parameters, folder);
  Reopen(folder);
}

void VdbEngine::Load(const BuildParameters& parameters, const std::string& folder) {
  Database database = Check(Database::Open(folder, {.threads = parameters.threads}));
  const CollectionOptions options{
      .dim = data_.base.dim, .metric = data_.metric, .m = parameters.m, .ef_construction = parameters.ef_construction};
  const double wall = WallSeconds();
  BulkLoader loader = Check(BulkLoader::Begin(&database, "bench", BulkMode::kCreate, options));
  for (std::size_t begin = 0; begin < data_.base.rows(); begin += kRowsPerCall) {
    const std::size_t end = std::min(data_.base.rows(), begin + kRowsPerCall);
    std::vector<std::string> ids;
    for (std::size_t i = begin; i < end; ++i) ids.push_back(std::to_string(i));
    std::vector<RecordView> records;
    for (std::size_t i = begin; i < end; ++i) records.push_back({.id = ids[i - begin], .vector = data_.base.row(i)});
    Check(loader.Add(records));
  }
  double linking_began = 0;
  double linking_ended = 0;
  Collection collection = Check(loader.Finish([&](BulkPhase phase, std::uint64_t, std::uint64_t) {
    if (phase == BulkPhase::kLinking && linking_began == 0) linking_began = CpuSeconds();
    if (phase == BulkPhase::kPublishing && linking_ended == 0) linking_ended = CpuSeconds();
  }));
  cost_.wall_seconds = WallSeconds() - wall;
  cost_.cpu_seconds = linking_ended - linking_began;
  for (std::size_t i = 0; i < data_.deleted.size(); ++i) {
    if (data_.deleted[i]) Check(collection.Delete(std::to_string(i), {.durability = Durability::kOsBuffered}));
  }
  Check(database.Close());
  cost_.disk_bytes = FolderBytes(folder);
}

void VdbEngine::Reopen(const std::string& folder) {
  const double wall = WallSeconds();
  database_.emplace(Check(Database::Open(folder)));
  collection_.emplace(Check(database_->OpenCollection("bench")));
  std::vector<std::uint64_t> rows;
  Search(0, &rows);
  cost_.open_seconds = WallSeconds() - wall;
}

void VdbEngine::Search(std::size_t query, std::vector<std::uint64_t>* rows) const {
  const SearchResult result = Check(collection_->Search(
      {.vector = data_.queries.row(query), .k = data_.k, .ef = std::max(ef_, data_.k), .with_payload = false}));
  rows->clear();
  for (const Hit& hit : result.hits) {
    std::uint64_t row = 0;
    std::from_chars(hit.id.data(), hit.id.data() + hit.id.size(), row);
    rows->push_back(row);
  }
}

}  // namespace vdb::bench
