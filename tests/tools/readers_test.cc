// Vector files: what is read, and what is refused with which words.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tools/lib/vector_reader.h"

namespace vdb::tools {
namespace {

class Readers : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "vdb-readers-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string Npy(const std::string& header, const std::string& data) {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    const auto size = static_cast<std::uint16_t>(header.size());
    bytes.append(reinterpret_cast<const char*>(&size), 2);
    return bytes + header + data;
  }
  template <typename T>
  static std::string Bytes(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }
  // All rows, or the first error.
  static Result<std::vector<std::vector<float>>> ReadAll(const std::string& path) {
    Result<std::unique_ptr<VectorReader>> reader = VectorReader::Open(path, "vector");
    if (!reader.ok()) return reader.status();
    std::vector<std::vector<float>> rows;
    std::vector<float> row;
    for (;;) {
      const Result<bool> found = (*reader)->Next(&row);
      if (!found.ok()) return found.status();
      if (!*found) return rows;
      rows.push_back(row);
    }
  }
  void ExpectRefused(const std::string& name, const std::string& bytes, const std::string& part) {
    const std::string path = Write(name, bytes);
    const auto rows = ReadAll(path);
    ASSERT_FALSE(rows.ok()) << name;
    EXPECT_NE(rows.status().message().find(part), std::string::npos) << rows.status();
    EXPECT_NE(rows.status().message().find(path), std::string::npos) << rows.status();
  }

  std::string folder_;
  using Rows = std::vector<std::vector<float>>;
};

TEST_F(Readers, ReadWhatTheyShould) {
  const Rows rows = {{1, 2}, {3, 4}};
  EXPECT_EQ(ReadAll(Write("a.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
                                       Bytes<float>({1, 2, 3, 4}))))
                .value(),
            rows);
  // Halves: 1, 2, 3, 4, and the smallest denormal, the largest value.
  EXPECT_EQ(ReadAll(Write("h.npy", Npy("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }",
                                       Bytes<std::uint16_t>({0x3C00, 0x4000, 0x4200, 0x4400, 0x0001, 0x7BFF}))))
                .value(),
            (Rows{{1, 2}, {3, 4}, {5.9604645e-08F, 65504}}));
  EXPECT_EQ(ReadAll(Write("a.jsonl", "[1, 2]\n\n{\"vector\": [3, 4], \"x\": 1}\r\n")).value(), rows);
  std::string fvecs;
  for (const auto& row : rows) fvecs += Bytes<std::int32_t>({2}) + Bytes<float>(row);
  EXPECT_EQ(ReadAll(Write("a.fvecs", fvecs)).value(), rows);
  std::string bvecs;
  for (const auto& row : rows) {
    bvecs += Bytes<std::int32_t>({2}) +
             Bytes<unsigned char>({static_cast<unsigned char>(row[0]), static_cast<unsigned char>(row[1])});
  }
  EXPECT_EQ(ReadAll(Write("a.bvecs", bvecs)).value(), rows);
}

TEST_F(Readers, MalformedNpyIsRefused) {
  const std::string data = Bytes<float>({1, 2, 3, 4});
  ExpectRefused("1.npy", "short", "too short");
  ExpectRefused("2.npy", std::string(64, 'x'), "not an npy file");
  ExpectRefused("3.npy", Npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", data), "'<f8'");
  ExpectRefused("4.npy", Npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }", data), "little-endian");
  ExpectRefused("5.npy", Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", data), "Fortran");
  ExpectRefused("6.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", data), "shape (4,)");
  ExpectRefused("7.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 1), }", data), "(2, 2, 1)");
  ExpectRefused("8.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", data), "says 3 rows");
  ExpectRefused("9.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999, 4), }", data),
                "99999999999999999 rows");
  ExpectRefused("10.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }", data), "0 components");
  ExpectRefused("11.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 70000), }", data), "70000");
  ExpectRefused("12.npy", Npy("{'fortran_order': False, 'shape': (2, 2), }", data), "no 'descr'");
  std::string truncated = Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", "");
  ExpectRefused("13.npy", truncated.substr(0, 30), "does not fit");
  std::string version = Npy("{}", "");
  version[6] = 9;
  ExpectRefused("14.npy", version, "version 9");
}

TEST_F(Readers, MalformedVecsAreRefused) {
  ExpectRefused("1.fvecs", "ab", "no row fits");
  ExpectRefused("2.fvecs", Bytes<std::int32_t>({-1, 0, 0}), "dimension -1");
  ExpectRefused("3.fvecs", Bytes<std::int32_t>({70'000, 0, 0}), "dimension 70000");
  ExpectRefused("4.fvecs", Bytes<std::int32_t>({2, 0, 0, 2, 0}), "cut at byte 12");
  ExpectRefused("5.fvecs", Bytes<std::int32_t>({2, 0, 0, 3, 0, 0}), "row 1, byte 12: dimension 3");
  ExpectRefused("6.bvecs", Bytes<std::int32_t>({4, 0, 5, 0}), "row 1, byte 8: dimension 5");
  ExpectRefused("7.txt", "x", "wanted a file that ends in");
}

TEST_F(Readers, MalformedJsonlIsRefused) {
  ExpectRefused("1.jsonl", "[1, 2]\n[1, \n", "line 2: not valid JSON");
  ExpectRefused("2.jsonl", "[1, \"x\"]\n", "line 1: component 1 is a string");
  ExpectRefused("3.jsonl", "{\"v\": [1]}\n", "no member 'vector'");
  ExpectRefused("4.jsonl", "7\n", "wanted an array");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  ExpectRefused("5.jsonl", deep + "\n", "nested deeper");
}

}  // namespace
}  // namespace vdb::tools
