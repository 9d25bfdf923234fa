/* Attention of one head in one row, in tiles. */
#pragma once
#include "products.h"

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
static inline float softmax_unscaled(const float *scores, int64_t tokens, float scale, bf16 *weights)
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
            sums[r] = softmax_unscaled(scratch.scores + r * score_stride, tokens, scale,
                                       scratch.weights + r * weight_stride);
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
