# add_unit_tests(<target> SOURCES ... LIBRARIES ... [LABELS ...] [TIMEOUT seconds]): one GoogleTest
# binary; every TEST is a ctest of its own, in a process of its own, with a hang guard.
include(GoogleTest)

# compile_as_test(<target>): a test's own source is optimised a little only. What it tests is the
# library, compiled as everywhere.
add_precompiled_header(precompiled_for_tests
  LIBRARIES GTest::gmock HEADERS <gmock/gmock.h> <gtest/gtest.h>)
target_compile_options(precompiled_for_tests PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
function(compile_as_test target)
  reuse_precompiled_header(${target} precompiled_for_tests)
endfunction()

function(add_unit_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main project_warnings)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  compile_as_test(${target})
  target_compile_definitions(${target} PRIVATE
    TEST_BINARY_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

# add_compile_test(<name> SOURCE file LIBRARY target [DEFINE macro] [OPTIONS ...]
# [MUST_SAY regex | COMPILER_MUST_SAY regex]): compiles one file as a user of the library does, and
# writes nothing. Without a regex it must compile; with MUST_SAY it must not, by a static_assert
# whose text matches; with COMPILER_MUST_SAY what the compiler says must match.
function(add_compile_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE;LIBRARY;DEFINE;MUST_SAY;COMPILER_MUST_SAY" "OPTIONS")
  set(define)
  if(arg_DEFINE)
    set(define -D${arg_DEFINE})
  endif()
  set(folders $<TARGET_PROPERTY:${arg_LIBRARY},INTERFACE_INCLUDE_DIRECTORIES>)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CXX_COMPILER} ${CMAKE_CXX20_STANDARD_COMPILE_OPTION} -fsyntax-only
            "$<$<BOOL:${folders}>:-I$<JOIN:${folders},;-I>>" -DBOOST_ASIO_SEPARATE_COMPILATION
            ${define} ${arg_OPTIONS} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}
    COMMAND_EXPAND_LISTS)
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 LABELS compile)
  if(arg_MUST_SAY)
    set_tests_properties(${name} PROPERTIES
      PASS_REGULAR_EXPRESSION "error: static assertion failed[^\n]*: ${arg_MUST_SAY}")
  elseif(arg_COMPILER_MUST_SAY)
    set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION "${arg_COMPILER_MUST_SAY}")
  endif()
endfunction()

# add_model_tests(<model> <sentence>): src/<model>.pml holds in all its states, and in not all of them
# without any one of the lines that it names.
function(add_model_tests model sentence)
  set(file ${CMAKE_CURRENT_SOURCE_DIR}/src/${model}.pml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  set(explore COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/model.py ${file})
  set(tests Model.${sentence})
  add_test(NAME Model.${sentence} ${explore})
  file(STRINGS ${file} lines REGEX "^// WITHOUT_[A-Z_]+:")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "[A-Z_]+:" name "${line}")
    string(REGEX REPLACE "^WITHOUT_|:$" "" name "${name}")
    string(REPLACE "_" ";" words ${name})
    set(test Model.${sentence}.NotWithout)
    foreach(word IN LISTS words)
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOLOWER ${rest} rest)
      string(APPEND test ${first}${rest})
    endforeach()
    add_test(NAME ${test} ${explore} --without ${name})
    list(APPEND tests ${test})
  endforeach()
  set_tests_properties(${tests} PROPERTIES TIMEOUT 120 LABELS model SKIP_RETURN_CODE 77)
endfunction()
