// Vectors of `LANES` floats and the functions on them; included by `gru_body.h`, inside its namespace.

typedef float V __attribute__((vector_size(LANES * 4)));
typedef int VI __attribute__((vector_size(LANES * 4)));
typedef float VU __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

INLINE V load(const float *at) { return *(const VU *)at; }
INLINE void store(float *at, V v) { *(VU *)at = v; }
// Stores of what is not read again soon: a whole cache line goes past the caches, unread. `at` is aligned to it.
#if LANES == 16
INLINE void stream(float *at, V v) { _mm512_stream_ps(at, v); }
INLINE void fence() { _mm_sfence(); }
#else
INLINE void stream(float *at, V v) { store(at, v); }
INLINE void fence() {}
#endif
INLINE V all(float s) { return s - (V){}; }
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// 2^x, about one unit in the last place, for x in [-62, 62]; beyond that 2^62, and below at most 2^-62. The bound keeps
// the product of two (1 + 2^x) finite; a sigmoid is off by at most 3e-19 by it. NaN stays NaN. The polynomial of 2^f,
// |f| <= 1/2, was fitted to the least relative error, 2e-9.
INLINE V power_of_two(V x) {
    const V top = all(62.0f);
#if LANES == 16
    x = _mm512_min_ps(top, x);  // of two unordered it gives the second
    V n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    x = x > top ? top : x;
    x = x < -top ? -top : x;
    V shifted = x + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    V n = shifted - 12582912.0f;
#endif
    V f = x - n;
    V e = f * 1.535335905e-04f + 1.339887502e-03f;
    e = e * f + 9.618436918e-03f;
    e = e * f + 5.550332367e-02f;
    e = e * f + 2.402264774e-01f;
    e = e * f + 6.931471825e-01f;
    e = e * f + 1.0f;
#if LANES == 16
    return _mm512_scalef_ps(e, n);
#else
    VI bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000;
    V scale;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return e * scale;
#endif
}

// The forward pass works in logarithms to base two: sigmoid(a) = 1 / (1 + 2^(SIGMOID a)), tanh(a) = 1 - 2 / (1 + 2^(TANH a)).
constexpr float SIGMOID = -1.44269504f, TANH = 2.88539008f;
INLINE float scale_of(int gate) { return gate < 2 ? SIGMOID : TANH; }
