# Installs Mosaic to a temporary prefix, builds the consumer project and an example against it, and
# runs them: a word with the library, a job over a table.
set(work "${BUILD_DIR}/package-test")
file(REMOVE_RECURSE "${work}")
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "package test: '${command}' ended with ${status}")
  endif()
endfunction()
run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${work}/prefix")
run(${CMAKE_COMMAND} -G "${GENERATOR}" -S "${PACKAGE_DIR}" -B "${work}/build"
    "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}"
    "-DEXAMPLES=${PACKAGE_DIR}/../../examples")
run(${CMAKE_COMMAND} --build "${work}/build")
run("${work}/build/consumer")
run("${work}/prefix/bin/mosaic" --help)

file(WRITE "${work}/table.csv" "arch,accuracy,latency_ms\n1-1-8,85,1\n1-2-7,87,2\n8-1-1,86,3\n")
file(WRITE "${work}/job.toml" [=[
[job]
name = "packaged"
[space]
name = "resnet-pooling"
[evaluator]
type = "table"
file = "table.csv"
[[objective]]
metric = "accuracy"
goal = "max"
[[objective]]
metric = "latency_ms"
goal = "min"
]=])
execute_process(COMMAND "${work}/build/run_job" "${work}/job.toml" "${work}/results.db"
                RESULT_VARIABLE status OUTPUT_VARIABLE front)
if(NOT status EQUAL 0 OR NOT front STREQUAL "accuracy 87  latency_ms 2  1-2-7\naccuracy 85  latency_ms 1  1-1-8\n")
  message(FATAL_ERROR "package test: run_job ended with ${status} and the front\n${front}")
endif()
file(STRINGS "${work}/results-packaged.html" title REGEX "<title>packaged")
if(NOT title)
  message(FATAL_ERROR "package test: run_job wrote no page of its job")
endif()

# A plugin with one thing of each kind: trained, searched, extracted, evaluated.
file(WRITE "${work}/mine.toml" [=[
[job]
name = "mine"
plugins = ["build/libmine.so"]
device = "cpu"
threads = 1
[space]
name = "my-sequences"
[task]
name = "my-sequences"
validation = 0.25
[supernet]
sharing = "my-average"
copies = 2
epochs = 2
batch_size = 30
[[objective]]
metric = "mean_error"
examples = 60
[[objective]]
metric = "ops"
[search]
algorithm = "random"
population = 8
evaluations = 6
]=])
set(mosaic "${work}/prefix/bin/mosaic")
set(db --db "${work}/mine.db")
run("${mosaic}" train "${work}/mine.toml" ${db})
run("${mosaic}" search "${work}/mine.toml" ${db})
run("${mosaic}" front ${db})
run("${mosaic}" extract ${db} --best mean_error --out "${work}/mine-model")
run("${mosaic}" eval "${work}/mine-model" --plugin "${work}/build/libmine.so")
run("${work}/build/observer" "${work}/build/libmine.so")

# What `mosaic new` writes builds as it is.
function(refused expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE text)
  string(FIND "${text}" "${expected}" found)
  if(NOT status EQUAL 2 OR found EQUAL -1)
    message(FATAL_ERROR "package test: '${ARGN}' ended with ${status}, not with '${expected}':\n${text}")
  endif()
endfunction()
foreach(kind space evaluator)
  set(folder "${work}/my-${kind}")
  run("${mosaic}" new ${kind} my-${kind} --folder "${folder}")
  refused("is there already" "${mosaic}" new ${kind} my-${kind} --folder "${folder}")
  run(${CMAKE_COMMAND} -G "${GENERATOR}" -S "${folder}" -B "${folder}/build"
      "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
  run(${CMAKE_COMMAND} --build "${folder}/build")
endforeach()
set(plugins --plugin "${work}/my-space/build/libmy-space.so"
            --plugin "${work}/my-evaluator/build/libmy-evaluator.so")
run("${mosaic}" spaces my-space ${plugins})
refused("Mosaic has a space 'my-space' already" "${mosaic}" ${plugins} new space my-space)
file(WRITE "${work}/new.toml" [=[
[job]
name = "new"
plugins = ["my-space/build/libmy-space.so", "my-evaluator/build/libmy-evaluator.so"]
[space]
name = "my-space"
[[objective]]
metric = "my_evaluator_kb"
bits = 4
[[objective]]
metric = "flops"
goal = "max"
[search]
evaluations = 40
]=])
run("${mosaic}" run "${work}/new.toml" --db "${work}/new.db")
run("${mosaic}" front --db "${work}/new.db")

# A job keeps what --plugin gave it.
file(READ "${work}/new.toml" job)
string(REGEX REPLACE "plugins = [^\n]*\n" "" job "${job}")
string(REPLACE "\"new\"" "\"given\"" job "${job}")
file(WRITE "${work}/given.toml" "${job}")
run("${mosaic}" search "${work}/given.toml" --db "${work}/new.db" ${plugins})
run("${mosaic}" decisions --job given --db "${work}/new.db")

# A plugin that moved is found by --plugin; two of one name are not loaded.
file(RENAME "${work}/my-space/build/libmy-space.so" "${work}/libmy-space.so")
refused("libmy-space.so" "${mosaic}" decisions --db "${work}/new.db")
run("${mosaic}" decisions --db "${work}/new.db" --plugin "${work}/libmy-space.so")
file(WRITE "${work}/second/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)
project(second LANGUAGES CXX)
find_package(Mosaic REQUIRED)
add_library(second MODULE \"${work}/my-space/space.cpp\")
target_link_libraries(second PRIVATE Mosaic::mosaic)
")
run(${CMAKE_COMMAND} -G "${GENERATOR}" -S "${work}/second" -B "${work}/second/build"
    "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
run(${CMAKE_COMMAND} --build "${work}/second/build")
refused("registers what is there already: space 'my-space'" "${mosaic}" spaces
        --plugin "${work}/libmy-space.so" --plugin "${work}/second/build/libsecond.so")
