/* A BERT-like encoder on one core with AMX tiles: token ids in, hidden states out, in one call.
 *
 * Matrix products multiply bf16 and add up in fp32; the hidden states that run from layer to layer stay fp32. Rows of a
 * batch are taken in groups of about GROUP tokens, so that what one layer does to a group stays in the second cache.
 * Letters as everywhere in Luthier: D width, F inner width, H heads, T tokens of a row, N tokens in all.
 *
 * Every buffer has PAD rows more than it needs: tiles have 16 rows, two at a time, and the last ones run over the end.
 * What they compute there is never read as a result.
 */
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

enum finish { KEEP, BIAS, GELU };

/* ---- the processor's tiles ---- */

int luthier_allow_tiles(void)
{
    const int request_permission = 0x1023, tile_data = 18; /* arch/x86/include/uapi/asm/prctl.h */
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static void configure_tiles(void)
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
    _tile_loadconfig(&tiles);
}

/* ---- numbers ---- */

static inline __m256i to_bf16(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

/* x times the normal distribution's integral up to x. The odd polynomial is a least-squares fit of that integral, less
 * one half, on [-4.5, 4.5] that meets one half at its ends; x times it is off by at most 6e-5. */
static inline __m512 gelu(__m512 x)
{
    static const float c[] = {0.398708679f, -0.0659774048f, 0.00958071683f, -0.00103626829f, 8.1211726e-05f, -4.4318451e-06f, 1.58033226e-07f, -3.2841029e-09f, 3.00020953e-11f};
    const __m512 end = _mm512_set1_ps(4.5f);
    __m512 near = _mm512_max_ps(_mm512_min_ps(x, end), _mm512_sub_ps(_mm512_setzero_ps(), end));
    __m512 square = _mm512_mul_ps(near, near), sum = _mm512_set1_ps(c[8]);
    for (int power = 7; power >= 0; power--) sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(c[power]));
    return _mm512_mul_ps(x, _mm512_fmadd_ps(near, sum, _mm512_set1_ps(0.5f)));
}

/* 2 to the power of x, for x of 0 and below; off by 2e-7 of the result. */
static inline __m512 power_of_two(__m512 x)
{
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), rest = _mm512_sub_ps(x, whole);
    __m512 sum = _mm512_set1_ps(1.3333558e-3f);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(9.6181291e-3f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(sum, whole);
}

/* ---- matrix products ---- */

/* Turn 16 rows of 16 32-bit units into 16 columns. */
static void transpose(const bf16 *from, int64_t stride, bf16 *to)
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

/* Lay an (N, K) fp32 weight out for `product`: for every 32 outputs, for every 32 inputs, two tiles of pairs of inputs. */
void luthier_pack(int64_t outputs, int64_t inputs, const float *weight, bf16 *packed)
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

static void finish_block(const float *block, const float *bias, enum finish finish, bf16 *out, int64_t stride)
{
    const __m512 left = _mm512_loadu_ps(bias), right = _mm512_loadu_ps(bias + LANES);
    for (int row = 0; row < STEP; row++, block += STEP, out += stride) {
        __m512 a = _mm512_add_ps(_mm512_load_ps(block), left), b = _mm512_add_ps(_mm512_load_ps(block + LANES), right);
        if (finish == GELU) {
            a = gelu(a);
            b = gelu(b);
        }
        _mm256_storeu_si256((__m256i *)out, to_bf16(a));
        _mm256_storeu_si256((__m256i *)(out + LANES), to_bf16(b));
    }
}

/* out = a times packed weight, (M, K) by (K, N): fp32 as it is with KEEP, else bf16 with bias (and GELU).
 * M is rounded up to STEP. Weights come from the third cache: while 32 outputs are computed, those of the next 32 are
 * fetched, a few lines a step, which brings a fifth of the time. */
static inline __attribute__((always_inline)) void product(
    int64_t m, int64_t n, int64_t k, const bf16 *a, int64_t a_stride, const bf16 *packed, const float *bias,
    enum finish finish, void *out, int64_t out_stride)
{
    float block[STEP * STEP] __attribute__((aligned(64)));
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
                finish_block(block, bias + column, finish, (bf16 *)out + row * out_stride + column, out_stride);
        }
    }
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

/* ---- attention ---- */

typedef struct {
    bf16 *keys, *values; /* packed: (T, d) each */
    float *scores;       /* (16, T) */
    bf16 *weights;       /* (16, T) */
} Scratch;

static inline int64_t up_to(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static void pack_keys(const bf16 *keys, int64_t stride, int64_t tokens, int64_t depth, bf16 *packed)
{
    for (int64_t token = 0; token < tokens; token += TILE)
        for (int64_t d = 0; d < depth; d += STEP, packed += TILE * STEP)
            transpose(keys + token * stride + d, stride, packed);
}

static void pack_values(const bf16 *values, int64_t stride, int64_t tokens, int64_t depth, bf16 *packed)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                           23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int64_t token = 0; token < tokens; token += STEP)
        for (int64_t d = 0; d < depth; d += TILE)
            for (int pair = 0; pair < TILE; pair++, packed += STEP) {
                const int64_t at = token + 2 * pair;
                const bf16 *from = values + at * stride + d;
                /* Zero behind the end: zero weights times whatever lies there could be no number. */
                __m256i even = at < tokens ? _mm256_loadu_si256((const __m256i *)from) : _mm256_setzero_si256();
                __m256i odd = at + 1 < tokens ? _mm256_loadu_si256((const __m256i *)(from + stride))
                                              : _mm256_setzero_si256();
                __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(even), odd, 1);
                _mm512_storeu_si512(packed, _mm512_permutexvar_epi16(order, both));
            }
}

/* Turn one row of scores into weights that are not divided by their sum yet; return one over the sum. */
static float soften(const float *scores, int64_t tokens, float scale, bf16 *weights)
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
static void attend(int64_t queries, const bf16 *query, int64_t query_stride, const bf16 *key, const bf16 *value,
                   int64_t stride, int64_t tokens, int64_t depth, bf16 *out, int64_t out_stride, Scratch scratch)
{
    const int64_t score_stride = up_to(tokens, TILE), weight_stride = up_to(tokens, STEP);
    const float scale = 1.0f / sqrtf((float)depth);
    float sums[TILE], block[TILE * TILE] __attribute__((aligned(64)));
    pack_keys(key, stride, tokens, depth, scratch.keys);
    pack_values(value, stride, tokens, depth, scratch.values);
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

/* ---- normalisation and embedding ---- */

/* Normalise `row`, which holds D floats, in place, and leave a bf16 copy. */
static void normalise(float *row, bf16 *copy, int64_t width, const float *weight, const float *bias, float epsilon)
{
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(row + d));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(row + d), mean);
        squares = _mm512_fmadd_ps(away, away, squares);
    }
    const __m512 factor = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + epsilon));
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
                _mm512_storeu_ps(x + d, _mm512_add_ps(_mm512_add_ps(_mm512_loadu_ps(word + d), _mm512_loadu_ps(position + d)),
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
    bf16 *inner;        /* (G, F) */
    float *first;       /* (rows, D) hidden states of each row's first token */
    bf16 *first_copy;   /* (rows, D) */
    Scratch scratch;
} Buffers;

static char *take(char **rest, int64_t rows, int64_t row_bytes)
{
    char *taken = *rest;
    *rest += up_to((rows + PAD) * row_bytes, 64);
    return taken;
}

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
    buffers->inner = (bf16 *)take(&rest, most, model->inner * 2);
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
    product(rows, width, width, buffers->attended, width, layer->output, NULL, KEEP, buffers->delta, width);
    add_and_normalise(rows, x, copy, buffers->delta, layer->output_bias, width, layer->norm_weight, layer->norm_bias,
                      model->epsilon);
    product(rows, inner, width, copy, width, layer->up, layer->up_bias, GELU, buffers->inner, inner);
    product(rows, width, inner, buffers->inner, inner, layer->down, NULL, KEEP, buffers->delta, width);
    add_and_normalise(rows, x, copy, buffers->delta, layer->down_bias, width, layer->last_weight, layer->last_bias,
                      model->epsilon);
}

/* One layer for a group of rows whose tokens begin at x. With `first` (row_count, D), only their first tokens go on. */
static void run_layer(const Model *model, const Layer *layer, int64_t rows, const int64_t *lengths, int64_t tokens,
                      float *x, bf16 *copy, float *first, bf16 *first_copy, Buffers *buffers)
{
    const int64_t width = model->width, depth = width / model->heads, stride = 3 * width;
    const int64_t skipped = first ? width : 0; /* of all tokens but the first no query is needed */
    product(tokens, stride - skipped, width, copy, width, layer->mixed + skipped * width, layer->mixed_bias + skipped,
            BIAS, buffers->mixed + skipped, stride);
    if (first) {
        for (int64_t row = 0, at = 0; row < rows; at += lengths[row++]) {
            memcpy(first + row * width, x + at * width, (size_t)width * 4);
            memcpy(first_copy + row * width, copy + at * width, (size_t)width * 2);
        }
        product(rows, width, width, first_copy, width, layer->mixed, layer->mixed_bias, BIAS, buffers->inner, width);
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
