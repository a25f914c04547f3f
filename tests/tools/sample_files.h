// A folder for a test's files, and the bytes of vector files.
//
// Thread safety: one thread. Ownership: the folder goes with the test.
#ifndef VDB_TESTS_TOOLS_SAMPLE_FILES_H_
#define VDB_TESTS_TOOLS_SAMPLE_FILES_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace vdb::tools {

class SampleFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "vdb-tools-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  template <typename T>
  static std::string Bytes(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }

  // Version 1.0.
  static std::string Npy(std::string_view header, const std::string& data) {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    return bytes + Bytes<std::uint16_t>({static_cast<std::uint16_t>(header.size())}) + std::string(header) + data;
  }

  static std::string Fvecs(const std::vector<std::vector<float>>& rows) {
    std::string bytes;
    for (const std::vector<float>& row : rows) {
      bytes += Bytes<std::int32_t>({static_cast<std::int32_t>(row.size())}) + Bytes(row);
    }
    return bytes;
  }

 private:
  std::string folder_;
};

}  // namespace vdb::tools

#endif  // VDB_TESTS_TOOLS_SAMPLE_FILES_H_
