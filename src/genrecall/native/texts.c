/* A text's features to its hidden state and unit vector: what a small encoder has learned. */

#include <math.h>

#include "native.h"

/* `struct` of the same name in `foundation/text_encoder.py`. */
typedef struct {
    int64_t width, dim;
    const float *norm, *norm_bias;   /* [W] */
    const float *inner, *inner_bias; /* [W], or NULL */
    const float *first, *first_bias; /* [W, W], [W] */
    const float *second, *second_bias;
    const float *project; /* [D, W] */
} Encoder;

static const float TINY = 1e-5f; /* of torch's layer norm */

WIDE static void layer_norm(float *x, const float *weight, const float *bias, int64_t width,
                            float *y) {
    float sum = 0, square = 0;
    for (int64_t w = 0; w < width; w++) sum += x[w];
    float mean = sum / width;
    for (int64_t w = 0; w < width; w++) square += (x[w] - mean) * (x[w] - mean);
    float scale = 1 / sqrtf(square / width + TINY);
    for (int64_t w = 0; w < width; w++) y[w] = (x[w] - mean) * scale * weight[w] + bias[w];
}

/* y = x W' + b, without a bias where it is NULL. */
WIDE static void linear(const float *x, const float *weight, const float *bias, int64_t n,
                        int64_t width, float *y) {
    for (int64_t i = 0; i < n; i++) {
        const float *row = weight + i * width;
        float sum = 0;
        for (int64_t w = 0; w < width; w++) sum += row[w] * x[w];
        y[i] = bias ? sum + bias[i] : sum;
    }
}

/* bags: means of the features' vectors, [n, W]; room: [3 W]; hidden: [n, W]; vectors: [n, D]. */
WIDE void encode_texts(const Encoder *encoder, const float *bags, int64_t n, float *room,
                       float *hidden, float *vectors) {
    int64_t width = encoder->width, dim = encoder->dim;
    float *x = room, *y = room + width, *z = room + 2 * width;
    for (int64_t i = 0; i < n; i++) {
        float *h = hidden + i * width, *vector = vectors + i * dim, square = 0;
        for (int64_t w = 0; w < width; w++) z[w] = bags[i * width + w];
        layer_norm(z, encoder->norm, encoder->norm_bias, width, h);
        for (int64_t w = 0; w < width; w++) x[w] = h[w];
        if (encoder->inner) layer_norm(h, encoder->inner, encoder->inner_bias, width, x);
        linear(x, encoder->first, encoder->first_bias, width, width, y);
        gelu(y, width, z);
        linear(z, encoder->second, encoder->second_bias, width, width, x);
        for (int64_t w = 0; w < width; w++) h[w] += x[w];
        linear(h, encoder->project, 0, dim, width, vector);
        for (int64_t d = 0; d < dim; d++) square += vector[d] * vector[d];
        float scale = square > 0 ? 1 / sqrtf(square) : 0;
        for (int64_t d = 0; d < dim; d++) vector[d] *= scale;
    }
}
