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
