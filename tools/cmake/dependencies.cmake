# Finds what the project needs, or stops with one line that names the package to install.

# Debian's package of the same content, for the one-line message.
function(require_package name version debian_package)
  find_package(${name} ${version} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    set(wanted ${name})
    if(version)
      string(APPEND wanted " ${version} or newer")
    endif()
    if(ARGN)
      list(REMOVE_ITEM ARGN COMPONENTS)
      list(JOIN ARGN ", " components)
      string(APPEND wanted " (with ${components})")
    endif()
    message(FATAL_ERROR
      "${wanted} is missing: install ${debian_package}, or run tools/setup.sh")
  endif()
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
require_package(Threads "" "a C library with threads")

# Boost's own package configuration, not CMake's find module: it carries the version and the targets.
set(boost_components thread)
set(boost_packages "libboost1.81-dev libboost-thread1.81-dev (Debian 13: libboost-dev libboost-thread-dev)")
if(RUNTIME_SHARING_DEVELOPER_MODE)
  list(APPEND boost_components json program_options)
  string(REPLACE "libboost-thread1.81-dev"
    "libboost-thread1.81-dev libboost-json1.81-dev libboost-program-options1.81-dev"
    boost_packages "${boost_packages}")
  string(REPLACE "libboost-thread-dev"
    "libboost-thread-dev libboost-json-dev libboost-program-options-dev"
    boost_packages "${boost_packages}")
endif()
require_package(Boost 1.81 "${boost_packages}" CONFIG COMPONENTS ${boost_components})

if(RUNTIME_SHARING_DEVELOPER_MODE)
  require_package(spdlog 1.10 libspdlog-dev)
  require_package(SQLiteCpp 3.2 "libsqlitecpp-dev")
  require_package(GTest 1.12 "libgtest-dev libgmock-dev")
  require_package(Python3 3.11 python3 COMPONENTS Interpreter)
endif()
