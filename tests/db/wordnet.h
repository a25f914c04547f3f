// The example data, as tests use it: real text embeddings with their payloads.
#ifndef VDB_TESTS_DB_WORDNET_H_
#define VDB_TESTS_DB_WORDNET_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace vdb {

inline constexpr std::size_t kWordnetDim = 384;

// IEEE half to float; the data has no infinities and no NaN.
inline float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half >> 15) << 31;
  const std::uint32_t exponent = (half >> 10) & 0x1F;
  const std::uint32_t mantissa = half & 0x3FF;
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float denormal = static_cast<float>(mantissa) / (1 << 24);
  return sign != 0 ? -denormal : denormal;
}

// Rows of a float16 .npy of 384 columns (version 1 header).
inline std::vector<std::vector<float>> ReadHalfNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.size() < 10 || bytes.substr(1, 5) != "NUMPY") throw std::runtime_error("no npy file: " + path);
  const std::size_t header = 10 + static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]);
  std::vector<std::vector<float>> rows((bytes.size() - header) / (2 * kWordnetDim), std::vector<float>(kWordnetDim));
  const char* at = bytes.data() + header;
  for (auto& row : rows) {
    for (float& x : row) {
      std::uint16_t half = 0;
      std::memcpy(&half, at, 2);
      x = HalfToFloat(half);
      at += 2;
    }
  }
  return rows;
}

inline std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The value of "id" in a line of wordnet.jsonl, where it stands first.
inline std::string IdOf(const std::string& line) {
  const std::size_t begin = std::string("{\"id\": \"").size();
  return line.substr(begin, line.find('"', begin) - begin);
}

}  // namespace vdb

#endif  // VDB_TESTS_DB_WORDNET_H_
