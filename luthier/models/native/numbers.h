/* What computing and tuning share: the processor's tiles and vectors, and numbers. See encoder.c for the plan. */
#pragma once
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

enum finish { KEEP, ADD, PLAIN, GELU, SLOPE };

/* ---- the processor's tiles ---- */

/* gcc does not know that loading a tile or a configuration reads memory, and would move what is written there behind
 * it: so this stands between writing and loading. */
#define WRITTEN() __asm__ volatile("" ::: "memory")

static inline void configure_tiles(void)
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
    WRITTEN();
    _tile_loadconfig(&tiles);
}

/* ---- numbers ---- */

static inline __m256i to_bf16(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

static inline __m512i join(__m512 left, __m512 right)
{
    return (__m512i)_mm512_cvtne2ps_pbh(right, left);
}

static inline __m512 from_bf16(const bf16 *x)
{
    const __m256i half = _mm256_loadu_si256((const __m256i *)x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline int64_t up_to(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* Take a place of so many rows, and some to spare for tiles that run over the end, off what is left. */
static inline char *take(char **rest, int64_t rows, int64_t row_bytes)
{
    char *taken = *rest;
    *rest += up_to((rows + PAD) * row_bytes, 64);
    return taken;
}

/* The normal distribution's integral up to x, and the derivative of GELU, which is that and x times the density: by
 * quadratics of x, one for each piece of 0.29 from -4.495 to 4.495, through the curve at the piece's three Chebyshev
 * nodes. Off by at most 5e-5 and 2e-4. Piece 0 is the one around zero, 31 the one below it: the five bits that rounding
 * to whole pieces leaves. */
static const float BELOW[3][32] __attribute__((aligned(64))) = {
    {0.5f, 0.49878237f, 0.4910399f, 0.48057804f, 0.48208803f, 0.51142794f, 0.57422984f, 0.66191041f, 0.75695068f,
     0.84217113f, 0.90743059f, 0.95091701f, 0.97644192f, 0.9897505f, 0.99595237f, 0.99855083f, 0.0f, 0.0014491725f,
     0.0040476318f, 0.010249473f, 0.023558099f, 0.049082965f, 0.092569433f, 0.15782888f, 0.24304935f, 0.33808959f,
     0.42577013f, 0.48857206f, 0.51791197f, 0.51942194f, 0.50896013f, 0.50121766f},
    {0.39789629f, 0.41364232f, 0.44962391f, 0.47927955f, 0.47708571f, 0.43263978f, 0.35408273f, 0.26098764f,
     0.17339808f, 0.10403655f, 0.056485482f, 0.027805941f, 0.012431808f, 0.0050555933f, 0.0018724205f, 0.00063226512f,
     0.0f, 0.00063226512f, 0.0018724205f, 0.0050555933f, 0.012431808f, 0.027805941f, 0.056485482f, 0.10403655f,
     0.17339808f, 0.26098764f, 0.35408273f, 0.43263978f, 0.47708571f, 0.47927955f, 0.44962391f, 0.41364232f},
    {1.7601634e-15f, -0.05525263f, -0.097440727f, -0.11851163f, -0.117815f, -0.10096783f, -0.076385029f,
     -0.051661916f, -0.031473808f, -0.017356412f, -0.0086925412f, -0.003963144f, -0.0016477818f, -0.00062561035f,
     -0.00021712077f, -6.8936279e-05f, 0.0f, 6.8936279e-05f, 0.00021712077f, 0.00062561035f, 0.0016477818f,
     0.003963144f, 0.0086925412f, 0.017356412f, 0.031473808f, 0.051661916f, 0.076385029f, 0.10096783f, 0.117815f,
     0.11851163f, 0.097440727f, 0.05525263f},
};
static const float SLOPES[3][32] __attribute__((aligned(64))) = {
    {0.5f, 0.49532357f, 0.47027975f, 0.45905146f, 0.53568143f, 0.74255461f, 1.0388705f, 1.3214962f, 1.4947916f,
     1.5256606f, 1.4465104f, 1.3193371f, 1.1972331f, 1.1067758f, 1.0511601f, 1.0217716f, 0.0f, -0.02177152f,
     -0.051160082f, -0.10677572f, -0.19723308f, -0.31933707f, -0.44651043f, -0.52566069f, -0.49479166f, -0.32149619f,
     -0.038870417f, 0.25744539f, 0.46431854f, 0.54094851f, 0.52972025f, 0.50467646f},
    {0.79370552f, 0.85468692f, 0.9727869f, 1.0081397f, 0.86044335f, 0.54453069f, 0.17223841f, -0.12922156f,
     -0.29006588f, -0.31603292f, -0.25891766f, -0.17537454f, -0.10200176f, -0.051948085f, -0.023437427f,
     -0.0094393427f, 0.0f, -0.0094393427f, -0.023437427f, -0.051948085f, -0.10200176f, -0.17537454f, -0.25891766f,
     -0.31603292f, -0.29006588f, -0.12922156f, 0.17223841f, 0.54453069f, 0.86044335f, 1.0081397f, 0.9727869f,
     0.85468692f},
    {3.5203267e-15f, -0.2159531f, -0.35638854f, -0.38388237f, -0.31263179f, -0.19190444f, -0.074887566f,
     0.0055370983f, 0.042869788f, 0.048325494f, 0.038019896f, 0.024296977f, 0.013272791f, 0.0063477498f,
     0.0026934643f, 0.001022435f, 0.0f, -0.001022435f, -0.0026934643f, -0.0063477498f, -0.013272791f, -0.024296977f,
     -0.038019896f, -0.048325494f, -0.042869788f, -0.0055370983f, 0.074887566f, 0.19190444f, 0.31263179f, 0.38388237f,
     0.35638854f, 0.2159531f},
};

typedef struct {
    __m512 near;    /* x, brought between the ends */
    __m512i piece;
} Place;

static inline Place place_of(__m512 x)
{
    const __m512 end = _mm512_set1_ps(4.494f);
    const __m512 near = _mm512_max_ps(_mm512_min_ps(x, end), _mm512_sub_ps(_mm512_setzero_ps(), end));
    const __m512 whole = _mm512_set1_ps(12582912.0f); /* added to it, a number is rounded and stands in the last bits */
    return (Place){near, _mm512_castps_si512(_mm512_fmadd_ps(near, _mm512_set1_ps(1 / 0.29f), whole))};
}

static inline __m512 along(const float (*table)[32], Place place)
{
    __m512 parts[3];
    for (int power = 0; power < 3; power++)
        parts[power] = _mm512_permutex2var_ps(_mm512_load_ps(table[power]), place.piece,
                                              _mm512_load_ps(table[power] + LANES));
    return _mm512_fmadd_ps(_mm512_fmadd_ps(parts[2], place.near, parts[1]), place.near, parts[0]);
}

/* 2 to the power of x, for x of 0 and below; off by 2e-7 of the result. */
static inline __m512 power_of_two(__m512 x)
{
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 rest = _mm512_sub_ps(x, whole);
    __m512 sum = _mm512_set1_ps(1.3333558e-3f);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(9.6181291e-3f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1f));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(sum, whole);
}

/* One over the standard deviation of a row whose mean is known. */
static inline float scale_of(const float *x, int64_t width, __m512 mean, float epsilon)
{
    __m512 squares = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += LANES) {
        const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(x + d), mean);
        squares = _mm512_fmadd_ps(away, away, squares);
    }
    return 1.0f / sqrtf(_mm512_reduce_add_ps(squares) / (float)width + epsilon);
}

static inline __mmask16 real_lanes(int64_t left)
{
    return left >= LANES ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
}

/* The sum of squares: fp32 within a stretch, so that little is lost however many there are. */
static inline double squares_of(const float *x, int64_t count)
{
    const int64_t stretch = 4096;
    double sum = 0;
    for (int64_t from = 0; from < count; from += stretch) {
        __m512 squares = _mm512_setzero_ps();
        for (int64_t i = from; i < from + stretch && i < count; i += LANES) {
            const __m512 found = _mm512_maskz_loadu_ps(real_lanes(count - i), x + i);
            squares = _mm512_fmadd_ps(found, found, squares);
        }
        sum += _mm512_reduce_add_ps(squares);
    }
    return sum;
}
