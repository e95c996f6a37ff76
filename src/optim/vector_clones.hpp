// For loops over floats; include it last. The compiler makes one version of a so marked function for each x86-64 level and the
// loader picks the machine's. Every element is computed alike, so a range may be split anywhere without changing a bit.
#pragma once

// For all that follows: no errno from sqrt and no traps to keep, either of which would forbid vectors. Given here because
// the attribute "optimize" is lost in clones (g++ 12). Nothing here reorders a sum.
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")

#if defined(__x86_64__)
#define MUONLAB_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MUONLAB_VECTOR_CLONES
#endif
