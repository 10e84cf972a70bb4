// Patches of windows, as the GRUs read them; included by `gru_body.h`, inside its namespace.

// out[s, :] = row[s, :], f numbers each
INLINE void scatter(const float *row, ptrdiff_t n, ptrdiff_t f, float *out, ptrdiff_t k) {
    for (ptrdiff_t s = 0; s < n; s++)
        for (ptrdiff_t c = 0; c < f; c++) out[s * k + c] = row[s * f + c];
}

[[maybe_unused]] int patches(const deepfactor_patches *job) {
    const ptrdiff_t b = job->b, f = job->f, days = job->days, k = days * f + 1, wide = round_up(k), lag = job->average;
    Memory memory = {(char *)aligned_alloc(64, (k * wide + TILE * (2 * f + wide)) * 4 / 64 * 64 + 64 * 8), 0};
    if (!memory.block) return 1;
    float *root = memory.take(k * wide), *u = memory.take(TILE * wide);
    float *mean = memory.take(TILE * f), *rest = memory.take(TILE * f);
    memset(root, 0, k * wide * sizeof(float));
    for (ptrdiff_t j = 0; j < k; j++) memcpy(root + j * wide, job->root + j * k, k * sizeof(float));
    for (ptrdiff_t from = 0; from < b; from += TILE) {
        const ptrdiff_t n = smaller(TILE, b - from);
        for (ptrdiff_t t = 0; t < job->p; t++) {
            float *slow = job->slow + (t * b + from) * k, *fast = job->fast ? job->fast + (t * b + from) * k : NULL;
            for (ptrdiff_t day = 0; day < days; day++) {
                const ptrdiff_t last = t * days + day;
                const float *today = job->windows + last * job->day_step + from * f;
                const float *averaged = today, *left = today;
                if (lag > 1) {
                    for (ptrdiff_t i = lag - 1; i >= 0; i--) {  // oldest first; the oldest value stands before the first
                        const float *past = today - smaller(i, last) * job->day_step;
                        if (i == lag - 1)
                            for (ptrdiff_t c = 0; c < n * f; c++) mean[c] = past[c];
                        else
                            for (ptrdiff_t c = 0; c < n * f; c++) mean[c] += past[c];
                    }
                    for (ptrdiff_t c = 0; c < n * f; c++) mean[c] /= (float)lag, rest[c] = today[c] - mean[c];
                    averaged = mean, left = rest;
                }
                scatter(averaged, n, f, slow + day * f, k);
                if (fast) scatter(left, n, f, fast + day * f, k);
            }
            for (ptrdiff_t s = 0; s < n; s++) slow[s * k + k - 1] = 1.0f;
            if (fast)
                for (ptrdiff_t s = 0; s < n; s++) fast[s * k + k - 1] = 1.0f;
            product(slow, k, n, k, root, wide, u, wide, false);
            for (ptrdiff_t s = 0; s < n; s++) {
                V square = {};
                for (ptrdiff_t c = 0; c < wide; c += LANES) square += load(u + s * wide + c) * load(u + s * wide + c);
                const float scale = 1.0f / __builtin_sqrtf(sum_of_lanes(square) / job->d + job->eps);
                for (ptrdiff_t c = 0; c < k; c++) slow[s * k + c] *= scale;
            }
        }
    }
    free(memory.block);
    return 0;
}
