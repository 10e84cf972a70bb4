// The fused GRU in vectors of `LANES` floats; each instruction set includes this file once, inside its own namespace.
//
// Lanes are hidden units, rows are stocks: everything keeps torch's row-major order and nothing is transposed. The batch
// is cut into tiles of TILE stocks whose whole sequence is run at once, so that a step's blocks stay in the L2 cache. A
// tile's work depends on nothing else and gradients are added in the order of tiles and steps: the same input gives the
// same bits. One thread.

#include "gru_vector.h"

// Stocks a tile. 96 stocks of 64 hidden units: 24 kB of state, 104 kB of gradients of the pre-activations.
#if !defined(STOCKS)
#define STOCKS 96
#endif
constexpr ptrdiff_t TILE = STOCKS;
// Rows of a block of accumulators; the last block of a tile repeats its last row and stores it once.
constexpr int ROWS = 6;

struct Memory {
    char *block;
    ptrdiff_t used;
    float *take(ptrdiff_t floats) {  // in whole cache lines
        float *at = (float *)(block + used);
        used += (floats * 4 + 63) / 64 * 64;
        return at;
    }
};

INLINE ptrdiff_t round_up(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

// Weights of the forward pass: for each vector of hidden units and each input the three gates' vectors side by side.
INLINE void pack_gates(const float *w, ptrdiff_t k, ptrdiff_t d, float *packed) {
    for (ptrdiff_t unit = 0; unit < d; unit += LANES)
        for (ptrdiff_t j = 0; j < k; j++)
            for (int gate = 0; gate < 3; gate++)
                for (int lane = 0; lane < LANES; lane++) 
                    *packed++ = scale_of(gate) * w[(gate * d + unit + lane) * k + j];
}

template <int R>
INLINE void multiply_gates(V acc[R][3], const float *const *rows, const float *packed, ptrdiff_t k) {
    for (ptrdiff_t j = 0; j < k; j++, packed += 3 * LANES) {
        V w0 = load(packed), w1 = load(packed + LANES), w2 = load(packed + 2 * LANES);
        UNROLL for (int u = 0; u < R; u++) {
            V value = all(rows[u][j]);
            acc[u][0] += value * w0;
            acc[u][1] += value * w1;
            acc[u][2] += value * w2;
        }
    }
}

// Memory that the next step reads, fetched while this one computes.
struct Ahead {
    const char *at, *end;
    void some() {
        for (int line = 0; line < 24 && at < end; line++, at += 64) __builtin_prefetch(at, 0, 2);
    }
};

#include "gru_bf16.h"

// Vectors of hidden units that fill a cache line, computed one after the other and written together.
constexpr int LINE = 16 / LANES;
// What the products gave of a vector: r and z before the sigmoid, the input's and the state's part of n.
struct Products {
    V r, z, n, hn;
};

// Gates r and z of G vectors, and the new states.
template <int G, bool scaled>
INLINE void gates_of(const Products *from, const V *before, V *r, V *z, V *next) {
    constexpr float sigmoid = scaled ? 1.0f : SIGMOID, tanh = scaled ? 1.0f : TANH;
    V a[G], down_n[G], both[G];
    UNROLL for (int i = 0; i < G; i++) a[i] = sigmoid * from[i].r;
    powers_of_two<G>(a);
    UNROLL for (int i = 0; i < G; i++) r[i] = reciprocal(1.0f + a[i]);
    UNROLL for (int i = 0; i < G; i++) a[i] = sigmoid * from[i].z;
    powers_of_two<G>(a);
    UNROLL for (int i = 0; i < G; i++) down_n[i] = tanh * (from[i].n + r[i] * from[i].hn);
    powers_of_two<G>(down_n);
    UNROLL for (int i = 0; i < G; i++) {
        // the reciprocals of z and n by one division: 1/a = b/(ab), 1/b = a/(ab)
        a[i] += 1.0f, down_n[i] += 1.0f;
        both[i] = reciprocal(a[i] * down_n[i]);
    }
    UNROLL for (int i = 0; i < G; i++) {
        z[i] = both[i] * down_n[i];
        V n = 1.0f - 2.0f * (both[i] * a[i]);
        next[i] = n + z[i] * (before[i] - n);
    }
}

// A cache line of hidden units of R stocks, one step: r, z and the new state. Rows of `Row` times weights of
// `Weight` are float32, the weights and biases scaled, or bfloat16 in pairs, not scaled; then `half` gets the state too.
template <int R, typename Row, typename Weight>
INLINE void forward_block(const Row *const *x, ptrdiff_t k, const Row *const *h, const float *const *state, ptrdiff_t d,
                          bool first, const Weight *w_x, const Weight *w_h, ptrdiff_t h_count, const float *bias,
                          ptrdiff_t unit, float *const *gates, float *const *out, H *const *half, int live) {
    constexpr bool scaled = sizeof(Row) == sizeof(float);
    Products from[R * LINE];
    for (int v = 0; v < LINE; v++) {
        const ptrdiff_t at = unit + v * LANES;
        V acc[R][3], bias_r = load(bias + at), bias_z = load(bias + d + at), bias_n = load(bias + 2 * d + at);
        UNROLL for (int u = 0; u < R; u++) acc[u][0] = bias_r, acc[u][1] = bias_z, acc[u][2] = bias_n;
        multiply_gates<R>(acc, x, w_x + v * 3 * LANES * k, k);
        V bias_h = load(bias + 3 * d + at);
        UNROLL for (int u = 0; u < R; u++) from[u * LINE + v].n = acc[u][2], acc[u][2] = bias_h;
        if (!first) multiply_gates<R>(acc, h, w_h + v * 3 * LANES * h_count, h_count);
        UNROLL for (int u = 0; u < R; u++) {
            Products &to = from[u * LINE + v];
            to.r = acc[u][0], to.z = acc[u][1], to.hn = acc[u][2];
        }
    }
    UNROLL for (int i = 0; i < R * LINE; i += SIDE) {
        V r[SIDE], z[SIDE], before[SIDE], next[SIDE];
        UNROLL for (int g = 0; g < SIDE; g++)
            before[g] = first ? (V){} : load(state[(i + g) / LINE] + unit + (i + g) % LINE * LANES);
        gates_of<SIDE, scaled>(from + i, before, r, z, next);
        UNROLL for (int g = 0; g < SIDE; g++) {
            const int u = (i + g) / LINE;
            const ptrdiff_t at = unit + (i + g) % LINE * LANES;
            if (u >= live) continue;
            store(out[u] + at, next[g]);
            if (half) store_halves(half[u] + at, rounded(next[g]));
        }
        UNROLL for (int g = 0; g < SIDE; g += LINE) {
            const int u = (i + g) / LINE;
            if (u >= live || !gates[u]) continue;
            float *to = gates[u] + unit;
            UNROLL for (int v = 0; v < LINE; v++) stream(to + v * LANES, r[g + v]);
            UNROLL for (int v = 0; v < LINE; v++) stream(to + d + v * LANES, z[g + v]);
        }
    }
}

// out[row, :] (+)= sum_j a[row, j] w[j, :] for C vectors of columns and ROWS rows.
template <int C>
INLINE void rows_times(const float *const *a, ptrdiff_t count, const float *w, ptrdiff_t width, float *const *out,
                       int live, bool add) {
    V acc[ROWS][C];
    UNROLL for (int u = 0; u < ROWS; u++)
        UNROLL for (int c = 0; c < C; c++) acc[u][c] = add ? load(out[u] + c * LANES) : (V){};
    for (ptrdiff_t j = 0; j < count; j++, w += width) {
        V column[C];
        UNROLL for (int c = 0; c < C; c++) column[c] = load(w + c * LANES);
        UNROLL for (int u = 0; u < ROWS; u++) {
            V value = all(a[u][j]);
            UNROLL for (int c = 0; c < C; c++) acc[u][c] += value * column[c];
        }
    }
    UNROLL for (int u = 0; u < ROWS; u++)
        if (u < live) UNROLL for (int c = 0; c < C; c++) store(out[u] + c * LANES, acc[u][c]);
}

// out (n, width) (+)= a (n, count) w (count, width)
static void product(const float *a, ptrdiff_t a_row, ptrdiff_t n, ptrdiff_t count, const float *w, ptrdiff_t width,
                    float *out, ptrdiff_t out_row, bool add) {
    for (ptrdiff_t column = 0; column < width;) {
        const ptrdiff_t left = (width - column) / LANES, step = smaller(left, COLUMNS);
        for (ptrdiff_t row = 0; row < n; row += ROWS) {
            const float *from[ROWS];
            float *to[ROWS];
            for (int u = 0; u < ROWS; u++) {
                const ptrdiff_t i = smaller(row + u, n - 1);
                from[u] = a + i * a_row, to[u] = out + i * out_row + column;
            }
            const int live = (int)smaller(ROWS, n - row);
            switch (step) {
                case 1: rows_times<1>(from, count, w + column, width, to, live, add); break;
                case 2: rows_times<2>(from, count, w + column, width, to, live, add); break;
#if COLUMNS > 2
                case 3: rows_times<3>(from, count, w + column, width, to, live, add); break;
                case 4: rows_times<4>(from, count, w + column, width, to, live, add); break;
#endif
            }
        }
        column += step * LANES;
    }
}

// total[j, :] += sum over n stocks of a[s, j] x[s, :], ROWS rows j and C vectors of columns
template <int C>
INLINE void outer(const float *a, ptrdiff_t a_row, const float *x, ptrdiff_t x_row, ptrdiff_t n, float *total,
                  ptrdiff_t width) {
    V acc[ROWS][C];
    UNROLL for (int u = 0; u < ROWS; u++) UNROLL for (int c = 0; c < C; c++) acc[u][c] = (V){};
    for (ptrdiff_t s = 0; s < n; s++, a += a_row, x += x_row) {
        V column[C];
        UNROLL for (int c = 0; c < C; c++) column[c] = load(x + c * LANES);
        UNROLL for (int u = 0; u < ROWS; u++) {
            V value = all(a[u]);
            UNROLL for (int c = 0; c < C; c++) acc[u][c] += value * column[c];
        }
    }
    UNROLL for (int u = 0; u < ROWS; u++) UNROLL for (int c = 0; c < C; c++) {
        float *at = total + u * width + c * LANES;
        store(at, load(at) + acc[u][c]);
    }
}

// total (count, width) += a (n, count)' x (n, width)
static void transposed_product(const float *a, ptrdiff_t a_row, ptrdiff_t n, ptrdiff_t count, const float *x,
                               ptrdiff_t x_row, ptrdiff_t width, float *total, Ahead &ahead) {
    for (ptrdiff_t column = 0; column < width;) {
        const ptrdiff_t left = (width - column) / LANES, step = smaller(left, COLUMNS);
        for (ptrdiff_t j = 0; j < count; j += ROWS) {  // 3d is a multiple of 48, hence of ROWS
            ahead.some();
            float *to = total + j * width + column;
            switch (step) {
                case 1: outer<1>(a + j, a_row, x + column, x_row, n, to, width); break;
                case 2: outer<2>(a + j, a_row, x + column, x_row, n, to, width); break;
#if COLUMNS > 2
                case 3: outer<3>(a + j, a_row, x + column, x_row, n, to, width); break;
                case 4: outer<4>(a + j, a_row, x + column, x_row, n, to, width); break;
#endif
            }
        }
        column += step * LANES;
    }
}

// A vector's gradients of the pre-activations, and what of the state's gradient goes the direct way.
struct Gradients {
    V n, r, z, hn, through;
};

// From the gates, the states before and after the step, the state's part of the candidate with its bias, and the gradient
// of the new state. The candidate isn't kept: it follows from the states; the nearer z is to one, the less exactly, and
// the less it counts.
INLINE Gradients gradients_of(V r, V z, V before, V after, V from_state, V grad) {
    V through = grad * z, rest = grad - through;
    V candidate = bounded((after - z * before) * reciprocal(at_least(1.0f - z, 0x1p-24f)));
    V to_n = rest * (1.0f - candidate * candidate);
    return {to_n, to_n * from_state * (r - r * r), grad * (before - candidate) * (z - z * z), to_n * r, through};
}

// Gradients of a step's pre-activations, `a` (n, a_row) = [n | r | z | hn], and of h by the direct way z * g, in `g`.
// Stock by stock, as the gates lie in memory; `sums` (4d) is scratch. `hn` lacks its bias.
static void gates_back(const float *gates, const float *h, const float *next, const float *hn, const float *bias_hn,
                       ptrdiff_t n, ptrdiff_t d, const float *more, const float *less, const int *group, float *g,
                       float *a, ptrdiff_t a_row, float *sums, float *bias) {
    memset(sums, 0, 4 * d * sizeof(float));
    for (ptrdiff_t s = 0; s < n; s++)
        for (ptrdiff_t unit = 0; unit < d; unit += LANES) {
            const float *gate = gates + s * 2 * d + unit;
            float *to = a + s * a_row + unit, *state = g + s * d + unit, *sum = sums + unit;
            V before = {}, from_state = load(bias_hn + unit);
            if (h) before = load(h + s * d + unit), from_state += load(hn + s * d + unit);
            V grad = load(state);
            if (more) grad += load(more + s * d + unit);
            if (less) grad -= load(less + group[s] * d + unit);
            const Gradients made =
                gradients_of(load(gate), load(gate + d), before, load(next + s * d + unit), from_state, grad);
            store(to, made.n), store(to + d, made.r), store(to + 2 * d, made.z), store(to + 3 * d, made.hn);
            store(state, made.through);
            store(sum, load(sum) + made.n), store(sum + d, load(sum + d) + made.r);
            store(sum + 2 * d, load(sum + 2 * d) + made.z), store(sum + 3 * d, load(sum + 3 * d) + made.hn);
        }
    for (ptrdiff_t j = 0; j < 4 * d; j += LANES) store(bias + j, load(bias + j) + load(sums + j));
}

INLINE float sum_of_lanes(V v) {
    float at[LANES];
    store(at, v);
    UNROLL for (int half = LANES / 2; half; half /= 2) UNROLL for (int i = 0; i < half; i++) at[i] += at[i + half];
    return at[0];
}

// The last columns of x, too few to fill a vector: the vectors run along the rows 3d instead.
struct Thin {
    int columns;
    ptrdiff_t rows;      // 3d, a multiple of 3 vectors
    float *w;            // (columns, 3d), weights in the order of `a`
    float *total;        // (columns, 3d), their gradient
};

// total[c, :] += sum over n stocks of x[s, c] a[s, :]
template <int C>
INLINE void thin_outer(const Thin &thin, const float *a, ptrdiff_t a_row, const float *x, ptrdiff_t x_row, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < thin.rows; j += 3 * LANES) {
        V acc[C][3];
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < 3; v++) acc[c][v] = (V){};
        for (ptrdiff_t s = 0; s < n; s++) {
            const float *from = a + s * a_row + j;
            V row[3] = {load(from), load(from + LANES), load(from + 2 * LANES)};
            UNROLL for (int c = 0; c < C; c++) {
                V value = all(x[s * x_row + c]);
                UNROLL for (int v = 0; v < 3; v++) acc[c][v] += value * row[v];
            }
        }
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < 3; v++) {
            float *at = thin.total + c * thin.rows + j + v * LANES;
            store(at, load(at) + acc[c][v]);
        }
    }
}

static void thin_transposed_product(const Thin &thin, const float *a, ptrdiff_t a_row, const float *x, ptrdiff_t x_row,
                                    ptrdiff_t n) {
    switch (thin.columns) {
        case 1: thin_outer<1>(thin, a, a_row, x, x_row, n); break;
        case 2: thin_outer<2>(thin, a, a_row, x, x_row, n); break;
        case 3: thin_outer<3>(thin, a, a_row, x, x_row, n); break;
        case 4: thin_outer<4>(thin, a, a_row, x, x_row, n); break;
        case 5: thin_outer<5>(thin, a, a_row, x, x_row, n); break;
        case 6: thin_outer<6>(thin, a, a_row, x, x_row, n); break;
    }
}

// The gradient of column c of a stock's x, to be summed over the lanes.
INLINE V thin_gradient(const Thin &thin, const float *a, int c) {
    const float *w = thin.w + c * thin.rows;
    V sum[3] = {};
    for (ptrdiff_t j = 0; j < thin.rows; j += 3 * LANES)
        UNROLL for (int v = 0; v < 3; v++) sum[v] += load(a + j + v * LANES) * load(w + j + v * LANES);
    return sum[0] + (sum[1] + sum[2]);
}

// The first `main` columns of g hold the gradient of x; g := (g . x) x, row by row. Both are (n, wide).
static void times_along(const Thin &thin, const float *a, ptrdiff_t a_row, const float *x, ptrdiff_t n, ptrdiff_t main,
                        ptrdiff_t wide, float *g) {
    for (ptrdiff_t s = 0; s < n; s++, a += a_row, x += wide, g += wide) {
        V sum = {};
        for (ptrdiff_t c = 0; c < main; c += LANES) sum += load(g + c) * load(x + c);
        for (int c = 0; c < thin.columns; c++) sum += all(x[main + c]) * thin_gradient(thin, a, c);
        V along = all(sum_of_lanes(sum));
        for (ptrdiff_t c = 0; c < wide; c += LANES) store(g + c, along * load(x + c));
    }
}

#include "gru_stage.h"
#include "gru_patches.h"

template <bool BF16>
int forward(const deepfactor_gru *job) {
    const ptrdiff_t p = job->p, b = job->b, k = job->k, d = job->d, pairs = (k + 1) / 2;
    ptrdiff_t need = 3 * d * (k + 1 + d) + 4 * d + 2 * TILE * d + 64 + stage_floats(job) + TILE * (pairs + d);
    Memory memory = {(char *)aligned_alloc(64, need * 4 / 64 * 64 + 64 * 32), 0};
    if (!memory.block) return 1;
    float *w_x = memory.take(3 * d * 2 * pairs), *w_h = memory.take(3 * d * d), *bias = memory.take(4 * d);
    float *turn = memory.take(2 * TILE * d);
    H *x_half = (H *)memory.take(TILE * pairs), *h_half = (H *)memory.take(TILE * d);
    Stage stage(job, memory);
    if (BF16) {
        pack_gate_pairs(job->w_ih, k, d, (U *)w_x);
        pack_gate_pairs(job->w_hh, d, d, (U *)w_h);
    } else {
        pack_gates(job->w_ih, k, d, w_x);
        pack_gates(job->w_hh, d, d, w_h);
    }
    const float sigmoid = BF16 ? 1.0f : SIGMOID, tanh = BF16 ? 1.0f : TANH;
    for (ptrdiff_t j = 0; j < 2 * d; j++) bias[j] = sigmoid * (job->b_ih[j] + job->b_hh[j]);
    for (ptrdiff_t j = 0; j < d; j++) bias[2 * d + j] = tanh * job->b_ih[2 * d + j];
    for (ptrdiff_t j = 0; j < d; j++) bias[3 * d + j] = tanh * job->b_hh[2 * d + j];
    if (job->sums) memset(job->sums, 0, p * job->groups * d * sizeof(float));
    for (ptrdiff_t from = 0; from < b; from += TILE) {
        const ptrdiff_t n = smaller(TILE, b - from);
        for (ptrdiff_t t = 0; t < p; t++) {
            const ptrdiff_t time = job->reverse ? p - 1 - t : t, at = time * b + from;
            const float *x = stage.read(time, from, n);
            float *out = job->states ? job->states + at * d : turn + (t % 2) * TILE * d;
            const float *h = job->states ? out - (job->reverse ? -b : b) * d : turn + (1 - t % 2) * TILE * d;
            if (!t && job->initial) h = job->initial + from * d;
            const bool first = !t && !job->initial;
            float *gates = job->gates ? job->gates + at * 2 * d : NULL;
            H *before = h_half + t % 2 * TILE * d, *after = h_half + (1 - t % 2) * TILE * d;
            if (BF16) round_rows(x, n, k, pairs, x_half);
            if (BF16 && !t && job->initial) round_rows(h, n, d, d / 2, before);
            for (ptrdiff_t unit = 0; unit < d; unit += LINE * LANES)
                for (ptrdiff_t row = 0; row < n; row += FORWARD_ROWS) {
                    const float *x_row[FORWARD_ROWS], *h_row[FORWARD_ROWS];
                    const H *x_halves[FORWARD_ROWS], *h_halves[FORWARD_ROWS];
                    float *gate_row[FORWARD_ROWS], *out_row[FORWARD_ROWS];
                    H *half_row[FORWARD_ROWS];
                    for (int u = 0; u < FORWARD_ROWS; u++) {
                        const ptrdiff_t i = smaller(row + u, n - 1);
                        x_row[u] = x + i * k, h_row[u] = h + i * d, out_row[u] = out + i * d;
                        x_halves[u] = x_half + i * 2 * pairs, h_halves[u] = before + i * d, half_row[u] = after + i * d;
                        gate_row[u] = gates ? gates + i * 2 * d : NULL;
                    }
                    const int live = (int)smaller(FORWARD_ROWS, n - row);
                    if (BF16)
                        forward_block<FORWARD_ROWS>(x_halves, pairs, h_halves, h_row, d, first,
                                                    (U *)w_x + 3 * unit * pairs, (U *)w_h + 3 * unit * d / 2, d / 2, bias,
                                                    unit, gate_row, out_row, half_row, live);
                    else
                        forward_block<FORWARD_ROWS>(x_row, k, h_row, h_row, d, first, w_x + 3 * unit * k,
                                                    w_h + 3 * unit * d, d, bias, unit, gate_row, out_row, (H *const *)NULL,
                                                    live);
                }
            if (job->sums) add_to_groups(out, n, d, groups_at(job, time, from), job->sums + time * job->groups * d);
            if (t == p - 1 && job->last) memcpy(job->last + from * d, out, n * d * sizeof(float));
        }
    }
    fence();
    free(memory.block);
    return 0;
}

template <bool BF16>
int backward(const deepfactor_gru *job) {
    const ptrdiff_t p = job->p, b = job->b, k = job->k, d = job->d, wide = round_up(k);
    const int over = (int)(k % LANES), few = !BF16 && over <= 3 * LANES / 8 ? over : 0;
    const ptrdiff_t main = few ? k - few : wide;  // columns of x in whole vectors, the last padded unless few
    const ptrdiff_t a_row = 4 * d + 16;  // a power of two would put all rows into a few sets of the L1 cache
    const ptrdiff_t moment_rows = (k + ROWS - 1) / ROWS * ROWS;
    const ptrdiff_t half_tile = BF16 ? TILE / 2 : 0, half_rows = BF16 ? 3 * d / 2 : 0;
    ptrdiff_t need = 2 * 3 * d * (main + few) + 3 * d * d + 8 * d + TILE * (a_row + d + 2 * wide) + moment_rows * wide +
                     2 * ROWS + stage_floats(job) + half_tile * (2 * a_row + wide + 2 * d) + half_rows * (main + d) +
                     TILE * d + 2 * d * d;
    Memory memory = {(char *)aligned_alloc(64, need * 4 / 64 * 64 + 64 * 32), 0};
    if (!memory.block) return 1;
    float *w_in = memory.take(3 * d * main);  // rows in the order n, r, z of `a`
    const Thin thin = {few, 3 * d, memory.take(few * 3 * d), memory.take(few * 3 * d)};
    float *total_in = memory.take(3 * d * main), *total_hh = memory.take(3 * d * d), *bias = memory.take(4 * d), *sums = memory.take(4 * d);
    float *a = memory.take(TILE * a_row), *g = memory.take(TILE * d);
    float *x_wide = memory.take(TILE * wide), *grad_wide = memory.take(TILE * wide + ROWS);
    float *moment = memory.take(moment_rows * wide);
    float *hn = memory.take(TILE * d), *w_hn = memory.take(d * d);  // the state's part of the candidate, made again
    H *a_half = (H *)memory.take(half_tile * a_row);
    U *a_pairs = (U *)memory.take(half_tile * a_row), *x_pairs = (U *)memory.take(half_tile * wide);
    U *h_pairs = (U *)memory.take(half_tile * d), *w_hn_pairs = (U *)memory.take(BF16 ? d * d / 2 : 0);
    H *h_half = (H *)memory.take(half_tile * d);
    U *w_in_pairs = (U *)memory.take(half_rows * main), *w_hh_pairs = (U *)memory.take(half_rows * d);
    memset(a, 0, TILE * a_row * sizeof(float));
    Stage stage(job, memory);
    if (job->sums) memset(job->sums, 0, p * job->groups * k * sizeof(float));
    memset(moment, 0, moment_rows * wide * sizeof(float));
    memset(w_in, 0, 3 * d * main * sizeof(float));
    memset(thin.total, 0, few * 3 * d * sizeof(float));
    memset(total_in, 0, 3 * d * main * sizeof(float));
    memset(total_hh, 0, 3 * d * d * sizeof(float));
    memset(bias, 0, 4 * d * sizeof(float));
    memset(x_wide, 0, TILE * wide * sizeof(float));
    for (ptrdiff_t j = 0; j < 3 * d; j++) {
        const float *row = job->w_ih + (j < d ? j + 2 * d : j - d) * k;
        memcpy(w_in + j * main, row, (k - few) * sizeof(float));
        for (int c = 0; c < few; c++) thin.w[c * 3 * d + j] = row[main + c];
    }
    const float *bias_hn = job->b_hh + 2 * d;
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t j = 0; j < d; j++) w_hn[j * d + i] = job->w_hh[(2 * d + i) * d + j];
    if (BF16) {
        pair_rows(w_hn, d, d, d, w_hn_pairs, NULL);
        pair_rows(w_in, 3 * d, main, main, w_in_pairs, NULL);
        pair_rows(job->w_hh, 3 * d, d, d, w_hh_pairs, NULL);
    }
    for (ptrdiff_t from = 0; from < b; from += TILE) {
        const ptrdiff_t n = smaller(TILE, b - from);
        if (job->grad_last)
            memcpy(g, job->grad_last + from * d, n * d * sizeof(float));
        else
            memset(g, 0, n * d * sizeof(float));
        for (ptrdiff_t t = p - 1; t >= 0; t--) {
            const ptrdiff_t time = job->reverse ? p - 1 - t : t, before = job->reverse ? b : -b, at = time * b + from;
            const float *x = stage.read(time, from, n), *h = t ? job->states + (at + before) * d : NULL;
            if (t && BF16) {
                round_rows(h, n, d, d / 2, h_half);
                product_pairs(h_half, d, n, d / 2, w_hn_pairs, d, hn, false);
            } else if (t)
                product(h, d, n, d, w_hn, d, hn, d, false);
            const bool given = job->grad_states && time >= job->grad_from;
            gates_back(job->gates + at * 2 * d, h, job->states + at * d, hn, bias_hn, n, d,
                       given ? job->grad_states + (at - job->grad_from * b) * d : NULL,
                       job->grad_offset ? job->grad_offset + time * job->groups * d : NULL, groups_at(job, time, from), g, a,
                       a_row, sums, bias);
            const char *next = (const char *)(job->gates + (t ? at + before : at) * 2 * d);
            Ahead ahead = {next, t ? next + n * 2 * d * sizeof(float) : next}, none = {NULL, NULL};
            if (BF16) pair_rows(a, n, a_row, a_row, a_pairs, a_half);
            if (job->grad_x) {
                float *to = job->grad_x + at * k;
                float *wanted = wide == k ? to : grad_wide;
                if (BF16)
                    product_pairs(a_half, a_row, n, 3 * d / 2, w_in_pairs, wide, wanted, false);
                else
                    product(a, a_row, n, 3 * d, w_in, main, wanted, wide, false);
                if (wide != k)
                    for (ptrdiff_t s = 0; s < n; s++) {
                        memcpy(to + s * k, grad_wide + s * wide, (k - few) * sizeof(float));
                        for (int c = 0; c < few; c++)
                            to[s * k + main + c] = sum_of_lanes(thin_gradient(thin, a + s * a_row, c));
                    }
                stage.back(to, time, from, n);
            }
            if (wide != k) {
                for (ptrdiff_t s = 0; s < n; s++) memcpy(x_wide + s * wide, x + s * k, k * sizeof(float));
                x = x_wide;
            }
            if (job->moment) {
                if (BF16)
                    product_pairs(a_half, a_row, n, 3 * d / 2, w_in_pairs, wide, grad_wide, false);
                else
                    product(a, a_row, n, 3 * d, w_in, main, grad_wide, wide, false);
                times_along(thin, a, a_row, x, n, main, wide, grad_wide);
                transposed_product(grad_wide, wide, n, moment_rows, x, wide, wide, moment, none);  // rows after k: dropped
            }
            if (BF16) {
                const ptrdiff_t two = (n + 1) / 2;
                pair_rows(x, n, wide, wide, x_pairs, NULL);
                transposed_product_pairs(a_pairs, a_row, two, 3 * d, x_pairs, wide, total_in, ahead);
                if (t) {
                    pair_rows(h, n, d, d, h_pairs, NULL);
                    product_pairs(a_half + d, a_row, n, 3 * d / 2, w_hh_pairs, d, g, true);
                    transposed_product_pairs(a_pairs + d, a_row, two, 3 * d, h_pairs, d, total_hh, ahead);
                }
                continue;
            }
            transposed_product(a, a_row, n, 3 * d, x, wide, main, total_in, ahead);
            thin_transposed_product(thin, a, a_row, x + main, wide, n);
            if (t) {
                product(a + d, a_row, n, 3 * d, job->w_hh, d, g, d, true);
                transposed_product(a + d, a_row, n, 3 * d, h, d, d, total_hh, ahead);
            }
        }
    }
    for (ptrdiff_t j = 0; j < 3 * d; j++) {
        const ptrdiff_t row = j < d ? j + 2 * d : j - d;  // n, r, z back to r, z, n
        memcpy(job->grad_w_ih + row * k, total_in + j * main, (k - few) * sizeof(float));
        for (int c = 0; c < few; c++) job->grad_w_ih[row * k + main + c] = thin.total[c * 3 * d + j];
        job->grad_b_ih[row] = bias[j];
    }
    if (job->moment)
        for (ptrdiff_t j = 0; j < k; j++) memcpy(job->moment + j * k, moment + j * wide, k * sizeof(float));
    stage.finish();
    memcpy(job->grad_w_hh, total_hh, 3 * d * d * sizeof(float));
    memcpy(job->grad_b_hh, bias + d, 3 * d * sizeof(float));
    free(memory.block);
    return 0;
}

INLINE int run_forward(const deepfactor_gru *job) { return job->bf16 ? forward<true>(job) : forward<false>(job); }
INLINE int run_backward(const deepfactor_gru *job) { return job->bf16 ? backward<true>(job) : backward<false>(job); }
