/* Vectors in eight bits, and what they say of a query; used by `walk.c`. */

#include <math.h>

#include "native.h"

#define LINE 64 /* bytes that a processor fetches at once */
#define ROOM 16 /* floats behind an array whose numbers are computed so many at once */

/* Vectors that tell the nodes of a level: one or more of each, in eight bits. */
typedef struct {
    const int8_t *steps;    /* [G, D] */
    const float *scale;     /* [G] */
    const float *bias;      /* [G] */
    const int64_t *offsets; /* [n_l + 1] */
} Told;

/* A vector in whole steps. */
typedef struct {
    int16_t *steps; /* [n] */
    float step;     /* size of one */
    int64_t n;
    int64_t n_read; /* vectors that it was multiplied with */
} Rounded;

/* Vectors that will be read next, of which some are fetched whenever others are read. */
typedef struct {
    const int8_t *soon, *end;
} Next;

/* Round a vector to steps whose products with vectors in eight bits add up in 32. */
Rounded rounded(const float *x, int64_t n, int16_t *steps);

/* Products of a vector with vectors g to end, and what is added to them, into z. */
void products(Next *next, Rounded *with, const Told *of, int64_t g, int64_t end, float *z);

/* Logsumexp of each run of z, which is lost and has room behind it; those of node i are offsets[i] - offsets[0] to the
 * next. */
void sums_of_runs(const int64_t *offsets, int64_t n, float *restrict z, float *restrict x);

float logsumexp(const float *x, int64_t n);

/* e^x of a number that is not positive, to the last bits of a float; compilers do many at once. */
static inline float power(float x) {
    union {
        float number;
        int32_t bits;
    } scale;
    x = x > -87 ? x : -87;
    float whole = rintf(x * 1.44269504f), rest = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * rest + 1.3981999507e-3f;
    y = y * rest + 8.3334519073e-3f;
    y = y * rest + 4.1665795894e-2f;
    y = y * rest + 1.6666665459e-1f;
    y = y * rest + 5.0000001201e-1f;
    scale.bits = ((int32_t)whole + 127) << 23;
    return (y * rest * rest + rest + 1) * scale.number;
}

/* The k-th largest of n numbers, 1 <= k <= n. */
float kth_largest(const float *x, int64_t n, int64_t k);
