// AVX-512: thirty-two registers of sixteen floats.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "gru.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif

#define LANES 16
#define FORWARD_ROWS 6
#define COLUMNS 4
#define SIDE 1

namespace {  // internal: the same names with other instructions live in the other files
#include "gru_body.h"
}

static bool native(const deepfactor_gru *job) { return job->bf16 == 1 && __builtin_cpu_supports("avx512bf16"); }
static bool tiled(const deepfactor_gru *job) { return native(job) && job->d % 32 == 0 && deepfactor_amx_granted(); }

extern "C" int deepfactor_gru_forward_avx512(const deepfactor_gru *job) {
    if (tiled(job)) return deepfactor_gru_forward_amx(job);
    return native(job) ? deepfactor_gru_forward_bf16(job) : run_forward(job);
}
extern "C" int deepfactor_gru_backward_avx512(const deepfactor_gru *job) {
    if (tiled(job)) return deepfactor_gru_backward_amx(job);
    return native(job) ? deepfactor_gru_backward_bf16(job) : run_backward(job);
}
extern "C" int deepfactor_patches_avx512(const deepfactor_patches *job) { return patches(job); }

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
