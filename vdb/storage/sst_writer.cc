#include "vdb/storage/sst_writer.h"

#include <rocksdb/sst_file_writer.h>

#include <array>
#include <utility>
#include <vector>

#include "vdb/storage/rocksdb_rep.h"
#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::storage {
namespace {

// A new file is begun when one has this size, so that later compactions can work in parts.
constexpr std::uint64_t kFileBytes = std::uint64_t{256} << 20;

}  // namespace

struct SstWriter::Rep {
  // The files of one column family.
  struct Output {
    std::unique_ptr<rocksdb::SstFileWriter> writer;  // null between files
    std::vector<std::string> paths;
  };

  std::string directory;
  GenerationKey key;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};
  std::array<Output, kFamilyCount> outputs;

  Status Put(Family family, std::string_view record_key, std::string_view value) {
    Output& output = outputs[family];
    if (output.writer == nullptr) {
      rocksdb::Options options(rocksdb::DBOptions(), FamilyOptions(family, nullptr));
      options.db_host_id = "";
      output.writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options, families[family]);
      output.paths.push_back(StrCat(directory, "/", kFamilyNames[family], "-", output.paths.size(), ".sst"));
      VDB_RETURN_IF_ERROR(
          FromRocks(StrCat("creating ", output.paths.back()), output.writer->Open(output.paths.back())));
    }
    VDB_RETURN_IF_ERROR(
        FromRocks(StrCat("writing ", output.paths.back()), output.writer->Put(ToSlice(record_key), ToSlice(value))));
    return output.writer->FileSize() >= kFileBytes ? Close(&output) : OkStatus();
  }

  static Status Close(Output* output) {
    if (output->writer == nullptr) return OkStatus();
    Status status = FromRocks(StrCat("finishing ", output->paths.back()), output->writer->Finish());
    output->writer.reset();
    return status;
  }
};

SstWriter::SstWriter(const Store& store, std::string directory, GenerationKey key) : rep_(std::make_unique<Rep>()) {
  rep_->families = store.rep_->families;
  rep_->directory = std::move(directory);
  rep_->key = key;
}
SstWriter::~SstWriter() = default;
SstWriter::SstWriter(SstWriter&&) noexcept = default;

Status SstWriter::AddRecord(const RecordEntry& record) {
  return rep_->Put(kRecords, RecordKey(rep_->key, record.slot), EncodeRecord(record));
}

Status SstWriter::AddVector(std::uint32_t slot, std::span<const float> vector) {
  return rep_->Put(kVectors, VectorKey(rep_->key, kFirstVectorField, slot),
                   {reinterpret_cast<const char*>(vector.data()), vector.size_bytes()});
}

Status SstWriter::AddId(std::string_view id, std::uint32_t slot) {
  return rep_->Put(kIds, IdKey(rep_->key, id), EncodeSlot(slot));
}

Result<IngestFiles> SstWriter::Finish() {
  for (Rep::Output& output : rep_->outputs) VDB_RETURN_IF_ERROR(Rep::Close(&output));
  IngestFiles files;
  files.ids = rep_->outputs[kIds].paths;
  files.records = rep_->outputs[kRecords].paths;
  files.vectors = rep_->outputs[kVectors].paths;
  return files;
}

}  // namespace vdb::storage
