# The library from outside: consumers that add its folder, that find its package, that ask pkg-config.
# Three packages: the one of this build, with whatever preset, and those of the first consumers'
# builds, which compile the library as a consumer does: static and shared.
include(GNUInstallDirs)
find_program(PKG_CONFIG pkg-config)
set(scratch ${PROJECT_BINARY_DIR}/packaging)
set(consumer ${CMAKE_CURRENT_SOURCE_DIR}/tests/consumer)

# add_consumer_test(<name> <folder of consumer/> <folder to build in> <cache entry>...): configures,
# builds and runs the consumer.
function(add_consumer_test name way folder)
  configure_file(${consumer}/main.cpp ${scratch}/${folder}/main.cpp COPYONLY)
  configure_file(${consumer}/${way}/CMakeLists.txt ${scratch}/${folder}/CMakeLists.txt COPYONLY)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CTEST_COMMAND}
      --build-and-test ${scratch}/${folder} ${scratch}/${folder}/build
      --build-generator ${CMAKE_GENERATOR}
      --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} ${ARGN}
      --test-command ${scratch}/${folder}/build/your_program)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS packaging)
endfunction()

# add_package_tests(<words> <build folder> <folder to install into> <flag>...): what is installed out
# of the build works for find_package and for pkg-config.
function(add_package_tests words build installed)
  list(JOIN ARGN " " flags)
  add_test(NAME Package.Installs${words}
    COMMAND ${CMAKE_COMMAND} --install ${build} --prefix ${scratch}/${installed})
  add_consumer_test(Consumer.FindsThePackage${words} find_package finds_${installed}
    -DCMAKE_PREFIX_PATH=${scratch}/${installed} "-DCMAKE_CXX_FLAGS=${flags}")
  # The folders may have spaces, which pkg-config escapes for a shell.
  add_test(NAME Consumer.AsksPkgConfig${words}
    COMMAND sh -c
      "eval \"set -- $('${PKG_CONFIG}' --cflags --libs runtime_sharing)\" && \
      '${CMAKE_CXX_COMPILER}' -std=c++20 ${flags} '${consumer}/main.cpp' \
      -o '${scratch}/${installed}/by_pkg_config' \"$@\" && '${scratch}/${installed}/by_pkg_config'")
  set_tests_properties(Package.Installs${words} PROPERTIES
    TIMEOUT 60 LABELS packaging FIXTURES_REQUIRED ${build} FIXTURES_SETUP ${installed})
  set_tests_properties(Consumer.FindsThePackage${words} PROPERTIES FIXTURES_REQUIRED ${installed})
  set(library_folder ${scratch}/${installed}/${CMAKE_INSTALL_LIBDIR})
  set_tests_properties(Consumer.AsksPkgConfig${words} PROPERTIES
    TIMEOUT 60 LABELS packaging FIXTURES_REQUIRED ${installed}
    ENVIRONMENT "PKG_CONFIG_PATH=${library_folder}/pkgconfig;LD_LIBRARY_PATH=${library_folder}"
    DISABLED "$<NOT:$<BOOL:${PKG_CONFIG}>>")
endfunction()

if(RUNTIME_SHARING_INSTALL)
  add_package_tests(OfADeveloperBuild ${PROJECT_BINARY_DIR} installed_developer_build
    -DOF_A_DEVELOPER_BUILD)
endif()
if(RUNTIME_SHARING_SANITIZER)
  return()
endif()

foreach(kind static shared)
  file(MAKE_DIRECTORY ${scratch}/adds_${kind})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${scratch}/adds_${kind}/asio-runtime-sharing SYMBOLIC)
endforeach()
set(as_a_library
  -DRUNTIME_SHARING_INSTALL=ON -DCMAKE_INSTALL_LIBDIR=${CMAKE_INSTALL_LIBDIR}
  -DCMAKE_VERIFY_INTERFACE_HEADER_SETS=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
  "-DCMAKE_CXX_FLAGS=$<JOIN:$<TARGET_PROPERTY:project_warnings,INTERFACE_COMPILE_OPTIONS>, >"
  -DCMAKE_DISABLE_FIND_PACKAGE_spdlog=ON -DCMAKE_DISABLE_FIND_PACKAGE_SQLiteCpp=ON
  -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON)
add_consumer_test(Consumer.AddsTheFolder add_subdirectory adds_static ${as_a_library})
add_consumer_test(Consumer.AddsTheFolderAsASharedLibrary add_subdirectory adds_shared
  ${as_a_library} -DBUILD_SHARED_LIBS=ON)
set_tests_properties(Consumer.AddsTheFolder PROPERTIES
  PROCESSORS 2 FIXTURES_SETUP ${scratch}/adds_static/build)
set_tests_properties(Consumer.AddsTheFolderAsASharedLibrary PROPERTIES
  PROCESSORS 2 FIXTURES_SETUP ${scratch}/adds_shared/build)
add_package_tests("" ${scratch}/adds_static/build installed_static)
add_package_tests(OfASharedLibrary ${scratch}/adds_shared/build installed_shared)

add_test(NAME Headers.CompileEachAloneWithoutAWarning
  COMMAND ${CMAKE_COMMAND} --build ${scratch}/adds_static/build
    --target runtime_sharing_verify_interface_header_sets)
set_tests_properties(Headers.CompileEachAloneWithoutAWarning PROPERTIES
  TIMEOUT 300 LABELS packaging PROCESSORS 2 FIXTURES_REQUIRED ${scratch}/adds_static/build)
