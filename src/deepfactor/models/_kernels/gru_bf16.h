// The products in bfloat16, summed in float32: the same passes as in `gru_body.h`, which includes this inside its
// namespace. Inputs, states, weights and the gradients of the pre-activations are rounded (to nearest, ties to even) as
// they enter a product; states, gates and all sums stay float32. Operands lie in pairs along the summed index, two
// numbers in 32 bits, the first one low. Without the instruction a pair is two float32 multiply-adds.

typedef unsigned U;
typedef unsigned short H;
typedef U VP __attribute__((vector_size(LANES * 4)));  // pairs, or bfloat16 in the low half
typedef U VPU __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef U U1 __attribute__((aligned(2), may_alias));

INLINE VP load_pairs(const U *at) { return *(const VPU *)at; }
INLINE void store_pairs(U *at, VP v) { *(VPU *)at = v; }

INLINE VP rounded(V v) {
    VP bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

INLINE U rounded_one(float v) {
    U bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

INLINE void store_halves(H *at, VP v) {
#if LANES == 16
    _mm256_storeu_si256((__m256i *)at, _mm512_cvtepi32_epi16((__m512i)v));
#else
    for (int i = 0; i < LANES; i++) at[i] = (H)v[i];
#endif
}

// sum += first a * first b + second a * second b
INLINE V add_pairs(V sum, VP a, VP b) {
#if defined(NATIVE_BF16)
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
    VP low_a = a << 16, low_b = b << 16, high_a = a & 0xffff0000u, high_b = b & 0xffff0000u;
    V x, y;
    __builtin_memcpy(&x, &low_a, sizeof x), __builtin_memcpy(&y, &low_b, sizeof y);
    sum += x * y;
    __builtin_memcpy(&x, &high_a, sizeof x), __builtin_memcpy(&y, &high_b, sizeof y);
    return sum + x * y;
#endif
}

// rows (n, k) to halves (n, 2 * pairs), zero behind an odd k
INLINE void round_rows(const float *rows, ptrdiff_t n, ptrdiff_t k, ptrdiff_t pairs, H *out) {
    if (k == 2 * pairs) n *= k, k = n, n = n ? 1 : 0;  // dense: one row
    for (ptrdiff_t s = 0; s < n; s++, rows += k, out += 2 * pairs) {
        ptrdiff_t c = 0;
        for (; c + LANES <= k; c += LANES) store_halves(out + c, rounded(load(rows + c)));
        for (; c < k; c++) out[c] = (H)rounded_one(rows[c]);
        if (c < 2 * pairs) out[c] = 0;
    }
}

// rows (n, stride) to pairs of stocks (n / 2 rounded up, width), a zero behind an odd n; halves, if any, (n, width)
INLINE void pair_rows(const float *rows, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t width, U *pairs, H *halves) {
    for (ptrdiff_t s = 0; s < n; s += 2, pairs += width)
        for (ptrdiff_t c = 0; c < width; c += LANES) {
            VP one = rounded(load(rows + s * stride + c)), two = {};
            if (halves) store_halves(halves + s * width + c, one);
            if (s + 1 < n) {
                two = rounded(load(rows + (s + 1) * stride + c));
                if (halves) store_halves(halves + (s + 1) * width + c, two);
            }
            store_pairs(pairs + c, one | two << 16);
        }
}

// As `pack_gates`, in pairs of inputs and not scaled.
INLINE void pack_gate_pairs(const float *w, ptrdiff_t k, ptrdiff_t d, U *packed) {
    for (ptrdiff_t unit = 0; unit < d; unit += LANES)
        for (ptrdiff_t j = 0; j < k; j += 2)
            for (int gate = 0; gate < 3; gate++)
                for (int lane = 0; lane < LANES; lane++) {
                    const float *at = w + (gate * d + unit + lane) * k + j;
                    *packed++ = rounded_one(at[0]) | (j + 1 < k ? rounded_one(at[1]) << 16 : 0);
                }
}

template <int R>
INLINE void multiply_gates(V acc[R][3], const H *const *rows, const U *packed, ptrdiff_t pairs) {
    for (ptrdiff_t j = 0; j < pairs; j++, packed += 3 * LANES) {
        VP w0 = load_pairs(packed), w1 = load_pairs(packed + LANES), w2 = load_pairs(packed + 2 * LANES);
        UNROLL for (int u = 0; u < R; u++) {
            VP value = ((const U1 *)rows[u])[j] - (VP){};
            acc[u][0] = add_pairs(acc[u][0], value, w0);
            acc[u][1] = add_pairs(acc[u][1], value, w1);
            acc[u][2] = add_pairs(acc[u][2], value, w2);
        }
    }
}

// out[row, :] (+)= sum_j a[row, j] w[j, :] over pairs of j, for C vectors of columns and ROWS rows
template <int C>
INLINE void rows_times_pairs(const H *const *a, ptrdiff_t pairs, const U *w, ptrdiff_t width, float *const *out, int live,
                             bool add) {
    V acc[ROWS][C];
    UNROLL for (int u = 0; u < ROWS; u++)
        UNROLL for (int c = 0; c < C; c++) acc[u][c] = add ? load(out[u] + c * LANES) : (V){};
    for (ptrdiff_t j = 0; j < pairs; j++, w += width) {
        VP column[C];
        UNROLL for (int c = 0; c < C; c++) column[c] = load_pairs(w + c * LANES);
        UNROLL for (int u = 0; u < ROWS; u++) {
            VP value = ((const U1 *)a[u])[j] - (VP){};
            UNROLL for (int c = 0; c < C; c++) acc[u][c] = add_pairs(acc[u][c], value, column[c]);
        }
    }
    UNROLL for (int u = 0; u < ROWS; u++)
        if (u < live) UNROLL for (int c = 0; c < C; c++) store(out[u] + c * LANES, acc[u][c]);
}

// out (n, width) (+)= a (n, 2 * pairs) w (2 * pairs, width)
static void product_pairs(const H *a, ptrdiff_t a_row, ptrdiff_t n, ptrdiff_t pairs, const U *w, ptrdiff_t width,
                          float *out, bool add) {
    for (ptrdiff_t column = 0; column < width;) {
        const ptrdiff_t step = smaller((width - column) / LANES, COLUMNS);
        for (ptrdiff_t row = 0; row < n; row += ROWS) {
            const H *from[ROWS];
            float *to[ROWS];
            for (int u = 0; u < ROWS; u++) {
                const ptrdiff_t i = smaller(row + u, n - 1);
                from[u] = a + i * a_row, to[u] = out + i * width + column;
            }
            const int live = (int)smaller(ROWS, n - row);
            switch (step) {
                case 1: rows_times_pairs<1>(from, pairs, w + column, width, to, live, add); break;
                case 2: rows_times_pairs<2>(from, pairs, w + column, width, to, live, add); break;
#if COLUMNS > 2
                case 3: rows_times_pairs<3>(from, pairs, w + column, width, to, live, add); break;
                case 4: rows_times_pairs<4>(from, pairs, w + column, width, to, live, add); break;
#endif
            }
        }
        column += step * LANES;
    }
}

template <int C>
INLINE void outer_pairs(const U *a, ptrdiff_t a_row, const U *x, ptrdiff_t x_row, ptrdiff_t pairs, float *total) {
    V acc[ROWS][C];
    UNROLL for (int u = 0; u < ROWS; u++) UNROLL for (int c = 0; c < C; c++) acc[u][c] = (V){};
    for (ptrdiff_t s = 0; s < pairs; s++, a += a_row, x += x_row) {
        VP column[C];
        UNROLL for (int c = 0; c < C; c++) column[c] = load_pairs(x + c * LANES);
        UNROLL for (int u = 0; u < ROWS; u++) {
            VP value = a[u] - (VP){};
            UNROLL for (int c = 0; c < C; c++) acc[u][c] = add_pairs(acc[u][c], value, column[c]);
        }
    }
    UNROLL for (int u = 0; u < ROWS; u++) UNROLL for (int c = 0; c < C; c++) {
        float *at = total + u * x_row + c * LANES;
        store(at, load(at) + acc[u][c]);
    }
}

// total (count, width) += a' x over pairs of stocks
static void transposed_product_pairs(const U *a, ptrdiff_t a_row, ptrdiff_t pairs, ptrdiff_t count, const U *x,
                                     ptrdiff_t width, float *total, Ahead &ahead) {
    for (ptrdiff_t column = 0; column < width;) {
        const ptrdiff_t step = smaller((width - column) / LANES, COLUMNS);
        for (ptrdiff_t j = 0; j < count; j += ROWS) {
            ahead.some();
            float *to = total + j * width + column;
            switch (step) {
                case 1: outer_pairs<1>(a + j, a_row, x + column, width, pairs, to); break;
                case 2: outer_pairs<2>(a + j, a_row, x + column, width, pairs, to); break;
#if COLUMNS > 2
                case 3: outer_pairs<3>(a + j, a_row, x + column, width, pairs, to); break;
                case 4: outer_pairs<4>(a + j, a_row, x + column, width, pairs, to); break;
#endif
            }
        }
        column += step * LANES;
    }
}
