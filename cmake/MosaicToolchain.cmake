# Compiler, flags and launchers: the same for every target, because all torch files share one
# precompiled header and a header made with other flags is not used.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_SHARED_LINKER_FLAGS_SANITIZE "")
set(CMAKE_EXE_LINKER_FLAGS_SANITIZE "")

# -fPIC everywhere, executables too (not CMake's property, which would say -fPIE there).
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fPIC> $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fPIC>)

if(MOSAIC_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${MOSAIC_SANITIZE}>)
  add_link_options(-fsanitize=${MOSAIC_SANITIZE})
  # GCC 12 sees uninitialised members in the standard library's own code when it is instrumented.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  if(MOSAIC_SANITIZE MATCHES "undefined")
    # LibTorch's own classes carry no type information that the vptr check could read.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>
                        $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=undefined>)
  endif()
endif()

find_program(MOSAIC_CCACHE ccache)
mark_as_advanced(MOSAIC_CCACHE)
set(MOSAIC_CCACHE_ON OFF)
if(MOSAIC_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(MOSAIC_CCACHE_ON ON)
  # The sloppiness: precompiled headers ("Precompiled headers" in its manual). Depend mode: what a
  # file includes is read from the compiler's list, not found by preprocessing it a second time.
  set(launcher
      ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR})
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    list(APPEND launcher CCACHE_NOHASHDIR=1)
  endif()
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher} ${MOSAIC_CCACHE})
endif()

find_program(MOSAIC_LLD ld.lld)
mark_as_advanced(MOSAIC_LLD)
if(MOSAIC_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=lld)
endif()

set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

# CUDA only when asked for: a CPU build must not depend on what happens to lie in /usr/local/cuda.
set(MOSAIC_CUDA_ON OFF)
if(MOSAIC_CUDA STREQUAL "ON")
  set(MOSAIC_CUDA_ON ON)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(MOSAIC_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda
                 PATH_SUFFIXES bin)
    mark_as_advanced(MOSAIC_NVCC)
    if(NOT MOSAIC_NVCC)
      message(FATAL_ERROR
        "MOSAIC_CUDA is ON but there is no CUDA compiler: nvcc was looked for on the PATH, in "
        "$CUDA_HOME and in /usr/local/cuda. Install a CUDA 13.0 toolkit, point CUDACXX at nvcc, or "
        "build for the CPU with the preset 'release'.")
    endif()
    set(CMAKE_CUDA_COMPILER "${MOSAIC_NVCC}")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90) # its machine code and its PTX, for what comes after
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake 3.25 does not know nvcc's C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
endif()
