#pragma once

#include <filesystem>

namespace scenario {

/// A new empty folder in the system's folder for such things; removed with all that is in it.
class TemporaryFolder {
 public:
  /// Throws std::system_error, naming the folder, if it cannot be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace scenario
