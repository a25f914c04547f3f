// Files: what is written is read, replacement leaves nothing behind, errors name the path and the reason.

#include "vdb/util/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/db/temp_folder.h"

namespace vdb {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

void ExpectError(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_NE(status.message().find(part), std::string::npos) << status;
}

TEST(FileHandle, WritesAndReadsAtOffsets) {
  const TempFolder folder;
  const FileHandle file = FileHandle::CreateEmpty(folder.Path("a")).value();
  file.WriteAt(4, "efgh").value();
  file.WriteAt(0, "abcd").value();
  std::string bytes(6, '\0');
  file.ReadAt(1, bytes.data(), bytes.size()).value();
  EXPECT_EQ(bytes, "bcdefg");
  EXPECT_EQ(file.Size().value(), 8U);
  file.Truncate(3).value();
  file.Sync().value();
  EXPECT_EQ(ReadWholeFile(folder.Path("a"), kMaxBytes).value(), "abc");
  EXPECT_EQ(ModeOf(folder.Path("a")), 0600U);
}

TEST(FileHandle, ReadBeyondTheEndIsDataLoss) {
  const TempFolder folder;
  const FileHandle file = FileHandle::CreateEmpty(folder.Path("a")).value();
  file.WriteAt(0, "abc").value();
  char bytes[4];
  EXPECT_TRUE(file.ReadAt(0, bytes, 3).ok());
  ExpectError(file.ReadAt(0, bytes, 4), StatusCode::kDataLoss, "a ends at byte 3; wanted 4 bytes at 0");
  ExpectError(file.ReadAt(9, bytes, 1), StatusCode::kDataLoss, "ends at byte 9");
}

TEST(FileHandle, AllocateGrowsTheFileWithZeros) {
  const TempFolder folder;
  const FileHandle file = FileHandle::CreateEmpty(folder.Path("a")).value();
  file.WriteAt(0, "x").value();
  file.Allocate(0, 3).value();
  EXPECT_EQ(ReadWholeFile(folder.Path("a"), kMaxBytes).value(), std::string("x\0\0", 3));
}

TEST(FileHandle, ClosesItsDescriptorOnceAfterMoves) {
  const TempFolder folder;
  int fd = -1;
  {
    FileHandle first = FileHandle::CreateEmpty(folder.Path("a")).value();
    fd = first.fd();
    FileHandle second = std::move(first);
    EXPECT_EQ(second.fd(), fd);
    FileHandle third;
    EXPECT_FALSE(third.is_open());
    third = std::move(second);
    EXPECT_EQ(third.fd(), fd);
    EXPECT_EQ(third.path(), folder.Path("a"));
    EXPECT_NE(::fcntl(fd, F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST(FileHandle, OpenForWriteKeepsContentsAndCreateEmptyDoesNot) {
  const TempFolder folder;
  ReplaceFile(folder.Path("a"), "abc").value();
  EXPECT_EQ(FileHandle::OpenForWrite(folder.Path("a")).value().Size().value(), 3U);
  EXPECT_EQ(FileHandle::CreateEmpty(folder.Path("a")).value().Size().value(), 0U);
}

TEST(FileErrors, NamePathAndReason) {
  const TempFolder folder;
  ExpectError(FileHandle::OpenForRead(folder.Path("no")).status(), StatusCode::kNotFound,
              folder.Path("no") + ": No such file");
  ExpectError(ListDirectory(folder.Path("no")).status(), StatusCode::kNotFound, folder.Path("no"));
  ExpectError(SyncDirectory(folder.Path("no")), StatusCode::kNotFound, folder.Path("no"));
  ExpectError(MakeDirectory(folder.Path("no/child")), StatusCode::kNotFound, folder.Path("no/child"));
  ExpectError(RenameDurably(folder.Path("no"), folder.Path("b")), StatusCode::kNotFound, folder.Path("b"));
  ExpectError(FreeBytes(folder.Path("no")).status(), StatusCode::kNotFound, folder.Path("no"));
  ExpectError(FileHandle::OpenForWrite(folder.path()).status(), StatusCode::kIoError, folder.path());
}

TEST(FileErrors, FullDeviceIsResourceExhausted) {
  const FileHandle full = FileHandle::OpenForWrite("/dev/full").value();
  ExpectError(full.WriteAt(0, "x"), StatusCode::kResourceExhausted, "/dev/full");
}

TEST(ReplaceFile, ReplacesWholeAndLeavesNoTemporary) {
  const TempFolder folder;
  ReplaceFile(folder.Path("a"), "a longer text").value();
  ReplaceFile(folder.Path("a"), "short").value();
  EXPECT_EQ(ReadWholeFile(folder.Path("a"), kMaxBytes).value(), "short");
  EXPECT_EQ(ListDirectory(folder.path()).value(), std::vector<std::string>{"a"});
}

TEST(ReplaceFile, FailureLeavesTheOldFile) {
  const TempFolder folder;
  ReplaceFile(folder.Path("a"), "old").value();
  MakeDirectory(folder.Path("a.tmp")).value();
  EXPECT_FALSE(ReplaceFile(folder.Path("a"), "new").ok());
  EXPECT_EQ(ReadWholeFile(folder.Path("a"), kMaxBytes).value(), "old");
}

TEST(Directories, MakeListRemove) {
  const TempFolder folder;
  MakeDirectory(folder.Path("d")).value();
  MakeDirectory(folder.Path("d")).value();
  EXPECT_EQ(ModeOf(folder.Path("d")), 0700U);
  ReplaceFile(folder.Path("d/b"), "").value();
  ReplaceFile(folder.Path("d/a"), "").value();
  EXPECT_EQ(ListDirectory(folder.Path("d")).value(), (std::vector<std::string>{"a", "b"}));
  ExpectError(MakeDirectory(folder.Path("d/a")), StatusCode::kInvalidArgument, "is a file; wanted a directory");
  EXPECT_TRUE(PathExists(folder.Path("d/a")));
  RemoveTree(folder.Path("d")).value();
  EXPECT_FALSE(PathExists(folder.Path("d")));
  RemoveTree(folder.Path("d")).value();
}

TEST(LinkFile, SameTargetIsOkAnotherIsNot) {
  const TempFolder folder;
  ReplaceFile(folder.Path("a"), "a").value();
  ReplaceFile(folder.Path("b"), "b").value();
  LinkFile(folder.Path("a"), folder.Path("link")).value();
  LinkFile(folder.Path("a"), folder.Path("link")).value();
  EXPECT_FALSE(LinkFile(folder.Path("b"), folder.Path("link")).ok());
  RemoveTree(folder.Path("a")).value();
  EXPECT_EQ(ReadWholeFile(folder.Path("link"), kMaxBytes).value(), "a");
}

TEST(ReadWholeFile, RefusesOneByteMoreThanAllowed) {
  const TempFolder folder;
  ReplaceFile(folder.Path("a"), "abcd").value();
  EXPECT_EQ(ReadWholeFile(folder.Path("a"), 4).value(), "abcd");
  ExpectError(ReadWholeFile(folder.Path("a"), 3).status(), StatusCode::kResourceExhausted, "has 4 bytes; at most 3");
}

TEST(Paths, ParentDirectory) {
  EXPECT_EQ(ParentDirectory("/a/b"), "/a");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("a"), ".");
}

TEST(Paths, FreeBytesOfAFolder) {
  const TempFolder folder;
  EXPECT_GT(FreeBytes(folder.path()).value(), 0U);
}

}  // namespace
}  // namespace vdb
