/* What stands between the matrix products of a language model: norms, attention, gates.

   A row of `made` holds the queries [H, d], keys [G, d] and values [G, d] of a token; d is a
   multiple of 16. Positions turn neighbouring numbers of queries and keys as a complex one. */

#include <math.h>
#include <string.h>

#include "native.h"

enum { LANES = 16, ROWS = 4 };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef int32_t wholes __attribute__((vector_size(4 * LANES)));

#define INLINED static inline __attribute__((always_inline))

/* Between these the exponential is a normal number. (Loops of single numbers are what compilers
   make comparisons of vectors from that are not slow.) */
INLINED float clamped(float x) {
    x = x < -87.0f ? -87.0f : x;
    return x > 87.0f ? 87.0f : x;
}

/* Each clamped number to its exponential; relative error below 1e-6, and 4e-6 where that is below
   1e-10. */
INLINED void exponentials(lanes *numbers) {
    lanes x = *numbers, sum = (lanes){0} + 1.0f / 720;
    /* The nearest whole number; what is cut off is positive. */
    wholes n = __builtin_convertvector(x * 1.44269504f + 128.5f, wholes) - 128;
    lanes r = x - __builtin_convertvector(n, lanes) * 0.693147181f;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;
    *numbers = sum * (lanes)((n + 127) << 23);
}

INLINED void turn(float *numbers, int64_t heads, int64_t size, const float *turns) {
    for (int64_t h = 0; h < heads; h++) {
        float *of = numbers + h * size;
        for (int64_t i = 0; i < size; i += 2) {
            float real = of[i], other = of[i + 1];
            of[i] = real * turns[i] - other * turns[i + 1];
            of[i + 1] = real * turns[i + 1] + other * turns[i];
        }
    }
}

INLINED float product(const float *x, const float *y, int64_t size) {
    float sum = 0;
    for (int64_t i = 0; i < size; i++) sum += x[i] * y[i];
    return sum;
}

/* Products of ROWS queries with the keys of a prompt, [size, padded]. */
INLINED void products(const float *const *queries, const float *keys, int64_t size, int64_t padded,
                      float *scores, int64_t stride) {
    for (int64_t start = 0; start < padded; start += LANES) {
        lanes sums[ROWS] = {{0}};
        for (int64_t i = 0; i < size; i++) {
            lanes key = *(const lanes *)(keys + i * padded + start);
            for (int r = 0; r < ROWS; r++) sums[r] += queries[r][i] * key;
        }
        for (int r = 0; r < ROWS; r++) *(lanes *)(scores + r * stride + start) = sums[r];
    }
}

/* Values of a prompt, [length, size], weighted for ROWS queries. */
INLINED void weighted(const float *weights, int64_t stride, const float *values, int64_t length,
                      int64_t size, float *const *seen) {
    for (int64_t start = 0; start < size; start += LANES) {
        lanes sums[ROWS] = {{0}};
        for (int64_t l = 0; l < length; l++) {
            lanes value = *(const lanes *)(values + l * size + start);
            for (int r = 0; r < ROWS; r++) sums[r] += weights[r * stride + l] * value;
        }
        for (int r = 0; r < ROWS; r++) *(lanes *)(seen[r] + start) = sums[r];
    }
}

/* Scores to weights that add up to 1. What follows up to a multiple of LANES is overwritten. */
INLINED void softmax(float *scores, int64_t n) {
    float most = scores[0], sum = 0;
    for (int64_t i = 1; i < n; i++) most = scores[i] > most ? scores[i] : most;
    for (int64_t i = 0; i < n; i++) scores[i] = clamped(scores[i] - most);
    for (int64_t i = n; i % LANES; i++) scores[i] = 0;
    for (int64_t i = 0; i < n; i += LANES) exponentials((lanes *)(scores + i));
    for (int64_t i = 0; i < n; i++) sum += scores[i];
    float scale = 1.0f / sum;
    for (int64_t i = 0; i < n; i++) scores[i] *= scale;
}

WIDE void attend_prompt(float *made, int64_t n, int64_t heads, int64_t groups, int64_t size,
                        const float *turns, float *keys, float *values, int64_t from, float *seen) {
    int64_t width = (heads + 2 * groups) * size, padded = (n + LANES - 1) / LANES * LANES;
    int64_t shared = heads / groups;
    float scores[ROWS * padded];
    memset(keys, 0, sizeof(float) * groups * size * padded);
    for (int64_t row = 0; row < n; row++) {
        float *of = made + row * width;
        turn(of, heads + groups, size, turns + row * size);
        for (int64_t g = 0; g < groups; g++) {
            const float *key = of + (heads + g) * size, *value = key + groups * size;
            for (int64_t i = 0; i < size; i++) keys[(g * size + i) * padded + row] = key[i];
            memcpy(values + (g * n + row) * size, value, sizeof(float) * size);
        }
    }
    for (int64_t first = from; first < n; first += ROWS) {
        int64_t last = first + ROWS < n ? first + ROWS : n;
        for (int64_t h = 0; h < heads; h++) {
            const float *queries[ROWS];
            float *into[ROWS];
            for (int r = 0; r < ROWS; r++) {
                /* Where rows are left, the last one is computed again. */
                int64_t row = first + r < last ? first + r : last - 1;
                queries[r] = made + row * width + h * size;
                into[r] = seen + ((row - from) * heads + h) * size;
            }
            int64_t g = h / shared;
            products(queries, keys + g * size * padded, size, padded, scores, padded);
            for (int r = 0; r < ROWS; r++) {
                int64_t before = (first + r < last ? first + r : last - 1) + 1;
                softmax(scores + r * padded, before);
                for (int64_t l = before; l < padded; l++) scores[r * padded + l] = 0;
            }
            weighted(scores, padded, values + g * n * size, last, size, into);
        }
    }
}

WIDE void attend_prefixes(float *made, int64_t n, int64_t heads, int64_t groups, int64_t size,
                          const float *turns, const float *keys, const float *values,
                          int64_t length, const float *earlier, int64_t codes, float *seen) {
    int64_t width = (heads + 2 * groups) * size, padded = (length + LANES - 1) / LANES * LANES;
    int64_t shared = heads / groups, stride = padded + (codes + LANES) / LANES * LANES;
    float scores[ROWS * stride];
    for (int64_t row = 0; row < n; row++) turn(made + row * width, heads + groups, size, turns);
    for (int64_t first = 0; first < n; first += ROWS) {
        for (int64_t h = 0; h < heads; h++) {
            const float *queries[ROWS], *own[ROWS][2], *before[ROWS];
            float *into[ROWS];
            int64_t g = h / shared;
            for (int r = 0; r < ROWS; r++) {
                int64_t row = first + r < n ? first + r : n - 1;
                queries[r] = made + row * width + h * size;
                own[r][0] = made + row * width + (heads + g) * size;
                own[r][1] = own[r][0] + groups * size;
                before[r] = earlier + (row * codes * 2 * groups + g) * size;
                into[r] = seen + (row * heads + h) * size;
            }
            products(queries, keys + g * size * padded, size, padded, scores, stride);
            for (int r = 0; r < ROWS; r++) {
                /* What a prefix has of its own follows the prompt, without a gap. */
                float *of = scores + r * stride;
                for (int64_t c = 0; c < codes; c++)
                    of[length + c] =
                        product(queries[r], before[r] + c * 2 * groups * size, size);
                of[length + codes] = product(queries[r], own[r][0], size);
                softmax(of, length + codes + 1);
            }
            weighted(scores, stride, values + g * length * size, length, size, into);
            for (int r = 0; r < ROWS; r++) {
                const float *of = scores + r * stride + length;
                /* A row that is computed again was added to already. */
                if (first + r >= n) break;
                for (int64_t c = 0; c < codes; c++) {
                    const float *value = before[r] + (c * 2 + 1) * groups * size;
                    for (int64_t i = 0; i < size; i++) into[r][i] += of[c] * value[i];
                }
                for (int64_t i = 0; i < size; i++) into[r][i] += of[codes] * own[r][1][i];
            }
        }
    }
}

WIDE void add_normed(float *rows, const float *more, int64_t n, int64_t width, float least,
                     float *normed) {
    for (int64_t row = 0; row < n; row++) {
        float *of = rows + row * width, *into = normed + row * width, sum = 0;
        if (more)
            for (int64_t i = 0; i < width; i++) of[i] += more[row * width + i];
        for (int64_t i = 0; i < width; i++) sum += of[i] * of[i];
        float scale = 1.0f / sqrtf(sum + least * least);
        for (int64_t i = 0; i < width; i++) into[i] = of[i] * scale;
    }
}

WIDE void gated(const float *both, int64_t n, int64_t width, float *passed) {
    for (int64_t row = 0; row < n; row++) {
        const float *gate = both + row * 2 * width, *of = gate + width;
        float *into = passed + row * width;
        for (int64_t i = 0; i < width; i++) into[i] = clamped(-gate[i]);
        int64_t whole = width / LANES * LANES;
        for (int64_t i = 0; i < whole; i += LANES) exponentials((lanes *)(into + i));
        if (whole < width) {
            float rest[LANES] = {0};
            memcpy(rest, into + whole, sizeof(float) * (width - whole));
            exponentials((lanes *)rest);
            memcpy(into + whole, rest, sizeof(float) * (width - whole));
        }
        for (int64_t i = 0; i < width; i++) into[i] = gate[i] / (1 + into[i]) * of[i];
    }
}

WIDE float to_bytes(const float *numbers, int64_t n, uint8_t *bytes) {
    float most = 1e-36f;
    int32_t none = 0;
    for (int64_t i = 0; i < n; i++) {
        float size = fabsf(numbers[i]);
        most = size > most ? size : most;
        none |= !(size < 3e38f);
    }
    float scale = 127 / most;
    /* What is cut off is positive. */
    for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)(int32_t)(numbers[i] * scale + 128.5f);
    /* A step is no number if one of those is none. */
    return none ? NAN : most / 127;
}
