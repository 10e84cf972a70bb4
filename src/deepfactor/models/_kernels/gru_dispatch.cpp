// What the processor can run; the caller chooses among it by name.
#include <string.h>

#include "gru.h"

extern "C" int deepfactor_gru_abi(void) { return DEEPFACTOR_GRU_ABI; }

// 1 where this processor (and its operating system) runs the path of that name, else 0.
extern "C" int deepfactor_gru_runs(const char *path) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(path, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    if (!strcmp(path, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(path, "portable");
}
