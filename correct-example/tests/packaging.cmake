# The library from outside: a consumer that adds its folder, one that finds its package, one that
# asks pkg-config. The first one's build compiles the library, as a consumer does; the others use
# what is installed out of that build.
if(RUNTIME_SHARING_SANITIZER)
  return()
endif()

set(scratch ${PROJECT_BINARY_DIR}/packaging)
set(consumer ${CMAKE_CURRENT_SOURCE_DIR}/tests/consumer)
find_program(PKG_CONFIG pkg-config)

foreach(way add_subdirectory find_package)
  configure_file(${consumer}/main.cpp ${scratch}/${way}/main.cpp COPYONLY)
  configure_file(${consumer}/${way}/CMakeLists.txt ${scratch}/${way}/CMakeLists.txt COPYONLY)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${scratch}/add_subdirectory/asio-runtime-sharing SYMBOLIC)

# add_consumer_test(<name> <way> <cache entry>...): configures, builds and runs the consumer.
function(add_consumer_test name way)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CTEST_COMMAND}
      --build-and-test ${scratch}/${way} ${scratch}/${way}/build
      --build-generator ${CMAKE_GENERATOR}
      --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} ${ARGN}
      --test-command ${scratch}/${way}/build/your_program)
endfunction()

add_consumer_test(Consumer.AddsTheFolder add_subdirectory
  -DRUNTIME_SHARING_INSTALL=ON -DCMAKE_INSTALL_LIBDIR=lib
  -DCMAKE_VERIFY_INTERFACE_HEADER_SETS=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
  "-DCMAKE_CXX_FLAGS=$<JOIN:$<TARGET_PROPERTY:project_warnings,INTERFACE_COMPILE_OPTIONS>, >"
  -DCMAKE_DISABLE_FIND_PACKAGE_spdlog=ON -DCMAKE_DISABLE_FIND_PACKAGE_SQLiteCpp=ON
  -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON)
add_test(NAME Headers.CompileEachAloneWithoutAWarning
  COMMAND ${CMAKE_COMMAND} --build ${scratch}/add_subdirectory/build
    --target runtime_sharing_verify_interface_header_sets)
add_test(NAME Package.Installs
  COMMAND ${CMAKE_COMMAND} --install ${scratch}/add_subdirectory/build --prefix ${scratch}/installed)
add_consumer_test(Consumer.FindsThePackage find_package
  -DCMAKE_PREFIX_PATH=${scratch}/installed)
add_test(NAME Consumer.AsksPkgConfig
  COMMAND sh -c
    "'${CMAKE_CXX_COMPILER}' -std=c++20 '${consumer}/main.cpp' -o '${scratch}/by_pkg_config' \
    $('${PKG_CONFIG}' --cflags --libs runtime_sharing) && '${scratch}/by_pkg_config'")
add_test(NAME Package.IsNotInstalledFromADeveloperBuild
  COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${scratch}/nothing)

set_tests_properties(
  Consumer.AddsTheFolder Headers.CompileEachAloneWithoutAWarning Package.Installs
  Consumer.FindsThePackage Consumer.AsksPkgConfig Package.IsNotInstalledFromADeveloperBuild
  PROPERTIES TIMEOUT 300 LABELS packaging)
set_tests_properties(Consumer.AddsTheFolder PROPERTIES PROCESSORS 2 FIXTURES_SETUP compiled)
set_tests_properties(Headers.CompileEachAloneWithoutAWarning
  PROPERTIES PROCESSORS 2 FIXTURES_REQUIRED compiled)
set_tests_properties(Package.Installs PROPERTIES FIXTURES_REQUIRED compiled FIXTURES_SETUP installed)
set_tests_properties(Consumer.FindsThePackage PROPERTIES FIXTURES_REQUIRED installed)
set_tests_properties(Consumer.AsksPkgConfig PROPERTIES FIXTURES_REQUIRED installed
  ENVIRONMENT "PKG_CONFIG_PATH=${scratch}/installed/lib/pkgconfig"
  DISABLED "$<NOT:$<BOOL:${PKG_CONFIG}>>")
set_tests_properties(Package.IsNotInstalledFromADeveloperBuild PROPERTIES
  PASS_REGULAR_EXPRESSION "A developer build cannot be installed")
