/* What is computed of a language model: products of matrices and what stands between them.

   Shapes: n tokens or prefixes; W width, H heads, G heads of keys and values, d numbers of a head, a
   multiple of 16, I width of the gated network, a multiple of 32. */

#include "native.h"

enum { LANES = 16, COLUMNS = 32 };

#define INLINED static inline __attribute__((always_inline))

/* [out, in] in panels of COLUMNS rows, filled up with zeros. */
typedef struct {
    const void *panels; /* floats [panels, in, COLUMNS], or int8 [panels, in / 4, COLUMNS, 4] */
    const float *bias;  /* [out], filled up likewise, and so are the next */
    const float *scale; /* what a step of each row in eight bits is worth; NULL: floats */
    const int32_t *zeros; /* what each row makes of nothing but 128 */
    int64_t in, out;
} Matrix;

/* What a matrix reads: floats [n, in], or bytes with 128 for 0 and what a step of each row is worth. */
typedef struct {
    const void *numbers;
    const float *steps;
} Rows;

/* A prompt, or its prefixes. */
typedef struct {
    int64_t rows;   /* its tokens, or its prefixes */
    int64_t length; /* its tokens */
    const float *turns; /* of its first token, or of the prefixes' newest code */
    float *keys;    /* [layers, G, d, length], the last filled up to a multiple of LANES */
    float *values;  /* [layers, G, length, d] */
} Prompt;

/* `struct` of the same name in `decode/lm/native.py`. */
typedef struct {
    int64_t layers, heads, groups, size, width, inner;
    const Matrix *matrices; /* [layers, 4]: attend, join, gate, leave */
    float least;
} Model;

/* The longest row that a matrix of a layer reads. */
INLINED int64_t longest_row(const Model *model) {
    int64_t joined = model->heads * model->size;
    int64_t longest = model->width > model->inner ? model->width : model->inner;
    return joined > longest ? joined : longest;
}

/* Earlier codes of prefixes. */
typedef struct {
    const float *earlier;   /* keys and values in this layer, [rows, codes, 2, G, d] */
    const int64_t *parents; /* row of each prefix there */
    int64_t codes;
} Codes;

Rows rows_of(const Matrix *matrix, const float *numbers, int64_t n, uint8_t *bytes, float *steps);
void multiply(const Matrix *matrix, Rows rows, int64_t n, int added, float *into);
void multiply_gated(const Matrix *matrix, Rows rows, int64_t n, float *passed);
void attend_prompt(const Model *model, const Prompt *prompt, int64_t layer, float *made,
                   int64_t from, float *seen);
void attend_prefixes(const Model *model, const Prompt *prompt, int64_t layer, float *made,
                     Codes codes, float *seen);
void normed(const float *rows, int64_t n, int64_t width, float least, float *into);
void gated(float *gates, const float *numbers, int64_t n);
