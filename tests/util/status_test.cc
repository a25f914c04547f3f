// Status, Result and the macros that pass errors on.

#include <gtest/gtest.h>
#include <vdb/status.h>

#include <memory>
#include <string>
#include <utility>

#include "vdb/util/status_macros.h"

namespace vdb {
namespace {

TEST(Status, SaysCodeAndMessage) {
  EXPECT_TRUE(OkStatus().ok());
  EXPECT_EQ(OkStatus().ToString(), "Ok");
  const Status status = InvalidArgumentError("vector has 3 components; wanted 4");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.ToString(), "InvalidArgument: vector has 3 components; wanted 4");
  EXPECT_EQ(status, InvalidArgumentError("vector has 3 components; wanted 4"));
  EXPECT_FALSE(status == NotFoundError("vector has 3 components; wanted 4"));
}

TEST(Status, EveryCodeHasItsName) {
  EXPECT_EQ(NotFoundError("x").ToString(), "NotFound: x");
  EXPECT_EQ(AlreadyExistsError("x").ToString(), "AlreadyExists: x");
  EXPECT_EQ(FailedPreconditionError("x").ToString(), "FailedPrecondition: x");
  EXPECT_EQ(ResourceExhaustedError("x").ToString(), "ResourceExhausted: x");
  EXPECT_EQ(DataLossError("x").ToString(), "DataLoss: x");
  EXPECT_EQ(AbortedError("x").ToString(), "Aborted: x");
  EXPECT_EQ(DeadlineExceededError("x").ToString(), "DeadlineExceeded: x");
  EXPECT_EQ(IoError("x").ToString(), "IoError: x");
  EXPECT_EQ(InternalError("x").ToString(), "Internal: x");
}

TEST(Status, AWrongStateHasAReasonThatMoreWordsKeep) {
  EXPECT_EQ(FailedPreconditionError("x").reason(), StatusReason::kNone);
  EXPECT_EQ(NotFoundError("x").reason(), StatusReason::kNone);
  const Status closed = FailedPreconditionError("a has been closed", StatusReason::kClosed);
  const Status told = closed.WithMessage("record 'r': a has been closed");
  EXPECT_EQ(told.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(told.reason(), StatusReason::kClosed);
  EXPECT_EQ(told.ToString(), "FailedPrecondition: record 'r': a has been closed");
  EXPECT_FALSE(closed == FailedPreconditionError("a has been closed"));
  EXPECT_EQ(StatusReasonName(StatusReason::kNone), "");
  EXPECT_EQ(StatusReasonName(StatusReason::kClosed), "Closed");
  EXPECT_EQ(StatusReasonName(StatusReason::kForked), "Forked");
  EXPECT_EQ(StatusReasonName(StatusReason::kInUse), "InUse");
  EXPECT_EQ(StatusReasonName(StatusReason::kReadOnly), "ReadOnly");
  EXPECT_EQ(StatusReasonName(StatusReason::kNewerFormat), "NewerFormat");
}

TEST(Status, ValueThrowsOnErrorsOnly) {
  EXPECT_NO_THROW(OkStatus().value());
  try {
    DataLossError("block 3").value();
    FAIL() << "did not throw";
  } catch (const BadStatus& error) {
    EXPECT_STREQ(error.what(), "DataLoss: block 3");
  }
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::unique_ptr<int>> good = std::make_unique<int>(3);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(good.status().ok());
  EXPECT_EQ(**good, 3);
  const std::unique_ptr<int> taken = std::move(good).value();
  EXPECT_EQ(*taken, 3);

  const Result<int> bad = NotFoundError("no");
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kNotFound);
  EXPECT_THROW(static_cast<void>(bad.value()), BadStatus);
}

TEST(Result, OfAnOkStatusIsAnError) {
  const Result<int> result = OkStatus();
  EXPECT_EQ(result.status().code(), StatusCode::kInternal);
}

Result<int> Half(int number) {
  if (number % 2 != 0) return InvalidArgumentError("odd");
  return number / 2;
}

Status CheckEven(int number, bool* reached) {
  VDB_ASSIGN_OR_RETURN(const int half, Half(number));
  VDB_RETURN_IF_ERROR(Half(half * 2).status());
  *reached = true;
  return OkStatus();
}

TEST(StatusMacros, ReturnEarlyOnErrorsOnly) {
  bool reached = false;
  EXPECT_EQ(CheckEven(3, &reached), InvalidArgumentError("odd"));
  EXPECT_FALSE(reached);
  EXPECT_EQ(CheckEven(4, &reached), OkStatus());
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace vdb
