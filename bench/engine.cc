#include "bench/engine.h"

#include <vdb/vdb.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <stdexcept>

#include "bench/check.h"
#include "bench/hnswlib_baseline.h"
#include "vdb/simd/kernels.h"
#include "vdb/util/str_cat.h"

namespace vdb::bench {
namespace {

constexpr std::size_t kRowsPerCall = 1'000;

std::string HnswlibFile(const EngineSpec& spec) {
  return spec.folder + "/index.hnsw";
}

class HnswlibEngine : public Engine {
 public:
  explicit HnswlibEngine(const EngineSpec& spec)
      : index_(spec.metric == Metric::kL2Squared, spec.dim, HnswlibFile(spec)), k_(spec.k) {}
  void SetParameter(double parameter) override { index_.SetEf(static_cast<std::size_t>(parameter)); }
  void Search(std::span<const float> query, std::vector<std::uint64_t>* rows) const override {
    index_.Search(query.data(), k_, rows);
    std::reverse(rows->begin(), rows->end());  // hnswlib's queue ends with the nearest
  }

 private:
  HnswlibBaseline index_;
  std::size_t k_;
};

// Over the rows that stay: what deletes cost is ours to bear.
BuildCost BuildHnswlib(const EngineSpec& spec, const Matrix& base, std::span<const std::uint32_t> deleted) {
  const std::vector<std::uint32_t> live = LiveRows(base.rows(), deleted);
  const double wall = WallSeconds();
  const double cpu = CpuSeconds();
  HnswlibBaseline index(spec.metric == Metric::kL2Squared, spec.dim, live.size(), spec.m, spec.ef_construction);
  for (const std::uint32_t row : live) index.Add(base.row(row).data(), row);
  const double linking = CpuSeconds() - cpu;
  index.Save(HnswlibFile(spec));
  return {.seconds = WallSeconds() - wall, .cpu_seconds = CpuSeconds() - cpu, .linking_cpu_seconds = linking};
}

// Two of vdb's engines show what a gain comes from: without the stop rule, and without that and int8 codes.
bool TakesEf(const EngineSpec& spec) {
  return spec.engine == "vdb_ef" || spec.engine == "vdb_float32";
}

class VdbEngine : public Engine {
 public:
  explicit VdbEngine(const EngineSpec& spec)
      : database_(Check(Database::Open(spec.folder, {.create_if_missing = false, .read_only = spec.read_only}))),
        collection_(Check(database_.OpenCollection("bench"))),
        k_(spec.k),
        by_recall_(!TakesEf(spec)),
        with_payload_(spec.engine == "vdb_payload") {}
  void SetParameter(double parameter) override {
    if (by_recall_) {
      min_recall_ = static_cast<float>(1 - 1 / parameter);
    } else {
      ef_ = std::max(k_, static_cast<std::size_t>(parameter));
    }
  }
  void Search(std::span<const float> query, std::vector<std::uint64_t>* rows) const override {
    const SearchResult result = Check(collection_.Search(
        {.vector = query, .k = k_, .ef = ef_, .min_recall = min_recall_, .with_payload = with_payload_}));
    rows->clear();
    for (const Hit& hit : result.hits) {
      std::uint64_t row = 0;
      std::from_chars(hit.id.data(), hit.id.data() + hit.id.size(), row);
      rows->push_back(row);
    }
  }
  bool IsSettled() const override { return !Check(collection_.Stats()).verifying; }

 private:
  Database database_;
  Collection collection_;
  std::size_t k_;
  std::size_t ef_ = 0;
  float min_recall_ = 0;
  bool by_recall_;
  bool with_payload_;
};

void AddRows(const EngineSpec& spec, const Matrix& base, BulkLoader* loader) {
  for (std::size_t begin = 0; begin < base.rows(); begin += kRowsPerCall) {
    const std::size_t end = std::min(base.rows(), begin + kRowsPerCall);
    std::vector<std::string> ids;
    std::vector<std::string> payloads;
    for (std::size_t i = begin; i < end; ++i) {
      ids.push_back(std::to_string(i));
      payloads.push_back(spec.engine == "vdb_payload" ? StrCat(R"({"row": )", i, R"(, "shard": )", i % 16,
                                                               R"(, "text": "the text of row )", i, "\"}")
                                                      : "");
    }
    std::vector<RecordView> records;
    records.reserve(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      records.push_back({.id = ids[i - begin], .vector = base.row(i), .payload = payloads[i - begin]});
    }
    Check(loader->Add(records));
  }
}

BuildCost BuildVdb(const EngineSpec& spec, const Matrix& base, std::span<const std::uint32_t> deleted) {
  const double wall = WallSeconds();
  const double cpu = CpuSeconds();
  Database database = Check(Database::Open(spec.folder, {.threads = spec.threads}));
  BulkLoader loader =
      Check(BulkLoader::Begin(&database, "bench", BulkMode::kCreate,
                              {.dim = spec.dim,
                               .metric = spec.metric,
                               .m = spec.m,
                               .ef_construction = spec.ef_construction,
                               .codes = spec.engine == "vdb_float32" ? CodeKind::kFloat32 : CodeKind::kInt8}));
  AddRows(spec, base, &loader);
  double linking_began = 0;
  double linking_ended = 0;
  Collection collection = Check(loader.Finish([&](BulkPhase phase, std::uint64_t, std::uint64_t) {
    if (phase == BulkPhase::kLinking && linking_began == 0) linking_began = CpuSeconds();
    if (phase == BulkPhase::kPublishing && linking_ended == 0) linking_ended = CpuSeconds();
  }));
  for (const std::uint32_t row : deleted) {
    Check(collection.Delete(std::to_string(row), {.durability = Durability::kOsBuffered}));
  }
  Check(database.Close());
  return {.seconds = WallSeconds() - wall,
          .cpu_seconds = CpuSeconds() - cpu,
          .linking_cpu_seconds = linking_ended - linking_began};
}

}  // namespace

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

BuildCost BuildEngine(const EngineSpec& spec) {
  const Matrix base = Check(ReadMatrix(spec.data, "base"));
  const std::vector<std::uint32_t> deleted = Check(ReadNumbers(spec.data + "/deleted.u32"));
  return spec.engine == "hnswlib" ? BuildHnswlib(spec, base, deleted) : BuildVdb(spec, base, deleted);
}

std::unique_ptr<Engine> OpenEngine(const EngineSpec& spec) {
  if (spec.engine == "hnswlib") return std::make_unique<HnswlibEngine>(spec);
  return std::make_unique<VdbEngine>(spec);
}

std::string EngineVersion(const EngineSpec& spec) {
  if (spec.engine == "hnswlib") return StrCat("0.6.2, compiled for ", HnswlibBaseline::InstructionSet());
  return StrCat("this tree, ", simd::ActiveFloatKernels().name, " kernels");
}

}  // namespace vdb::bench
