# One folder, one namespace, one target.
#
# warren_module(base SOURCES a.cc HEADERS a.h DEPS fmt::fmt TESTS a_test.cc)
# makes the static library warren_base and, where TESTS are given, the program
# warren_base_test, which ctest runs from the module's folder.
function(warren_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPS;TESTS" ${ARGN})
  add_library(warren_${NAME} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
  target_include_directories(warren_${NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(warren_${NAME} PUBLIC ${ARG_DEPS})
  set_target_properties(warren_${NAME} PROPERTIES LINKER_LANGUAGE CXX)
  if(ARG_TESTS)
    warren_test(${NAME} SOURCES ${ARG_TESTS} DEPS warren_${NAME})
  endif()
endfunction()

# warren_test(name SOURCES ... DEPS ...) makes warren_<name>_test with doctest's main.
function(warren_test NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(warren_${NAME}_test ${CMAKE_SOURCE_DIR}/cmake/doctest_main.cc ${ARG_SOURCES})
  target_link_libraries(warren_${NAME}_test PRIVATE ${ARG_DEPS})
  # What is tested is compiled as it ships; the tests themselves need not be fast, but many.
  target_compile_options(warren_${NAME}_test PRIVATE -O0)
  add_test(NAME ${NAME} COMMAND warren_${NAME}_test
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
