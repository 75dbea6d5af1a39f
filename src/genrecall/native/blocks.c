/* What stands between the matrix products of a language model: norms, attention, gates.

   A row of `made` holds the queries [H, d], keys [G, d] and values [G, d] of a token. Positions turn
   neighbouring numbers of queries and keys as a complex one. */

#include <math.h>
#include <string.h>

#include "layers.h"

enum { ROWS = 4 };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef int32_t wholes __attribute__((vector_size(4 * LANES)));

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

/* Keys and values of a prompt, and what its tokens see of those before: [rows - from, H d]. */
WIDE void attend_prompt(const Model *model, const Prompt *prompt, int64_t layer, float *made,
                        int64_t from, float *seen) {
    int64_t heads = model->heads, groups = model->groups, size = model->size, n = prompt->length;
    int64_t width = (heads + 2 * groups) * size, padded = (n + LANES - 1) / LANES * LANES;
    int64_t shared = heads / groups;
    const float *turns = prompt->turns;
    float *keys = prompt->keys + layer * groups * size * padded;
    float *values = prompt->values + layer * groups * size * n;
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

/* What prefixes see of their prompt and of their own codes: [rows, H d]. */
WIDE void attend_prefixes(const Model *model, const Prompt *prompt, int64_t layer, float *made,
                          Codes codes, float *seen) {
    int64_t heads = model->heads, groups = model->groups, size = model->size, n = prompt->rows;
    int64_t width = (heads + 2 * groups) * size, length = prompt->length, depth = codes.codes;
    int64_t padded = (length + LANES - 1) / LANES * LANES, shared = heads / groups;
    int64_t stride = padded + (depth + LANES) / LANES * LANES;
    const float *keys = prompt->keys + layer * groups * size * padded;
    const float *values = prompt->values + layer * groups * size * length;
    float scores[ROWS * stride];
    for (int64_t row = 0; row < n; row++) 
        turn(made + row * width, heads + groups, size, prompt->turns);
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
                before[r] = codes.earlier + (codes.parents[row] * depth * 2 * groups + g) * size;
                into[r] = seen + (row * heads + h) * size;
            }
            products(queries, keys + g * size * padded, size, padded, scores, stride);
            for (int r = 0; r < ROWS; r++) {
                /* What a prefix has of its own follows the prompt, without a gap. */
                float *of = scores + r * stride;
                for (int64_t c = 0; c < depth; c++)
                    of[length + c] =
                        product(queries[r], before[r] + c * 2 * groups * size, size);
                of[length + depth] = product(queries[r], own[r][0], size);
                softmax(of, length + depth + 1);
            }
            weighted(scores, stride, values + g * length * size, length, size, into);
            for (int r = 0; r < ROWS; r++) {
                const float *of = scores + r * stride + length;
                /* A row that is computed again was added to already. */
                if (first + r >= n) break;
                for (int64_t c = 0; c < depth; c++) {
                    const float *value = before[r] + (c * 2 + 1) * groups * size;
                    for (int64_t i = 0; i < size; i++) into[r][i] += of[c] * value[i];
                }
                for (int64_t i = 0; i < size; i++) into[r][i] += of[depth] * own[r][1][i];
            }
        }
    }
}

/* Rows scaled to length 1, of which `least` is the least: [n, width]. */
WIDE void normed(const float *rows, int64_t n, int64_t width, float least, float *into) {
    for (int64_t row = 0; row < n; row++, rows += width, into += width) {
        float sum = 0;
        for (int64_t i = 0; i < width; i++) sum += rows[i] * rows[i];
        float scale = 1.0f / sqrtf(sum + least * least);
        for (int64_t i = 0; i < width; i++) into[i] = rows[i] * scale;
    }
}

/* Gates to numbers times SiLU of these, [n]; n is a multiple of LANES. */
WIDE void gated(float *gates, const float *numbers, int64_t n) {
    float passed[n];
    for (int64_t i = 0; i < n; i++) passed[i] = clamped(-gates[i]);
    for (int64_t i = 0; i < n; i += LANES) exponentials((lanes *)(passed + i));
    for (int64_t i = 0; i < n; i++) gates[i] = gates[i] / (1 + passed[i]) * numbers[i];
}
