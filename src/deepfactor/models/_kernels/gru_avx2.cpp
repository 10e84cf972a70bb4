// AVX2 and FMA: sixteen registers of eight floats.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "gru.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define LANES 8
#define FORWARD_ROWS 4
#define COLUMNS 2
#define SIDE 4

namespace {  // internal: the same names with other instructions live in the other files
#include "gru_body.h"
}

extern "C" int deepfactor_gru_forward_avx2(const deepfactor_gru *job) { return run_forward(job); }
extern "C" int deepfactor_gru_backward_avx2(const deepfactor_gru *job) { return run_backward(job); }
extern "C" int deepfactor_patches_avx2(const deepfactor_patches *job) { return patches(job); }

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
