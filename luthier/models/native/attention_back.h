/* Attention backwards, computed again from queries, keys and values; and where it and the layers work. */
#pragma once
#include "tuned.h"

typedef struct {
    Scratch forward;
    bf16 *value_rows, *query_columns, *key_columns, *d_columns; /* packed: (T, d) each */
    bf16 *weights, *d_scores, *left;                            /* (T, T) */
    float *scores;                                              /* (16, T) */
    bf16 *mixed, *inner, *narrow;                               /* (G, 3 D), (G, F), (G, D): of one group */
    float *delta;                                               /* (G, D) */
} Room;

/* Turn (rows, columns) into tiles of its transpose: for every 16 columns, for every 32 rows, a tile. */
static inline void turn(const bf16 *from, int64_t stride, int64_t rows, int64_t columns, bf16 *packed)
{
    bf16 pairs[TILE * STEP] __attribute__((aligned(64)));
    for (int64_t column = 0; column < columns; column += TILE)
        for (int64_t row = 0; row < rows; row += STEP, packed += TILE * STEP) {
            for (int pair = 0; pair < TILE; pair++)
                _mm512_store_si512(pairs + pair * STEP, pair_of(from + (row + 2 * pair) * stride + column, stride,
                                                                row + 2 * pair, rows));
            transpose(pairs, STEP, packed, 0);
        }
}

/* (16, T): 16 rows of d against T packed rows of d. */
static inline void score(const bf16 *rows, int64_t stride, const bf16 *packed, int64_t tokens, int64_t depth,
                         float *scores, int64_t scores_stride)
{
    WRITTEN();
    for (int64_t token = 0; token < tokens; token += TILE) {
        _tile_zero(0);
        for (int64_t d = 0; d < depth; d += STEP) {
            _tile_loadd(4, rows + d, stride * 2);
            _tile_loadd(6, packed + token * depth + d * TILE, 64);
            _tile_dpbf16ps(0, 4, 6);
        }
        _tile_stored(0, scores + token, scores_stride * 4);
    }
}

/* (rows, d): up to 16 rows of T, in tiles `step` apart, times (T, d) packed by pack_values. */
static inline void mix(const bf16 *left, int64_t left_stride, int64_t step, const bf16 *right, int64_t tokens,
                       int64_t depth, int64_t rows, bf16 *out, int64_t stride)
{
    WRITTEN();
    float block[TILE * TILE] __attribute__((aligned(64)));
    for (int64_t d = 0; d < depth; d += TILE) {
        _tile_zero(0);
        for (int64_t token = 0; token < tokens; token += STEP) {
            _tile_loadd(4, left + token / STEP * step, left_stride * 2);
            _tile_loadd(6, right + token * depth + d * STEP, 64);
            _tile_dpbf16ps(0, 4, 6);
        }
        _tile_stored(0, block, TILE * 4);
        for (int64_t r = 0; r < rows; r++)
            _mm256_storeu_si256((__m256i *)(out + r * stride + d), to_bf16(_mm512_load_ps(block + r * TILE)));
    }
}

/* One row of the gradient of scores: weight * (gradient of the weight - what all weights of the row share) * scale. They
 * share what the weights make of their gradients. */
static inline void score_back(const bf16 *weights, const float *d_weights, float scale, int64_t tokens, int64_t end,
                              bf16 *d_scores)
{
    __m512 sum = _mm512_setzero_ps();
    for (int64_t t = 0; t < tokens; t += LANES) {
        const __mmask16 real = real_lanes(tokens - t);
        sum = _mm512_fmadd_ps(from_bf16(weights + t), _mm512_maskz_loadu_ps(real, d_weights + t), sum);
    }
    const __m512 shared = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (int64_t t = 0; t < end; t += LANES) {
        const __mmask16 real = real_lanes(tokens - t);
        const __m512 away = _mm512_sub_ps(_mm512_maskz_loadu_ps(real, d_weights + t), shared);
        const __m512 found = _mm512_mul_ps(_mm512_mul_ps(from_bf16(weights + t), away), _mm512_set1_ps(scale));
        _mm256_storeu_si256((__m256i *)(d_scores + t), to_bf16(_mm512_maskz_mov_ps(real, found)));
    }
}

/* Multiply a row of bf16 weights by one number. */
static inline void rescale(bf16 *weights, int64_t end, float factor)
{
    for (int64_t t = 0; t < end; t += LANES) {
        const __m512 found = _mm512_mul_ps(from_bf16(weights + t), _mm512_set1_ps(factor));
        _mm256_storeu_si256((__m256i *)(weights + t), to_bf16(found));
    }
}

/* The gradients of queries, keys and values of one head in one row; only the first `queries` tokens attended. */
static inline void attend_back(int64_t queries, const bf16 *mixed, const bf16 *d_out, int64_t width, int64_t tokens,
                               int64_t depth, bf16 *d_mixed, Room *room)
{
    const int64_t stride = 3 * width, end = up_to(tokens, STEP), run = up_to(queries, STEP) * TILE;
    const float scale = 1.0f / sqrtf((float)depth);
    pack_keys(mixed + width, stride, tokens, depth, room->forward.keys);
    pack_keys(mixed + 2 * width, stride, tokens, depth, room->value_rows);
    pack_values(mixed, stride, queries, depth, room->query_columns);
    pack_values(mixed + width, stride, tokens, depth, room->key_columns);
    pack_values(d_out, width, queries, depth, room->d_columns);
    for (int64_t row = 0; row < queries; row += TILE) {
        const int64_t rows = least_of(TILE, queries - row);
        bf16 *weights = room->weights + row * end, *d_scores = room->d_scores + row * end;
        score(mixed + row * stride, stride, room->forward.keys, tokens, depth, room->scores, end);
        for (int64_t r = 0; r < rows; r++)
            rescale(weights + r * end, end, softmax_unscaled(room->scores + r * end, tokens, scale, weights + r * end));
        score(d_out + row * width, width, room->value_rows, tokens, depth, room->scores, end);
        for (int64_t r = 0; r < rows; r++)
            score_back(weights + r * end, room->scores + r * end, scale, tokens, end, d_scores + r * end);
        mix(d_scores, end, STEP, room->key_columns, tokens, depth, rows, d_mixed + row * stride, stride);
    }
    for (int64_t row = queries; row < tokens; row++) memset(d_mixed + row * stride, 0, (size_t)depth * 2);
    for (int which = KEY; which <= VALUE; which++) {
        turn(which == KEY ? room->d_scores : room->weights, end, queries, tokens, room->left);
        for (int64_t row = 0; row < tokens; row += TILE)
            mix(room->left + row / TILE * run, STEP, TILE * STEP,
                which == KEY ? room->query_columns : room->d_columns, queries, depth, least_of(TILE, tokens - row),
                d_mixed + which * width + row * stride, stride);
    }
}
