// Limits of what a collection holds and a call may ask, by name. Beyond a limit the answer is InvalidArgument (or
// ResourceExhausted for row and collection counts), and nothing is changed.
#ifndef VDB_LIMITS_H_
#define VDB_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace vdb {

inline constexpr std::size_t kMaxDim = 65'535;
inline constexpr std::size_t kMaxIdBytes = 512;
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxPayloadDepth = 64;  // nested objects and arrays, the outermost object counts 1
inline constexpr std::size_t kMaxK = 65'536;
inline constexpr std::size_t kMaxEf = 65'536;
inline constexpr std::size_t kMaxFilterBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxFilterDepth = 64;
inline constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxIndexedPaths = 1'024;  // per collection; other paths are read from the payloads
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{1} << 20;  // of a collection
inline constexpr std::uint32_t kMinM = 2;
inline constexpr std::uint32_t kMaxM = 128;
inline constexpr std::uint32_t kMaxEfConstruction = 65'536;
inline constexpr std::size_t kMaxCollections = 1'000'000;
inline constexpr std::size_t kMaxCollectionNameBytes = 128;
// Below this much free space on the disk writes are refused with ResourceExhausted, and nothing is changed: what was
// accepted before must still find room when it is written out.
inline constexpr std::uint64_t kMinFreeBytes = std::uint64_t{64} << 20;
inline constexpr std::uint32_t kMaxRowsPerGeneration = 0xFFFF'FFFE;  // 2^32 - 2: a slot is a uint32

}  // namespace vdb

#endif  // VDB_LIMITS_H_
