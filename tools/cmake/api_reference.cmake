# The reference of the library's public names, and the test that none lacks a description.
find_program(DOXYGEN doxygen)
set(api_reference
  ${CMAKE_COMMAND} -E env API_REFERENCE=${PROJECT_BINARY_DIR}/api_reference
  ${DOXYGEN} ${PROJECT_SOURCE_DIR}/docs/Doxyfile)

add_custom_target(api_reference
  COMMAND ${api_reference}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "The API reference: ${PROJECT_BINARY_DIR}/api_reference/html/index.html"
  VERBATIM)

add_test(NAME ApiReference.DescribesEveryPublicName
  COMMAND ${api_reference}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(ApiReference.DescribesEveryPublicName PROPERTIES
  TIMEOUT 120 LABELS packaging DISABLED "$<NOT:$<BOOL:${DOXYGEN}>>")
