# Interface targets that every part of the project is built from.

# What a consumer of the library needs, and nothing else: no flag, no macro.
add_library(runtime_sharing_dependencies INTERFACE)
target_compile_features(runtime_sharing_dependencies INTERFACE cxx_std_20)
target_link_libraries(runtime_sharing_dependencies INTERFACE Boost::headers Boost::thread Threads::Threads)

# Warnings are for this project's own sources only.
add_library(project_warnings INTERFACE)
target_compile_options(project_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of GCC 12: a coroutine's frame, whose new and delete it inlines unevenly; under
  # AddressSanitizer, what Asio's use_future makes of its allocator; under ThreadSanitizer, Asio's
  # fences, and the string in the constructor of Boost.Thread's exceptions.
  target_compile_options(project_warnings INTERFACE -Wno-mismatched-new-delete)
  if(RUNTIME_SHARING_SANITIZER STREQUAL "address")
    target_compile_options(project_warnings INTERFACE -Wno-maybe-uninitialized)
  elseif(RUNTIME_SHARING_SANITIZER STREQUAL "thread")
    target_compile_options(project_warnings INTERFACE
      -Wno-tsan -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  endif()
endif()

# The sanitizer flags go to every target of the build, so that no part is left uninstrumented. Asio
# uses freed frames and operations again: a sanitizer sees a late look at them only if it does not.
set(every_block_is_freed -DBOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=0)
if(RUNTIME_SHARING_SANITIZER STREQUAL "address")
  set(instruments -fsanitize=address,undefined ${every_block_is_freed})
  add_compile_options(${instruments} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_compile_definitions(WITH_ADDRESS_SANITIZER)
elseif(RUNTIME_SHARING_SANITIZER STREQUAL "thread")
  set(instruments -fsanitize=thread ${every_block_is_freed})
  add_compile_options(${instruments} -fno-omit-frame-pointer)
  add_compile_definitions(WITH_THREAD_SANITIZER)
elseif(RUNTIME_SHARING_SANITIZER)
  message(FATAL_ERROR "RUNTIME_SHARING_SANITIZER is '${RUNTIME_SHARING_SANITIZER}': use 'address' or 'thread'")
elseif(CMAKE_CXX_FLAGS MATCHES "--coverage")
  set(instruments --coverage)
endif()
add_link_options(${instruments})
# Who uses the installed library links what it was instrumented with, and is seen by it.
target_compile_options(runtime_sharing_dependencies INTERFACE "$<INSTALL_INTERFACE:${instruments}>")
target_link_options(runtime_sharing_dependencies INTERFACE "$<INSTALL_INTERFACE:${instruments}>")

# GCC collects its garbage too early for Asio's coroutines: later takes a tenth of its time off, for
# a twentieth more of memory.
if(RUNTIME_SHARING_DEVELOPER_MODE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=524288)
endif()

# Asio compiled once instead of in every translation unit.
if(RUNTIME_SHARING_DEVELOPER_MODE)
  add_library(asio_compiled ${PROJECT_SOURCE_DIR}/tools/cmake/asio.cpp)
  target_compile_features(asio_compiled PUBLIC cxx_std_20)
  target_link_libraries(asio_compiled PUBLIC Boost::headers Threads::Threads)
  target_compile_definitions(asio_compiled PUBLIC BOOST_ASIO_SEPARATE_COMPILATION)
  target_compile_options(asio_compiled PRIVATE -w)
  target_link_libraries(runtime_sharing_dependencies INTERFACE asio_compiled)
endif()

# add_precompiled_header(<owner> LIBRARIES ... HEADERS ...), reuse_precompiled_header(<target> <owner>):
# GCC takes a precompiled header only where the macros and options that it saw are the same; so
# whoever reuses it gets those of its owner. There are two, for what is optimised and for tests.
function(add_precompiled_header owner)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES;HEADERS")
  add_library(${owner} OBJECT ${PROJECT_SOURCE_DIR}/tools/cmake/precompiled.cpp)
  target_link_libraries(${owner} PRIVATE
    runtime_sharing_dependencies Boost::json project_warnings ${arg_LIBRARIES})
  target_precompile_headers(${owner} PRIVATE
    ${PROJECT_SOURCE_DIR}/tools/cmake/precompiled.hpp ${arg_HEADERS})
endfunction()

function(reuse_precompiled_header target owner)
  target_precompile_headers(${target} REUSE_FROM ${owner})
  target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:${owner},COMPILE_DEFINITIONS>)
  target_compile_options(${target} PRIVATE $<TARGET_PROPERTY:${owner},COMPILE_OPTIONS>)
endfunction()

if(RUNTIME_SHARING_DEVELOPER_MODE)
  add_precompiled_header(precompiled)
endif()
