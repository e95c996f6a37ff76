# Finds LibTorch and makes the targets muonlab::c10 and muonlab::torch_cpu.
#
# LibTorch's own CMake package is not used: a CUDA build of it demands nvcc, the CUDA toolkit and equal
# versions of both even of a program that only computes on the CPU. The user's folder comes first
# (-DMUONLAB_TORCH_DIR=… or the environment variable: a torch package, a libtorch folder or a
# site-packages folder), then the one scripts/setup fetched. Sets
#   MUONLAB_TORCH_ROOT      the folder that holds include/ and lib/
#   MUONLAB_TORCH_VERSION   from torch/version.h, such as 2.13.0
#   MUONLAB_TORCH_ORIGIN    "scripts/setup" or "MUONLAB_TORCH_DIR"
#   MUONLAB_TORCH_HAS_CUDA  whether it is a CUDA build whose CUDA libraries this machine has
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
set(MUONLAB_TORCH_DIR "$ENV{MUONLAB_TORCH_DIR}" CACHE PATH "Your own LibTorch; empty: scripts/setup's")

if(MUONLAB_TORCH_DIR)
  set(MUONLAB_TORCH_ORIGIN "MUONLAB_TORCH_DIR")
  get_filename_component(torch_base "${MUONLAB_TORCH_DIR}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
  set(torch_remedy "MUONLAB_TORCH_DIR must name a torch package, a libtorch folder or a site-packages \
folder. Or clear it (-UMUONLAB_TORCH_DIR) and run scripts/setup.")
else()
  set(MUONLAB_TORCH_ORIGIN "scripts/setup")
  set(torch_base "${MUONLAB_DEPS_DIR}/torch-2.13.0")
  set(torch_remedy "Run scripts/setup, or name your own LibTorch: -DMUONLAB_TORCH_DIR=/path/to/libtorch.")
endif()

set(MUONLAB_TORCH_ROOT "")
foreach(folder "${torch_base}" "${torch_base}/torch" "${torch_base}/libtorch")
  if(NOT MUONLAB_TORCH_ROOT AND EXISTS "${folder}/lib/libtorch_cpu.so"
      AND EXISTS "${folder}/include/ATen/ATen.h")
    set(MUONLAB_TORCH_ROOT "${folder}")
  endif()
endforeach()
if(NOT MUONLAB_TORCH_ROOT)
  message(FATAL_ERROR "No LibTorch (lib/libtorch_cpu.so, include/ATen/ATen.h) in ${torch_base}.\n"
    ${torch_remedy})
endif()

# The numbers moved from torch/csrc/api/include to torch/headeronly between versions.
set(MUONLAB_TORCH_VERSION "")
foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h torch/version.h)
  if(NOT MUONLAB_TORCH_VERSION AND EXISTS "${MUONLAB_TORCH_ROOT}/include/${header}")
    file(STRINGS "${MUONLAB_TORCH_ROOT}/include/${header}" lines
      REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
    list(JOIN numbers "." MUONLAB_TORCH_VERSION)
  endif()
endforeach()
if(MUONLAB_TORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch ${MUONLAB_TORCH_VERSION} in ${MUONLAB_TORCH_ROOT} is too old: "
    "muonlab wants 2.11 or newer and is tested with 2.13.0.\n" ${torch_remedy})
endif()

# Its own OpenMP runtime, linked by file: a second one (which -fopenmp at the link would bring) means
# two thread pools. Some distributions rename it, such as libgomp-a34b3233.so.1.
file(GLOB torch_openmp "${MUONLAB_TORCH_ROOT}/lib/libgomp*.so*")
if(torch_openmp)
  list(GET torch_openmp 0 torch_openmp)
else()
  set(torch_openmp -l:libgomp.so.1)
endif()

set(MUONLAB_TORCH_HAS_CUDA OFF)
if(EXISTS "${MUONLAB_TORCH_ROOT}/lib/libtorch_cuda.so")
  execute_process(COMMAND ldd "${MUONLAB_TORCH_ROOT}/lib/libtorch_cuda.so"
    OUTPUT_VARIABLE resolved ERROR_QUIET RESULT_VARIABLE status)
  if(status EQUAL 0 AND NOT resolved MATCHES "not found")
    set(MUONLAB_TORCH_HAS_CUDA ON)
  endif()
endif()

add_library(muonlab::c10 SHARED IMPORTED)
set_target_properties(muonlab::c10 PROPERTIES
  IMPORTED_LOCATION "${MUONLAB_TORCH_ROOT}/lib/libc10.so")
add_library(muonlab::torch_cpu SHARED IMPORTED)
set_target_properties(muonlab::torch_cpu PROPERTIES
  IMPORTED_LOCATION "${MUONLAB_TORCH_ROOT}/lib/libtorch_cpu.so")
# SYSTEM, so searched last: LibTorch carries headers of protobuf and fmt that must not shadow other libraries'.
target_include_directories(muonlab::torch_cpu SYSTEM INTERFACE
  "${MUONLAB_TORCH_ROOT}/include" "${MUONLAB_TORCH_ROOT}/include/torch/csrc/api/include")
target_compile_definitions(muonlab::torch_cpu INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
# at::parallel_for is inline and serial without it. For compiling only, see torch_openmp.
target_compile_options(muonlab::torch_cpu INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_compile_features(muonlab::torch_cpu INTERFACE cxx_std_20)
target_link_libraries(muonlab::torch_cpu INTERFACE muonlab::c10)
target_link_options(muonlab::torch_cpu INTERFACE
  # Libraries of CUDA behind it, absent where only the CPU is used, are the loader's business.
  -Wl,--allow-shlib-undefined)
# One argument, as CMake moves repeated ones apart.
target_link_libraries(muonlab::torch_cpu INTERFACE
  "-Wl,--push-state,--no-as-needed,${torch_openmp},--pop-state")

message(STATUS "LibTorch ${MUONLAB_TORCH_VERSION} from ${MUONLAB_TORCH_ORIGIN}: ${MUONLAB_TORCH_ROOT}")
