// 200,000 random operations against std::map and brute force, with random reopening. VDB_MODEL_OPERATIONS and
// VDB_MODEL_SEED repeat or lengthen a run.

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

constexpr std::size_t kDim = 8;
constexpr int kIds = 3'000;

struct ModelRecord {
  std::vector<float> vector;
  int group = 0;
  std::uint64_t version = 0;

  std::string Payload() const {
    return R"({"group": )" + std::to_string(group) + R"(, "version": )" + std::to_string(version) + "}";
  }
};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Model : public ::testing::Test {
 protected:
  void Open() {
    database_.emplace(Database::Open(folder_.Path("db")).value());
    Result<Collection> opened = database_->OpenCollection("c");
    if (!opened.ok()) opened = database_->CreateCollection("c", {.dim = kDim, .metric = Metric::kL2Squared});
    collection_.emplace(std::move(opened).value());
  }
  void Reopen() {
    collection_.reset();
    ASSERT_EQ(database_->Close(), OkStatus());
    database_.reset();
    Open();
  }

  std::string RandomId() { return "id" + std::to_string(Below(kIds)); }
  int Below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }
  ModelRecord RandomRecord() {
    ModelRecord record;
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < kDim; ++i) record.vector.push_back(normal(random_));
    record.group = Below(20);
    record.version = ++versions_;
    return record;
  }
  WriteOptions RandomDurability() {
    return {.durability = Below(50) == 0 ? Durability::kSync : Durability::kOsBuffered};
  }

  void UpsertBatch() {
    const int count = Below(4) == 0 ? 1 + Below(30) : 1;
    std::vector<std::pair<std::string, ModelRecord>> records;
    std::vector<std::string> payloads;
    records.reserve(static_cast<std::size_t>(count));
    payloads.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) records.emplace_back(RandomId(), RandomRecord());
    for (const auto& [id, record] : records) payloads.push_back(record.Payload());
    std::vector<RecordView> views;
    for (std::size_t i = 0; i < records.size(); ++i) {
      views.push_back({records[i].first, records[i].second.vector, payloads[i]});
    }
    ASSERT_EQ(collection_->Upsert(views, RandomDurability()), OkStatus());
    for (auto& [id, record] : records) model_[id] = std::move(record);
  }

  void Delete() {
    const std::string id = RandomId();
    ASSERT_EQ(collection_->Delete(id, RandomDurability()).value(), model_.erase(id));
  }

  void DeleteGroup() {
    const int group = Below(20);
    const int limit = Below(static_cast<int>(versions_) + 1);
    const std::string filter = "group = " + std::to_string(group) + " AND version < " + std::to_string(limit);
    const std::size_t expected = std::erase_if(model_, [&](const auto& entry) {
      return entry.second.group == group && entry.second.version < static_cast<std::uint64_t>(limit);
    });
    ASSERT_EQ(collection_->DeleteWhere(filter, {}, RandomDurability()).value(), expected) << filter;
  }

  void Get() {
    const std::string id = RandomId();
    const Result<Record> record = collection_->Get(id, true);
    const auto found = model_.find(id);
    if (found == model_.end()) {
      ASSERT_EQ(record.status().code(), StatusCode::kNotFound);
    } else {
      ASSERT_EQ(record.value().payload, found->second.Payload());
      ASSERT_EQ(record.value().vector, found->second.vector);
    }
  }

  void Search() {
    const std::vector<float> query = RandomRecord().vector;
    const bool filtered = Below(2) == 0;
    const int group = Below(20);
    std::vector<std::pair<float, std::string>> expected;
    for (const auto& [id, record] : model_) {
      if (filtered && record.group != group) continue;
      float distance = 0;
      for (std::size_t i = 0; i < kDim; ++i) {
        distance += (record.vector[i] - query[i]) * (record.vector[i] - query[i]);
      }
      expected.emplace_back(distance, id);
    }
    const std::size_t k = std::min<std::size_t>(10, expected.size());
    std::partial_sort(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(k), expected.end());
    SearchRequest request{.vector = query, .k = 10, .exact = true};
    if (filtered) request.filter = "group = " + std::to_string(group);
    const SearchResult result = collection_->Search(request).value();
    ASSERT_TRUE(result.exact && result.complete);
    ASSERT_EQ(result.hits.size(), k);
    for (std::size_t i = 0; i < k; ++i) {
      ASSERT_NEAR(result.hits[i].distance, expected[i].first, 1e-4F * (1 + expected[i].first));
      ASSERT_EQ(result.hits[i].payload, model_.at(result.hits[i].id).Payload());
    }
  }

  void Count() {
    const int group = Below(20);
    const auto expected = std::ranges::count_if(model_, [&](const auto& entry) { return entry.second.group == group; });
    ASSERT_EQ(collection_->Count("group = " + std::to_string(group)).value(), static_cast<std::uint64_t>(expected));
    ASSERT_EQ(collection_->Count().value(), model_.size());
  }

  void ScanAll() {
    Scanner scanner = collection_->Scan({.with_vector = true}).value();
    std::size_t seen = 0;
    while (std::optional<Record> record = scanner.Next().value()) {
      const auto found = model_.find(record->id);
      ASSERT_NE(found, model_.end()) << record->id;
      ASSERT_EQ(record->payload, found->second.Payload());
      ASSERT_EQ(record->vector, found->second.vector);
      ++seen;
    }
    ASSERT_EQ(seen, model_.size());
  }

  TempFolder folder_;
  std::mt19937_64 random_;
  std::uint64_t versions_ = 0;
  std::map<std::string, ModelRecord> model_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(Model, RandomOperationsAgreeWithAMap) {
  const std::uint64_t operations = FromEnvironment("VDB_MODEL_OPERATIONS", 200'000);
  const std::uint64_t seed = FromEnvironment("VDB_MODEL_SEED", 20'260'101);
  random_.seed(seed);
  Open();
  for (std::uint64_t i = 0; i < operations && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("operation " + std::to_string(i) + " of seed " + std::to_string(seed));
    const int kind = Below(1'000);
    if (kind < 400) {
      UpsertBatch();
    } else if (kind < 550) {
      Delete();
    } else if (kind < 555) {
      DeleteGroup();
    } else if (kind < 900) {
      Get();
    } else if (kind < 990) {
      Search();
    } else if (kind < 998) {
      Count();
    } else if (kind == 998) {
      ScanAll();
    } else if (Below(4) == 0) {
      Reopen();
    }
  }
  ScanAll();
  Reopen();
  ScanAll();
}

}  // namespace
}  // namespace vdb
