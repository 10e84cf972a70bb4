// AVX-512 with tiles of bfloat16 products (AMX): what `gru_avx512.cpp` calls where the processor has them and Linux grants
// them to this process.
#if defined(__x86_64__) && defined(__linux__) && __has_include(<amxtileintrin.h>)
#include <cpuid.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gru.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,avx512bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,avx512bf16")
#endif

#define LANES 16
#define FORWARD_ROWS 6
#define COLUMNS 4
#define SIDE 1
#ifndef STOCKS
#define STOCKS 192
#endif

namespace {  // internal: the same names with other instructions live in the other files
#include "gru_body.h"
#include "gru_amx.h"
}

// 1 where the processor has the tiles and the system grants them to this process, whose threads share the grant.
static int granted(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;  // amx-bf16, amx-tile
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 0;                     // avx512-bf16
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

extern "C" int deepfactor_amx_granted(void) {
    static const int once = granted();
    return once;
}

extern "C" int deepfactor_gru_forward_amx(const deepfactor_gru *job) { return tile_forward(job); }
extern "C" int deepfactor_gru_backward_amx(const deepfactor_gru *job) { return tile_backward(job); }

#if defined(__clang__)
#pragma clang attribute pop
#endif
#elif defined(__x86_64__)
#include "gru.h"

extern "C" int deepfactor_amx_granted(void) { return 0; }  // a compiler that does not know the tiles
extern "C" int deepfactor_gru_forward_amx(const deepfactor_gru *) { return 1; }
extern "C" int deepfactor_gru_backward_amx(const deepfactor_gru *) { return 1; }
#endif
