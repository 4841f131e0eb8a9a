# add_unit_tests(<target> SOURCES ... LIBRARIES ... [LABELS ...] [TIMEOUT seconds]): one GoogleTest
# binary; every TEST is a ctest of its own, in a process of its own, with a hang guard.
include(GoogleTest)

function(add_unit_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main project_warnings)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/scenario/precompiled.hpp)
  target_compile_definitions(${target} PRIVATE
    TEST_BINARY_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
