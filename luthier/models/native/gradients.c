/* Gradients of the tables of embeddings, and of weights: products over all tokens of all workers, dealt out matrix by
 * matrix. trainer.c lays their sides out. */
#include "tuned.h"

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
    const int64_t width = model->width, inner = model->inner, height = which == UP_PRODUCT ? inner : width;
    const int64_t columns = which == QKV_PRODUCT ? 3 * width : height, depth = which == DOWN_PRODUCT ? inner : width;
    const int64_t biases[] = {0, 3 * width, 4 * width, 4 * width + inner};
    const int64_t matrix = which == QKV_PRODUCT ? 0 : which + 2;
    const int only_first = model->only_first && number + 1 == model->layers && which != QKV_PRODUCT;
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
