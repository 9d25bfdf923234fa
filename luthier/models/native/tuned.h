/* What tuning works on: layers, a worker's rows, what it keeps of them, and groups of rows. */
#pragma once
#include "attention.h"

enum { QUERY, KEY, VALUE, OUTPUT, UP, DOWN, MATRICES };
enum { QKV_PRODUCT, OUTPUT_PRODUCT, UP_PRODUCT, DOWN_PRODUCT, PRODUCTS }; /* QUERY to VALUE run as one */

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

static inline int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Go on to the group behind this one; return whether there is one. Begin with one of all zeros. */
static inline int next_group(const Part *part, Group *group)
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
static inline int next_firsts(const Part *part, Group *group)
{
    group->begin = group->at = group->end;
    group->end = least_of(part->rows, group->begin + GROUP);
    group->size = group->end - group->begin;
    return group->size > 0;
}
