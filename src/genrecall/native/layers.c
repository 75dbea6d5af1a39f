/* The layers of a language model: prompts are read, then codes appended to prefixes of SIDs.

   Tokens of all prompts are rows of one matrix. The caller gives what is written to: nothing is
   allocated. */

#include <string.h>

#include "layers.h"

/* Of all rows. */
typedef struct {
    float *made;   /* [n, (H + 2 G) d] */
    float *seen;   /* [n, H d] */
    float *normed; /* [n, W] */
    float *passed; /* [n, I] */
    float *steps;  /* [n] */
    uint8_t *bytes; /* [n, longest_row] */
} Scratch;

static int64_t made_width(const Model *model) {
    return (model->heads + 2 * model->groups) * model->size;
}

/* Floats that are needed for each row. */
int64_t scratch_floats(const Model *model) {
    int64_t seen = model->heads * model->size;
    return made_width(model) + seen + model->width + model->inner + 1 + (longest_row(model) + 3) / 4;
}

static Scratch divided(const Model *model, int64_t n, float *scratch) {
    Scratch of;
    of.made = scratch;
    of.seen = of.made + n * made_width(model);
    of.normed = of.seen + n * model->heads * model->size;
    of.passed = of.normed + n * model->width;
    of.steps = of.passed + n * model->inner;
    of.bytes = (uint8_t *)(of.steps + n);
    return of;
}

/* Queries, keys and values of hidden states. */
static void make(const Model *model, const Matrix *attend, const float *hidden, int64_t n,
                 Scratch of) {
    normed(hidden, n, model->width, model->least, of.normed);
    multiply(attend, rows_of(attend, of.normed, n, of.bytes, of.steps), n, 0, of.made);
}

/* Add to hidden states what was seen, and what the gated network makes of it. */
static void pass(const Model *model, const Matrix *matrices, float *hidden, int64_t n, Scratch of) {
    const Matrix *join = matrices + 1, *gate = matrices + 2, *leave = matrices + 3;
    multiply(join, rows_of(join, of.seen, n, of.bytes, of.steps), n, 1, hidden);
    normed(hidden, n, model->width, model->least, of.normed);
    multiply_gated(gate, rows_of(gate, of.normed, n, of.bytes, of.steps), n, of.passed);
    multiply(leave, rows_of(leave, of.passed, n, of.bytes, of.steps), n, 1, hidden);
}

/* hidden: [n, W] of all tokens; ends: what the last token of each prompt is, of length 1. */
void read_prompts(const Model *model, const Prompt *prompts, int64_t n_prompts, float *hidden,
                  float *scratch, float *ends) {
    int64_t n = 0, width = model->width, joined = model->heads * model->size;
    for (int64_t p = 0; p < n_prompts; p++) n += prompts[p].rows;
    Scratch of = divided(model, n, scratch);
    for (int64_t layer = 0; layer < model->layers; layer++) {
        const Matrix *matrices = model->matrices + 4 * layer;
        int last = layer == model->layers - 1;
        make(model, matrices, hidden, n, of);
        float *made = of.made, *seen = of.seen, *row = hidden;
        for (int64_t p = 0; p < n_prompts; p++) {
            /* Of the last layer nobody reads what comes out, but at the end. */
            int64_t rows = prompts[p].rows, from = last ? rows - 1 : 0;
            attend_prompt(model, prompts + p, layer, made, from, seen);
            made += rows * made_width(model);
            seen += (rows - from) * joined;
            row += rows * width;
            if (last) memmove(hidden + p * width, row - width, sizeof(float) * width);
        }
        pass(model, matrices, hidden, last ? n_prompts : n, of);
    }
    normed(hidden, n_prompts, width, model->least, ends);
}

/* begun: what the first layer makes of each code, [K, (H + 2 G) d]; codes: the newest of each prefix;
   before: keys and values of the earlier ones, [layers, n_before, depth, 2, G, d], of which `parents`
   are those of each prefix; kept: of all, [layers, n, depth + 1, 2, G, d], or NULL; ends: [n, W]. */
void append_codes(const Model *model, const Prompt *prompts, int64_t n_prompts, float *hidden,
                  const float *begun, const int64_t *codes, const float *before, int64_t n_before,
                  const int64_t *parents, int64_t depth, float *kept, float *scratch, float *ends) {
    int64_t n = 0, width = made_width(model), joined = model->heads * model->size;
    int64_t pair = 2 * model->groups * model->size;
    for (int64_t p = 0; p < n_prompts; p++) n += prompts[p].rows;
    Scratch of = divided(model, n, scratch);
    for (int64_t layer = 0; layer < model->layers; layer++) {
        const Matrix *matrices = model->matrices + 4 * layer;
        Codes earlier = {before + layer * n_before * depth * pair, parents, depth};
        if (layer)
            make(model, matrices, hidden, n, of);
        else
            for (int64_t row = 0; row < n; row++)
                memcpy(of.made + row * width, begun + codes[row] * width, sizeof(float) * width);
        float *made = of.made, *seen = of.seen;
        for (int64_t p = 0; p < n_prompts; p++) {
            attend_prefixes(model, prompts + p, layer, made, earlier, seen);
            made += prompts[p].rows * width;
            seen += prompts[p].rows * joined;
            earlier.parents += prompts[p].rows;
        }
        for (int64_t row = 0; kept && row < n; row++, kept += (depth + 1) * pair) {
            const float *own = of.made + row * width + joined;
            memcpy(kept, earlier.earlier + parents[row] * depth * pair,
                   sizeof(float) * depth * pair);
            memcpy(kept + depth * pair, own, sizeof(float) * pair);
        }
        pass(model, matrices, hidden, n, of);
    }
    normed(hidden, n, model->width, model->least, ends);
}
