/* Tuning the layers of a BERT-like encoder: forwards, backwards and the gradients of the weights, with AMX tiles.
 *
 * Each worker takes rows of a batch and does everything that goes token by token: the layers forwards, and later the
 * gradients of their inputs backwards. It keeps what the gradients of the weights need. These are products over all
 * tokens of all workers, and are dealt out matrix by matrix afterwards. Numbers that go from layer to layer are fp32,
 * what products take is bf16, and they add up in fp32. Attention is computed again backwards; nothing of it is kept.
 */
#include "layers.h"

enum { QUERY, KEY, VALUE, OUTPUT, UP, DOWN, MATRICES };
enum { MIXED, PACKED = 4 }; /* queries, keys and values are packed as one */

typedef struct {
    const float *weight[MATRICES], *bias[MATRICES];       /* (out, in) and (out,), fp32, as they are tuned */
    const float *norm[4];                                 /* weight and bias of the first norm, and of the second */
    float *weight_grad[MATRICES], *bias_grad[MATRICES];
    bf16 *forward[PACKED], *backward[PACKED];             /* mixed, output, up, down: packed for x W^T, and for g W */
    float *mixed_bias;                                    /* (3 D) */
} TunedLayer;

typedef struct {
    int64_t width, inner, heads, layers;
    float epsilon, dropout;
    TunedLayer *layer;
} TunedModel;

/* What a worker keeps of one layer, for its N tokens. */
typedef struct {
    bf16 *x, *mixed, *attended, *hat, *middle, *before, *inner, *last_hat;
    bf16 *d_down, *d_up, *d_output, *d_mixed;
    float *scale, *last_scale;      /* (N,) one over the standard deviation */
    uint16_t *kept, *last_kept;     /* (N, D / 16) which elements dropout left */
    float *norm_grad;               /* (4, D) this worker's share */
} Kept;

/* A worker's rows. */
typedef struct {
    int64_t rows, tokens, longest;
    const int64_t *lengths;
    uint64_t seed;
    Kept *layer;
    float *x;                       /* (N, D) hidden states forwards, their gradient backwards */
    float *delta;                   /* (G, D) */
    bf16 *copy, *d_attended;        /* (N, D) */
    char *scratch;                  /* luthier_tuning_scratch bytes */
} Part;

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

/* ---- weights ---- */

/* Lay an (out, in) weight out for g W, where outputs are the depth: those from `from` on, of `depth` in all. */
static void pack_columns(int64_t outputs, int64_t inputs, const float *weight, bf16 *packed, int64_t depth,
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
                    _mm512_storeu_si512(to, pair_of(rows, LANES, 0, 2));
                }
        }
}

/* Pack one layer's weights anew, after they have moved. */
void luthier_tuning_pack(const TunedModel *model, int64_t number)
{
    TunedLayer *layer = model->layer + number;
    const int64_t width = model->width, inner = model->inner;
    const int64_t outputs[] = {width, inner, width}, inputs[] = {width, width, inner};
    for (int part = QUERY; part <= VALUE; part++) {
        pack_rows(width, width, layer->weight[part], layer->forward[MIXED] + part * width * width);
        pack_columns(width, width, layer->weight[part], layer->backward[MIXED], 3 * width, part * width);
        memcpy(layer->mixed_bias + part * width, layer->bias[part], (size_t)width * 4);
    }
    for (int part = OUTPUT, packed = 1; part <= DOWN; part++, packed++) {
        pack_rows(outputs[packed - 1], inputs[packed - 1], layer->weight[part], layer->forward[packed]);
        pack_columns(outputs[packed - 1], inputs[packed - 1], layer->weight[part], layer->backward[packed],
                     outputs[packed - 1], 0);
    }
}

/* ---- normalisation and dropout ---- */

/* x = normalised(x + dropped(delta + added)). Keeps the normalised x before its weight, one over the standard
 * deviation, and which elements were not dropped. */
static void add_and_normalise(int64_t rows, float *x, bf16 *copy, const float *delta, const float *added, int64_t width,
                              const float *const *norm, float epsilon, float rate, Random *random, uint16_t *kept,
                              bf16 *hat, float *scales)
{
    const __m256i least = _mm256_set1_epi16((int16_t)(uint16_t)(rate * 65536.0f + 0.5f));
    const __m512 grow = _mm512_set1_ps(1.0f / (1.0f - rate));
    for (int64_t row = 0; row < rows;
         row++, x += width, copy += width, delta += width, hat += width, kept += width / LANES) {
        __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
        __m512i numbers = _mm512_setzero_si512();
        for (int64_t d = 0; d < width; d += LANES) {
            __m512 change = _mm512_add_ps(_mm512_loadu_ps(delta + d), _mm512_loadu_ps(added + d));
            if (rate > 0) {
                if (d % STEP == 0) numbers = draw(random); /* 32 numbers of 16 bits: enough for two vectors */
                const __m256i half = d % STEP ? _mm512_extracti64x4_epi64(numbers, 1) : _mm512_castsi512_si256(numbers);
                kept[d / LANES] = _mm256_cmpge_epu16_mask(half, least);
                change = _mm512_maskz_mul_ps(kept[d / LANES], change, grow);
            }
            const __m512 total = _mm512_add_ps(_mm512_loadu_ps(x + d), change);
            _mm512_storeu_ps(x + d, total);
            sum = _mm512_add_ps(sum, total);
        }
        const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        for (int64_t d = 0; d < width; d += LANES) {
            const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(x + d), mean);
            squares = _mm512_fmadd_ps(away, away, squares);
        }
        scales[row] = 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + epsilon);
        const __m512 factor = _mm512_set1_ps(scales[row]);
        for (int64_t d = 0; d < width; d += LANES) {
            const __m512 away = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + d), mean), factor);
            const __m512 found = _mm512_fmadd_ps(away, _mm512_loadu_ps(norm[0] + d), _mm512_loadu_ps(norm[1] + d));
            _mm256_storeu_si256((__m256i *)(hat + d), to_bf16(away));
            _mm256_storeu_si256((__m256i *)(copy + d), to_bf16(found));
            _mm512_storeu_ps(x + d, found);
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

/* ---- attention backwards ---- */

typedef struct {
    Scratch forward;
    bf16 *value_rows, *query_columns, *key_columns, *d_columns; /* packed: (T, d) each */
    bf16 *weights, *d_scores, *left;                            /* (T, T) */
    float *scores;                                              /* (16, T) */
} Room;

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Lay (T, columns) out as the left side of a product over tokens: for every 16 columns, for every 32 tokens, a tile;
 * tiles of the same columns lie one after the other, `run` numbers in all. */
static void pack_left(const bf16 *from, int64_t stride, int64_t tokens, int64_t columns, bf16 *packed, int64_t run)
{
    bf16 pairs[TILE * STEP] __attribute__((aligned(64)));
    for (int64_t token = 0; token < tokens; token += STEP)
        for (int64_t column = 0; column < columns; column += TILE) {
            for (int pair = 0; pair < TILE; pair++)
                _mm512_store_si512(pairs + pair * STEP, pair_of(from + (token + 2 * pair) * stride + column, stride,
                                                                token + 2 * pair, tokens));
            transpose(pairs, STEP, packed + column / TILE * run + token * TILE);
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

/* One row of the gradient of scores: weight * (gradient of the weight - what all weights of the row share) * scale. */
static void score_back(const bf16 *weights, const float *d_weights, float shared, float scale, int64_t tokens,
                       int64_t end, bf16 *d_scores)
{
    for (int64_t t = 0; t < end; t += LANES) {
        const int64_t left = tokens - t;
        const __mmask16 real = left >= LANES ? 0xffff : left > 0 ? (1u << left) - 1 : 0;
        const __m512 away = _mm512_sub_ps(_mm512_maskz_loadu_ps(real, d_weights + t), _mm512_set1_ps(shared));
        const __m512 found = _mm512_mul_ps(_mm512_mul_ps(from_bf16(weights + t), away), _mm512_set1_ps(scale));
        _mm256_storeu_si256((__m256i *)(d_scores + t), to_bf16(_mm512_maskz_mov_ps(real, found)));
    }
}

static float dot(const bf16 *x, const bf16 *y, int64_t depth)
{
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < depth; d += LANES) sum = _mm512_fmadd_ps(from_bf16(x + d), from_bf16(y + d), sum);
    return _mm512_reduce_add_ps(sum);
}

/* Multiply a row of bf16 weights by one number. */
static void rescale(bf16 *weights, int64_t end, float factor)
{
    for (int64_t t = 0; t < end; t += LANES) {
        const __m512 found = _mm512_mul_ps(from_bf16(weights + t), _mm512_set1_ps(factor));
        _mm256_storeu_si256((__m256i *)(weights + t), to_bf16(found));
    }
}

/* The gradients of queries, keys and values of one head in one row. */
static void attend_back(const bf16 *mixed, const bf16 *out, const bf16 *d_out, int64_t width, int64_t tokens,
                        int64_t depth, bf16 *d_mixed, Room *room)
{
    const int64_t stride = 3 * width, end = up_to(tokens, STEP), run = end * TILE;
    const float scale = 1.0f / sqrtf((float)depth);
    pack_keys(mixed + width, stride, tokens, depth, room->forward.keys);
    pack_keys(mixed + 2 * width, stride, tokens, depth, room->value_rows);
    pack_values(mixed, stride, tokens, depth, room->query_columns);
    pack_values(mixed + width, stride, tokens, depth, room->key_columns);
    pack_values(d_out, width, tokens, depth, room->d_columns);
    for (int64_t row = 0; row < tokens; row += TILE) {
        const int64_t rows = least_of(TILE, tokens - row);
        bf16 *weights = room->weights + row * end, *d_scores = room->d_scores + row * end;
        score(mixed + row * stride, stride, room->forward.keys, tokens, depth, room->scores, end);
        for (int64_t r = 0; r < rows; r++)
            rescale(weights + r * end, end, soften(room->scores + r * end, tokens, scale, weights + r * end));
        score(d_out + row * width, width, room->value_rows, tokens, depth, room->scores, end);
        for (int64_t r = 0; r < rows; r++)
            score_back(weights + r * end, room->scores + r * end,
                       dot(d_out + (row + r) * width, out + (row + r) * width, depth), scale, tokens, end,
                       d_scores + r * end);
        mix(d_scores, end, STEP, room->key_columns, tokens, depth, rows, d_mixed + row * stride, stride);
    }
    for (int which = KEY; which <= VALUE; which++) {
        pack_left(which == KEY ? room->d_scores : room->weights, end, tokens, tokens, room->left, run);
        for (int64_t row = 0; row < tokens; row += TILE)
            mix(room->left + row / TILE * run, STEP, TILE * STEP,
                which == KEY ? room->query_columns : room->d_columns, tokens, depth, least_of(TILE, tokens - row),
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

static char *lay_out(char *rest, int64_t longest, int64_t depth, Room *room)
{
    const int64_t tokens = up_to(longest, STEP);
    bf16 **rows[] = {&room->forward.keys, &room->forward.values, &room->value_rows, &room->query_columns,
                     &room->key_columns, &room->d_columns};
    bf16 **squares[] = {&room->weights, &room->d_scores, &room->left};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = (bf16 *)take(&rest, tokens, depth * 2);
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        *squares[i] = (bf16 *)take(&rest, tokens, tokens * 2);
    room->scores = room->forward.scores = (float *)take(&rest, TILE, tokens * 4);
    room->forward.weights = room->left;
    return rest;
}

/* Bytes that a worker needs for rows of up to `longest` tokens. */
int64_t luthier_tuning_scratch(const TunedModel *model, int64_t longest)
{
    Room room;
    return lay_out(0, longest, model->width / model->heads, &room) - (char *)0;
}

/* Return where the group ends that begins with row `begin`, and its tokens. */
static int64_t group_end(const Part *part, int64_t begin, int64_t *size)
{
    int64_t end = begin;
    *size = 0;
    while (end < part->rows && (end == begin || *size + part->lengths[end] <= GROUP)) *size += part->lengths[end++];
    return end;
}

typedef struct {
    int64_t begin, end, at, size; /* rows, and where their tokens begin and how many they are */
} Group;

static void group_forward(const TunedModel *model, const TunedLayer *layer, Part *part, Kept *kept, bf16 *next,
                          Group group, Random *first, Random *second, Room *room)
{
    const int64_t width = model->width, inner = model->inner, depth = width / model->heads, at = group.at;
    float *x = part->x + at * width;
    product(group.size, 3 * width, width, kept->x + at * width, width, layer->forward[MIXED], layer->mixed_bias, BIAS,
            kept->mixed + at * 3 * width, NULL, 3 * width);
    for (int64_t row = group.begin, t = at; row < group.end; t += part->lengths[row++])
        for (int64_t head = 0; head < model->heads; head++) {
            const bf16 *mixed = kept->mixed + t * 3 * width + head * depth;
            attend(part->lengths[row], mixed, 3 * width, mixed + width, mixed + 2 * width, 3 * width,
                   part->lengths[row], depth, kept->attended + t * width + head * depth, width, room->forward);
        }
    product(group.size, width, width, kept->attended + at * width, width, layer->forward[1], NULL, KEEP, part->delta,
            NULL, width);
    add_and_normalise(group.size, x, kept->middle + at * width, part->delta, layer->bias[OUTPUT], width, layer->norm,
                      model->epsilon, model->dropout, first, kept->kept + at * (width / LANES), kept->hat + at * width,
                      kept->scale + at);
    product(group.size, inner, width, kept->middle + at * width, width, layer->forward[2], layer->bias[UP], GELU,
            kept->inner + at * inner, kept->before + at * inner, inner);
    product(group.size, width, inner, kept->inner + at * inner, inner, layer->forward[3], NULL, KEEP, part->delta, NULL,
            width);
    add_and_normalise(group.size, x, next + at * width, part->delta, layer->bias[DOWN], width, layer->norm + 2,
                      model->epsilon, model->dropout, second, kept->last_kept + at * (width / LANES),
                      kept->last_hat + at * width, kept->last_scale + at);
}

/* Run a worker's rows through all layers: part->x holds the embeddings and then the hidden states. */
void luthier_tuning_forward(const TunedModel *model, Part *part)
{
    Room room;
    lay_out(part->scratch, part->longest, model->width / model->heads, &room);
    for (int64_t i = 0; i < part->tokens * model->width; i += LANES)
        _mm256_storeu_si256((__m256i *)(part->layer[0].x + i), to_bf16(_mm512_loadu_ps(part->x + i)));
    configure_tiles();
    for (int64_t number = 0; number < model->layers; number++) {
        Kept *kept = part->layer + number;
        Random first = seeded(part->seed, number, 0), second = seeded(part->seed, number, 1);
        for (Group group = {0}; group.begin < part->rows; group.begin = group.end, group.at += group.size) {
            group.end = group_end(part, group.begin, &group.size);
            group_forward(model, model->layer + number, part, kept, number + 1 < model->layers ? kept[1].x : part->copy,
                          group, &first, &second, &room);
        }
    }
    _tile_release();
}

static void add(int64_t count, float *x, const float *y)
{
    for (int64_t i = 0; i < count; i += LANES)
        _mm512_storeu_ps(x + i, _mm512_add_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
}

static void group_backward(const TunedModel *model, const TunedLayer *layer, Part *part, Kept *kept, Group group,
                           Room *room)
{
    const int64_t width = model->width, inner = model->inner, depth = width / model->heads, at = group.at;
    float *dx = part->x + at * width;
    normalise_back(group.size, dx, width, layer->norm[2], kept->last_hat + at * width, kept->last_scale + at,
                   model->dropout, kept->last_kept + at * (width / LANES), kept->d_down + at * width,
                   kept->norm_grad + 2 * width);
    product(group.size, inner, width, kept->d_down + at * width, width, layer->backward[3], NULL, SLOPE,
            kept->d_up + at * inner, kept->before + at * inner, inner);
    product(group.size, width, inner, kept->d_up + at * inner, inner, layer->backward[2], NULL, KEEP, part->delta, NULL,
            width);
    add(group.size * width, dx, part->delta);
    normalise_back(group.size, dx, width, layer->norm[0], kept->hat + at * width, kept->scale + at, model->dropout,
                   kept->kept + at * (width / LANES), kept->d_output + at * width, kept->norm_grad);
    product(group.size, width, width, kept->d_output + at * width, width, layer->backward[1], NULL, PLAIN,
            part->d_attended + at * width, NULL, width);
    for (int64_t row = group.begin, t = at; row < group.end; t += part->lengths[row++])
        for (int64_t head = 0; head < model->heads; head++) {
            const int64_t place = t * width + head * depth, mixed = t * 3 * width + head * depth;
            attend_back(kept->mixed + mixed, kept->attended + place, part->d_attended + place, width,
                        part->lengths[row], depth, kept->d_mixed + mixed, room);
        }
    product(group.size, width, 3 * width, kept->d_mixed + at * 3 * width, 3 * width, layer->backward[MIXED], NULL, KEEP,
            part->delta, NULL, width);
    add(group.size * width, dx, part->delta);
}

/* Backwards: part->x holds the gradient of the hidden states and then that of the embeddings. */
void luthier_tuning_backward(const TunedModel *model, Part *part)
{
    Room room;
    lay_out(part->scratch, part->longest, model->width / model->heads, &room);
    configure_tiles();
    for (int64_t number = model->layers - 1; number >= 0; number--) {
        memset(part->layer[number].norm_grad, 0, (size_t)(4 * model->width) * 4);
        for (Group group = {0}; group.begin < part->rows; group.begin = group.end, group.at += group.size) {
            group.end = group_end(part, group.begin, &group.size);
            group_backward(model, model->layer + number, part, part->layer + number, group, &room);
        }
    }
    _tile_release();
}

/* ---- gradients of weights ---- */

/* What a product over tokens takes from one worker: d (N, columns) and x (N, depth). */
typedef struct {
    const bf16 *d, *x;
    int64_t tokens;
} Factors;

static void add_columns(const bf16 *from, int64_t tokens, int64_t columns, float *sums)
{
    for (int64_t t = 0; t < tokens; t++, from += columns)
        for (int64_t c = 0; c < columns; c += LANES)
            _mm512_storeu_ps(sums + c, _mm512_add_ps(_mm512_loadu_ps(sums + c), from_bf16(from + c)));
}

/* (32, 32) of left^T right, from where `run` numbers of 16 columns each begin. */
static inline void block_over_tokens(const bf16 *left, const bf16 *right, int64_t run, float *out, int64_t stride)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (const bf16 *end = left + run; left < end; left += TILE * STEP, right += TILE * STEP) {
        _tile_loadd(4, left, 64);
        _tile_loadd(6, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, right + run, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, left + run, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, stride * 4);
    _tile_stored(1, out + TILE, stride * 4);
    _tile_stored(2, out + TILE * stride, stride * 4);
    _tile_stored(3, out + TILE * stride + TILE, stride * 4);
}

/* grad = left^T right; columns go to one matrix of `height` rows after the other. The narrower side stays in cache. */
static void product_over_tokens(int64_t columns, int64_t depth, const bf16 *left, const bf16 *right, int64_t run,
                                float *const *grad, int64_t height)
{
    WRITTEN();
    const int wide = columns > depth;
    for (int64_t outer = 0; outer < (wide ? columns : depth); outer += STEP)
        for (int64_t inner = 0; inner < (wide ? depth : columns); inner += STEP) {
            const int64_t row = wide ? outer : inner, column = wide ? inner : outer;
            block_over_tokens(left + row / TILE * run, right + column / TILE * run, run,
                              grad[row / height] + row % height * depth + column, depth);
        }
}

static Factors factors_of(const Part *part, int64_t layer, int which)
{
    const Kept *kept = part->layer + layer;
    switch (which) {
    case OUTPUT: return (Factors){kept->d_output, kept->attended, part->tokens};
    case UP: return (Factors){kept->d_up, kept->middle, part->tokens};
    case DOWN: return (Factors){kept->d_down, kept->inner, part->tokens};
    default: return (Factors){kept->d_mixed, kept->x, part->tokens};
    }
}

/* The gradients of a weight and its bias over all parts, written over what stood there. QUERY computes those of keys
 * and values too, whose products have the same right side. The scratch holds three times the width plus the inner width
 * in bf16 for each token, tokens of a part being rounded up to 32. */
void luthier_tuning_gradient(const TunedModel *model, int64_t parts, Part *const *part, int64_t layer, int64_t which,
                             char *scratch)
{
    const int64_t width = model->width, inner = model->inner, height = which == UP ? inner : width;
    const int64_t columns = which == QUERY ? 3 * width : height, depth = which == DOWN ? inner : width;
    const TunedLayer *tuned = model->layer + layer;
    int64_t run = 0;
    for (int64_t p = 0; p < parts; p++) run += up_to(part[p]->tokens, STEP) * TILE;
    bf16 *left = (bf16 *)scratch, *right = left + run / TILE * columns;
    float sums[columns];
    memset(sums, 0, sizeof sums);
    for (int64_t p = 0, at = 0; p < parts; at += up_to(part[p++]->tokens, STEP) * TILE) {
        const Factors found = factors_of(part[p], layer, (int)which);
        pack_left(found.d, columns, found.tokens, columns, left + at, run);
        for (int64_t token = 0; token < found.tokens; token += STEP)
            for (int64_t column = 0; column < depth; column += TILE)
                for (int pair = 0; pair < TILE; pair++)
                    _mm512_storeu_si512(right + at + column / TILE * run + token * TILE + pair * STEP,
                                        pair_of(found.x + (token + 2 * pair) * depth + column, depth,
                                                token + 2 * pair, found.tokens));
        add_columns(found.d, found.tokens, columns, sums);
    }
    for (int64_t c = 0; c < columns; c += height)
        memcpy(tuned->bias_grad[which + c / height], sums + c, (size_t)height * 4);
    configure_tiles();
    product_over_tokens(columns, depth, left, right, run, tuned->weight_grad + which, height);
    _tile_release();
}
