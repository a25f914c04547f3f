// What requests of one group see of each other.

#include "vdb/db/commit_group.h"

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/db/temp_folder.h"
#include "vdb/db/collection_impl.h"
#include "vdb/db/database_impl.h"
#include "vdb/query/filter_tree.h"

namespace vdb {
namespace {

// Longer than what columns keep of a string: a filter has to read the payload.
std::string LongText(const std::string& begin) {
  return R"({"text": ")" + begin + std::string(2'000, 'x') + "\"}";
}

class Group : public ::testing::Test {
 protected:
  Group()
      : database_(DatabaseImpl::Open(folder_.Path("db"), {}).value()),
        collection_(database_->CreateCollection("c", {.dim = 1, .metric = Metric::kL2Squared}).value()) {}

  Mutation Upsert(std::string_view id, std::string_view payload) {
    Mutation mutation;
    EXPECT_EQ(collection_->PrepareUpsert({id, vector_, payload}, &mutation), OkStatus());
    return mutation;
  }
  // Of a delete that has looked at nothing yet.
  CommitRequest DeleteWhere(const std::string& filter) {
    CommitRequest request;
    request.filter_delete = FilterDelete{.collection = collection_.get(),
                                         .generation = collection_->writer_generation(),
                                         .evaluated_end = 0,
                                         .slots = {},
                                         .filter = BindFilter(Filter(filter), {}).value()};
    return request;
  }
  void Process(const std::vector<CommitRequest*>& requests) {
    ASSERT_EQ(database_->RunExclusive([&] {
      CommitGroup(database_.get(), requests).Process();
      return OkStatus();
    }),
              OkStatus());
    for (const CommitRequest* request : requests) ASSERT_EQ(request->status, OkStatus());
  }

  const std::vector<float> vector_ = {1};
  TempFolder folder_;
  std::shared_ptr<DatabaseImpl> database_;
  std::shared_ptr<CollectionImpl> collection_;
};

TEST_F(Group, ADeleteByFilterJudgesTheLastPayloadOfAnId) {
  const std::string bad = LongText("bad");
  const std::string good = LongText("good");
  CommitRequest both_ways;
  both_ways.mutations.push_back(Upsert("becomes good", bad));
  both_ways.mutations.push_back(Upsert("becomes good", good));
  both_ways.mutations.push_back(Upsert("becomes bad", good));
  both_ways.mutations.push_back(Upsert("becomes bad", bad));
  CommitRequest removal = DeleteWhere("text LIKE 'bad%'");
  Process({&both_ways, &removal});
  EXPECT_EQ(removal.removed, 1U);
  EXPECT_EQ(collection_->Get("becomes good", false).value().payload, good);
  EXPECT_EQ(collection_->Get("becomes bad", false).status().code(), StatusCode::kNotFound);
}

TEST_F(Group, ADeleteByFilterDoesNotSeeWhatComesBehindIt) {
  const std::string bad = LongText("bad");
  const std::string good = LongText("good");
  CommitRequest before;
  before.mutations.push_back(Upsert("a", good));
  before.mutations.push_back(Upsert("b", bad));
  CommitRequest removal = DeleteWhere("text LIKE 'bad%'");
  CommitRequest behind;
  behind.mutations.push_back(Upsert("a", bad));
  behind.mutations.push_back(Upsert("b", good));
  Process({&before, &removal, &behind});
  EXPECT_EQ(removal.removed, 1U);
  EXPECT_EQ(collection_->Get("a", false).value().payload, bad);
  EXPECT_EQ(collection_->Get("b", false).value().payload, good);
}

}  // namespace
}  // namespace vdb
