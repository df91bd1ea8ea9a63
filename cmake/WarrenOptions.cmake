# Compiler, linker and cache choices that every target shares.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(WARREN_SANITIZE "Build with address and undefined-behaviour sanitizers" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wnon-virtual-dtor -Wold-style-cast)
if(WARREN_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

option(WARREN_FUZZ "Build the fuzzer instead of the replay of its corpora; takes clang" OFF)
if(WARREN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -Wno-error)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(WARREN_CCACHE ccache)
if(WARREN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WARREN_CCACHE})
endif()
find_program(WARREN_MOLD mold)
if(WARREN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
