// The process dies at one named step of a write, a purge, a publication, a load, a compaction or a drop. After the next
// open every acknowledged row is there, nothing deleted is, what was under way is done whole or not at all, and nothing
// of it is left behind, neither files nor keys.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vdb/vdb.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>

#include "tests/db/gate.h"
#include "tests/db/sample_rows.h"
#include "tests/db/temp_folder.h"
#include "vdb/storage/store.h"
#include "vdb/util/sync_point.h"

namespace vdb {
namespace {

using Model = std::map<std::string, SampleRows>;  // by collection

constexpr int kRows = 1'200;
constexpr int kDeadAtFirst = 100;           // slots that are dead and not purged when a verb begins
constexpr unsigned kPatienceSeconds = 120;  // a step that is not reached by then fails the test

// Changes rows [begin, end) in one batch, in the collection and in the model; either may be null.
void Put(Collection* collection, SampleRows* model, int begin, int end, int version) {
  std::vector<SampleRow> rows;
  std::vector<std::string> ids;
  std::vector<RecordView> views;
  for (int i = begin; i < end; ++i) {
    ids.push_back(SampleId(i));
    rows.push_back(MakeSampleRow(i, version));
    if (model != nullptr) (*model)[ids.back()] = rows.back();
  }
  for (std::size_t i = 0; i < ids.size(); ++i) views.push_back({ids[i], rows[i].vector, rows[i].payload});
  if (collection != nullptr) collection->Upsert(views, {.durability = Durability::kOsBuffered}).value();
}
void Delete(Collection* collection, SampleRows* model, int begin, int end) {
  std::vector<std::string> ids;
  for (int i = begin; i < end; ++i) ids.push_back(SampleId(i));
  if (model != nullptr) {
    for (const std::string& id : ids) model->erase(id);
  }
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  if (collection != nullptr) collection->Delete(views, {.durability = Durability::kOsBuffered}).value();
}

// One thing to die in. Database and model take the same way, either may be null; arm() separates what is acknowledged
// before from the verb that dies.
struct Verb {
  Database* database;
  Model* model;
  std::function<void()> arm;

  std::optional<Collection> Open(const std::string& name) const {
    if (database == nullptr) return std::nullopt;
    return database->OpenCollection(name).value();
  }
  SampleRows* Rows(const std::string& name) const { return model == nullptr ? nullptr : &(*model)[name]; }
  Collection* Get(std::optional<Collection>* collection) const { return *collection ? &**collection : nullptr; }

  // What every verb but a drop does first, so that published files, log and memory differ.
  void Change(std::optional<Collection>* collection) const {
    Delete(Get(collection), Rows("c"), 100, 150);
    Put(Get(collection), Rows("c"), 150, 200, 3);
    Put(Get(collection), Rows("c"), kRows, kRows + 50, 3);
  }

  void Append() const {
    std::optional<Collection> collection = Open("c");
    Put(Get(&collection), Rows("c"), kRows, kRows + 100, 5);
    arm();
    Put(Get(&collection), Rows("c"), kRows + 50, kRows + 150, 6);
  }
  void Publish() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    arm();
    if (collection) collection->Publish().value();
  }
  void Purge() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    if (collection) WaitUntilPurged(*collection, kDeadAtFirst + 100);  // or it may be over before the point is armed
    arm();
    Delete(Get(&collection), Rows("c"), 300, 400);  // its purge comes by itself
  }
  void PublishAfterPurge() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    if (collection) WaitUntilPurged(*collection, 100);
    arm();
    if (collection) collection->Publish().value();
  }
  // The newest rows, whose slots are the last.
  void DeleteAndPurge() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    Delete(Get(&collection), Rows("c"), kRows - 100, kRows + 50);
    if (collection) WaitUntilPurged(*collection, kDeadAtFirst + 100 + 150);
    arm();
  }
  void DeleteSome() const {
    std::optional<Collection> collection = Open("c");
    Delete(Get(&collection), Rows("c"), 300, 400);
    arm();
  }
  void Insert() const {
    std::optional<Collection> collection = Open("c");
    Put(Get(&collection), Rows("c"), kRows, kRows + 60, 8);
    arm();
  }
  static void WaitUntilPurged(const Collection& collection, std::uint64_t slots) {
    const Passages purges({"purge.after_write"});
    for (;;) {
      const std::uint64_t seen = purges.count();
      if (collection.Stats().value().purged >= slots) return;
      purges.WaitBeyond(seen);
    }
  }
  void Load(const std::string& name, BulkMode mode) const {
    arm();
    if (model != nullptr) (*model)[name].clear();
    if (model != nullptr) Put(nullptr, Rows(name), 600, 1'800, 4);
    if (database == nullptr) return;
    BulkLoader loader = BulkLoader::Begin(database, name, mode, kSampleOptions).value();
    const SampleRow first = MakeSampleRow(700, 9);  // the later record of this id wins
    const RecordView record{"r700", first.vector, first.payload};
    loader.Add({&record, 1}).value();
    for (int i = 600; i < 1'800; ++i) {
      const std::string id = SampleId(i);
      const SampleRow row = MakeSampleRow(i, 4);
      const RecordView view{id, row.vector, row.payload};
      loader.Add({&view, 1}).value();
    }
    loader.Finish().value();
  }
  void Create() const { Load("new", BulkMode::kCreate); }
  void Replace() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    Load("c", BulkMode::kReplace);
  }
  void Compact() const {
    std::optional<Collection> collection = Open("c");
    Change(&collection);
    arm();
    if (collection) collection->Compact().value();
  }
  void Drop() const {
    arm();
    if (database != nullptr) database->DropCollection("c").value();
    if (model != nullptr) model->erase("c");
  }
  void DropLoaded() const {
    const std::optional<Collection> collection = Open("c");
    Drop();
  }
};

struct Step {
  const char* verb;
  const char* point;
  bool done;  // whether the verb has happened when the process dies there

  friend std::ostream& operator<<(std::ostream& out, const Step& step) { return out << step.verb << ' ' << step.point; }
};

void RunVerb(const std::string& name, const Verb& verb) {
  static const std::map<std::string, void (Verb::*)() const> verbs = {
      {"Append", &Verb::Append},         {"Publish", &Verb::Publish},
      {"Purge", &Verb::Purge},           {"PublishAfterPurge", &Verb::PublishAfterPurge},
      {"Create", &Verb::Create},         {"Replace", &Verb::Replace},
      {"Compact", &Verb::Compact},       {"Drop", &Verb::Drop},
      {"DropLoaded", &Verb::DropLoaded}, {"DeleteAndPurge", &Verb::DeleteAndPurge},
      {"DeleteSome", &Verb::DeleteSome}, {"Insert", &Verb::Insert}};
  (verb.*verbs.at(name))();
}

// Never returns: the process dies at the point ("now": before the verb proper), or by the alarm.
[[noreturn]] void RunAndDie(const std::string& verb, const std::string& point, const std::string& folder) {
  ::alarm(kPatienceSeconds);
  Database database = Database::Open(folder).value();
  const auto die = [] {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  };
  const auto arm = [&] {
    if (point == "now") die();
    SyncPoints::Set(point, die);
  };
  RunVerb(verb, {&database, nullptr, arm});
  for (;;) ::pause();  // the point lies on a background thread
}

class Crash : public ::testing::TestWithParam<Step> {
 protected:
  void SetUp() override {
    Database database = Open();
    Collection c = database.CreateCollection("c", kSampleOptions).value();
    Put(&c, &model_["c"], 0, kRows, 1);
    ASSERT_EQ(c.WaitForIndex(), OkStatus());
    ASSERT_EQ(c.Publish(), OkStatus());
    Delete(&c, &model_["c"], 0, 50);
    Put(&c, &model_["c"], 50, 100, 2);
    Collection other = database.CreateCollection("other", kSampleOptions).value();
    Put(&other, &model_["other"], 0, 10, 1);
    ASSERT_EQ(database.Close(), OkStatus());
  }
  std::string Folder() const { return folder_.Path("db"); }
  Database Open() const { return Database::Open(Folder()).value(); }

  void DieAt(const std::string& verb, const std::string& point) const {
    char self[4096] = {};
    ASSERT_GT(::readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(self, self, "--die", verb.c_str(), point.c_str(), Folder().c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "not reached; status " << status;
  }
  // The model after a verb that died before it happened, or after it.
  void Apply(const std::string& verb, bool done) {
    Model before;
    bool armed = false;
    RunVerb(verb, {nullptr, &model_, [&] {
                     before = model_;
                     armed = true;
                   }});
    ASSERT_TRUE(armed);
    if (!done) model_ = std::move(before);
  }

  void CheckCollection(const Collection& collection, const SampleRows& expected) const {
    ASSERT_TRUE(ReadAll(collection) == expected);
    ASSERT_EQ(collection.Count().value(), expected.size());
    ASSERT_EQ(collection.Verify(), OkStatus());
    ASSERT_EQ(collection.Stats().value().damage, "");
    for (int i = 0; i < kRows + 200; i += 7) {
      const auto row = expected.find(SampleId(i));
      const Result<Record> found = collection.Get(SampleId(i), true);
      ASSERT_EQ(found.ok(), row != expected.end()) << SampleId(i);
      if (!found.ok()) continue;
      ASSERT_TRUE((row->second == SampleRow{found->payload, found->vector})) << SampleId(i);
      if (i % 70 != 0) continue;
      const SearchResult near = collection.Search({.vector = found->vector, .k = 20, .exact = true}).value();
      ASSERT_EQ(near.hits.at(0).id, SampleId(i));
      for (const Hit& hit : near.hits) ASSERT_EQ(expected.at(hit.id).payload, hit.payload);
      const SearchResult planned = collection.Search({.vector = found->vector, .k = 20}).value();
      for (const Hit& hit : planned.hits) {
        ASSERT_EQ(expected.at(hit.id).payload, hit.payload);
      }
    }
  }
  // Opens the database and compares; twice, since what an open repairs must stay so. Then looks for leftovers.
  void Check() const {
    std::vector<storage::GenerationKey> live;
    for (int open = 0; open < 2; ++open) {
      SCOPED_TRACE("open " + std::to_string(open));
      live.clear();
      Database database = Open();
      const std::vector<std::string> names = database.ListCollections().value();
      ASSERT_EQ(names.size(), model_.size());
      for (const auto& [name, rows] : model_) {
        SCOPED_TRACE(name);
        const Collection collection = database.OpenCollection(name).value();
        CheckCollection(collection, rows);
        if (HasFatalFailure()) return;
      }
      CheckFiles();
      ASSERT_EQ(database.Close(), OkStatus());
    }
    CheckKeys();
  }
  // Of every collection the folder of one generation, with the vectors, the schema and at most one file each of links
  // and columns.
  void CheckFiles() const {
    for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(name == "FORMAT" || name == "LOCK" || name == "WATERMARK" || name == "store" || name == "index")
          << name;
    }
    std::size_t folders = 0;
    for (const auto& folder : std::filesystem::directory_iterator(Folder() + "/index")) {
      ++folders;
      std::map<std::string, int> kinds;
      for (const auto& file : std::filesystem::directory_iterator(folder)) {
        const std::string name = file.path().filename();
        EXPECT_EQ(++kinds[name.substr(0, name.find('-'))], 1) << file.path();
      }
      EXPECT_EQ(kinds.erase("vectors"), 1U) << folder.path();
      EXPECT_EQ(kinds.erase("schema"), 1U) << folder.path();
      EXPECT_EQ(kinds.erase("links"), kinds.erase("columns")) << folder.path();
      EXPECT_TRUE(kinds.empty()) << folder.path();
    }
    EXPECT_EQ(folders, model_.size());
  }
  // No intent, and no key of a generation that no collection uses.
  void CheckKeys() const {
    const std::unique_ptr<storage::Store> store = storage::Store::Open(Folder() + "/store", {}).value();
    EXPECT_TRUE(store->Intents().value().empty());
    const std::vector<storage::CollectionSchema> schemas = store->Schemas().value();
    ASSERT_EQ(schemas.size(), model_.size());
    for (std::uint32_t collection = 0; collection < 10; ++collection) {
      for (std::uint32_t generation = 0; generation < 10; ++generation) {
        const storage::GenerationKey key{.collection = collection, .generation = generation};
        if (std::ranges::any_of(schemas, [&](const storage::CollectionSchema& schema) {
              return schema.id == collection && schema.generation == generation;
            })) {
          continue;
        }
        SCOPED_TRACE("generation " + std::to_string(collection) + "-" + std::to_string(generation));
        EXPECT_TRUE(store->Ids(key).value().empty());
        EXPECT_FALSE(store->Records(key, 0).NextRecord(UINT32_MAX).value().has_value());
        EXPECT_FALSE(store->Vectors(key, 0).NextVector(UINT32_MAX).value().has_value());
        EXPECT_TRUE(store->Deletes(key).value().empty());
        EXPECT_FALSE(store->GetPublished(key).value().has_value());
      }
    }
  }

  TempFolder folder_;
  Model model_;
};

TEST_F(Crash, SlotsOfPurgedRecordsAreNotGivenToOthers) {
  DieAt("DeleteAndPurge", "now");
  if (HasFatalFailure()) return;
  Apply("DeleteAndPurge", true);
  constexpr std::uint64_t kSlots = kRows + 50 + 100;
  {
    Database database = Open();
    Collection c = database.OpenCollection("c").value();
    EXPECT_EQ(c.Stats().value().slots, kSlots);
    Put(&c, &model_["c"], kRows + 70, kRows + 140, 8);
    EXPECT_EQ(c.Stats().value().slots, kSlots + 70);
    CheckCollection(c, model_["c"]);
  }
  Check();
  if (HasFatalFailure()) return;
  DieAt("Insert", "now");  // ids that were deleted, too
  Apply("Insert", true);
  Check();
}

TEST_F(Crash, WhatIsDeletedAfterReopeningStaysDeleted) {
  for (const char* end : {"closed", "killed"}) {
    SCOPED_TRACE(end);
    Database database = Open();
    Collection c = database.OpenCollection("c").value();
    Put(&c, &model_["c"], 300, 500, 7);
    ASSERT_EQ(c.Publish(), OkStatus());
    ASSERT_EQ(database.Close(), OkStatus());
    if (std::strcmp(end, "killed") == 0) {
      DieAt("DeleteSome", "now");
    } else {
      Database again = Open();
      RunVerb("DeleteSome", {&again, nullptr, [] {}});
      ASSERT_EQ(again.Close(), OkStatus());
    }
    Apply("DeleteSome", true);
    Check();
    if (HasFatalFailure()) return;
    Database published = Open();
    ASSERT_EQ(published.OpenCollection("c").value().Publish(), OkStatus());
    ASSERT_EQ(published.Close(), OkStatus());
    Check();
    if (HasFatalFailure()) return;
  }
}

class CrashStep : public Crash {};

TEST_P(CrashStep, LosesNothingAndLeavesNothing) {
  const Step& step = GetParam();
  DieAt(step.verb, step.point);
  if (HasFatalFailure()) return;
  Apply(step.verb, step.done);
  Check();
  if (HasFatalFailure()) return;
  // What died can be done, or done again; a dropped name is free.
  Database database = Open();
  if (!model_.contains("c")) {
    Collection c = database.CreateCollection("c", kSampleOptions).value();
    Put(&c, &model_["c"], 1'000, 1'010, 7);
  } else if (!step.done || model_.size() == 2) {
    RunVerb(step.verb, {&database, nullptr, [] {}});
    Apply(step.verb, true);
  }
  ASSERT_EQ(database.Close(), OkStatus());
  Check();
}

constexpr Step kSteps[] = {
    {"Append", "commit.before_write", false},
    {"Append", "commit.after_write", true},
    {"Append", "commit.after_clock", true},
    {"Publish", "publish.after_links", true},
    {"Publish", "publish.after_columns", true},
    {"Publish", "publish.before_catalog", true},
    {"Publish", "publish.after_catalog", true},
    {"Purge", "purge.before_write", true},
    {"Purge", "purge.after_write", true},
    {"PublishAfterPurge", "publish.before_catalog", true},
    {"PublishAfterPurge", "publish.after_catalog", true},
    {"Create", "build.after_intent", false},
    {"Create", "build.before_ingest", false},
    {"Create", "build.after_ingest", false},
    {"Create", "build.after_publish", false},
    {"Create", "build.before_install", false},
    {"Create", "build.after_install", true},
    {"Replace", "build.after_intent", false},
    {"Replace", "build.before_ingest", false},
    {"Replace", "build.after_ingest", false},
    {"Replace", "build.after_publish", false},
    {"Replace", "build.before_install", false},
    {"Replace", "build.after_install", true},
    {"Replace", "drop.after_files", true},
    {"Replace", "drop.after_keys", true},
    {"Compact", "build.after_ingest", false},
    {"Compact", "build.before_install", false},
    {"Compact", "build.after_install", true},
    {"Compact", "drop.after_files", true},
    {"Drop", "drop.after_intent", true},
    {"Drop", "drop.after_files", true},
    {"Drop", "drop.after_keys", true},
    {"DropLoaded", "drop.after_intent", true},
    {"DropLoaded", "drop.after_files", true},
    {"DropLoaded", "drop.after_keys", true},
};

std::string StepName(const ::testing::TestParamInfo<Step>& step) {
  std::string name = std::string(step.param.verb) + "_at_" + step.param.point;
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, CrashStep, ::testing::ValuesIn(kSteps), StepName);

}  // namespace
}  // namespace vdb

// NOLINTNEXTLINE(bugprone-exception-escape): an exception ends the child, which the test then reports.
int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--die") == 0) vdb::RunAndDie(argv[2], argv[3], argv[4]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
