#include "told.h"

/* Of a number of at least 1, to the last bits of a float. */
static inline float logarithm(float x) {
    union {
        float number;
        int32_t bits;
    } as = {x};
    int32_t above = as.bits - 0x3f3504f3; /* the root of a half */
    float whole = (float)(above >> 23);
    as.bits = (above & 0x7fffff) + 0x3f3504f3;
    float rest = as.number - 1, square = rest * rest;
    float y = 7.0376836292e-2f;
    y = y * rest - 1.1514610310e-1f;
    y = y * rest + 1.1676998740e-1f;
    y = y * rest - 1.2420140846e-1f;
    y = y * rest + 1.4249322787e-1f;
    y = y * rest - 1.6668057665e-1f;
    y = y * rest + 2.0000714765e-1f;
    y = y * rest - 2.4999993993e-1f;
    y = y * rest + 3.3333331174e-1f;
    y = y * rest * square - whole * 2.12194440e-4f - square / 2;
    return rest + y + whole * 0.693359375f;
}

WIDE float logsumexp(const float *x, int64_t n) {
    float top = x[0], mass = 0;
    for (int64_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < n; i++) mass += power(x[i] - top);
    return top + logf(mass);
}

/* Floats are ordered as the whole numbers that have their bits, those below 0 the other way round;
 * among these the largest that k numbers reach is found by halves. */
WIDE float kth_largest(const float *x, int64_t n, int64_t k) {
    union {
        float number;
        int32_t bits;
    } as;
    int64_t low = INT32_MIN, high = INT32_MAX;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        int32_t least = (int32_t)middle, reached = 0;
        for (int64_t i = 0; i < n; i++) {
            as.number = x[i];
            reached += (as.bits ^ (as.bits >> 31 & INT32_MAX)) >= least;
        }
        if (reached >= k) low = middle;
        else high = middle - 1;
    }
    as.bits = (int32_t)low ^ ((int32_t)low >> 31 & INT32_MAX);
    return as.number;
}

/* Fetch some of what will be read next. */
static inline void fetch(Next *next, int64_t n) {
    const int8_t *end = next->end - next->soon < n ? next->end : next->soon + n;
    for (; next->soon < end; next->soon += LINE) __builtin_prefetch(next->soon, 0, 2);
}

WIDE void products(Next *next, Rounded *with, const Told *of, int64_t g, int64_t end, float *z) {
    int64_t dim = with->n;
    with->n_read += end - g;
    const int16_t *query = with->steps;
    const int8_t *a = of->steps + g * dim;
    for (; g < end; a += 4 * dim) {
        /* Four at once, the last few one after another. */
        int32_t sum[4] = {0};
        int64_t n = end - g < 4 ? 1 : 4;
        fetch(next, n * dim);
        if (n == 4) {
            const int8_t *b = a + dim, *c = b + dim, *e = c + dim;
            int32_t s = 0, t = 0, u = 0, v = 0;
            for (int64_t d = 0; d < dim; d++) {
                s += (int32_t)a[d] * query[d];
                t += (int32_t)b[d] * query[d];
                u += (int32_t)c[d] * query[d];
                v += (int32_t)e[d] * query[d];
            }
            sum[0] = s, sum[1] = t, sum[2] = u, sum[3] = v;
        } else {
            int32_t s = 0;
            for (int64_t d = 0; d < dim; d++) s += (int32_t)a[d] * query[d];
            sum[0] = s;
            a -= 3 * dim;
        }
        for (int64_t i = 0; i < n; i++, g++, z++)
            *z = (float)sum[i] * of->scale[g] * with->step + of->bias[g];
    }
}

WIDE void sums_of_runs(const int64_t *offsets, int64_t n, float *restrict z, float *restrict x) {
    int64_t first = offsets[0], n_z = offsets[n] - first;
    for (int64_t i = 0; i < n; i++) {
        int64_t start = offsets[i] - first, end = offsets[i + 1] - first;
        float top = z[start];
        for (int64_t g = start + 1; g < end; g++) top = z[g] > top ? z[g] : top;
        for (int64_t g = start; g < end; g++) z[g] -= top;
        x[i] = top;
    }
    for (int64_t g = n_z; g % ROOM; g++) z[g] = 0;
    for (int64_t g = 0; g < n_z; g += ROOM)
        for (int64_t i = 0; i < ROOM; i++) z[g + i] = power(z[g + i]);
    float *mass = z; /* of a node stands where its first group or one before it did */
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t g = offsets[i] - first; g < offsets[i + 1] - first; g++) sum += z[g];
        mass[i] = sum;
    }
    for (int64_t i = 0; i < n; i++) x[i] += logarithm(mass[i]);
}

Rounded rounded(const float *x, int64_t n, int16_t *steps) {
    float most = 0, largest = floorf(2147483647.0f / (127.0f * (n > 520 ? n : 520)));
    for (int64_t i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    float step = most / largest;
    for (int64_t i = 0; i < n; i++) steps[i] = most > 0 ? (int16_t)lrintf(x[i] / step) : 0;
    return (Rounded){steps, step, n, 0};
}
