#include "scenario/temporary_folder.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace scenario {

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) throw std::system_error(error, "no folder for temporary files: set TMPDIR");
  // mkdtemp() puts letters of its own in the place of the Xs.
  std::string name = (parent / "runtime-sharing-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "cannot make the folder " + name);
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) spdlog::warn("cannot remove {}: {}", path_.string(), error.message());
}

}  // namespace scenario
