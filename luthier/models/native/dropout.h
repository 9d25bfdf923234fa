/* Dropout, and the sums and norms that it stands before, forwards and backwards. */
#pragma once
#include "tuned.h"

/* xorshift128+ (Vigna, arXiv:1404.0390), eight generators side by side. */
typedef struct {
    __m512i a, b;
} Random;

static inline uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline Random seeded(uint64_t seed, int64_t layer, int which)
{
    uint64_t place = (uint64_t)(2 * layer + which), state = seed ^ split_mix(&place), numbers[16];
    for (int i = 0; i < 16; i++) numbers[i] = split_mix(&state);
    return (Random){_mm512_loadu_si512(numbers), _mm512_loadu_si512(numbers + 8)};
}

static inline __m512i draw(Random *random)
{
    __m512i s = random->a;
    const __m512i t = random->b, sum = _mm512_add_epi64(s, t);
    random->a = t;
    s = _mm512_xor_si512(s, _mm512_slli_epi64(s, 23));
    random->b = _mm512_xor_si512(_mm512_xor_si512(s, t),
                                 _mm512_xor_si512(_mm512_srli_epi64(s, 18), _mm512_srli_epi64(t, 5)));
    return sum;
}

/* What of the 16 numbers at d dropout leaves; 32 numbers of 16 bits are drawn at once. */
static inline __mmask16 drawn(Random *random, __m512i *numbers, int64_t d, float rate)
{
    if (d % STEP == 0) *numbers = draw(random);
    const __m256i half = d % STEP ? _mm512_extracti64x4_epi64(*numbers, 1) : _mm512_castsi512_si256(*numbers);
    return _mm256_cmpge_epu16_mask(half, _mm256_set1_epi16((int16_t)(uint16_t)(rate * 65536.0f + 0.5f)));
}

/* x = normalised(x + dropped(delta + added)). Keeps the normalised x before its weight, one over the standard
 * deviation, and which elements were not dropped. */
static inline void add_and_normalise(int64_t rows, float *x, bf16 *copy, const float *delta, const float *added,
                                     int64_t width, const float *const *norm, float epsilon, float rate,
                                     Random *random, uint16_t *kept, bf16 *hat, float *scales)
{
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - rate));
    for (int64_t row = 0; row < rows;
         row++, x += width, copy += width, delta += width, hat += width, kept += width / LANES) {
        __m512 sum = _mm512_setzero_ps();
        __m512i numbers = _mm512_setzero_si512();
        for (int64_t d = 0; d < width; d += LANES) {
            __m512 change = _mm512_add_ps(_mm512_loadu_ps(delta + d), _mm512_loadu_ps(added + d));
            if (rate > 0) {
                kept[d / LANES] = drawn(random, &numbers, d, rate);
                change = _mm512_maskz_mul_ps(kept[d / LANES], change, grow);
            }
            const __m512 total = _mm512_add_ps(_mm512_loadu_ps(x + d), change);
            _mm512_storeu_ps(x + d, total);
            sum = _mm512_add_ps(sum, total);
        }
        const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        scales[row] = scale_of(x, width, mean, epsilon);
        const __m512 factor = _mm512_set1_ps(scales[row]);
        for (int64_t d = 0; d < width; d += STEP) {
            __m512 away[2], found[2];
            for (int half = 0; half < 2; half++) {
                const int64_t at = d + half * LANES;
                away[half] = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + at), mean), factor);
                found[half] = _mm512_fmadd_ps(away[half], _mm512_loadu_ps(norm[0] + at), _mm512_loadu_ps(norm[1] + at));
                _mm512_storeu_ps(x + at, found[half]);
            }
            _mm512_stream_si512((void *)(hat + d), join(away[0], away[1]));
            _mm512_storeu_si512(copy + d, join(found[0], found[1]));
        }
    }
}

/* Backwards: dx holds the gradient of the result and becomes that of the sum; `dropped` that of what was added to x.
 * Adds the gradients of weight and bias to grads (2, D). */
static inline void normalise_back(int64_t rows, float *dx, int64_t width, const float *weight, const bf16 *hat,
                                  const float *scales, float rate, const uint16_t *kept, bf16 *dropped, float *grads)
{
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - rate));
    for (int64_t row = 0; row < rows; row++, dx += width, hat += width, dropped += width, kept += width / LANES) {
        __m512 sum = _mm512_setzero_ps(), dot = _mm512_setzero_ps();
        for (int64_t d = 0; d < width; d += LANES) {
            const __m512 given = _mm512_loadu_ps(dx + d), near = from_bf16(hat + d);
            const __m512 weighed = _mm512_mul_ps(given, _mm512_loadu_ps(weight + d));
            _mm512_storeu_ps(grads + d, _mm512_fmadd_ps(given, near, _mm512_loadu_ps(grads + d)));
            _mm512_storeu_ps(grads + width + d, _mm512_add_ps(given, _mm512_loadu_ps(grads + width + d)));
            sum = _mm512_add_ps(sum, weighed);
            dot = _mm512_fmadd_ps(weighed, near, dot);
            _mm512_storeu_ps(dx + d, weighed);
        }
        const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        const __m512 along = _mm512_set1_ps(_mm512_reduce_add_ps(dot) / (float)width);
        const __m512 scale = _mm512_set1_ps(scales[row]);
        for (int64_t d = 0; d < width; d += LANES) {
            const __m512 rest = _mm512_sub_ps(_mm512_loadu_ps(dx + d), mean);
            const __m512 found = _mm512_mul_ps(scale, _mm512_fnmadd_ps(from_bf16(hat + d), along, rest));
            _mm512_storeu_ps(dx + d, found);
            const __m512 passed = rate > 0 ? _mm512_maskz_mul_ps(kept[d / LANES], found, grow) : found;
            _mm256_storeu_si256((__m256i *)(dropped + d), to_bf16(passed));
        }
    }
}

/* x = dropped(normalised(word + position + type)) for one token, and a copy. */
static inline void embed_token(const TunedModel *model, int64_t id, int64_t position, int64_t type, float *x,
                               bf16 *copy, Random *random, uint16_t *kept, bf16 *hat, float *scale)
{
    const int64_t width = model->width;
    const float *word = model->words + id * width, *place = model->positions + position * width;
    const float *kind = model->types + type * width;
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - model->dropout));
    __m512 sum = _mm512_setzero_ps();
    __m512i numbers = _mm512_setzero_si512();
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 total = _mm512_add_ps(_mm512_add_ps(_mm512_loadu_ps(word + d), _mm512_loadu_ps(kind + d)),
                                           _mm512_loadu_ps(place + d));
        _mm512_storeu_ps(x + d, total);
        sum = _mm512_add_ps(sum, total);
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
    *scale = scale_of(x, width, mean, model->epsilon);
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 away = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + d), mean), _mm512_set1_ps(*scale));
        __m512 found = _mm512_fmadd_ps(away, _mm512_loadu_ps(model->norm[0] + d), _mm512_loadu_ps(model->norm[1] + d));
        if (model->dropout > 0) {
            kept[d / LANES] = drawn(random, &numbers, d, model->dropout);
            found = _mm512_maskz_mul_ps(kept[d / LANES], found, grow);
        }
        _mm256_storeu_si256((__m256i *)(hat + d), to_bf16(away));
        _mm256_storeu_si256((__m256i *)(copy + d), to_bf16(found));
        _mm512_storeu_ps(x + d, found);
    }
}

/* Through the embeddings' dropout backwards. */
static inline void undrop(int64_t rows, float *dx, int64_t width, float rate, const uint16_t *kept)
{
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - rate));
    for (int64_t i = 0; rate > 0 && i < rows * width; i += LANES)
        _mm512_storeu_ps(dx + i, _mm512_maskz_mul_ps(kept[i / LANES], _mm512_loadu_ps(dx + i), grow));
}
