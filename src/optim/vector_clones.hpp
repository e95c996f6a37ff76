// For loops over floats: the compiler makes one version for each x86-64 level and the loader picks the machine's. Loops so
// marked round alike wherever a range is split, since each level does the same to every element.
#pragma once

#if defined(__x86_64__)
#define MUONLAB_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3", "no-math-errno")))
#else
#define MUONLAB_VECTOR_CLONES __attribute__((optimize("O3", "no-math-errno")))
#endif
