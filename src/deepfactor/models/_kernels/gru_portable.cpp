// Whatever the compiler's target has at least: vectors of four floats (SSE2, NEON).
#include <stdlib.h>
#include <string.h>

#include "gru.h"

#define LANES 4
#define FORWARD_ROWS 2
#define COLUMNS 2
#define SIDE 4

namespace {  // internal: the same names with other instructions live in the other files
#include "gru_body.h"
}

extern "C" int deepfactor_gru_forward_portable(const deepfactor_gru *job) { return run_forward(job); }
extern "C" int deepfactor_gru_backward_portable(const deepfactor_gru *job) { return run_backward(job); }
extern "C" int deepfactor_patches_portable(const deepfactor_patches *job) { return patches(job); }
