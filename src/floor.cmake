# One static library a floor: muonlab_floor(NAME [TORCH] [BATCHES] [DEPENDS floors…] [LIBS targets…]).
# Sources are src/NAME/**/*.cpp, public headers include/muonlab/NAME/, tests tests/NAME/**/*_test.cpp.
# BATCHES compiles a few sources at a time; for floors whose sources are small and their headers (JSON, CLI11) are not.
# TORCH floors see LibTorch and share one precompiled header; the others must build without it.
# The declarations are also read by tests/base/floors_test.cpp, which fails on an #include that climbs.
function(muonlab_floor name)
  cmake_parse_arguments(arg "TORCH;BATCHES" "" "DEPENDS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  set(target muonlab_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM arg_DEPENDS PREPEND muonlab_)
  target_link_libraries(${target} ${scope} ${arg_DEPENDS} ${arg_LIBS})
  if(arg_TORCH)
    target_link_libraries(${target} ${scope} muonlab::torch_cpu)
  endif()
  if(sources)
    target_compile_options(${target} PRIVATE ${MUONLAB_WARNINGS})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    if(arg_TORCH)
      muonlab_share_precompiled_header(${target})
    endif()
    if(arg_BATCHES)
      muonlab_compile_in_batches(${target})
    endif()
  endif()
  muonlab_floor_tests(${name} "${arg_TORCH}")
endfunction()

# Names in unnamed namespaces must differ within such a target.
function(muonlab_compile_in_batches target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
endfunction()

# The LibTorch headers cost about 11 s a source; the header compiled once brings that to 2–3 s.
function(muonlab_share_precompiled_header target)
  if(NOT TARGET muonlab_torch_pch)
    file(WRITE ${PROJECT_BINARY_DIR}/torch_pch.cpp "")
    add_library(muonlab_torch_pch STATIC ${PROJECT_BINARY_DIR}/torch_pch.cpp)
    target_link_libraries(muonlab_torch_pch PRIVATE muonlab::torch_cpu)
    target_compile_options(muonlab_torch_pch PRIVATE ${MUONLAB_WARNINGS})
    target_precompile_headers(muonlab_torch_pch PRIVATE
      <ATen/ATen.h> <ATen/Parallel.h> <torch/csrc/autograd/custom_function.h>
      <algorithm> <cmath> <cstdint> <functional> <map> <memory> <optional> <span> <string>
      <string_view> <utility> <variant> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM muonlab_torch_pch)
endfunction()

function(muonlab_floor_tests name torch)
  if(NOT MUONLAB_BUILD_TESTS)
    return()
  endif()
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp)
  if(NOT tests)
    return()
  endif()
  set(target muonlab_${name}_tests)
  add_executable(${target} ${tests})
  muonlab_compile_in_batches(${target})
  target_link_libraries(${target} PRIVATE muonlab_${name} GTest::gtest GTest::gtest_main)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  # Built once and run once: -O1 saves a fifth of the compile time.
  target_compile_options(${target} PRIVATE ${MUONLAB_WARNINGS} -O1)
  target_compile_definitions(${target} PRIVATE
    MUONLAB_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MUONLAB_BINARY="${PROJECT_BINARY_DIR}/muonlab")
  if(torch)
    muonlab_share_precompiled_header(${target})
    set(label torch)
  else()
    set(label fast)
    # All torch-free tests, for builds with sanitizers.
    if(NOT TARGET muonlab_fast_tests)
      add_custom_target(muonlab_fast_tests)
    endif()
    add_dependencies(muonlab_fast_tests ${target})
  endif()
  # Tests of the whole program watch and kill processes; the others may run beside each other.
  if(name STREQUAL app)
    set(alone RUN_SERIAL TRUE)
  endif()
  # Tests whose suite name ends in "Slow" carry the label slow; scripts/test leaves them out.
  gtest_discover_tests(${target} TEST_FILTER "-*Slow.*" NO_PRETTY_VALUES DISCOVERY_TIMEOUT 120
    PROPERTIES LABELS ${label} TIMEOUT 600 ${alone})
  gtest_discover_tests(${target} TEST_FILTER "*Slow.*" NO_PRETTY_VALUES DISCOVERY_TIMEOUT 120
    TEST_LIST ${target}_slow PROPERTIES LABELS slow TIMEOUT 3600 ${alone})
endfunction()

# muonlab_<name>_bench from tests/bench/<name>_bench.cpp, built on demand.
function(muonlab_bench name library)
  if(NOT MUONLAB_BUILD_TESTS)
    return()
  endif()
  set(target muonlab_${name}_bench)
  add_executable(${target} EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/bench/${name}_bench.cpp)
  target_link_libraries(${target} PRIVATE ${library})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(${target} PRIVATE ${MUONLAB_WARNINGS})
  muonlab_share_precompiled_header(${target})
endfunction()
