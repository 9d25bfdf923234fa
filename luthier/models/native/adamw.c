/* AdamW (Loshchilov and Hutter, arXiv:1711.05101) over many weights, as one run over memory.
 *
 * It reads and writes 28 bytes for each weight and computes next to nothing, so all that counts is that memory is asked
 * for early, and not twice: what is needed AHEAD weights later is fetched now, and matrices that products take are
 * packed for them on the way.
 */
#include "products.h"

#define AHEAD 512

/* One weight, or a piece of it, with its gradient and its two moments. */
typedef struct {
    float *weight;
    const float *gradient;
    float *mean, *square;
    int64_t count;
    float rate;   /* learning rate over the first moment's bias correction */
    float root;   /* one over the root of the second moment's */
    float shrunk; /* what weight decay leaves */
    float padding;
    bf16 *forward, *backward;         /* where a matrix is packed for products, or none */
    int64_t inputs, depth, from;      /* as pack_columns takes them */
} Moved;

typedef struct {
    float beta1, beta2, epsilon;
    float scale; /* gradients are multiplied by it */
} Settings;

static void move_some(const Moved *moved, int64_t from, int64_t to, const Settings *settings)
{
    const __m512 beta1 = _mm512_set1_ps(settings->beta1), rest1 = _mm512_set1_ps(1.0f - settings->beta1);
    const __m512 beta2 = _mm512_set1_ps(settings->beta2), rest2 = _mm512_set1_ps(1.0f - settings->beta2);
    const __m512 epsilon = _mm512_set1_ps(settings->epsilon), scale = _mm512_set1_ps(settings->scale);
    const __m512 rate = _mm512_set1_ps(moved->rate), root = _mm512_set1_ps(moved->root);
    const __m512 shrunk = _mm512_set1_ps(moved->shrunk);
    for (int64_t i = from; i < to; i += LANES) {
        const __mmask16 real = real_lanes(to - i);
        _mm_prefetch((const char *)(moved->weight + i + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(moved->gradient + i + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(moved->mean + i + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(moved->square + i + AHEAD), _MM_HINT_T0);
        const __m512 gradient = _mm512_mul_ps(_mm512_maskz_loadu_ps(real, moved->gradient + i), scale);
        const __m512 mean = _mm512_fmadd_ps(beta1, _mm512_maskz_loadu_ps(real, moved->mean + i),
                                            _mm512_mul_ps(rest1, gradient));
        const __m512 square = _mm512_fmadd_ps(beta2, _mm512_maskz_loadu_ps(real, moved->square + i),
                                              _mm512_mul_ps(rest2, _mm512_mul_ps(gradient, gradient)));
        const __m512 spread = _mm512_fmadd_ps(_mm512_sqrt_ps(square), root, epsilon);
        const __m512 weight = _mm512_mul_ps(shrunk, _mm512_maskz_loadu_ps(real, moved->weight + i));
        _mm512_mask_storeu_ps(moved->mean + i, real, mean);
        _mm512_mask_storeu_ps(moved->square + i, real, square);
        _mm512_mask_storeu_ps(moved->weight + i, real, _mm512_fnmadd_ps(rate, _mm512_div_ps(mean, spread), weight));
    }
}

/* Move a matrix and pack it, 32 rows at a time: what has moved is still in cache. */
static void move_and_pack(const Moved *moved, const Settings *settings)
{
    const int64_t strip = STEP * moved->inputs;
    for (int64_t at = 0, row = 0; at < moved->count; at += strip, row += STEP) {
        move_some(moved, at, at + strip, settings);
        pack_rows(STEP, moved->inputs, moved->weight + at, moved->forward + at);
        pack_columns(STEP, moved->inputs, moved->weight + at, moved->backward, moved->depth, moved->from + row);
    }
}

/* Move weights until none is left. Each worker takes the one that is `next`, in order. */
void luthier_adamw(int64_t count, const Moved *moved, int64_t *next, const Settings *settings)
{
    for (int64_t i; (i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < count;)
        if (moved[i].forward) move_and_pack(moved + i, settings);
        else move_some(moved + i, 0, moved[i].count, settings);
    _mm_sfence();
}

/* The sum of the squares of each one's gradient. */
void luthier_squares(int64_t count, const Moved *moved, int64_t *next, double *squares)
{
    for (int64_t i; (i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < count;)
        squares[i] = squares_of(moved[i].gradient, moved[i].count);
}

/* Pack weights as luthier_adamw does, without moving them. */
void luthier_pack_moved(int64_t count, const Moved *moved, int64_t *next)
{
    for (int64_t i; (i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < count;) {
        pack_rows(moved[i].count / moved[i].inputs, moved[i].inputs, moved[i].weight, moved[i].forward);
        pack_columns(moved[i].count / moved[i].inputs, moved[i].inputs, moved[i].weight, moved[i].backward,
                     moved[i].depth, moved[i].from);
    }
    _mm_sfence();
}
