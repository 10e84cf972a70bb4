// AVX-512 with products of bfloat16 pairs: what `gru_avx512.cpp` calls where the processor has them.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "gru.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,avx512bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,avx512bf16")
#endif

#define NATIVE_BF16
#define LANES 16
#define FORWARD_ROWS 6
#define COLUMNS 4
#define SIDE 1

namespace {  // internal: the same names with other instructions live in the other files
#include "gru_body.h"
}

extern "C" int deepfactor_gru_forward_bf16(const deepfactor_gru *job) { return forward<true>(job); }
extern "C" int deepfactor_gru_backward_bf16(const deepfactor_gru *job) { return backward<true>(job); }

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
