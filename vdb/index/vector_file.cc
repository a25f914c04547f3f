#include "vdb/index/vector_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "vdb/util/checksum.h"
#include "vdb/util/round_up.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMinRoomBytes = std::uint64_t{256} << 20;  // address space, not memory
constexpr std::uint64_t kMaxRoomBytes = std::uint64_t{1} << 40;
constexpr std::uint64_t kRoomFactor = 16;
constexpr std::uint64_t kFirstAllocationBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kMaxAheadBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kBlocksAhead = 4;  // read while one is compared

}  // namespace

std::size_t VectorFile::StrideFor(std::size_t dim) {
  return RoundUp(dim, dim >= 16 ? 16 : 4);
}

VectorFile::VectorFile(FileHandle file, std::size_t dim) : file_(std::move(file)), dim_(dim), stride_(StrideFor(dim)) {}

VectorFile::~VectorFile() {
  for (const auto& mapping : mappings_) ::munmap(mapping->address, mapping->bytes);
}

Result<std::unique_ptr<VectorFile>> VectorFile::Create(const std::string& path, std::size_t dim) {
  VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::CreateEmpty(path));
  return std::unique_ptr<VectorFile>(new VectorFile(std::move(file), dim));
}

std::unique_ptr<VectorFile> VectorFile::Detached(std::size_t dim) {
  return std::unique_ptr<VectorFile>(new VectorFile(FileHandle(), dim));
}

Result<std::unique_ptr<VectorFile>> VectorFile::Open(const std::string& path, std::size_t dim, std::uint32_t rows,
                                                     std::vector<std::uint64_t> checksums) {
  if (!PathExists(path)) return NotFoundError(StrCat(path, " is missing"));
  VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForWrite(path));
  std::unique_ptr<VectorFile> opened(new VectorFile(std::move(file), dim));
  VDB_RETURN_IF_ERROR(opened->Adopt(rows, std::move(checksums)));
  const std::uint64_t bytes = std::uint64_t{rows} * opened->stride_ * sizeof(float);
  if (bytes == 0) return opened;
  VDB_RETURN_IF_ERROR(opened->Grow(bytes));
  // Walks of a file that is not in memory yet read a row here and a row there: the system need not read what lies
  // around them, until Verify reads it all.
  opened->Advise(MADV_RANDOM);
  VDB_RETURN_IF_ERROR(opened->TrustPublished(bytes));
  return opened;
}

// 5 parameters: what is published, and how much is to come.
Result<std::unique_ptr<VectorFile>> VectorFile::OpenPrivate(const std::string& path, std::size_t dim,
                                                            std::uint32_t rows, std::vector<std::uint64_t> checksums,
                                                            std::uint32_t capacity) {
  FileHandle file;
  if (rows > 0) {
    if (!PathExists(path)) return NotFoundError(StrCat(path, " is missing"));
    VDB_ASSIGN_OR_RETURN(file, FileHandle::OpenForRead(path));
  }
  std::unique_ptr<VectorFile> opened(new VectorFile(std::move(file), dim));
  opened->is_private_ = true;
  if (rows > 0) VDB_RETURN_IF_ERROR(opened->Adopt(rows, std::move(checksums)));
  const std::uint64_t row_bytes = opened->stride_ * sizeof(float);
  if (std::uint64_t{capacity} * row_bytes == 0) return opened;
  VDB_RETURN_IF_ERROR(opened->MapPrivately(rows * row_bytes, capacity * row_bytes));
  if (rows * row_bytes > 0) VDB_RETURN_IF_ERROR(opened->TrustPublished(rows * row_bytes));
  return opened;
}

Status VectorFile::Adopt(std::uint32_t rows, std::vector<std::uint64_t> checksums) {
  VDB_ASSIGN_OR_RETURN(const std::uint64_t size, file_.Size());
  const std::uint64_t wanted = std::uint64_t{rows} * stride_ * sizeof(float);
  if (size < wanted) return DataLossError(StrCat(file_.path(), " has ", size, " bytes; wanted ", wanted));
  if (checksums.size() != RoundUp(wanted, kBlockBytes) / kBlockBytes) {
    return DataLossError(StrCat(file_.path(), ": ", checksums.size(), " checksums for ", wanted, " bytes"));
  }
  published_checksums_ = std::move(checksums);
  published_bytes_ = wanted;
  allocated_.store(size, std::memory_order_relaxed);
  return OkStatus();
}

// Whole pages of published rows are the file's until they are written to; all behind them is anonymous.
Status VectorFile::MapPrivately(std::uint64_t published, std::uint64_t capacity) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t bytes = RoundUp(capacity, page);
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return SystemError("cannot allocate", "memory for vectors", errno);
  MutexLock lock(&grow_mutex_);
  mappings_.push_back(std::make_unique<const Mapping>(Mapping{address, bytes}));
  const std::uint64_t shared = published / page * page;
  if (shared > 0 &&
      ::mmap(address, shared, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file_.fd(), 0) == MAP_FAILED) {
    return SystemError("cannot map", file_.path(), errno);
  }
  if (published > shared) {
    VDB_RETURN_IF_ERROR(file_.ReadAt(shared, static_cast<char*>(address) + shared, published - shared));
  }
  mapping_.store(mappings_.back().get(), std::memory_order_release);
  return OkStatus();
}

Status VectorFile::TrustPublished(std::uint64_t bytes) {
  MutexLock lock(&checksum_mutex_);
  // Whole blocks keep their published checksums, so that damage is not covered up by the next publication. The last,
  // partial one will be summed up anew when rows are added: it is compared now.
  const std::uint64_t whole = bytes / kBlockBytes;
  whole_blocks_.assign(published_checksums_.begin(), published_checksums_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (bytes % kBlockBytes != 0 && BlockChecksum(whole, bytes) != published_checksums_.back()) {
    return BlockDiffers(whole);
  }
  return OkStatus();
}

Status VectorFile::BlockDiffers(std::uint64_t block) const {
  return DataLossError(StrCat(file_.path(), ": MiB ", block, " differs from its checksum"));
}

void VectorFile::Advise(int advice) const {
  const Mapping* mapping = mapping_.load(std::memory_order_acquire);
  if (mapping != nullptr) static_cast<void>(::madvise(mapping->address, mapping->bytes, advice));
}

Status VectorFile::Grow(std::uint64_t bytes) {
  MutexLock lock(&grow_mutex_);
  const std::uint64_t allocated = allocated_.load(std::memory_order_relaxed);
  if (bytes > allocated) {
    // Some way ahead, so that not every write asks the file system for space.
    const std::uint64_t ahead = std::clamp(allocated, kFirstAllocationBytes, kMaxAheadBytes);
    const std::uint64_t target = std::max(allocated + ahead, RoundUp(bytes, kFirstAllocationBytes));
    VDB_RETURN_IF_ERROR(file_.Allocate(allocated, target - allocated));
    allocated_.store(target, std::memory_order_relaxed);
  }
  if (!mappings_.empty() && bytes <= mappings_.back()->bytes) return OkStatus();
  const std::uint64_t room =
      std::max(bytes, std::clamp(RoundUp(bytes, kBlockBytes) * kRoomFactor, kMinRoomBytes, kMaxRoomBytes));
  void* address = ::mmap(nullptr, room, PROT_READ, MAP_SHARED | MAP_NORESERVE, file_.fd(), 0);
  if (address == MAP_FAILED) return SystemError("cannot map", file_.path(), errno);
  mappings_.push_back(std::make_unique<const Mapping>(Mapping{address, room}));
  mapping_.store(mappings_.back().get(), std::memory_order_release);
  return OkStatus();
}

VectorView VectorFile::view() const {
  const Mapping* mapping = mapping_.load(std::memory_order_acquire);
  VectorView view{.data = nullptr, .stride = stride_.load(std::memory_order_relaxed), .dim = dim(), .rows = 0};
  if (mapping == nullptr) return view;
  view.data = static_cast<const float*>(mapping->address);
  view.rows = static_cast<std::uint32_t>(std::min<std::uint64_t>(mapping->bytes / (view.stride * sizeof(float)),
                                                                 std::numeric_limits<std::uint32_t>::max()));
  return view;
}

Status VectorFile::ReserveFor(std::uint32_t rows, std::size_t dim) {
  const std::uint64_t bytes = std::uint64_t{rows} * StrideFor(dim) * sizeof(float);
  return is_private_ || bytes == 0 ? OkStatus() : Grow(bytes);
}

void VectorFile::FixDimension(std::size_t dim) {
  stride_.store(StrideFor(dim), std::memory_order_relaxed);
  dim_.store(dim, std::memory_order_relaxed);
}

Status VectorFile::WriteRows(std::uint32_t first_slot, std::span<const float> rows) {
  const std::uint64_t count = rows.size() / dim_;
  const std::uint64_t begin = std::uint64_t{first_slot} * stride_ * sizeof(float);
  if (is_private_) {
    const Mapping* mapping = mapping_.load(std::memory_order_acquire);
    if (mapping == nullptr || begin + count * stride_ * sizeof(float) > mapping->bytes) {
      return InternalError("rows beyond what was asked for of vectors opened read-only");
    }
  } else {
    VDB_RETURN_IF_ERROR(Grow(begin + count * stride_ * sizeof(float)));
  }
  {
    MutexLock lock(&checksum_mutex_);
    whole_blocks_.resize(std::min<std::uint64_t>(whole_blocks_.size(), begin / kBlockBytes));
  }
  if (stride_ == dim_) return Write(begin, rows);
  std::vector<float> padded(count * stride_);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(&padded[i * stride_], &rows[i * dim_], dim_ * sizeof(float));
  }
  return Write(begin, padded);
}

Status VectorFile::Write(std::uint64_t offset, std::span<const float> values) const {
  if (!is_private_) return file_.WriteAt(offset, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  std::memcpy(static_cast<char*>(mapping_.load(std::memory_order_acquire)->address) + offset, values.data(),
              values.size_bytes());
  return OkStatus();
}

std::uint64_t VectorFile::BlockChecksum(std::uint64_t block, std::uint64_t end) const {
  const auto* bytes = static_cast<const char*>(mapping_.load(std::memory_order_acquire)->address);
  const std::uint64_t begin = block * kBlockBytes;
  return Checksum(bytes + begin, std::min(kBlockBytes, end - begin));
}

std::vector<std::uint64_t> VectorFile::Checksums(std::uint32_t rows) {
  const std::uint64_t end = std::uint64_t{rows} * stride_ * sizeof(float);
  const std::uint64_t whole = end / kBlockBytes;
  MutexLock lock(&checksum_mutex_);
  while (whole_blocks_.size() < whole) whole_blocks_.push_back(BlockChecksum(whole_blocks_.size(), end));
  std::vector<std::uint64_t> checksums(whole_blocks_.begin(),
                                       whole_blocks_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (end % kBlockBytes != 0) checksums.push_back(BlockChecksum(whole, end));
  return checksums;
}

void VectorFile::ForgetChecksums() {
  MutexLock lock(&checksum_mutex_);
  whole_blocks_.clear();
}

Status VectorFile::Verify(const std::function<bool()>& give_up) const {
  Status status;
  for (std::uint64_t block = 0; block < published_checksums_.size() && status.ok(); ++block) {
    static_cast<void>(::posix_fadvise(file_.fd(), static_cast<off_t>(block * kBlockBytes),
                                      static_cast<off_t>(kBlocksAhead * kBlockBytes), POSIX_FADV_WILLNEED));
    if (give_up && give_up()) {
      status = AbortedError(StrCat("verifying ", file_.path(), " was given up"));
      break;
    }
    if (BlockChecksum(block, published_bytes_) != published_checksums_[block]) status = BlockDiffers(block);
  }
  if (!is_private_) Advise(MADV_NORMAL);
  return status;
}

}  // namespace vdb
