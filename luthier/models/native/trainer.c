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
#include "attention_back.h"
#include "dropout.h"

/* Take over the biases of queries, keys and values, after they have moved. */
void luthier_tuning_biases(const TunedModel *model)
{
    const size_t bytes = (size_t)model->width * 4;
    for (const TunedLayer *layer = model->layer; layer < model->layer + model->layers; layer++)
        for (int part = QUERY; part <= VALUE; part++)
            memcpy(layer->mixed_bias + part * model->width, layer->bias[part], bytes);
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

/* Tokens of so many rows, with the gaps between groups. */
int64_t luthier_tuning_tokens(int64_t rows, const int64_t *lengths)
{
    const Part part = {.rows = rows, .lengths = lengths};
    Group group = {0};
    while (next_group(&part, &group)) continue;
    return group.at;
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

/* ---- layers ---- */

/* From hidden states to what attention gives. */
static void attention_forward(const TunedModel *model, const TunedLayer *layer, const Part *part, Kept *kept,
                              Group group, int only_first, Room *room)
{
    const int64_t width = model->width, depth = width / model->heads, stride = 3 * width;
    const bf16 *copy = part->copy + group.at * width;
    pack_right(copy, group.size, width, kept->right[QKV_PRODUCT] + group.at * TILE, part->tokens * TILE);
    product(group.size, stride, width, copy, width, layer->forward[QKV_PRODUCT],
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
    pack_right(attended, group.size, width, kept->right[OUTPUT_PRODUCT] + at * TILE, run);
    product(group.size, width, width, attended, width, layer->forward[OUTPUT_PRODUCT],
            (Finish){KEEP, NULL, room->delta, width, NULL});
    add_and_normalise(group.size, x, room->narrow, room->delta, layer->bias[OUTPUT], width, layer->norm, model->epsilon,
                      model->dropout, random, kept->kept + at * (width / LANES), kept->hat + at * width,
                      kept->scale + at);
    pack_right(room->narrow, group.size, width, kept->right[UP_PRODUCT] + at * TILE, run);
    product(group.size, inner, width, room->narrow, width, layer->forward[UP_PRODUCT],
            (Finish){GELU, layer->bias[UP], room->inner, inner, kept->slope + at * inner});
    pack_right(room->inner, group.size, inner, kept->right[DOWN_PRODUCT] + at * TILE, run);
    product(group.size, width, inner, room->inner, inner, layer->forward[DOWN_PRODUCT],
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
    pack_left(room->narrow, group.size, width, kept->left[DOWN_PRODUCT] + at * TILE, run, sums + 4 * width + inner);
    product(group.size, inner, width, room->narrow, width, layer->backward[DOWN_PRODUCT],
            (Finish){SLOPE, NULL, room->inner, inner, kept->slope + at * inner});
    pack_left(room->inner, group.size, inner, kept->left[UP_PRODUCT] + at * TILE, run, sums + 4 * width);
    product(group.size, width, inner, room->inner, inner, layer->backward[UP_PRODUCT],
            (Finish){ADD, NULL, dx, width, NULL});
    normalise_back(group.size, dx, width, layer->norm[0], kept->hat + at * width, kept->scale + at, model->dropout,
                   kept->kept + at * (width / LANES), room->narrow, kept->norm_grad);
    pack_left(room->narrow, group.size, width, kept->left[OUTPUT_PRODUCT] + at * TILE, run, sums + 3 * width);
    product(group.size, width, width, room->narrow, width, layer->backward[OUTPUT_PRODUCT],
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
                        part->attended + place, width, part->lengths[row], depth,
                        room->mixed + t * stride + head * depth, room);
        }
    pack_left(room->mixed, group.size, stride, kept->left[QKV_PRODUCT] + group.at * TILE, part->tokens * TILE,
              kept->bias_grad);
    product(group.size, width, stride, room->mixed, stride, layer->backward[QKV_PRODUCT],
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
