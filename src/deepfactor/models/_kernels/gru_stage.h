// What stands between two GRUs: groups of stocks and a side input; included by `gru_body.h`, inside its namespace.

// Groups of the stocks from `from` on at a step; null where there are none.
INLINE const int *groups_at(const deepfactor_gru *job, ptrdiff_t time, ptrdiff_t from) {
    return job->group ? job->group + time * job->group_step + from : NULL;
}

// sums[group of s, :] += rows[s, :] for n stocks
static void add_to_groups(const float *rows, ptrdiff_t n, ptrdiff_t d, const int *group, float *sums) {
    for (ptrdiff_t s = 0; s < n; s++)
        for (ptrdiff_t j = 0; j < d; j += LANES) {
            float *sum = sums + group[s] * d + j;
            store(sum, load(sum) + load(rows + s * d + j));
        }
}

INLINE ptrdiff_t stage_floats(const deepfactor_gru *job) {
    const ptrdiff_t wide = round_up(job->m);
    return TILE * (2 * job->k + wide + 1 + ROWS) + (2 * job->m + wide + ROWS) * job->k + 4 * job->k + 64 * 8;
}

// What a step reads: x as it is, or, a tile at a time, less its group's offset and plus the normalised side input
// gamma * v / s + beta, v = embed side, s^2 = |v|^2 / k + eps. Recomputed in the backward pass, so never stored.
struct Stage {
    const deepfactor_gru *job;
    ptrdiff_t k, m, wide, side_rows;
    float *x, *v, *side, *scale, *embed, *total, *gamma, *beta, *part;

    Stage(const deepfactor_gru *of, Memory &memory) : job(of), k(of->k), m(of->side ? of->m : 0), wide(round_up(m)) {
        side_rows = (m + ROWS - 1) / ROWS * ROWS;
        x = memory.take(TILE * k), v = memory.take(TILE * k), scale = memory.take(TILE);
        side = memory.take(TILE * wide + ROWS), embed = memory.take(m * k);
        total = memory.take(side_rows * k), gamma = memory.take(k), beta = memory.take(k);
        part = memory.take(2 * k);
        for (ptrdiff_t j = 0; j < k; j++)
            for (ptrdiff_t c = 0; c < m; c++) embed[c * k + j] = job->embed[j * m + c];
        memset(total, 0, side_rows * k * sizeof(float));
        memset(side, 0, (TILE * wide + ROWS) * sizeof(float));
        memset(gamma, 0, k * sizeof(float)), memset(beta, 0, k * sizeof(float));
    }

    const float *read(ptrdiff_t time, ptrdiff_t from, ptrdiff_t n) {
        const float *given = job->x + time * job->x_step + from * k;
        if (!job->offset && !m) return given;
        if (m) product(job->side + (time * job->b + from) * m, m, n, m, embed, k, v, k, false);
        const int *group = groups_at(job, time, from);
        for (ptrdiff_t s = 0; s < n; s++) {
            const float *offset = job->offset ? job->offset + (time * job->groups + group[s]) * k : NULL;
            V inverse = {};
            if (m) {
                V square = {};
                for (ptrdiff_t j = 0; j < k; j += LANES) square += load(v + s * k + j) * load(v + s * k + j);
                scale[s] = 1.0f / __builtin_sqrtf(sum_of_lanes(square) / k + job->eps);
                inverse = all(scale[s]);
            }
            for (ptrdiff_t j = 0; j < k; j += LANES) {
                V value = load(given + s * k + j);
                if (offset) value -= load(offset + j);
                if (m) {
                    V normal = load(v + s * k + j) * inverse;
                    store(v + s * k + j, normal);
                    value += normal * load(job->gamma + j) + load(job->beta + j);
                }
                store(x + s * k + j, value);
            }
        }
        return x;
    }

    // After `read` of the same tile and step: sums and totals of the gradient `g` (n, k) of what it gave.
    void back(const float *g, ptrdiff_t time, ptrdiff_t from, ptrdiff_t n) {
        if (job->sums) add_to_groups(g, n, k, groups_at(job, time, from), job->sums + time * job->groups * k);
        if (!m) return;
        memset(part, 0, 2 * k * sizeof(float));
        for (ptrdiff_t s = 0; s < n; s++, g += k) {
            V along = {};
            float *row = v + s * k;
            for (ptrdiff_t j = 0; j < k; j += LANES) {
                V grad = load(g + j), scaled = grad * load(row + j);
                store(part + j, load(part + j) + scaled), store(part + k + j, load(part + k + j) + grad);
                along += scaled * load(job->gamma + j);
            }
            V mean = all(sum_of_lanes(along) / k), inverse = all(scale[s]);
            for (ptrdiff_t j = 0; j < k; j += LANES)
                store(row + j, (load(g + j) * load(job->gamma + j) - load(row + j) * mean) * inverse);
            memcpy(side + s * wide, job->side + ((time * job->b + from) + s) * m, m * sizeof(float));
        }
        for (ptrdiff_t j = 0; j < k; j += LANES) {
            store(gamma + j, load(gamma + j) + load(part + j));
            store(beta + j, load(beta + j) + load(part + k + j));
        }
        Ahead none = {NULL, NULL};
        transposed_product(side, wide, n, side_rows, v, k, k, total, none);  // rows after m: dropped
    }

    void finish() {
        if (!m) return;
        for (ptrdiff_t j = 0; j < k; j++)
            for (ptrdiff_t c = 0; c < m; c++) job->grad_embed[j * m + c] = total[c * k + j];
        memcpy(job->grad_gamma, gamma, k * sizeof(float)), memcpy(job->grad_beta, beta, k * sizeof(float));
    }
};
