# The CUDA plugin, where third_party/cuda.cmake found what it needs, and the tests of its arithmetic, which run anywhere.
# It is no floor: nothing links it, the program loads it where a driver is (include/muonlab/tensor/plugin.hpp).
if(MUONLAB_HAVE_CUDA)
  set(folder ${PROJECT_SOURCE_DIR}/src/cuda)
  add_library(muonlab_cuda_plugin MODULE
    ${folder}/register.cpp ${folder}/activation.cu ${folder}/adamw.cu ${folder}/cross_entropy.cu
    ${folder}/embedding.cu ${folder}/muon.cu ${folder}/rms_norm.cu ${folder}/rotation.cu ${folder}/status.cu)
  # For several processes. The toolkit, a system package and PyTorch's own package may have the header; its
  # functions are called by libtorch_cuda alone.
  find_path(MUONLAB_NCCL_INCLUDE nccl.h
    HINTS ${CUDAToolkit_INCLUDE_DIRS} ${MUONLAB_TORCH_ROOT}/../nvidia/nccl/include)
  if(MUONLAB_NCCL_INCLUDE)
    target_sources(muonlab_cuda_plugin PRIVATE ${folder}/nccl.cpp)
    set_source_files_properties(${folder}/nccl.cpp PROPERTIES
      COMPILE_OPTIONS "-isystem;${MUONLAB_NCCL_INCLUDE}" COMPILE_DEFINITIONS USE_DISTRIBUTED)
  endif()
  message(STATUS "NCCL: ${MUONLAB_NCCL_INCLUDE}")
  target_include_directories(muonlab_cuda_plugin PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(muonlab_cuda_plugin PRIVATE muonlab::torch_cuda)
  # Every symbol of ours must be found now; those that libtorch_cuda itself misses are the GPU machine's business.
  target_link_options(muonlab_cuda_plugin PRIVATE -Wl,-z,defs)
  list(JOIN MUONLAB_WARNINGS "," warnings)
  target_compile_options(muonlab_cuda_plugin PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:${MUONLAB_WARNINGS}>" "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${warnings}>")
  set_target_properties(muonlab_cuda_plugin PROPERTIES
    OUTPUT_NAME muonlab_cuda CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  add_dependencies(muonlab muonlab_cuda_plugin)
endif()

# The same operators for the CPU, for tests of the whole step of a GPU.
add_library(muonlab_cuda STATIC EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/src/cuda/host_operators.cpp)
target_include_directories(muonlab_cuda PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(muonlab_cuda PRIVATE ${MUONLAB_WARNINGS})
target_link_libraries(muonlab_cuda PUBLIC muonlab_run)
muonlab_share_precompiled_header(muonlab_cuda)
muonlab_floor_tests(cuda TORCH)
if(TARGET muonlab_cuda_tests AND TARGET muonlab_cuda_plugin)
  add_dependencies(muonlab_cuda_tests muonlab_cuda_plugin)
endif()
