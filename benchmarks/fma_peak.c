/* What a core can do: fused multiply-adds on registers alone, twelve independent chains. */
#include <string.h>

#define CHAINS 12
#define WORK(lanes)                                                              \
    typedef float vector __attribute__((vector_size(lanes * 4)));                \
    vector chain[CHAINS], by = (vector){} + 0.999f, plus = (vector){} + 1e-3f;   \
    for (int i = 0; i < CHAINS; i++) chain[i] = (vector){} + (float)i;           \
    for (long round = 0; round < rounds; round++) {                              \
        _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * by + plus; \
    }                                                                            \
    for (int i = 0; i < CHAINS; i++) sum += chain[i][0];                         \
    return 2.0 * CHAINS * lanes * (double)rounds + (sum == 12345.0f);

#if defined(__x86_64__)
__attribute__((target("avx512f,fma"))) static double avx512(long rounds) { float sum = 0; WORK(16) }
__attribute__((target("avx2,fma"))) static double avx2(long rounds) { float sum = 0; WORK(8) }
#endif
static double portable(long rounds) { float sum = 0; WORK(4) }

/* Runs `rounds` rounds on the kernel's path of that name; returns the floating-point operations done. */
double fma_peak(const char *path, long rounds) {
#if defined(__x86_64__)
    if (!strcmp(path, "avx512")) return avx512(rounds);
    if (!strcmp(path, "avx2")) return avx2(rounds);
#endif
    return portable(rounds);
}
