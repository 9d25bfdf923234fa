/* Tuning the layers of a BERT-like encoder: forwards, backwards and the gradients of the weights, with AMX tiles.
 *
 * Each worker takes rows of a batch and does everything that goes token by token: the layers forwards, and later the
 * gradients of their inputs backwards. What the gradients of the weights need, it lays out for them while it is still in
 * cache, and writes it past the caches. These gradients are products over all tokens of all workers, and are dealt out
 * matrix by matrix afterwards. Numbers that go from layer to layer are fp32, what products take is bf16, and they add up
 * in fp32. Attention is computed again backwards; nothing of it is kept.
 *
 * Rows are taken in groups of about GROUP tokens, as in encoder.c. A group begins at a multiple of STEP, so that it
 * fills whole tiles of what is laid out; N counts the tokens with these gaps.
 */
#include "layers.h"

enum { QUERY, KEY, VALUE, OUTPUT, UP, DOWN, MATRICES };
enum { MIXED, MIXER, RISE, FALL, PRODUCTS }; /* what runs as one product: QUERY to VALUE, OUTPUT, UP, DOWN */

typedef struct {
    const float *weight[MATRICES], *bias[MATRICES];       /* (out, in) and (out,), fp32, as they are tuned */
    const float *norm[4];                                 /* weight and bias of the first norm, and of the second */
    float *weight_grad[MATRICES], *bias_grad[MATRICES];
    bf16 *forward[PRODUCTS], *backward[PRODUCTS];         /* packed for x W^T, and for g W */
    float *mixed_bias;                                    /* (3 D) */
} TunedLayer;

typedef struct {
    int64_t width, inner, heads, layers;
    int64_t only_first; /* whether only the first token of each row is read behind the last layer */
    float epsilon, dropout;
    TunedLayer *layer;
    const float *words, *positions, *types;               /* tables of embeddings */
    const float *norm[2];
    float *words_grad, *positions_grad, *types_grad;
} TunedModel;

/* What a worker keeps of one layer, for its N tokens. Of the embeddings, which stand behind the last layer: what their
 * norm and their dropout need. */
typedef struct {
    bf16 *mixed, *hat, *slope, *last_hat;                 /* (N, ...) */
    bf16 *right[PRODUCTS], *left[PRODUCTS];               /* sides of the products over tokens: inputs, and gradients */
    float *scale, *last_scale;                            /* (N,) one over the standard deviation */
    uint16_t *kept, *last_kept;                           /* (N, D / 16) which elements dropout left */
    float *norm_grad, *bias_grad;                         /* (4, D), and (5 D + F): this worker's share */
} Kept;

/* A worker's rows. */
typedef struct {
    int64_t rows, tokens, longest;
    const int64_t *lengths, *ids, *types; /* of tokens without gaps; types may be NULL */
    uint64_t seed;
    Kept *layer;
    float *x;                       /* (N, D) hidden states forwards, their gradient backwards */
    float *first;                   /* (rows, D) the same of first tokens behind the last layer */
    bf16 *copy, *attended;          /* (N, D), attended holds what attention gives, and later its gradient */
    char *scratch;                  /* luthier_tuning_scratch bytes */
} Part;

/* Some rows, where their tokens begin, and how many these are. */
typedef struct {
    int64_t begin, end, at, size;
} Group;

/* ---- random numbers ---- */

/* xorshift128+ (Vigna, arXiv:1404.0390), eight generators side by side. */
typedef struct {
    __m512i a, b;
} Random;

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static Random seeded(uint64_t seed, int64_t layer, int which)
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

/* Take over the biases of queries, keys and values, after they have moved. */
void luthier_tuning_biases(const TunedModel *model)
{
    const size_t bytes = (size_t)model->width * 4;
    for (const TunedLayer *layer = model->layer; layer < model->layer + model->layers; layer++)
        for (int part = QUERY; part <= VALUE; part++)
            memcpy(layer->mixed_bias + part * model->width, layer->bias[part], bytes);
}

/* ---- normalisation and dropout ---- */

/* x = normalised(x + dropped(delta + added)). Keeps the normalised x before its weight, one over the standard
 * deviation, and which elements were not dropped. */
static void add_and_normalise(int64_t rows, float *x, bf16 *copy, const float *delta, const float *added, int64_t width,
                              const float *const *norm, float epsilon, float rate, Random *random, uint16_t *kept,
                              bf16 *hat, float *scales)
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
static void normalise_back(int64_t rows, float *dx, int64_t width, const float *weight, const bf16 *hat,
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
static void embed_token(const TunedModel *model, int64_t id, int64_t position, int64_t type, float *x, bf16 *copy,
                        Random *random, uint16_t *kept, bf16 *hat, float *scale)
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
static void undrop(int64_t rows, float *dx, int64_t width, float rate, const uint16_t *kept)
{
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - rate));
    for (int64_t i = 0; rate > 0 && i < rows * width; i += LANES)
        _mm512_storeu_ps(dx + i, _mm512_maskz_mul_ps(kept[i / LANES], _mm512_loadu_ps(dx + i), grow));
}

/* ---- what gradients of weights take ---- */

/* Lay (T, columns) out as the right side of a product over tokens: for every 16 columns, for every 32 tokens, a tile;
 * tiles of the same columns lie one after the other, `run` numbers in all. */
static void pack_right(const bf16 *from, int64_t tokens, int64_t columns, bf16 *packed, int64_t run)
{
    for (int64_t token = 0; token < tokens; token += STEP)
        for (int64_t column = 0; column < columns; column += TILE) {
            bf16 *to = packed + column / TILE * run + token * TILE;
            for (int64_t t = token; t < token + STEP; t += 2, to += STEP)
                _mm512_stream_si512((void *)to, pair_of(from + t * columns + column, columns, t, tokens));
        }
}

/* Lay (T, columns) out as the left side, and add the columns up. */
static void pack_left(const bf16 *from, int64_t tokens, int64_t columns, bf16 *packed, int64_t run, float *sums)
{
    bf16 pairs[TILE * STEP] __attribute__((aligned(64)));
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    for (int64_t token = 0; token < tokens; token += STEP)
        for (int64_t column = 0; column < columns; column += TILE) {
            __m512 sum = _mm512_loadu_ps(sums + column);
            for (int pair = 0; pair < TILE; pair++) {
                const int64_t t = token + 2 * pair;
                const __m512i both = pair_of(from + t * columns + column, columns, t, tokens);
                sum = _mm512_dpbf16_ps(sum, (__m512bh)both, ones);
                _mm512_store_si512(pairs + pair * STEP, both);
            }
            _mm512_storeu_ps(sums + column, sum);
            transpose(pairs, STEP, packed + column / TILE * run + token * TILE, 1);
        }
}

/* ---- attention backwards ---- */

typedef struct {
    Scratch forward;
    bf16 *value_rows, *query_columns, *key_columns, *d_columns; /* packed: (T, d) each */
    bf16 *weights, *d_scores, *left;                            /* (T, T) */
    float *scores;                                              /* (16, T) */
    bf16 *mixed, *inner, *narrow;                               /* (G, 3 D), (G, F), (G, D): of one group */
    float *delta;                                               /* (G, D) */
} Room;

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Turn (rows, columns) into tiles of its transpose: for every 16 columns, for every 32 rows, a tile. */
static void turn(const bf16 *from, int64_t stride, int64_t rows, int64_t columns, bf16 *packed)
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
static void score(const bf16 *rows, int64_t stride, const bf16 *packed, int64_t tokens, int64_t depth, float *scores,
                  int64_t scores_stride)
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
static void mix(const bf16 *left, int64_t left_stride, int64_t step, const bf16 *right, int64_t tokens, int64_t depth,
                int64_t rows, bf16 *out, int64_t stride)
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
static void score_back(const bf16 *weights, const float *d_weights, float scale, int64_t tokens, int64_t end,
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
static void rescale(bf16 *weights, int64_t end, float factor)
{
    for (int64_t t = 0; t < end; t += LANES) {
        const __m512 found = _mm512_mul_ps(from_bf16(weights + t), _mm512_set1_ps(factor));
        _mm256_storeu_si256((__m256i *)(weights + t), to_bf16(found));
    }
}

/* The gradients of queries, keys and values of one head in one row; only the first `queries` tokens attended. */
static void attend_back(int64_t queries, const bf16 *mixed, const bf16 *d_out, int64_t width, int64_t tokens,
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
            rescale(weights + r * end, end, soften(room->scores + r * end, tokens, scale, weights + r * end));
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

/* ---- layers ---- */

static char *take(char **rest, int64_t rows, int64_t row_bytes)
{
    char *taken = *rest;
    *rest += up_to((rows + PAD) * row_bytes, 64);
    return taken;
}

static char *lay_out(const TunedModel *model, char *rest, int64_t longest, Room *room)
{
    const int64_t tokens = up_to(longest, STEP), group = tokens > GROUP ? tokens : GROUP;
    const int64_t width = model->width, depth = width / model->heads;
    bf16 **rows[] = {&room->forward.keys, &room->forward.values, &room->value_rows, &room->query_columns,
                     &room->key_columns, &room->d_columns};
    bf16 **squares[] = {&room->weights, &room->d_scores, &room->left};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = (bf16 *)take(&rest, tokens, depth * 2);
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        *squares[i] = (bf16 *)take(&rest, tokens, tokens * 2);
    room->scores = room->forward.scores = (float *)take(&rest, TILE, tokens * 4);
    room->forward.weights = room->left;
    room->mixed = (bf16 *)take(&rest, group, 3 * width * 2);
    room->inner = (bf16 *)take(&rest, group, model->inner * 2);
    room->narrow = (bf16 *)take(&rest, group, width * 2);
    room->delta = (float *)take(&rest, group, width * 4);
    return rest;
}

/* Bytes that a worker needs for rows of up to `longest` tokens. */
int64_t luthier_tuning_scratch(const TunedModel *model, int64_t longest)
{
    Room room;
    return lay_out(model, 0, longest, &room) - (char *)0;
}

/* Go on to the group behind this one; return whether there is one. Begin with one of all zeros. */
static int next_group(const Part *part, Group *group)
{
    group->begin = group->end;
    group->at = up_to(group->at + group->size, STEP);
    group->size = 0;
    while (group->end < part->rows &&
           (group->end == group->begin || group->size + part->lengths[group->end] <= GROUP))
        group->size += part->lengths[group->end++];
    return group->begin < part->rows;
}

/* The same for first tokens, which lie one behind the other. */
static int next_firsts(const Part *part, Group *group)
{
    group->begin = group->at = group->end;
    group->end = least_of(part->rows, group->begin + GROUP);
    group->size = group->end - group->begin;
    return group->size > 0;
}

/* Tokens of so many rows, with the gaps between groups. */
int64_t luthier_tuning_tokens(int64_t rows, const int64_t *lengths)
{
    const Part part = {.rows = rows, .lengths = lengths};
    Group group = {0};
    while (next_group(&part, &group)) continue;
    return group.at;
}

/* From hidden states to what attention gives. */
static void attention_forward(const TunedModel *model, const TunedLayer *layer, const Part *part, Kept *kept,
                              Group group, int only_first, Room *room)
{
    const int64_t width = model->width, depth = width / model->heads, stride = 3 * width;
    const bf16 *copy = part->copy + group.at * width;
    pack_right(copy, group.size, width, kept->right[MIXED] + group.at * TILE, part->tokens * TILE);
    product(group.size, stride, width, copy, width, layer->forward[MIXED],
            (Finish){PLAIN, layer->mixed_bias, room->mixed, stride, kept->mixed + group.at * stride});
    for (int64_t row = group.begin, t = 0; row < group.end; t += part->lengths[row++])
        for (int64_t head = 0; head < model->heads; head++) {
            const bf16 *mixed = room->mixed + t * stride + head * depth;
            attend(only_first ? 1 : part->lengths[row], mixed, stride, mixed + width, mixed + 2 * width, stride,
                   part->lengths[row], depth,
                   part->attended + (only_first ? row : group.at + t) * width + head * depth, width, room->forward);
        }
}

/* From there to the end of the layer: x (size, D) and a copy of it. */
static void rest_forward(const TunedModel *model, const TunedLayer *layer, const Part *part, Kept *kept, Group group,
                         int64_t run, float *x, bf16 *copy, Random *random, Room *room)
{
    const int64_t width = model->width, inner = model->inner, at = group.at;
    const bf16 *attended = part->attended + at * width;
    pack_right(attended, group.size, width, kept->right[MIXER] + at * TILE, run);
    product(group.size, width, width, attended, width, layer->forward[MIXER],
            (Finish){KEEP, NULL, room->delta, width, NULL});
    add_and_normalise(group.size, x, room->narrow, room->delta, layer->bias[OUTPUT], width, layer->norm, model->epsilon,
                      model->dropout, random, kept->kept + at * (width / LANES), kept->hat + at * width,
                      kept->scale + at);
    pack_right(room->narrow, group.size, width, kept->right[RISE] + at * TILE, run);
    product(group.size, inner, width, room->narrow, width, layer->forward[RISE],
            (Finish){GELU, layer->bias[UP], room->inner, inner, kept->slope + at * inner});
    pack_right(room->inner, group.size, inner, kept->right[FALL] + at * TILE, run);
    product(group.size, width, inner, room->inner, inner, layer->forward[FALL],
            (Finish){KEEP, NULL, room->delta, width, NULL});
    add_and_normalise(group.size, x, copy, room->delta, layer->bias[DOWN], width, layer->norm + 2, model->epsilon,
                      model->dropout, random + 1, kept->last_kept + at * (width / LANES), kept->last_hat + at * width,
                      kept->last_scale + at);
}

/* Copy a group's tokens from or to where all tokens of the part lie without gaps. */
static void deal(const TunedModel *model, const Part *part, const float *from, float *to)
{
    const int64_t width = model->width;
    int64_t seen = 0;
    for (Group group = {0}; next_group(part, &group); seen += group.size)
        memcpy((to ? to + seen * width : part->x + group.at * width),
               (from ? from + seen * width : part->x + group.at * width), (size_t)(group.size * width) * 4);
}

/* Embed a part's tokens. */
static void embed(const TunedModel *model, Part *part)
{
    const int64_t width = model->width;
    const Kept *kept = part->layer + model->layers;
    Random random = seeded(part->seed, model->layers, 0);
    int64_t seen = 0;
    for (Group group = {0}; next_group(part, &group);) {
        int64_t n = group.at;
        for (int64_t row = group.begin; row < group.end; row++)
            for (int64_t t = 0; t < part->lengths[row]; t++, n++, seen++)
                embed_token(model, part->ids[seen], t, part->types ? part->types[seen] : 0, part->x + n * width,
                            part->copy + n * width, &random, kept->kept + n * (width / LANES), kept->hat + n * width,
                            kept->scale + n);
    }
}

/* Run a worker's rows through all layers: from (N, D) embeddings, or from its token ids if there are none, to (N, D)
 * hidden states, both without gaps, or with only_first to (rows, D). */
void luthier_tuning_forward(const TunedModel *model, Part *part, const float *from, float *to)
{
    const int64_t width = model->width;
    Room room;
    lay_out(model, part->scratch, part->longest, &room);
    if (from) deal(model, part, from, NULL);
    else embed(model, part);
    for (int64_t i = 0; from && i < part->tokens * width; i += LANES)
        _mm256_storeu_si256((__m256i *)(part->copy + i), to_bf16(_mm512_loadu_ps(part->x + i)));
    configure_tiles();
    for (int64_t number = 0; number < model->layers; number++) {
        Kept *kept = part->layer + number;
        const TunedLayer *layer = model->layer + number;
        const int only_first = model->only_first && number + 1 == model->layers;
        Random random[] = {seeded(part->seed, number, 0), seeded(part->seed, number, 1)};
        for (Group group = {0}; next_group(part, &group);) {
            attention_forward(model, layer, part, kept, group, only_first, &room);
            if (!only_first)
                rest_forward(model, layer, part, kept, group, part->tokens * TILE, part->x + group.at * width,
                             part->copy + group.at * width, random, &room);
            for (int64_t row = group.begin, t = group.at; only_first && row < group.end; t += part->lengths[row++])
                memcpy(part->first + row * width, part->x + t * width, (size_t)width * 4);
        }
        for (Group group = {0}; only_first && next_firsts(part, &group);)
            rest_forward(model, layer, part, kept, group, up_to(part->rows, STEP) * TILE,
                         part->first + group.at * width, part->copy + group.at * width, random, &room);
    }
    _tile_release();
    _mm_sfence();
    if (model->only_first) memcpy(to, part->first, (size_t)(part->rows * width) * 4);
    else deal(model, part, NULL, to);
}

/* Backwards from the end of the layer to what attention gave: dx (size, D), and d_attended (size, D). */
static void rest_backward(const TunedModel *model, const TunedLayer *layer, Kept *kept, Group group, int64_t run,
                          float *dx, bf16 *d_attended, Room *room)
{
    const int64_t width = model->width, inner = model->inner, at = group.at;
    float *sums = kept->bias_grad;
    normalise_back(group.size, dx, width, layer->norm[2], kept->last_hat + at * width, kept->last_scale + at,
                   model->dropout, kept->last_kept + at * (width / LANES), room->narrow, kept->norm_grad + 2 * width);
    pack_left(room->narrow, group.size, width, kept->left[FALL] + at * TILE, run, sums + 4 * width + inner);
    product(group.size, inner, width, room->narrow, width, layer->backward[FALL],
            (Finish){SLOPE, NULL, room->inner, inner, kept->slope + at * inner});
    pack_left(room->inner, group.size, inner, kept->left[RISE] + at * TILE, run, sums + 4 * width);
    product(group.size, width, inner, room->inner, inner, layer->backward[RISE], (Finish){ADD, NULL, dx, width, NULL});
    normalise_back(group.size, dx, width, layer->norm[0], kept->hat + at * width, kept->scale + at, model->dropout,
                   kept->kept + at * (width / LANES), room->narrow, kept->norm_grad);
    pack_left(room->narrow, group.size, width, kept->left[MIXER] + at * TILE, run, sums + 3 * width);
    product(group.size, width, width, room->narrow, width, layer->backward[MIXER],
            (Finish){PLAIN, NULL, d_attended, width, NULL});
}

/* From there to the layer's input: adds to part->x. */
static void attention_backward(const TunedModel *model, const TunedLayer *layer, const Part *part, Kept *kept,
                               Group group, int only_first, Room *room)
{
    const int64_t width = model->width, depth = width / model->heads, stride = 3 * width;
    for (int64_t row = group.begin, t = 0; row < group.end; t += part->lengths[row++])
        for (int64_t head = 0; head < model->heads; head++) {
            const int64_t place = (only_first ? row : group.at + t) * width + head * depth;
            attend_back(only_first ? 1 : part->lengths[row], kept->mixed + (group.at + t) * stride + head * depth,
                        part->attended + place, width, part->lengths[row], depth, room->mixed + t * stride + head * depth, room);
        }
    pack_left(room->mixed, group.size, stride, kept->left[MIXED] + group.at * TILE, part->tokens * TILE,
              kept->bias_grad);
    product(group.size, width, stride, room->mixed, stride, layer->backward[MIXED],
            (Finish){ADD, NULL, part->x + group.at * width, width, NULL});
}

/* Put the gradients of first tokens to their places among those of all tokens, which are zero. */
static void spread_firsts(const TunedModel *model, Part *part)
{
    const size_t bytes = (size_t)model->width * 4;
    memset(part->x, 0, (size_t)part->tokens * bytes);
    for (Group group = {0}; next_group(part, &group);)
        for (int64_t row = group.begin, t = group.at; row < group.end; t += part->lengths[row++])
            memcpy(part->x + t * model->width, part->first + row * model->width, bytes);
}

/* From the gradient of the embeddings to that of the sums of what stands in the tables. */
static void embed_backward(const TunedModel *model, Part *part, Room *room)
{
    const int64_t width = model->width;
    const Kept *kept = part->layer + model->layers;
    memset(kept->norm_grad, 0, (size_t)(2 * width) * 4);
    for (Group group = {0}; next_group(part, &group);) {
        float *dx = part->x + group.at * width;
        undrop(group.size, dx, width, model->dropout, kept->kept + group.at * (width / LANES));
        normalise_back(group.size, dx, width, model->norm[0], kept->hat + group.at * width, kept->scale + group.at,
                       0.0f, kept->kept, room->narrow, kept->norm_grad);
    }
}

/* Backwards: from the gradient of what luthier_tuning_forward gave to that of the embeddings (N, D), without gaps, or
 * to what luthier_tuning_scatter takes. */
void luthier_tuning_backward(const TunedModel *model, Part *part, const float *from, float *to)
{
    const int64_t width = model->width;
    Room room;
    lay_out(model, part->scratch, part->longest, &room);
    if (model->only_first) memcpy(part->first, from, (size_t)(part->rows * width) * 4);
    else deal(model, part, from, NULL);
    configure_tiles();
    for (int64_t number = model->layers - 1; number >= 0; number--) {
        Kept *kept = part->layer + number;
        const TunedLayer *layer = model->layer + number;
        const int only_first = model->only_first && number + 1 == model->layers;
        memset(kept->norm_grad, 0, (size_t)(4 * width) * 4);
        memset(kept->bias_grad, 0, (size_t)(5 * width + model->inner) * 4);
        for (Group group = {0}; only_first && next_firsts(part, &group);)
            rest_backward(model, layer, kept, group, up_to(part->rows, STEP) * TILE, part->first + group.at * width,
                          part->attended + group.at * width, &room);
        if (only_first) spread_firsts(model, part);
        for (Group group = {0}; next_group(part, &group);) {
            if (!only_first)
                rest_backward(model, layer, kept, group, part->tokens * TILE, part->x + group.at * width,
                              part->attended + group.at * width, &room);
            attention_backward(model, layer, part, kept, group, only_first, &room);
        }
    }
    _tile_release();
    _mm_sfence();
    if (to) deal(model, part, NULL, to);
    else embed_backward(model, part, &room);
}

/* Rows of the tables of embeddings that get a gradient: some words, and of positions and types the first. */
typedef struct {
    int64_t words, positions, types;
    const int64_t *word;
} Touched;

/* The gradients of the tables, of columns `from` up to `to`, over all parts. Rows `before`, which got some last time, are
 * cleared first. Returns the sum of the squares of what stands in rows `now`, each of which is told once. */
double luthier_tuning_scatter(const TunedModel *model, int64_t parts, Part *const *part, int64_t from, int64_t to,
                              const Touched *before, const Touched *now)
{
    const int64_t width = model->width;
    const size_t bytes = (size_t)(to - from) * 4;
    for (int64_t i = 0; i < before->words; i++) memset(model->words_grad + before->word[i] * width + from, 0, bytes);
    for (int64_t i = 0; i < before->positions; i++) memset(model->positions_grad + i * width + from, 0, bytes);
    for (int64_t i = 0; i < before->types; i++) memset(model->types_grad + i * width + from, 0, bytes);
    for (int64_t p = 0; p < parts; p++) {
        int64_t seen = 0;
        for (Group group = {0}; next_group(part[p], &group);) {
            int64_t n = group.at;
            for (int64_t row = group.begin; row < group.end; row++)
                for (int64_t t = 0; t < part[p]->lengths[row]; t++, n++, seen++) {
                    float *word = model->words_grad + part[p]->ids[seen] * width;
                    float *place = model->positions_grad + t * width;
                    float *kind = model->types_grad + (part[p]->types ? part[p]->types[seen] : 0) * width;
                    for (int64_t d = from; d < to; d += LANES) {
                        const __m512 given = _mm512_loadu_ps(part[p]->x + n * width + d);
                        _mm512_storeu_ps(word + d, _mm512_add_ps(_mm512_loadu_ps(word + d), given));
                        _mm512_storeu_ps(place + d, _mm512_add_ps(_mm512_loadu_ps(place + d), given));
                        _mm512_storeu_ps(kind + d, _mm512_add_ps(_mm512_loadu_ps(kind + d), given));
                    }
                }
        }
    }
    double squares = 0;
    for (int64_t i = 0; i < now->words; i++)
        squares += squares_of(model->words_grad + now->word[i] * width + from, to - from);
    for (int64_t i = 0; i < now->positions; i++)
        squares += squares_of(model->positions_grad + i * width + from, to - from);
    for (int64_t i = 0; i < now->types; i++) squares += squares_of(model->types_grad + i * width + from, to - from);
    return squares;
}

/* ---- gradients of weights ---- */

/* What a product over tokens takes from one worker; `run` numbers belong to the same 16 columns. */
typedef struct {
    const bf16 *left, *right;
    int64_t run;
} Sides;

/* Write rows of a block past the caches, on top of what stands there if they `add`, and add their squares up. */
static inline __m512 stream_rows(const float *block, float *out, int64_t stride, int64_t from, int64_t to, int add,
                                 __m512 squares)
{
    for (int64_t r = from; r < to; r++) {
        __m512 a = _mm512_load_ps(block + r * STEP), b = _mm512_load_ps(block + r * STEP + LANES);
        if (add) {
            a = _mm512_add_ps(a, _mm512_load_ps(out + r * stride));
            b = _mm512_add_ps(b, _mm512_load_ps(out + r * stride + LANES));
        }
        squares = _mm512_fmadd_ps(b, b, _mm512_fmadd_ps(a, a, squares));
        _mm512_stream_ps(out + r * stride, a);
        _mm512_stream_ps(out + r * stride + LANES, b);
    }
    return squares;
}

/* grad = left^T right; columns go to one matrix of `height` rows after the other. The narrower side stays in cache. A
 * block is written between the steps of the next one, past the caches: it is read when all gradients are there. Returns
 * the sum of all squares. */
static double product_over_tokens(int64_t columns, int64_t depth, int64_t parts, const Sides *sides, float *const *grad,
                                int64_t height, int add)
{
    float blocks[2][STEP * STEP] __attribute__((aligned(64)));
    float *last = blocks[0], *block = blocks[1], *out = NULL;
    double all = 0;
    const int wide = columns > depth;
    const int64_t count = (wide ? depth : columns) / STEP;
    WRITTEN();
    for (int64_t outer = 0; outer < (wide ? columns : depth); outer += STEP)
        for (int64_t inner = 0; inner < (wide ? depth : columns); inner += STEP) {
            const int64_t row = wide ? outer : inner, column = wide ? inner : outer;
            int64_t done = 0;
            __m512 squares = _mm512_setzero_ps();
            clear_block();
            for (int64_t p = 0; p < parts; p++) {
                const int64_t run = sides[p].run;
                const bf16 *left = sides[p].left + row / TILE * run, *right = sides[p].right + column / TILE * run;
                /* The wider side's next 32 columns: this block fetches its share of them. */
                const int64_t lines = 2 * run / STEP, share = (lines + count - 1) / count, steps = run / (TILE * STEP);
                const int64_t each = (share + steps - 1) / steps;
                const char *ahead = (const char *)((wide ? left : right) + 2 * run) + inner / STEP * share * 64;
                for (const bf16 *end = left + run; left < end; left += TILE * STEP, right += TILE * STEP) {
                    for (int64_t line = 0; line < each; line++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
                    multiply(left, 64, left + run, right, right + run);
                    if (out && done < STEP) {
                        squares = stream_rows(last, out, depth, done, done + 2, add, squares);
                        done += 2;
                    }
                }
            }
            if (out) squares = stream_rows(last, out, depth, done, STEP, add, squares);
            all += _mm512_reduce_add_ps(squares);
            store_block(block, STEP);
            float *swapped = block;
            block = last;
            last = swapped;
            out = grad[row / height] + row % height * depth + column;
        }
    WRITTEN();
    return all + _mm512_reduce_add_ps(stream_rows(last, out, depth, 0, STEP, add, _mm512_setzero_ps()));
}

/* The gradients of one product's weights and biases over all parts, written over what stood there, or added to it.
 * Returns the sum of their squares. */
static double gradient(const TunedModel *model, int64_t parts, Part *const *part, int64_t number, int64_t which,
                       int add)
{
    const int64_t width = model->width, inner = model->inner, height = which == RISE ? inner : width;
    const int64_t columns = which == MIXED ? 3 * width : height, depth = which == FALL ? inner : width;
    const int64_t biases[] = {0, 3 * width, 4 * width, 4 * width + inner}, matrix = which == MIXED ? 0 : which + 2;
    const int only_first = model->only_first && number + 1 == model->layers && which != MIXED;
    const TunedLayer *layer = model->layer + number;
    Sides sides[parts];
    for (int64_t p = 0; p < parts; p++) {
        const Kept *kept = part[p]->layer + number;
        const int64_t tokens = only_first ? up_to(part[p]->rows, STEP) : part[p]->tokens;
        sides[p] = (Sides){kept->left[which], kept->right[which], tokens * TILE};
    }
    __m512 squares = _mm512_setzero_ps();
    for (int64_t c = 0; c < columns; c += LANES) {
        __m512 sum = _mm512_setzero_ps();
        for (int64_t p = 0; p < parts; p++)
            sum = _mm512_add_ps(sum, _mm512_loadu_ps(part[p]->layer[number].bias_grad + biases[which] + c));
        float *to = layer->bias_grad[matrix + c / height] + c % height;
        if (add) sum = _mm512_add_ps(sum, _mm512_loadu_ps(to));
        _mm512_storeu_ps(to, sum);
        squares = _mm512_fmadd_ps(sum, sum, squares);
    }
    return product_over_tokens(columns, depth, parts, sides, layer->weight_grad + matrix, height, add) +
           _mm512_reduce_add_ps(squares);
}

/* One product of one layer. */
typedef struct {
    int64_t layer, product;
    double squares; /* of its gradients */
} Job;

/* Compute the gradients of jobs until none is left, or with `add` those of one more batch. Each worker takes the one
 * that is `next`, in order. */
void luthier_tuning_gradients(const TunedModel *model, int64_t parts, Part *const *part, int64_t count, Job *job,
                              int64_t *next, int add)
{
    configure_tiles();
    for (int64_t i; (i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < count;)
        job[i].squares = gradient(model, parts, part, job[i].layer, job[i].product, add);
    _tile_release();
    _mm_sfence();
}
