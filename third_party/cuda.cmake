# MUONLAB_CUDA=AUTO|ON|OFF: sets MUONLAB_HAVE_CUDA and, when it is on, enables the language CUDA and makes
# muonlab::torch_cuda for the plugin library. A GPU is not needed, only nvcc and a CUDA build of LibTorch
# of the same major version of CUDA. The reason why it is off stays in MUONLAB_CUDA_WHY_NOT.
set(MUONLAB_HAVE_CUDA OFF)
set(MUONLAB_CUDA_WHY_NOT "")
if(NOT MUONLAB_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MUONLAB_CUDA is '${MUONLAB_CUDA}'; it can be AUTO, ON or OFF.")
elseif(MUONLAB_CUDA STREQUAL "OFF")
  set(MUONLAB_CUDA_WHY_NOT "switched off (MUONLAB_CUDA=OFF)")
elseif(NOT EXISTS "${MUONLAB_TORCH_ROOT}/lib/libtorch_cuda.so"
    OR NOT EXISTS "${MUONLAB_TORCH_ROOT}/include/ATen/cuda/CUDAContext.h")
  set(MUONLAB_CUDA_WHY_NOT
    "this LibTorch is a CPU build; name a CUDA one with -DMUONLAB_TORCH_DIR=… or use scripts/setup's")
else()
  if(NOT "$ENV{CUDACXX}" STREQUAL "")
    set(MUONLAB_NVCC "$ENV{CUDACXX}" CACHE FILEPATH "The CUDA compiler")
  endif()
  find_program(MUONLAB_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH
    PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT MUONLAB_NVCC)
    set(MUONLAB_CUDA_WHY_NOT "no nvcc; install the CUDA toolkit, or put its bin folder on PATH")
  endif()
endif()

# nvcc and LibTorch must agree on the major version: the runtime library's name holds it.
if(MUONLAB_NVCC AND MUONLAB_CUDA_WHY_NOT STREQUAL "")
  if(NOT DEFINED MUONLAB_NVCC_RELEASE)
    execute_process(COMMAND ${MUONLAB_NVCC} --version OUTPUT_VARIABLE banner ERROR_QUIET)
    string(REGEX MATCH "release ([0-9]+)\\.[0-9]+" ignored "${banner}")
    set(MUONLAB_NVCC_RELEASE "${CMAKE_MATCH_1}" CACHE INTERNAL "")
  endif()
  set(wanted "${MUONLAB_NVCC_RELEASE}")
  if(EXISTS "${MUONLAB_TORCH_ROOT}/version.py")
    file(STRINGS "${MUONLAB_TORCH_ROOT}/version.py" line REGEX "^cuda")
    string(REGEX REPLACE "^[^']*'([0-9]+).*" "\\1" wanted "${line}")
  endif()
  if(NOT MUONLAB_NVCC_RELEASE STREQUAL wanted)
    set(MUONLAB_CUDA_WHY_NOT "${MUONLAB_NVCC} is CUDA ${MUONLAB_NVCC_RELEASE} and LibTorch was built for \
CUDA ${wanted}; put a toolkit ${wanted}'s nvcc on PATH (and -UMUONLAB_NVCC -UMUONLAB_NVCC_RELEASE)")
  endif()
endif()

# An nvcc that cannot compile (too new a host compiler, say) must not stop a build for the CPU.
if(MUONLAB_CUDA_WHY_NOT STREQUAL "")
  include(CheckLanguage)
  set(CMAKE_CUDA_COMPILER "${MUONLAB_NVCC}")
  if(MUONLAB_CUDA STREQUAL "AUTO")
    unset(CMAKE_CUDA_COMPILER)
    set(ENV{CUDACXX} "${MUONLAB_NVCC}")
    check_language(CUDA)
    if(NOT CMAKE_CUDA_COMPILER)
      set(MUONLAB_CUDA_WHY_NOT
        "${MUONLAB_NVCC} cannot compile with this C++ compiler (-DMUONLAB_CUDA=ON shows its message)")
    endif()
  endif()
endif()

if(NOT MUONLAB_CUDA_WHY_NOT STREQUAL "")
  if(MUONLAB_CUDA STREQUAL "ON")
    message(FATAL_ERROR "MUONLAB_CUDA=ON, but ${MUONLAB_CUDA_WHY_NOT}.")
  endif()
  message(STATUS "CUDA plugin: no, ${MUONLAB_CUDA_WHY_NOT}")
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90a CACHE STRING "GPU architectures the plugin is built for")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # LibTorch's; a static second copy would have its own state
enable_language(CUDA)
# CMake 3.25 does not know nvcc's C++20 switch and would refuse the standard.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
find_package(CUDAToolkit REQUIRED)

# libtorch_cuda registers itself when it is loaded, so it is linked whether a symbol of it is used or not.
add_library(muonlab::torch_cuda INTERFACE IMPORTED)
target_include_directories(muonlab::torch_cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(muonlab::torch_cuda INTERFACE
  "-Wl,--push-state,--no-as-needed,${MUONLAB_TORCH_ROOT}/lib/libtorch_cuda.so,--pop-state"
  "${MUONLAB_TORCH_ROOT}/lib/libc10_cuda.so" muonlab::torch_cpu CUDA::cudart)
set(MUONLAB_HAVE_CUDA ON)
message(STATUS "CUDA plugin: yes, nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
