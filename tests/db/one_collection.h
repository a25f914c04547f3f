// A database with one collection, "c", that tests close and open again.
#ifndef VDB_TESTS_DB_ONE_COLLECTION_H_
#define VDB_TESTS_DB_ONE_COLLECTION_H_

#include <gtest/gtest.h>
#include <vdb/vdb.h>

#include <optional>
#include <utility>

#include "tests/db/temp_folder.h"

namespace vdb {

class OneCollection : public ::testing::Test {
 protected:
  explicit OneCollection(const CollectionOptions& options) : options_(options) {}

  void SetUp() override { Reopen(); }

  // Closes the database if it is open, and opens it; makes the collection if there is none.
  void Reopen() {
    collection_.reset();
    if (database_) {
      ASSERT_EQ(database_->Close(), OkStatus());
    }
    database_.emplace(Database::Open(folder_.Path("db")).value());
    Result<Collection> opened = database_->OpenCollection("c");
    if (!opened.ok()) opened = database_->CreateCollection("c", options_);
    collection_.emplace(std::move(opened).value());
  }
  Collection& c() { return *collection_; }

  const CollectionOptions options_;
  TempFolder folder_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

}  // namespace vdb

#endif  // VDB_TESTS_DB_ONE_COLLECTION_H_
