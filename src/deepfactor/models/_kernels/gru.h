// Plain C interface of the fused GRU, and what the files of the instruction sets share.
//
// All arrays are float32, row-major, dense but for x. Sizes: p steps, b stocks, k inputs, d hidden (a multiple of 16).
// Weights are laid out as in torch.nn.GRU: three blocks of d rows in the order r, z, n. h_0 = initial, or 0. What a stock
// gets depends on nothing of the others but the sums of its group.
#pragma once

#include <stddef.h>

#define DEEPFACTOR_GRU_ABI 6

typedef struct {
    ptrdiff_t p, b, k, d;
    ptrdiff_t x_step;  // floats from one step of x to the next; a stock's k inputs and the stocks of a step are dense
    ptrdiff_t reverse;  // 1: from the last step to the first; all arrays keep their order of time
    ptrdiff_t bf16;     // 1: products of numbers rounded to bfloat16, summed in float32; 2: the same, never by instruction
    ptrdiff_t groups, m;
    ptrdiff_t group_step;  // from one step's groups to the next's: b, or 0 where they are the same at every step
    ptrdiff_t grad_from;   // grad_states begins with this step; none reaches earlier ones from outside
    const float *x;    // (p, b, k)
    const float *w_ih, *w_hh, *b_ih, *b_hh;  // (3d, k), (3d, d), (3d,), (3d,)
    const float *initial;  // (b, d) or null; in a forward that no backward follows
    float *gates;      // (p, b, 2d) = r, z of every step, on a cache line (64 bytes); null in a forward that no backward follows
    float *states;     // (p, b, d), outputs of every step; null when only the last is wanted and nothing is kept
    float *last;       // (b, d), output of the last step; may be null
    // Groups of stocks. Where an array below is null, what it is for is left out. With offset or side, k is a multiple
    // of 16, what a step reads is x - offset[group] + gamma * v / s + beta, v = embed side, s^2 = |v|^2 / k + eps.
    const int *group;     // (b,), or (p, b), of each stock, below `groups`
    const float *offset;  // (p, groups, k)
    const float *side, *embed, *gamma, *beta;  // (p, b, m), (k, m), (k,), (k,)
    float *sums;  // (p, groups, .): over a group's stocks the sum of the states, in backward that of grad_x
    // backward alone
    const float *grad_offset;  // (p, groups, d), subtracted from grad_states at a group's stocks; or null
    const float *grad_states;  // (p - grad_from, b, d) or null
    const float *grad_last;    // (b, d) or null
    float *grad_x;             // (p, b, k) dense, or null; it may be `states`, which are then lost, where k = d
    float *moment;             // (k, k), the sum of (g . x) x x' over steps and stocks, g = gradient of x; or null
    float *grad_w_ih, *grad_w_hh, *grad_b_ih, *grad_b_hh;  // as the weights; overwritten
    float *grad_embed, *grad_gamma, *grad_beta;  // as these; overwritten; they and sums need grad_x
    float eps;
} deepfactor_gru;

// Patches of `days` days with a one behind each, k = days * f + 1 numbers: slow, of the mean of the last `average` days
// (before the first day stands its value), divided by s, s^2 = |root' patch|^2 / d + eps; fast, of what the mean leaves,
// as it is. With average = 1 both are the patches of the windows.
typedef struct {
    ptrdiff_t p, b, f, days, d, average;
    ptrdiff_t day_step;  // floats from one day of the windows to the next; the b * f numbers of a day are dense
    const float *windows, *root;  // (p * days, b, f), (k, k)
    float *slow, *fast;           // (p, b, k) each; fast may be null
    float eps;
} deepfactor_patches;

// 0, or 1 when memory for the scratch of a tile (below 2 MB) is refused.
typedef int deepfactor_gru_run(const deepfactor_gru *job);
typedef int deepfactor_patches_run(const deepfactor_patches *job);

#ifdef __cplusplus
extern "C" {
#endif
deepfactor_patches_run deepfactor_patches_portable;
deepfactor_gru_run deepfactor_gru_forward_portable, deepfactor_gru_backward_portable;
#if defined(__x86_64__)
deepfactor_patches_run deepfactor_patches_avx2, deepfactor_patches_avx512;
deepfactor_gru_run deepfactor_gru_forward_avx2, deepfactor_gru_backward_avx2;
deepfactor_gru_run deepfactor_gru_forward_bf16, deepfactor_gru_backward_bf16;
deepfactor_gru_run deepfactor_gru_forward_avx512, deepfactor_gru_backward_avx512;
deepfactor_gru_run deepfactor_gru_forward_amx, deepfactor_gru_backward_amx;
int deepfactor_amx_granted(void);
#endif
#ifdef __cplusplus
}
#endif
