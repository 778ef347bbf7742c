# mosaic_room(NAME USES <rooms...> LINKS <libraries...> [TORCH] [CUDA])
#
# Makes the object libraries of the room NAME from all sources below its folder:
#   mosaic_NAME          its .cpp files
#   mosaic_NAME_torch    those called *_torch.cpp (with TORCH: all), which see torch
#   mosaic_NAME_cuda     its .cu files, where MOSAIC_CUDA is on
# *_cuda.cpp files are C++ of builds with MOSAIC_CUDA alone. Rooms marked CUDA see its headers there, and
# MOSAIC_CUDA is defined in them; the others are compiled alike with and without it (ccache has them once).
# They see the headers of this room and of the rooms in USES, no others. A new file needs no line
# anywhere. Without MOSAIC_TORCH the *_torch.cpp files, and rooms marked TORCH, are left out.

set_property(GLOBAL PROPERTY MOSAIC_OBJECTS "")
set_property(GLOBAL PROPERTY MOSAIC_LINKS "")
set_property(GLOBAL PROPERTY MOSAIC_BUILT_ROOMS "")

function(mosaic_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "TORCH;CUDA" "" "USES;LINKS")
  if(room_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mosaic_room(${name}): unknown arguments ${room_UNPARSED_ARGUMENTS}; "
                        "it takes USES, LINKS, TORCH and CUDA")
  endif()
  if(room_TORCH AND NOT MOSAIC_TORCH)
    return()
  endif()

  set(folder "${PROJECT_SOURCE_DIR}/${name}")
  file(GLOB_RECURSE plain CONFIGURE_DEPENDS "${folder}/*.cpp")
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS "${folder}/*.cu")
  list(REMOVE_ITEM plain "${folder}/main.cpp") # belongs to the executable
  if(NOT MOSAIC_CUDA_ON)
    list(FILTER plain EXCLUDE REGEX "_cuda\\.cpp$")
  endif()
  set(torch ${plain})
  if(room_TORCH)
    set(plain "")
  else()
    list(FILTER torch INCLUDE REGEX "_torch\\.cpp$")
    list(FILTER plain EXCLUDE REGEX "_torch\\.cpp$")
  endif()

  set(includes "")
  foreach(used IN ITEMS ${name} ${room_USES})
    list(APPEND includes "${PROJECT_SOURCE_DIR}/${used}/include")
  endforeach()
  foreach(kind plain torch kernels)
    if(NOT ${kind} OR (kind STREQUAL "torch" AND NOT MOSAIC_TORCH)
       OR (kind STREQUAL "kernels" AND NOT MOSAIC_CUDA_ON))
      continue()
    endif()
    set(target mosaic_${name})
    if(kind STREQUAL "kernels")
      string(APPEND target _cuda)
    elseif(kind STREQUAL "torch" AND NOT room_TORCH)
      string(APPEND target _torch)
    endif()
    if(name STREQUAL "cli")
      string(REPLACE mosaic_cli mosaic_cli_objects target ${target}) # mosaic_cli is the executable
    endif()
    add_library(${target} OBJECT ${${kind}})
    target_include_directories(${target} PRIVATE ${includes} "${folder}")
    target_link_libraries(${target} PRIVATE mosaic_base ${room_LINKS})
    if(kind STREQUAL "torch")
      mosaic_use_torch(${target})
    endif()
    if(room_CUDA AND MOSAIC_CUDA_ON)
      target_compile_definitions(${target} PRIVATE MOSAIC_CUDA=1)
      target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
    endif()
    if(name STREQUAL "core" OR name STREQUAL "cli")
      mosaic_use_build_info(${target})
    endif()
    if(name STREQUAL "cli")
      set_property(GLOBAL APPEND PROPERTY MOSAIC_CLI_OBJECTS ${target})
    else()
      set_property(GLOBAL APPEND PROPERTY MOSAIC_OBJECTS ${target})
    endif()
  endforeach()
  if(plain OR torch)
    set_property(GLOBAL APPEND PROPERTY MOSAIC_BUILT_ROOMS ${name})
    set_property(GLOBAL APPEND PROPERTY MOSAIC_LINKS ${room_LINKS})
  endif()
endfunction()

# mosaic_embed(TARGET NAMESPACE HEADER FILES...): the files as text in the target, by the function
# files() that the header declares; written anew whenever one of them changes.
function(mosaic_embed target namespace header)
  set(embed "${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake")
  set(embedded "${CMAKE_CURRENT_BINARY_DIR}/files.cpp")
  add_custom_command(
    OUTPUT "${embedded}"
    COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${embedded}" "-DHEADER=${header}" "-DNAMESPACE=${namespace}"
            "-DFILES=${ARGN}" -P "${embed}"
    DEPENDS ${ARGN} "${embed}" COMMENT "Embedding files of ${target}" VERBATIM)
  target_sources(${target} PRIVATE "${embedded}")
endfunction()
