// Vectors of `LANES` floats and the functions on them; included by `gru_body.h`, inside its namespace.

typedef float V __attribute__((vector_size(LANES * 4)));
typedef int VI __attribute__((vector_size(LANES * 4)));
typedef float VU __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

INLINE V load(const float *at) { return *(const VU *)at; }
INLINE void store(float *at, V v) { *(VU *)at = v; }
// Stores of what is not read again soon: a whole cache line, once all of it is written, goes past the caches, unread.
// `at` is aligned to a vector.
#if LANES == 16
INLINE void stream(float *at, V v) { _mm512_stream_ps(at, v); }
INLINE void fence() { _mm_sfence(); }
#elif LANES == 8
INLINE void stream(float *at, V v) { _mm256_stream_ps(at, v); }
INLINE void fence() { _mm_sfence(); }
#else
INLINE void stream(float *at, V v) { store(at, v); }
INLINE void fence() {}
#endif
INLINE V all(float s) { return s - (V){}; }
// 1 / x to a unit in the last place, for finite x that is not 0: the estimate of 14 bits, made better once, costs a third
// of a division.
#if LANES == 16
INLINE V reciprocal(V x) {
    V near = _mm512_rcp14_ps(x);
    return near + near * (1.0f - x * near);
}
#else
INLINE V reciprocal(V x) { return 1.0f / x; }
#endif
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// NaN stays NaN.
INLINE V at_least(V x, float least) { return x < all(least) ? all(least) : x; }
INLINE V bounded(V x) { return at_least(x > all(1.0f) ? all(1.0f) : x, -1.0f); }

// 2^x of G vectors, about one unit in the last place, for x in [-62, 62]; beyond that 2^62, and below at most 2^-62. The
// bound keeps the product of two (1 + 2^x) finite; a sigmoid is off by at most 3e-19 by it. NaN stays NaN. The polynomial
// of 2^f, |f| <= 1/2, was fitted to the least relative error, 2e-9. Vectors go side by side: one alone waits for itself.
template <int G>
INLINE void powers_of_two(V *x) {
    const V top = all(62.0f);
    V n[G], f[G], e[G];
#if LANES != 16
    V shifted[G];
#endif
    UNROLL for (int i = 0; i < G; i++) {
#if LANES == 16
        x[i] = _mm512_min_ps(top, x[i]);  // of two unordered it gives the second
        n[i] = _mm512_roundscale_ps(x[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
#if LANES == 8
        x[i] = _mm256_max_ps(-top, _mm256_min_ps(top, x[i]));
#else
        x[i] = x[i] > top ? top : x[i];
        x[i] = x[i] < -top ? -top : x[i];
#endif
        shifted[i] = x[i] + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
        n[i] = shifted[i] - 12582912.0f;
#endif
    }
    UNROLL for (int i = 0; i < G; i++) f[i] = x[i] - n[i];
    UNROLL for (int i = 0; i < G; i++) e[i] = f[i] * 1.535335905e-04f + 1.339887502e-03f;
    UNROLL for (int i = 0; i < G; i++) e[i] = e[i] * f[i] + 9.618436918e-03f;
    UNROLL for (int i = 0; i < G; i++) e[i] = e[i] * f[i] + 5.550332367e-02f;
    UNROLL for (int i = 0; i < G; i++) e[i] = e[i] * f[i] + 2.402264774e-01f;
    UNROLL for (int i = 0; i < G; i++) e[i] = e[i] * f[i] + 6.931471825e-01f;
    UNROLL for (int i = 0; i < G; i++) e[i] = e[i] * f[i] + 1.0f;
#if LANES == 16
    UNROLL for (int i = 0; i < G; i++) x[i] = _mm512_scalef_ps(e[i], n[i]);
#else
    UNROLL for (int i = 0; i < G; i++) {
        VI bits;
        __builtin_memcpy(&bits, &shifted[i], sizeof bits);
        bits = (bits << 23) + 0x3f800000;
        V scale;
        __builtin_memcpy(&scale, &bits, sizeof scale);
        x[i] = e[i] * scale;
    }
#endif
}

// The forward pass works in logarithms to base two: sigmoid(a) = 1 / (1 + 2^(SIGMOID a)), tanh(a) = 1 - 2 / (1 + 2^(TANH a)).
constexpr float SIGMOID = -1.44269504f, TANH = 2.88539008f;
INLINE float scale_of(int gate) { return gate < 2 ? SIGMOID : TANH; }
