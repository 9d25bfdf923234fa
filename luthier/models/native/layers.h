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

enum finish { KEEP, ADD, PLAIN, GELU, SLOPE };

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

static inline __m512i join(__m512 left, __m512 right)
{
    return (__m512i)_mm512_cvtne2ps_pbh(right, left);
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

/* The normal distribution's integral up to x, and the derivative of GELU, which is that and x times the density: by
 * quadratics of x, one for each piece of 0.29 from -4.495 to 4.495, through the curve at the piece's three Chebyshev
 * nodes. Off by at most 5e-5 and 2e-4. Piece 0 is the one around zero, 31 the one below it: the five bits that rounding
 * to whole pieces leaves. */
static const float BELOW[3][32] __attribute__((aligned(64))) = {
    {0.5f, 0.49878237f, 0.4910399f, 0.48057804f, 0.48208803f, 0.51142794f, 0.57422984f, 0.66191041f, 0.75695068f,
     0.84217113f, 0.90743059f, 0.95091701f, 0.97644192f, 0.9897505f, 0.99595237f, 0.99855083f, 0.0f, 0.0014491725f,
     0.0040476318f, 0.010249473f, 0.023558099f, 0.049082965f, 0.092569433f, 0.15782888f, 0.24304935f, 0.33808959f,
     0.42577013f, 0.48857206f, 0.51791197f, 0.51942194f, 0.50896013f, 0.50121766f},
    {0.39789629f, 0.41364232f, 0.44962391f, 0.47927955f, 0.47708571f, 0.43263978f, 0.35408273f, 0.26098764f,
     0.17339808f, 0.10403655f, 0.056485482f, 0.027805941f, 0.012431808f, 0.0050555933f, 0.0018724205f, 0.00063226512f,
     0.0f, 0.00063226512f, 0.0018724205f, 0.0050555933f, 0.012431808f, 0.027805941f, 0.056485482f, 0.10403655f,
     0.17339808f, 0.26098764f, 0.35408273f, 0.43263978f, 0.47708571f, 0.47927955f, 0.44962391f, 0.41364232f},
    {1.7601634e-15f, -0.05525263f, -0.097440727f, -0.11851163f, -0.117815f, -0.10096783f, -0.076385029f,
     -0.051661916f, -0.031473808f, -0.017356412f, -0.0086925412f, -0.003963144f, -0.0016477818f, -0.00062561035f,
     -0.00021712077f, -6.8936279e-05f, 0.0f, 6.8936279e-05f, 0.00021712077f, 0.00062561035f, 0.0016477818f,
     0.003963144f, 0.0086925412f, 0.017356412f, 0.031473808f, 0.051661916f, 0.076385029f, 0.10096783f, 0.117815f,
     0.11851163f, 0.097440727f, 0.05525263f},
};
static const float SLOPES[3][32] __attribute__((aligned(64))) = {
    {0.5f, 0.49532357f, 0.47027975f, 0.45905146f, 0.53568143f, 0.74255461f, 1.0388705f, 1.3214962f, 1.4947916f,
     1.5256606f, 1.4465104f, 1.3193371f, 1.1972331f, 1.1067758f, 1.0511601f, 1.0217716f, 0.0f, -0.02177152f,
     -0.051160082f, -0.10677572f, -0.19723308f, -0.31933707f, -0.44651043f, -0.52566069f, -0.49479166f, -0.32149619f,
     -0.038870417f, 0.25744539f, 0.46431854f, 0.54094851f, 0.52972025f, 0.50467646f},
    {0.79370552f, 0.85468692f, 0.9727869f, 1.0081397f, 0.86044335f, 0.54453069f, 0.17223841f, -0.12922156f,
     -0.29006588f, -0.31603292f, -0.25891766f, -0.17537454f, -0.10200176f, -0.051948085f, -0.023437427f,
     -0.0094393427f, 0.0f, -0.0094393427f, -0.023437427f, -0.051948085f, -0.10200176f, -0.17537454f, -0.25891766f,
     -0.31603292f, -0.29006588f, -0.12922156f, 0.17223841f, 0.54453069f, 0.86044335f, 1.0081397f, 0.9727869f,
     0.85468692f},
    {3.5203267e-15f, -0.2159531f, -0.35638854f, -0.38388237f, -0.31263179f, -0.19190444f, -0.074887566f,
     0.0055370983f, 0.042869788f, 0.048325494f, 0.038019896f, 0.024296977f, 0.013272791f, 0.0063477498f,
     0.0026934643f, 0.001022435f, 0.0f, -0.001022435f, -0.0026934643f, -0.0063477498f, -0.013272791f, -0.024296977f,
     -0.038019896f, -0.048325494f, -0.042869788f, -0.0055370983f, 0.074887566f, 0.19190444f, 0.31263179f, 0.38388237f,
     0.35638854f, 0.2159531f},
};

typedef struct {
    __m512 near;    /* x, brought between the ends */
    __m512i piece;
} Place;

static inline Place place_of(__m512 x)
{
    const __m512 end = _mm512_set1_ps(4.494f);
    const __m512 near = _mm512_max_ps(_mm512_min_ps(x, end), _mm512_sub_ps(_mm512_setzero_ps(), end));
    const __m512 whole = _mm512_set1_ps(12582912.0f); /* added to it, a number is rounded and stands in the last bits */
    return (Place){near, _mm512_castps_si512(_mm512_fmadd_ps(near, _mm512_set1_ps(1 / 0.29f), whole))};
}

static inline __m512 along(const float (*table)[32], Place place)
{
    __m512 parts[3];
    for (int power = 0; power < 3; power++)
        parts[power] = _mm512_permutex2var_ps(_mm512_load_ps(table[power]), place.piece,
                                              _mm512_load_ps(table[power] + LANES));
    return _mm512_fmadd_ps(_mm512_fmadd_ps(parts[2], place.near, parts[1]), place.near, parts[0]);
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

/* One over the standard deviation of a row whose mean is known. */
static inline float scale_of(const float *x, int64_t width, __m512 mean, float epsilon)
{
    __m512 squares = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(x + d), mean);
        squares = _mm512_fmadd_ps(away, away, squares);
    }
    return 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + epsilon);
}

static inline __mmask16 real_lanes(int64_t left)
{
    return left >= LANES ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
}

/* The sum of squares: fp32 within a stretch, so that little is lost however many there are. */
static inline double squares_of(const float *x, int64_t count)
{
    const int64_t stretch = 4096;
    double sum = 0;
    for (int64_t from = 0; from < count; from += stretch) {
        __m512 squares = _mm512_setzero_ps();
        for (int64_t i = from; i < from + stretch && i < count; i += LANES) {
            const __m512 found = _mm512_maskz_loadu_ps(real_lanes(count - i), x + i);
            squares = _mm512_fmadd_ps(found, found, squares);
        }
        sum += _mm512_reduce_add_ps(squares);
    }
    return sum;
}

/* ---- matrix products ---- */

/* Turn 16 rows of 16 32-bit units into 16 columns; `past` the caches, if nobody reads them soon. */
static inline __attribute__((always_inline)) void transpose(const bf16 *from, int64_t stride, bf16 *to, int past)
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
    for (int i = 0; i < 16; i++) {
        const __m512i column = i < 8 ? _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88)
                                     : _mm512_shuffle_i32x4(t[i - 8], t[i], 0xdd);
        if (past) _mm512_stream_si512((void *)(to + i * STEP), column);
        else _mm512_storeu_si512(to + i * STEP, column);
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
                transpose(rows, STEP, packed, 1);
            }
}

/* What becomes of a product. */
typedef struct {
    enum finish finish;
    const float *bias; /* (N), or none */
    void *out;         /* (M, N): fp32 with KEEP and ADD, which adds to what stands there; else bf16 */
    int64_t stride;    /* between rows of `out` */
    bf16 *kept;        /* (M, N), or none: PLAIN writes the same there, GELU its slope; SLOPE multiplies by it */
} Finish;

/* Finish some rows of a block. What is kept is not read for long: it goes past the caches. */
static inline __attribute__((always_inline)) void finish_rows(Finish finish, int64_t n, const float *block, int64_t row,
                                                              int64_t column, int64_t from, int64_t to)
{
    const __m512 none = _mm512_setzero_ps();
    const __m512 left = finish.bias ? _mm512_loadu_ps(finish.bias + column) : none;
    const __m512 right = finish.bias ? _mm512_loadu_ps(finish.bias + column + LANES) : none;
    bf16 *out = (bf16 *)finish.out + (row + from) * finish.stride + column;
    bf16 *kept = finish.kept ? finish.kept + (row + from) * n + column : NULL;
    for (block += from * STEP; from < to; from++, block += STEP, out += finish.stride, kept = kept ? kept + n : NULL) {
        __m512 a = _mm512_add_ps(_mm512_load_ps(block), left), b = _mm512_add_ps(_mm512_load_ps(block + LANES), right);
        if (finish.finish == GELU) {
            const Place place_a = place_of(a), place_b = place_of(b);
            if (kept) _mm512_stream_si512((void *)kept, join(along(SLOPES, place_a), along(SLOPES, place_b)));
            a = _mm512_mul_ps(a, along(BELOW, place_a));
            b = _mm512_mul_ps(b, along(BELOW, place_b));
        }
        if (finish.finish == SLOPE) {
            a = _mm512_mul_ps(a, from_bf16(kept));
            b = _mm512_mul_ps(b, from_bf16(kept + LANES));
        }
        const __m512i both = join(a, b);
        _mm512_storeu_si512(out, both);
        if (finish.finish == PLAIN && kept) _mm512_stream_si512((void *)kept, both);
    }
}

static inline void load_block(const float *from, int64_t stride)
{
    _tile_loadd(0, from, stride * 4);
    _tile_loadd(1, from + TILE, stride * 4);
    _tile_loadd(2, from + TILE * stride, stride * 4);
    _tile_loadd(3, from + TILE * stride + TILE, stride * 4);
}

static inline void clear_block(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

static inline void store_block(float *to, int64_t stride)
{
    _tile_stored(0, to, stride * 4);
    _tile_stored(1, to + TILE, stride * 4);
    _tile_stored(2, to + TILE * stride, stride * 4);
    _tile_stored(3, to + TILE * stride + TILE, stride * 4);
}

/* One step of a block: two tiles of the left side times two of the right. */
static inline void multiply(const bf16 *left, int64_t left_stride, const bf16 *lower, const bf16 *right,
                            const bf16 *further)
{
    _tile_loadd(4, left, left_stride);
    _tile_loadd(6, right, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, further, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, lower, left_stride);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* a times packed weight, (M, K) by (K, N); M is rounded up to STEP.
 *
 * Tiles and vectors work at the same time: a block is finished row by row between the steps of the next block. Weights
 * come from the third cache: while 32 outputs are computed, those of the next 32 are fetched, a few lines a step. */
static inline __attribute__((always_inline)) void product(int64_t m, int64_t n, int64_t k, const bf16 *a,
                                                          int64_t a_stride, const bf16 *packed, Finish finish)
{
    float blocks[2][STEP * STEP] __attribute__((aligned(64)));
    const int direct = finish.finish == KEEP || finish.finish == ADD;
    const int64_t count = (m + STEP - 1) / STEP, steps = k / STEP;
    const int64_t lines = (STEP + count - 1) / count, rows = (STEP + steps - 1) / steps;
    int64_t last_row = -1, last_column = 0;
    float *last = blocks[0], *block = blocks[1];
    WRITTEN();
    for (int64_t column = 0; column < n; column += STEP, packed += STEP * k) {
        const char *ahead = (const char *)(packed + STEP * k);
        for (int64_t row = 0; row < m; row += STEP) {
            const bf16 *left = a + row * a_stride, *right = packed;
            float *to = direct ? (float *)finish.out + row * finish.stride + column : block;
            if (finish.finish == ADD) load_block(to, finish.stride);
            else clear_block();
            for (int64_t step = 0, done = 0; step < steps; step++, done += rows, left += STEP, right += STEP * STEP) {
                const int64_t end = done + rows < STEP ? done + rows : STEP;
                for (int64_t line = 0; line < lines; line++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
                if (finish.finish == SLOPE)
                    for (int64_t r = done; r < end; r++)
                        _mm_prefetch((const char *)(finish.kept + (row + r) * n + column), _MM_HINT_T0);
                multiply(left, a_stride * 2, left + TILE * a_stride, right, right + STEP * TILE);
                if (!direct && last_row >= 0 && done < end)
                    finish_rows(finish, n, last, last_row, last_column, done, end);
            }
            store_block(to, direct ? finish.stride : STEP);
            if (!direct) {
                block = last;
                last = to;
                last_row = row;
                last_column = column;
            }
        }
    }
    WRITTEN();
    if (last_row >= 0) finish_rows(finish, n, last, last_row, last_column, 0, STEP);
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
            transpose(keys + token * stride + d, stride, packed, 0);
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

/* Lay an (out, in) weight out for g W, where outputs are the depth: those from `from` on, of `depth` in all. */
static inline void pack_columns(int64_t outputs, int64_t inputs, const float *weight, bf16 *packed, int64_t depth,
                         int64_t from)
{
    bf16 rows[2 * LANES] __attribute__((aligned(64)));
    for (int64_t n = 0; n < inputs; n += STEP)
        for (int64_t k = 0; k < outputs; k += STEP) {
            bf16 *to = packed + n * depth + (from + k) * STEP;
            for (int64_t half = n; half < n + STEP; half += TILE)
                for (int pair = 0; pair < TILE; pair++, to += STEP) {
                    const float *row = weight + (k + 2 * pair) * inputs + half;
                    _mm256_store_si256((__m256i *)rows, to_bf16(_mm512_loadu_ps(row)));
                    _mm256_store_si256((__m256i *)(rows + LANES), to_bf16(_mm512_loadu_ps(row + inputs)));
                    _mm512_stream_si512((void *)to, pair_of(rows, LANES, 0, 2));
                }
        }
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
        const __mmask16 real = real_lanes(tokens - t);
        most = _mm512_max_ps(most, _mm512_mask_loadu_ps(lowest, real, scores + t));
    }
    most = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    const int64_t end = up_to(tokens, STEP);
    for (int64_t t = 0; t < end; t += LANES) {
        const __mmask16 real = real_lanes(tokens - t);
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
