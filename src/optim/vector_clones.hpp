// For loops over floats: the compiler makes one version of a so marked function for each x86-64
// level and the loader picks the machine's. Sources that use it are listed in CMakeLists.txt, with
// the flags that let such loops become vectors. Every element is computed alike, so a range may be
// split anywhere without changing a bit.
#pragma once

#if defined(__x86_64__)
#define MUONLAB_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MUONLAB_VECTOR_CLONES
#endif
