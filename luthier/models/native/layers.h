/* What computing and tuning share: tiles, numbers, packing, products and attention. See encoder.c for the plan. */
#pragma once
#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILE 16
#define STEP 32 /* rows, columns and depth of one step: two tiles by two tiles, one tile deep */
#define PAD 32
#define GROUP 256
#define LANES 16 /* floats of a vector */

typedef uint16_t bf16;

enum finish { KEEP, PLAIN, BIAS, GELU, SLOPE };

/* ---- the processor's tiles ---- */

/* gcc does not know that loading a tile or a configuration reads memory, and would move what is written there behind
 * it: so this stands between writing and loading. */
#define WRITTEN() __asm__ volatile("" ::: "memory")

static inline void configure_tiles(void)
{
    struct __attribute__((packed, aligned(64))) {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles;
    memset(&tiles, 0, sizeof tiles);
    tiles.palette = 1;
    for (int tile = 0; tile < 8; tile++) {
        tiles.bytes[tile] = 64;
        tiles.rows[tile] = TILE;
    }
    WRITTEN();
    _tile_loadconfig(&tiles);
}

/* ---- numbers ---- */

static inline __m256i to_bf16(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

static inline __m512 from_bf16(const bf16 *x)
{
    const __m256i half = _mm256_loadu_si256((const __m256i *)x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline int64_t up_to(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* The normal distribution's integral up to x. An odd polynomial of x within [-4.5, 4.5], a least-squares fit that meets
 * one half at the ends, and one half: x times it is off by at most 6e-5. */
static inline __m512 normal_below(__m512 x)
{
    static const float c[] = {0.398708679f, -0.0659774048f, 0.00958071683f,
                              -0.00103626829f, 8.1211726e-05f, -4.4318451e-06f,
                              1.58033226e-07f, -3.2841029e-09f, 3.00020953e-11f};
    const __m512 end = _mm512_set1_ps(4.5f);
    __m512 near = _mm512_max_ps(_mm512_min_ps(x, end), _mm512_sub_ps(_mm512_setzero_ps(), end));
    __m512 square = _mm512_mul_ps(near, near), sum = _mm512_set1_ps(c[8]);
    for (int power = 7; power >= 0; power--) sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(c[power]));
    return _mm512_fmadd_ps(near, sum, _mm512_set1_ps(0.5f));
}

static inline __m512 gelu(__m512 x)
{
    return _mm512_mul_ps(x, normal_below(x));
}

/* 2 to the power of x, for x of 0 and below; off by 2e-7 of the result. */
static inline __m512 power_of_two(__m512 x)
{
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 rest = _mm512_sub_ps(x, whole);
    __m512 sum = _mm512_set1_ps(1.3333558e-3f);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(9.6181291e-3f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(sum, whole);
}

/* The derivative of GELU: the integral up to x, and x times the density. */
static inline __m512 slope(__m512 x)
{
    const __m512 power = _mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.72134752f)); /* -log2(e) / 2 */
    const __m512 density = _mm512_mul_ps(power_of_two(power), _mm512_set1_ps(0.39894228f));
    return _mm512_fmadd_ps(x, density, normal_below(x));
}

/* ---- matrix products ---- */

/* Turn 16 rows of 16 32-bit units into 16 columns. */
static inline void transpose(const bf16 *from, int64_t stride, bf16 *to)
{
    __m512i r[16], t[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + i * stride);
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        _mm512_storeu_si512(to + (i) * STEP, _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88));
        _mm512_storeu_si512(to + (i + 8) * STEP, _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd));
    }
}

/* Lay an (N, K) fp32 weight out for `product`: for every 32 outputs, for every 32 inputs, two tiles. */
static inline void pack_rows(int64_t outputs, int64_t inputs, const float *weight, bf16 *packed)
{
    bf16 rows[TILE * STEP] __attribute__((aligned(64)));
    for (int64_t n = 0; n < outputs; n += STEP)
        for (int64_t k = 0; k < inputs; k += STEP)
            for (int64_t half = n; half < n + STEP; half += TILE, packed += TILE * STEP) {
                for (int row = 0; row < TILE; row++)
                    for (int lane = 0; lane < STEP; lane += LANES)
                        _mm256_store_si256((__m256i *)(rows + row * STEP + lane),
                                           to_bf16(_mm512_loadu_ps(weight + (half + row) * inputs + k + lane)));
                transpose(rows, STEP, packed);
            }
}

static inline void finish_block(const float *block, const float *bias, enum finish finish, bf16 *out, bf16 *before,
                                int64_t stride)
{
    const __m512 none = _mm512_setzero_ps();
    const __m512 left = bias ? _mm512_loadu_ps(bias) : none, right = bias ? _mm512_loadu_ps(bias + LANES) : none;
    for (int row = 0; row < STEP; row++, block += STEP, out += stride, before = before ? before + stride : NULL) {
        __m512 a = _mm512_add_ps(_mm512_load_ps(block), left), b = _mm512_add_ps(_mm512_load_ps(block + LANES), right);
        if (finish == GELU) {
            if (before) {
                _mm256_storeu_si256((__m256i *)before, to_bf16(a));
                _mm256_storeu_si256((__m256i *)(before + LANES), to_bf16(b));
            }
            a = gelu(a);
            b = gelu(b);
        }
        if (finish == SLOPE) {
            a = _mm512_mul_ps(a, slope(from_bf16(before)));
            b = _mm512_mul_ps(b, slope(from_bf16(before + LANES)));
        }
        _mm256_storeu_si256((__m256i *)out, to_bf16(a));
        _mm256_storeu_si256((__m256i *)(out + LANES), to_bf16(b));
    }
}

/* out = a times packed weight, (M, K) by (K, N): fp32 as it is with KEEP, else bf16, with bias if there is one. GELU
 * stores what it takes in `before`, if that is given; SLOPE multiplies by the slope of GELU at `before`.
 * M is rounded up to STEP. Weights come from the third cache: while 32 outputs are computed, those of the next 32 are
 * fetched, a few lines a step, which brings a fifth of the time. */
static inline __attribute__((always_inline)) void product(
    int64_t m, int64_t n, int64_t k, const bf16 *a, int64_t a_stride, const bf16 *packed, const float *bias,
    enum finish finish, void *out, bf16 *before, int64_t out_stride)
{
    float block[STEP * STEP] __attribute__((aligned(64)));
    WRITTEN();
    const int64_t blocks = (m + STEP - 1) / STEP, lines = (STEP + blocks - 1) / blocks;
    for (int64_t column = 0; column < n; column += STEP, packed += STEP * k) {
        const char *ahead = (const char *)(packed + STEP * k);
        for (int64_t row = 0; row < m; row += STEP) {
            const bf16 *left = a + row * a_stride, *right = packed;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (int64_t depth = 0; depth < k; depth += STEP, left += STEP, right += STEP * STEP) {
                for (int64_t line = 0; line < lines; line++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
                _tile_loadd(4, left, a_stride * 2);
                _tile_loadd(6, right, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(7, right + STEP * TILE, 64);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, left + TILE * a_stride, a_stride * 2);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            float *to = finish == KEEP ? (float *)out + row * out_stride + column : block;
            const int64_t stride = finish == KEEP ? out_stride : STEP;
            _tile_stored(0, to, stride * 4);
            _tile_stored(1, to + TILE, stride * 4);
            _tile_stored(2, to + TILE * stride, stride * 4);
            _tile_stored(3, to + TILE * stride + TILE, stride * 4);
            if (finish != KEEP)
                finish_block(block, bias ? bias + column : NULL, finish, (bf16 *)out + row * out_stride + column,
                             before ? before + row * out_stride + column : NULL, out_stride);
        }
    }
}

/* ---- attention ---- */

typedef struct {
    bf16 *keys, *values; /* packed: (T, d) each */
    float *scores;       /* (16, T) */
    bf16 *weights;       /* (16, T) */
} Scratch;

/* Lay (T, d) out as the right side of a product over d: for every 16 tokens, for every 32 of d, a tile. */
static inline void pack_keys(const bf16 *keys, int64_t stride, int64_t tokens, int64_t depth, bf16 *packed)
{
    for (int64_t token = 0; token < tokens; token += TILE)
        for (int64_t d = 0; d < depth; d += STEP, packed += TILE * STEP)
            transpose(keys + token * stride + d, stride, packed);
}

/* Two rows of 16 numbers side by side, as the right side of a product wants them; rows behind the end are zero, because
 * zero weights times whatever lies there could be no number. */
static inline __m512i pair_of(const bf16 *from, int64_t stride, int64_t at, int64_t end)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                           23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m256i none = _mm256_setzero_si256();
    const __m256i even = at < end ? _mm256_loadu_si256((const __m256i *)from) : none;
    const __m256i odd = at + 1 < end ? _mm256_loadu_si256((const __m256i *)(from + stride)) : none;
    return _mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(even), odd, 1));
}

/* Lay (T, d) out as the right side of a product over tokens: for every 32 tokens, for every 16 columns, a tile. */
static inline void pack_values(const bf16 *values, int64_t stride, int64_t tokens, int64_t depth, bf16 *packed)
{
    for (int64_t token = 0; token < tokens; token += STEP)
        for (int64_t d = 0; d < depth; d += TILE)
            for (int pair = 0; pair < TILE; pair++, packed += STEP)
                _mm512_storeu_si512(packed, pair_of(values + (token + 2 * pair) * stride + d, stride, token + 2 * pair,
                                                    tokens));
}

/* Turn one row of scores into weights that are not divided by their sum yet; return one over the sum. */
static inline float soften(const float *scores, int64_t tokens, float scale, bf16 *weights)
{
    const __m512 lowest = _mm512_set1_ps(-INFINITY), factor = _mm512_set1_ps(scale * 1.44269504f);
    __m512 most = lowest, sum = _mm512_setzero_ps();
    for (int64_t t = 0; t < tokens; t += LANES) {
        const __mmask16 real = tokens - t >= LANES ? 0xffff : (1u << (tokens - t)) - 1;
        most = _mm512_max_ps(most, _mm512_mask_loadu_ps(lowest, real, scores + t));
    }
    most = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    const int64_t end = up_to(tokens, STEP);
    for (int64_t t = 0; t < end; t += LANES) {
        const int64_t left = tokens - t;
        const __mmask16 real = left >= LANES ? 0xffff : left > 0 ? (1u << left) - 1 : 0;
        const __m512 away = _mm512_sub_ps(_mm512_maskz_loadu_ps(real, scores + t), most);
        const __m512 weight = _mm512_maskz_mov_ps(real, power_of_two(_mm512_mul_ps(away, factor)));
        sum = _mm512_add_ps(sum, weight);
        _mm256_storeu_si256((__m256i *)(weights + t), to_bf16(weight));
    }
    return 1.0f / _mm512_reduce_add_ps(sum);
}

/* Attention of one head in one row: `queries` rows of (16's, d) against (T, d) keys and values. */
static inline void attend(int64_t queries, const bf16 *query, int64_t query_stride, const bf16 *key, const bf16 *value,
                   int64_t stride, int64_t tokens, int64_t depth, bf16 *out, int64_t out_stride, Scratch scratch)
{
    const int64_t score_stride = up_to(tokens, TILE), weight_stride = up_to(tokens, STEP);
    const float scale = 1.0f / sqrtf((float)depth);
    float sums[TILE], block[TILE * TILE] __attribute__((aligned(64)));
    pack_keys(key, stride, tokens, depth, scratch.keys);
    pack_values(value, stride, tokens, depth, scratch.values);
    WRITTEN();
    for (int64_t row = 0; row < queries; row += TILE) {
        const int64_t rows = queries - row < TILE ? queries - row : TILE;
        for (int64_t token = 0; token < tokens; token += TILE) {
            _tile_zero(0);
            for (int64_t d = 0; d < depth; d += STEP) {
                _tile_loadd(4, query + row * query_stride + d, query_stride * 2);
                _tile_loadd(6, scratch.keys + token * depth + d * TILE, 64);
                _tile_dpbf16ps(0, 4, 6);
            }
            _tile_stored(0, scratch.scores + token, score_stride * 4);
        }
        for (int64_t r = 0; r < rows; r++)
            sums[r] = soften(scratch.scores + r * score_stride, tokens, scale, scratch.weights + r * weight_stride);
        WRITTEN();
        for (int64_t d = 0; d < depth; d += TILE) {
            _tile_zero(0);
            for (int64_t token = 0; token < tokens; token += STEP) {
                _tile_loadd(4, scratch.weights + token, weight_stride * 2);
                _tile_loadd(6, scratch.values + token * depth + d * STEP, 64);
                _tile_dpbf16ps(0, 4, 6);
            }
            _tile_stored(0, block, TILE * 4);
            for (int64_t r = 0; r < rows; r++)
                _mm256_storeu_si256((__m256i *)(out + (row + r) * out_stride + d),
                                    to_bf16(_mm512_mul_ps(_mm512_load_ps(block + r * TILE), _mm512_set1_ps(sums[r]))));
        }
    }
}
