// The passes in bfloat16 on AMX tiles, for d in multiples of 32; included by `gru_amx.cpp` behind `gru_body.h`, inside its
// namespace. What `forward<true>` and `backward<true>` of `gru_body.h` compute, with the sums in another order.
//
// A tile is 16 rows of 64 bytes. On a product's left stand rows of halves with the summed index along them; on its right
// blocks of 32 rows and 16 columns, the rows in pairs. A product keeps 2 x 2 tiles of sums.

constexpr ptrdiff_t BLOCK = 512, DEEP = 32;  // halves of a block; how much of the summed index it holds

#define TILE_LOAD(tile, at, bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(at), "r"((ptrdiff_t)(bytes)) : "memory")
#define TILE_STORE(tile, at, bytes) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(at), "r"((ptrdiff_t)(bytes)) : "memory")
#define TILE_ADD(sum, left, right) __asm__ volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sum : :)

struct Tiles {  // the tile registers, from here to the end of the scope
    Tiles() {
        alignas(64) unsigned char shapes[64] = {1};
        for (int tile = 0; tile < 8; tile++) shapes[16 + 2 * tile] = 64, shapes[48 + tile] = 16;
        __asm__ volatile("ldtilecfg (%0)" : : "r"(shapes) : "memory");
    }
    ~Tiles() { __asm__ volatile("tilerelease" : :); }
};

INLINE ptrdiff_t up32(ptrdiff_t n) { return (n + 31) / 32 * 32; }

// Halves, in whole cache lines.
INLINE H *take_halves(Memory &memory, ptrdiff_t halves) { return (H *)memory.take((halves + 1) / 2); }

// Tiles 0 ... 3 += two blocks of rows times two blocks of columns that lie `apart` halves from one another; with ONE >= 0
// a single block of columns, into tiles ONE and ONE + 2.
template <int ONE = -1>
INLINE void add_products(const H *left, ptrdiff_t row, const H *right, ptrdiff_t apart, ptrdiff_t deep) {
    const H *below = left + 16 * row;
    for (ptrdiff_t j = 0; j < deep; j++, left += DEEP, below += DEEP, right += BLOCK) {
        TILE_LOAD(4, left, row * 2);
        TILE_LOAD(6, right, 64);
        TILE_LOAD(5, below, row * 2);
        if (ONE == 0) {
            TILE_ADD(0, 4, 6);
            TILE_ADD(2, 5, 6);
        } else if (ONE == 1) {
            TILE_ADD(1, 4, 6);
            TILE_ADD(3, 5, 6);
        } else {
            TILE_LOAD(7, right + apart, 64);
            TILE_ADD(0, 4, 6);
            TILE_ADD(2, 5, 6);
            TILE_ADD(1, 4, 7);
            TILE_ADD(3, 5, 7);
        }
    }
}

INLINE void load_sums(const float *at, ptrdiff_t row) {
    TILE_LOAD(0, at, row * 4);
    TILE_LOAD(1, at + 16, row * 4);
    TILE_LOAD(2, at + 16 * row, row * 4);
    TILE_LOAD(3, at + 16 * row + 16, row * 4);
}

INLINE void store_sums(float *to, ptrdiff_t row) {
    TILE_STORE(0, to, row * 4);
    TILE_STORE(1, to + 16, row * 4);
    TILE_STORE(2, to + 16 * row, row * 4);
    TILE_STORE(3, to + 16 * row + 16, row * 4);
}

// out (rows, width) (+)= left right; rows and width in multiples of 32, `deep` blocks along the summed index. The blocks on
// the right lie column by column.
static void tile_product(const H *left, ptrdiff_t left_row, ptrdiff_t rows, const H *right, ptrdiff_t deep,
                         ptrdiff_t width, float *out, ptrdiff_t out_row, bool add, Ahead &ahead) {
    for (ptrdiff_t c = 0; c < width; c += 32, right += 2 * deep * BLOCK)
        for (ptrdiff_t r = 0; r < rows; r += 32) {
            float *to = out + r * out_row + c;
            ahead.some();
            if (add)
                load_sums(to, out_row);
            else
                __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" : :);
            add_products(left + r * left_row, left_row, right, deep * BLOCK, deep);
            store_sums(to, out_row);
        }
}

// A vector rounded to halves, each in the low half of 32 bits.
INLINE VP halves_of(V v) { return (VP)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)v)); }
INLINE void store_rounded(H *at, V v) { _mm256_storeu_si256((__m256i *)at, (__m256i)_mm512_cvtneps_pbh((__m512)v)); }
// Numbers c ... c + 15 of a row of `width`, zero behind its end.
INLINE V load_some(const float *row, ptrdiff_t c, ptrdiff_t width) {
    const __mmask16 there = c + LANES <= width ? 0xffff : c < width ? (1u << (width - c)) - 1 : 0;
    return (V)_mm512_maskz_loadu_ps(there, row + c);
}

// rows (n, width) as halves, zero up to `padded` columns
INLINE void round_tile(const float *rows, ptrdiff_t n, ptrdiff_t width, ptrdiff_t padded, H *to, ptrdiff_t to_row) {
    for (ptrdiff_t s = 0; s < n; s++, rows += width, to += to_row)
        for (ptrdiff_t c = 0; c < padded; c += LANES) store_rounded(to + c, load_some(rows, c, width));
}

// Weights at(j, c) as the blocks of a product's right.
template <typename At>
static void pack_blocks(ptrdiff_t deep, ptrdiff_t columns, At at, H *to) {
    for (ptrdiff_t c = 0; c < columns; c += 16)
        for (ptrdiff_t j = 0; j < deep * DEEP; j += DEEP, to += BLOCK)
            for (ptrdiff_t row = 0; row < DEEP; row++)
                for (ptrdiff_t lane = 0; lane < 16; lane++)
                    to[row / 2 * 32 + 2 * lane + row % 2] = (H)rounded_one(at(j + row, c + lane));
}

// Sixteen vectors of sixteen, rows to columns.
INLINE void transpose(VP *r) {
    __m512i a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32((__m512i)r[i], (__m512i)r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32((__m512i)r[i], (__m512i)r[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]), b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]), b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88), a[i + 4] = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
        a[i + 8] = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
        a[i + 12] = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    }
    UNROLL for (int i = 0; i < 8; i++) {
        r[i] = (VP)_mm512_shuffle_i32x4(a[i], a[i + 8], 0x88);
        r[i + 8] = (VP)_mm512_shuffle_i32x4(a[i], a[i + 8], 0xdd);
    }
}

// rows (n, width) as halves with the stocks along: `to` (padded, n up to a multiple of 32), zero outside. What isn't null of
// `also` (n, width) gets the rows too.
INLINE void turn_tile(const float *rows, ptrdiff_t n, ptrdiff_t width, ptrdiff_t padded, H *to, ptrdiff_t to_row, H *also,
                      ptrdiff_t also_row) {
    for (ptrdiff_t c = 0; c < padded; c += LANES)
        for (ptrdiff_t from = 0; from < n; from += DEEP) {
            VP pairs[16];
            UNROLL for (int i = 0; i < 16; i++) {
                VP one = {}, two = {};
                const ptrdiff_t s = from + 2 * i;
                if (s < n) one = halves_of(load_some(rows + s * width, c, width));
                if (s + 1 < n) two = halves_of(load_some(rows + (s + 1) * width, c, width));
                pairs[i] = one | two << 16;
                if (also) store_halves(also + s * also_row + c, one), store_halves(also + (s + 1) * also_row + c, two);
            }
            transpose(pairs);
            for (int i = 0; i < 16; i++) store_pairs((U *)(to + (c + i) * to_row + from), pairs[i]);
        }
}

// As `gates_back`, with the gradients (n, [n | r | z | hn]) as rows on a product's left and as blocks on its right, zero up
// to a multiple of 32 stocks.
static void tile_gates_back(const float *gates, const float *h, const float *next, const float *hn, const float *bias_hn,
                            ptrdiff_t n, ptrdiff_t d, const float *more, const float *less, const int *group, float *g,
                            H *left, ptrdiff_t left_row, H *right, float *sums, float *bias) {
    const ptrdiff_t deep = (n + DEEP - 1) / DEEP;
    memset(sums, 0, 4 * d * sizeof(float));
    for (ptrdiff_t s = 0; s < deep * DEEP; s += 2)
        for (ptrdiff_t unit = 0; unit < d; unit += LANES) {
            Gradients made[2] = {};
            for (ptrdiff_t i = 0; i < 2 && s + i < n; i++) {
                const ptrdiff_t stock = s + i, at = stock * d + unit;
                const float *gate = gates + stock * 2 * d + unit;
                V before = {}, from_state = load(bias_hn + unit);
                if (h) before = load(h + at), from_state += load(hn + at);
                V grad = load(g + at);
                if (more) grad += load(more + at);
                if (less) grad -= load(less + group[stock] * d + unit);
                made[i] = gradients_of(load(gate), load(gate + d), before, load(next + at), from_state, grad);
                store(g + at, made[i].through);
            }
            const V all_four[4][2] = {
                {made[0].n, made[1].n}, {made[0].r, made[1].r}, {made[0].z, made[1].z}, {made[0].hn, made[1].hn}};
            H *row = left + s * left_row + unit, *block = right + (unit / 16 * deep + s / DEEP) * BLOCK + s % DEEP * 16;
            float *sum = sums + unit;
            UNROLL for (int gate = 0; gate < 4; gate++, row += d, block += d / 16 * deep * BLOCK, sum += d) {
                VP one = halves_of(all_four[gate][0]), two = halves_of(all_four[gate][1]);
                store_halves(row, one), store_halves(row + left_row, two);
                store_pairs((U *)block, one | two << 16);
                store(sum, load(sum) + (all_four[gate][0] + all_four[gate][1]));
            }
        }
    for (ptrdiff_t j = 0; j < 4 * d; j += LANES) store(bias + j, load(bias + j) + load(sums + j));
}

// r, z and the new states of sixteen units of n stocks, from sums (n, [r | z | n | hn]).
INLINE void tile_gates(const float *sums, ptrdiff_t n, ptrdiff_t d, ptrdiff_t unit, const float *h, float *gates, float *out,
                       H *half, ptrdiff_t half_row) {
    constexpr int AT_ONCE = 4;
    for (ptrdiff_t row = 0; row < n; row += AT_ONCE) {
        Products given[AT_ONCE];
        V state[AT_ONCE], r[AT_ONCE], z[AT_ONCE], next[AT_ONCE];
        UNROLL for (int i = 0; i < AT_ONCE; i++) {
            const float *sum = sums + (row + i) * 64;
            given[i] = {load(sum), load(sum + 16), load(sum + 32), load(sum + 48)};
            state[i] = h ? load(h + smaller(row + i, n - 1) * d + unit) : (V){};
        }
        gates_of<AT_ONCE, false>(given, state, r, z, next);
        UNROLL for (int i = 0; i < AT_ONCE; i++) {
            const ptrdiff_t s = row + i;
            if (s >= n) continue;
            store(out + s * d + unit, next[i]);
            store_rounded(half + s * half_row + unit, next[i]);
            if (gates) stream(gates + s * 2 * d + unit, r[i]), stream(gates + s * 2 * d + d + unit, z[i]);
        }
    }
}

static int tile_forward(const deepfactor_gru *job) {
    const ptrdiff_t p = job->p, b = job->b, k = job->k, d = job->d, kx = up32(k);
    const ptrdiff_t x_deep = kx / DEEP, h_deep = d / DEEP, x_row = kx + 32, h_row = d + 32;
    ptrdiff_t need = (3 * d * (kx + d) + TILE * (x_row + 2 * h_row)) / 2 + 4 * d + TILE * (2 * d + 64) + stage_floats(job);
    Memory memory = {(char *)aligned_alloc(64, need * 4 / 64 * 64 + 64 * 32), 0};
    if (!memory.block) return 1;
    H *w_x = take_halves(memory, 3 * d * kx), *w_h = take_halves(memory, 3 * d * d);
    H *x_half = take_halves(memory, TILE * x_row), *h_half = take_halves(memory, 2 * TILE * h_row);
    float *bias = memory.take(4 * d), *turn = memory.take(2 * TILE * d), *sums = memory.take(TILE * 64);
    Stage stage(job, memory);
    memset(x_half, 0, TILE * x_row * sizeof(H)), memset(h_half, 0, 2 * TILE * h_row * sizeof(H));
    // columns of the weights: r, z, n of the first sixteen units, of the next ...
    auto row_of = [d](ptrdiff_t c) { return c / 16 % 3 * d + c / 48 * 16 + c % 16; };
    pack_blocks(x_deep, 3 * d, [=](ptrdiff_t j, ptrdiff_t c) { return j < k ? job->w_ih[row_of(c) * k + j] : 0.0f; }, w_x);
    pack_blocks(h_deep, 3 * d, [=](ptrdiff_t j, ptrdiff_t c) { return job->w_hh[row_of(c) * d + j]; }, w_h);
    for (ptrdiff_t j = 0; j < 2 * d; j++) bias[j] = job->b_ih[j] + job->b_hh[j];
    for (ptrdiff_t j = 0; j < d; j++) bias[2 * d + j] = job->b_ih[2 * d + j], bias[3 * d + j] = job->b_hh[2 * d + j];
    if (job->sums) memset(job->sums, 0, p * job->groups * d * sizeof(float));
    const Tiles tiles;
    for (ptrdiff_t from = 0; from < b; from += TILE) {
        const ptrdiff_t n = smaller(TILE, b - from), x_apart = x_deep * BLOCK, h_apart = h_deep * BLOCK;
        for (ptrdiff_t t = 0; t < p; t++) {
            const ptrdiff_t time = job->reverse ? p - 1 - t : t, at = time * b + from;
            float *out = job->states ? job->states + at * d : turn + (t % 2) * TILE * d;
            const float *h = job->states ? out - (job->reverse ? -b : b) * d : turn + (1 - t % 2) * TILE * d;
            if (!t) h = job->initial ? job->initial + from * d : NULL;
            H *before = h_half + t % 2 * TILE * h_row, *after = h_half + (1 - t % 2) * TILE * h_row;
            round_tile(stage.read(time, from, n), n, k, kx, x_half, x_row);
            if (!t && h) round_tile(h, n, d, d, before, h_row);
            for (ptrdiff_t unit = 0; unit < d; unit += 16) {
                const H *of_x = w_x + unit / 16 * 3 * x_apart, *of_h = w_h + unit / 16 * 3 * h_apart;
                for (ptrdiff_t row = 0; row < n; row += 32) {  // stocks behind the last: numbers that nobody reads
                    const H *x = x_half + row * x_row, *state = before + row * h_row;
                    const float *with = bias + unit;
                    TILE_LOAD(0, with, 0);  // the same sixteen for every stock
                    TILE_LOAD(1, with + d, 0);
                    TILE_LOAD(2, with, 0);
                    TILE_LOAD(3, with + d, 0);
                    add_products(x, x_row, of_x, x_apart, x_deep);
                    if (h) add_products(state, h_row, of_h, h_apart, h_deep);
                    store_sums(sums + row * 64, 64);
                    TILE_LOAD(0, with + 2 * d, 0);
                    TILE_LOAD(1, with + 3 * d, 0);
                    TILE_LOAD(2, with + 2 * d, 0);
                    TILE_LOAD(3, with + 3 * d, 0);
                    add_products<0>(x, x_row, of_x + 2 * x_apart, 0, x_deep);
                    if (h) add_products<1>(state, h_row, of_h + 2 * h_apart, 0, h_deep);
                    store_sums(sums + row * 64 + 32, 64);
                }
                tile_gates(sums, n, d, unit, h, job->gates ? job->gates + at * 2 * d : NULL, out, after, h_row);
            }
            if (job->sums) add_to_groups(out, n, d, groups_at(job, time, from), job->sums + time * job->groups * d);
            if (t == p - 1 && job->last) memcpy(job->last + from * d, out, n * d * sizeof(float));
        }
    }
    fence();
    free(memory.block);
    return 0;
}

static int tile_backward(const deepfactor_gru *job) {
    const ptrdiff_t p = job->p, b = job->b, k = job->k, d = job->d, kx = up32(k), deep = 3 * d / DEEP;
    const ptrdiff_t h_row = d + 32, a_row = 4 * d + 32, turned_row = TILE + 32;
    const ptrdiff_t moment_rows = (k + ROWS - 1) / ROWS * ROWS;
    ptrdiff_t need = (3 * d * (kx + d) + d * d + TILE * (h_row + a_row + 4 * d) + (kx + d) * turned_row) / 2 +
                     3 * d * (kx + d) + 8 * d + TILE * (2 * d + 2 * kx) + moment_rows * kx + ROWS + stage_floats(job);
    Memory memory = {(char *)aligned_alloc(64, need * 4 / 64 * 64 + 64 * 32), 0};
    if (!memory.block) return 1;
    H *w_in = take_halves(memory, 3 * d * kx), *w_hh = take_halves(memory, 3 * d * d), *w_hn = take_halves(memory, d * d);
    H *h_half = take_halves(memory, TILE * h_row), *a_left = take_halves(memory, TILE * a_row);
    H *a_right = take_halves(memory, TILE * 4 * d);
    H *x_turned = take_halves(memory, kx * turned_row), *h_turned = take_halves(memory, d * turned_row);
    float *total_in = memory.take(3 * d * kx), *total_hh = memory.take(3 * d * d);  // (kx, 3d), (d, 3d)
    float *bias = memory.take(4 * d), *sums = memory.take(4 * d), *g = memory.take(TILE * d), *hn = memory.take(TILE * d);
    float *grad = memory.take(TILE * kx + ROWS), *x_wide = memory.take(TILE * kx), *moment = memory.take(moment_rows * kx);
    const Thin thin = {0, 3 * d, NULL, NULL};
    memset(memory.block, 0, memory.used);
    Stage stage(job, memory);
    if (job->sums) memset(job->sums, 0, p * job->groups * k * sizeof(float));
    auto row_of = [d](ptrdiff_t j) { return j < d ? j + 2 * d : j - d; };  // rows of the gradients: n, r, z
    pack_blocks(deep, kx, [=](ptrdiff_t j, ptrdiff_t c) { return c < k ? job->w_ih[row_of(j) * k + c] : 0.0f; }, w_in);
    pack_blocks(deep, d, [=](ptrdiff_t j, ptrdiff_t c) { return job->w_hh[j * d + c]; }, w_hh);
    pack_blocks(d / DEEP, d, [=](ptrdiff_t j, ptrdiff_t c) { return job->w_hh[(2 * d + c) * d + j]; }, w_hn);
    const Tiles tiles;
    for (ptrdiff_t from = 0; from < b; from += TILE) {
        const ptrdiff_t n = smaller(TILE, b - from), rows = up32(n), stocks = rows / DEEP;
        memset(g, 0, TILE * d * sizeof(float));
        if (job->grad_last) memcpy(g, job->grad_last + from * d, n * d * sizeof(float));
        for (ptrdiff_t t = p - 1; t >= 0; t--) {
            const ptrdiff_t time = job->reverse ? p - 1 - t : t, before = job->reverse ? b : -b, at = time * b + from;
            const float *x = stage.read(time, from, n), *h = t ? job->states + (at + before) * d : NULL;
            const char *next = (const char *)(job->gates + (t ? at + before : at) * 2 * d);
            Ahead ahead = {next, t ? next + n * 2 * d * sizeof(float) : next}, none = {NULL, NULL};
            if (t) {
                turn_tile(h, n, d, d, h_turned, turned_row, h_half, h_row);
                tile_product(h_half, h_row, rows, w_hn, d / DEEP, d, hn, d, false, none);
            }
            const bool given = job->grad_states && time >= job->grad_from;
            tile_gates_back(job->gates + at * 2 * d, h, job->states + at * d, hn, job->b_hh + 2 * d, n, d,
                            given ? job->grad_states + (at - job->grad_from * b) * d : NULL,
                            job->grad_offset ? job->grad_offset + time * job->groups * d : NULL,
                            groups_at(job, time, from), g, a_left, a_row, a_right, sums, bias);
            turn_tile(x, n, k, kx, x_turned, turned_row, NULL, 0);
            if (job->grad_x || job->moment) tile_product(a_left, a_row, rows, w_in, deep, kx, grad, kx, false, ahead);
            if (job->grad_x) {
                for (ptrdiff_t s = 0; s < n; s++) memcpy(job->grad_x + (at + s) * k, grad + s * kx, k * sizeof(float));
                stage.back(job->grad_x + at * k, time, from, n);
            }
            if (job->moment) {
                for (ptrdiff_t s = 0; s < n; s++) memcpy(x_wide + s * kx, x + s * k, k * sizeof(float));
                times_along(thin, NULL, 0, x_wide, n, kx, kx, grad);
                transposed_product(grad, kx, n, moment_rows, x_wide, kx, kx, moment, none);  // rows after k: dropped
            }
            tile_product(x_turned, turned_row, kx, a_right, stocks, 3 * d, total_in, 3 * d, true, ahead);
            if (!t) continue;
            tile_product(a_left + d, a_row, rows, w_hh, deep, d, g, d, true, ahead);
            tile_product(h_turned, turned_row, d, a_right + d / 16 * stocks * BLOCK, stocks, 3 * d, total_hh, 3 * d, true, ahead);
        }
    }
    for (ptrdiff_t j = 0; j < 3 * d; j++) {
        const ptrdiff_t row = row_of(j);
        for (ptrdiff_t c = 0; c < k; c++) job->grad_w_ih[row * k + c] = total_in[c * 3 * d + j];
        for (ptrdiff_t c = 0; c < d; c++) job->grad_w_hh[j * d + c] = total_hh[c * 3 * d + j];
        job->grad_b_ih[row] = bias[j];
    }
    memcpy(job->grad_b_hh, bias + d, 3 * d * sizeof(float));
    if (job->moment)
        for (ptrdiff_t j = 0; j < k; j++) memcpy(job->moment + j * k, moment + j * kx, k * sizeof(float));
    stage.finish();
    free(memory.block);
    return 0;
}
