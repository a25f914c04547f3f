// A folder that goes away with the test.
#ifndef VDB_TESTS_DB_TEMP_FOLDER_H_
#define VDB_TESTS_DB_TEMP_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace vdb {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vdb-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace vdb

#endif  // VDB_TESTS_DB_TEMP_FOLDER_H_
