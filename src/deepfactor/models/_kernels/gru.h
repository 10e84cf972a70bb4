// Plain C interface of the fused GRU, and what the files of the instruction sets share.
//
// All arrays are float32, row-major, dense but for x. Sizes: p steps, b stocks, k inputs, d hidden (a multiple of 16).
// Weights are laid out as in torch.nn.GRU: three blocks of d rows in the order r, z, n. h_0 = 0.
#pragma once

#include <stddef.h>

#define DEEPFACTOR_GRU_ABI 2

typedef struct {
    ptrdiff_t p, b, k, d;
    ptrdiff_t x_step;  // floats from one step of x to the next; a stock's k inputs and the stocks of a step are dense
    const float *x;    // (p, b, k)
    const float *w_ih, *w_hh, *b_ih, *b_hh;  // (3d, k), (3d, d), (3d,), (3d,)
    float *gates;      // (p, b, 4d) = r, z, n, hn of every step; null in a forward that no backward follows
    float *states;     // (p, b, d), outputs of every step; null when only the last is wanted and nothing is kept
    float *last;       // (b, d), output of the last step; may be null
    // backward alone
    const float *grad_states;  // (p, b, d) or null
    const float *grad_last;    // (b, d) or null
    float *grad_x;             // (p, b, k) dense, or null
    float *moment;             // (k, k), the sum of (g . x) x x' over steps and stocks, g = gradient of x; or null
    float *grad_w_ih, *grad_w_hh, *grad_b_ih, *grad_b_hh;  // as the weights; overwritten
} deepfactor_gru;

// 0, or 1 when memory for the scratch of a tile (below 2 MB) is refused.
typedef int deepfactor_gru_run(const deepfactor_gru *job);

#ifdef __cplusplus
extern "C" {
#endif
deepfactor_gru_run deepfactor_gru_forward_portable, deepfactor_gru_backward_portable;
#if defined(__x86_64__)
deepfactor_gru_run deepfactor_gru_forward_avx2, deepfactor_gru_backward_avx2;
deepfactor_gru_run deepfactor_gru_forward_avx512, deepfactor_gru_backward_avx512;
#endif
#ifdef __cplusplus
}
#endif
