/* A BERT-like encoder on one core with AMX tiles: token ids in, hidden states out, in one call.
 *
 * Matrix products multiply bf16 and add up in fp32; the hidden states that run from layer to layer stay fp32. Rows of a
 * batch are taken in groups of about GROUP tokens, so that what one layer does to a group stays in the second cache.
 * Letters as everywhere in Luthier: D width, F inner width, H heads, T tokens of a row, N tokens in all.
 *
 * Every buffer has PAD rows more than it needs: tiles have 16 rows, two at a time, and the last ones run over the end.
 * What they compute there is never read as a result.
 */
#include "attention.h"

typedef struct {
    const bf16 *mixed, *output, *up, *down; /* packed by luthier_pack */
    const float *mixed_bias, *output_bias, *up_bias, *down_bias;
    const float *norm_weight, *norm_bias, *last_weight, *last_bias;
} Layer;

typedef struct {
    int64_t width, inner, heads, layers;
    float epsilon;
    const float *words, *positions, *segments, *norm_weight, *norm_bias;
    const Layer *layer;
} Model;

/* ---- what Python calls besides luthier_encode ---- */

int luthier_allow_tiles(void)
{
    const int request_permission = 0x1023, tile_data = 18; /* arch/x86/include/uapi/asm/prctl.h */
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

void luthier_pack(int64_t outputs, int64_t inputs, const float *weight, bf16 *packed)
{
    pack_rows(outputs, inputs, weight, packed);
    _mm_sfence();
}

/* out = x times weight, plus bias, in fp32: (M, K) by (N, K) gives (M, N). For heads, which are small and decide. */
void luthier_linear(int64_t rows, int64_t outputs, int64_t inputs, const float *x, const float *weight,
                    const float *bias, float *out)
{
    for (int64_t row = 0; row < rows; row++, x += inputs)
        for (int64_t n = 0; n < outputs; n++) {
            const float *from = weight + n * inputs;
            __m512 sum = _mm512_setzero_ps();
            for (int64_t k = 0; k < inputs; k += LANES)
                sum = _mm512_fmadd_ps(_mm512_loadu_ps(x + k), _mm512_loadu_ps(from + k), sum);
            *out++ = _mm512_reduce_add_ps(sum) + bias[n];
        }
}

/* ---- normalisation and embedding ---- */

/* Normalise `row`, which holds D floats, in place, and leave a bf16 copy. */
static void normalise(float *row, bf16 *copy, int64_t width, const float *weight, const float *bias, float epsilon)
{
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(row + d));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
    const __m512 factor = _mm512_set1_ps(scale_of(row, width, mean, epsilon));
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 away = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(row + d), mean), factor);
        const __m512 found = _mm512_fmadd_ps(away, _mm512_loadu_ps(weight + d), _mm512_loadu_ps(bias + d));
        _mm512_storeu_ps(row + d, found);
        _mm256_storeu_si256((__m256i *)(copy + d), to_bf16(found));
    }
}

/* x = normalised(x + delta + bias), row by row. */
static void add_and_normalise(int64_t rows, float *x, bf16 *copy, const float *delta, const float *added, int64_t width,
                              const float *weight, const float *bias, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, x += width, copy += width, delta += width) {
        for (int64_t d = 0; d < width; d += LANES)
            _mm512_storeu_ps(x + d, _mm512_add_ps(_mm512_add_ps(_mm512_loadu_ps(x + d), _mm512_loadu_ps(delta + d)),
                                                  _mm512_loadu_ps(added + d)));
        normalise(x, copy, width, weight, bias, epsilon);
    }
}

static void embed(const Model *model, int64_t rows, const int64_t *lengths, const int64_t *ids, const int64_t *types,
                  float *x, bf16 *copy)
{
    const int64_t width = model->width;
    for (int64_t row = 0, n = 0; row < rows; row++)
        for (int64_t t = 0; t < lengths[row]; t++, n++, x += width, copy += width) {
            const float *word = model->words + ids[n] * width, *position = model->positions + t * width;
            const float *segment = model->segments + (types ? types[n] : 0) * width;
            for (int64_t d = 0; d < width; d += LANES)
                _mm512_storeu_ps(x + d, _mm512_add_ps(_mm512_add_ps(_mm512_loadu_ps(word + d),
                                                                    _mm512_loadu_ps(position + d)),
                                                      _mm512_loadu_ps(segment + d)));
            normalise(x, copy, width, model->norm_weight, model->norm_bias, model->epsilon);
        }
}

/* ---- the layers ---- */

typedef struct {
    float *x;           /* (N, D) hidden states */
    bf16 *copy;         /* (N, D) the same */
    bf16 *mixed;        /* (G, 3 D) queries, keys and values of a group */
    bf16 *attended;     /* (G, D) */
    float *delta;       /* (G, D) */
    bf16 *inner;        /* (G, F), and queries of first tokens (rows, D) */
    float *first;       /* (rows, D) hidden states of each row's first token */
    bf16 *first_copy;   /* (rows, D) */
    Scratch scratch;
} Buffers;

static char *lay_out(const Model *model, int64_t tokens, int64_t rows, int64_t longest, char *start, Buffers *buffers)
{
    const int64_t group = longest > GROUP ? longest : GROUP, width = model->width, depth = width / model->heads;
    const int64_t most = group > rows ? group : rows;
    char *rest = start;
    buffers->x = (float *)take(&rest, tokens, width * 4);
    buffers->copy = (bf16 *)take(&rest, tokens, width * 2);
    buffers->mixed = (bf16 *)take(&rest, most, 3 * width * 2);
    buffers->attended = (bf16 *)take(&rest, most, width * 2);
    buffers->delta = (float *)take(&rest, most, width * 4);
    buffers->inner = (bf16 *)take(&rest, most, (model->inner > width ? model->inner : width) * 2);
    buffers->first = (float *)take(&rest, rows, width * 4);
    buffers->first_copy = (bf16 *)take(&rest, rows, width * 2);
    buffers->scratch.keys = (bf16 *)take(&rest, longest, depth * 2);
    buffers->scratch.values = (bf16 *)take(&rest, longest, depth * 2);
    buffers->scratch.scores = (float *)take(&rest, longest, TILE * 4);
    buffers->scratch.weights = (bf16 *)take(&rest, longest, TILE * 2);
    return rest;
}

/* Bytes that luthier_encode needs to work in. */
int64_t luthier_workspace(const Model *model, int64_t tokens, int64_t rows, int64_t longest)
{
    Buffers buffers;
    return lay_out(model, tokens, rows, longest, 0, &buffers) - (char *)0;
}

/* From attention's output to the end of the layer, for `rows` rows of hidden states. */
static void finish_layer(const Model *model, const Layer *layer, int64_t rows, float *x, bf16 *copy, Buffers *buffers)
{
    const int64_t width = model->width, inner = model->inner;
    product(rows, width, width, buffers->attended, width, layer->output,
            (Finish){KEEP, NULL, buffers->delta, width, NULL});
    add_and_normalise(rows, x, copy, buffers->delta, layer->output_bias, width, layer->norm_weight, layer->norm_bias,
                      model->epsilon);
    product(rows, inner, width, copy, width, layer->up, (Finish){GELU, layer->up_bias, buffers->inner, inner, NULL});
    product(rows, width, inner, buffers->inner, inner, layer->down,
            (Finish){KEEP, NULL, buffers->delta, width, NULL});
    add_and_normalise(rows, x, copy, buffers->delta, layer->down_bias, width, layer->last_weight, layer->last_bias,
                      model->epsilon);
}

/* One layer for a group of rows whose tokens begin at x. With `first` (row_count, D), only their first tokens go on. */
static void run_layer(const Model *model, const Layer *layer, int64_t rows, const int64_t *lengths, int64_t tokens,
                      float *x, bf16 *copy, float *first, bf16 *first_copy, Buffers *buffers)
{
    const int64_t width = model->width, depth = width / model->heads, stride = 3 * width;
    const int64_t skipped = first ? width : 0; /* of all tokens but the first no query is needed */
    product(tokens, stride - skipped, width, copy, width, layer->mixed + skipped * width,
            (Finish){PLAIN, layer->mixed_bias + skipped, buffers->mixed + skipped, stride, NULL});
    if (first) {
        for (int64_t row = 0, at = 0; row < rows; at += lengths[row++]) {
            memcpy(first + row * width, x + at * width, (size_t)width * 4);
            memcpy(first_copy + row * width, copy + at * width, (size_t)width * 2);
        }
        product(rows, width, width, first_copy, width, layer->mixed,
                (Finish){PLAIN, layer->mixed_bias, buffers->inner, width, NULL});
    }
    for (int64_t row = 0, at = 0; row < rows; at += lengths[row++])
        for (int64_t head = 0; head < model->heads; head++) {
            const bf16 *mixed = buffers->mixed + at * stride + head * depth;
            const bf16 *query = first ? buffers->inner + row * width + head * depth : mixed;
            attend(first ? 1 : lengths[row], query, first ? width : stride, mixed + width, mixed + 2 * width, stride,
                   lengths[row], depth, buffers->attended + (first ? row : at) * width + head * depth, width,
                   buffers->scratch);
        }
    finish_layer(model, layer, first ? rows : tokens, first ? first : x, first ? first_copy : copy, buffers);
}

/* Compute a batch.
 *
 * rows, lengths: B, and the tokens of each row, one or more
 * ids, types:    (N,) token and segment ids, row after row; types may be NULL
 * workspace:     luthier_workspace bytes, at a multiple of 64
 * first:         (B, D) hidden states of each row's first token, or NULL
 * all:           (N, D) hidden states of every token, or NULL; one of the two must be given
 */
void luthier_encode(const Model *model, int64_t rows, const int64_t *lengths, const int64_t *ids, const int64_t *types,
                    char *workspace, float *first, float *all)
{
    Buffers buffers;
    int64_t tokens = 0, longest = 0;
    for (int64_t row = 0; row < rows; row++) {
        tokens += lengths[row];
        longest = lengths[row] > longest ? lengths[row] : longest;
    }
    lay_out(model, tokens, rows, longest, workspace, &buffers);
    embed(model, rows, lengths, ids, types, buffers.x, buffers.copy);
    configure_tiles();
    const int64_t width = model->width;
    for (int64_t number = 0; number < model->layers; number++) {
        const int only_first = !all && number + 1 == model->layers;
        for (int64_t begin = 0, at = 0; begin < rows;) {
            int64_t end = begin, size = 0;
            while (end < rows && (end == begin || size + lengths[end] <= GROUP)) size += lengths[end++];
            run_layer(model, model->layer + number, end - begin, lengths + begin, size, buffers.x + at * width,
                      buffers.copy + at * width, only_first ? buffers.first + begin * width : NULL,
                      buffers.first_copy + begin * width, &buffers);
            begin = end;
            at += size;
        }
    }
    _tile_release();
    if (all) memcpy(all, buffers.x, (size_t)(tokens * width) * 4);
    if (first && !all) memcpy(first, buffers.first, (size_t)(rows * width) * 4);
    if (first && all)
        for (int64_t row = 0, at = 0; row < rows; at += lengths[row++])
            memcpy(first + row * width, buffers.x + at * width, (size_t)width * 4);
}
