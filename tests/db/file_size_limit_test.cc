// A write of the store that really fails: its log outgrows the largest file that the process may write. Alone in its
// process, whose limits it changes.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <vdb/vdb.h>

#include <csignal>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

// 0: no limit.
void LimitFiles(rlim_t bytes) {
  struct rlimit limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

std::string Id(int i) {
  return "r" + std::to_string(i);
}

TEST(FileSizeLimit, AFailedLogWriteMakesTheHandleReadOnlyAndLosesNothingAcknowledged) {
  TempFolder folder;
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  Database database = Database::Open(folder.Path("db")).value();
  Collection c = database.CreateCollection("c", {.dim = 2}).value();
  const std::vector<float> v = {1, 2};
  const std::string payload = R"({"text": ")" + std::string(200'000, 'x') + R"("})";
  LimitFiles(rlim_t{4} << 20);
  int next = 1;
  Status status;
  for (; next < 100; ++next) {
    status = c.Upsert({Id(next), v, payload});
    if (!status.ok()) break;
  }
  LimitFiles(0);
  ASSERT_EQ(status.code(), StatusCode::kIoError) << status;
  EXPECT_NE(status.message().find("outcome is unknown"), std::string::npos) << status;
  EXPECT_NE(status.message().find("open it again"), std::string::npos) << status;
  EXPECT_GT(next, 10);
  // Reads go on, on the state before; writes do not, also without the limit.
  EXPECT_EQ(c.Upsert({Id(1), v, "{}"}).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(c.Delete(Id(1)).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(database.WritableStatus().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(c.Count().value(), static_cast<std::uint64_t>(next - 1));
  EXPECT_EQ(c.Get(Id(next)).status().code(), StatusCode::kNotFound);
  ASSERT_EQ(database.Close(), OkStatus());

  database = Database::Open(folder.Path("db")).value();
  c = database.OpenCollection("c").value();
  for (int i = 1; i < next; ++i) EXPECT_EQ(c.Get(Id(i)).value().payload, payload) << i;
  EXPECT_EQ(c.Verify(), OkStatus());
  EXPECT_EQ(c.Upsert({Id(next), v, "{}"}), OkStatus());
  EXPECT_EQ(c.Count().value(), static_cast<std::uint64_t>(next));
}

}  // namespace
}  // namespace vdb
