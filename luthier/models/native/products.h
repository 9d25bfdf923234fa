/* Matrix products by tiles: packing weights, multiplying, and finishing what comes out. */
#pragma once
#include "numbers.h"

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
