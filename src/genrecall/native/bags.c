/* Means of rows of a table, one for each bag. */

#include "native.h"

/* table: [V, W]; bags: n of them, offsets [n + 1] into ids; means: [n, W], zeros of an empty. */
#define BAG_MEANS(NAME, NUMBER, WIDENED)                                                           \
    WIDE void NAME(const NUMBER *table, int64_t width, const int64_t *ids, const int64_t *offsets, \
                   int64_t n, float *means) {                                                      \
        for (int64_t i = 0; i < n; i++) {                                                          \
            float *mean = means + i * width;                                                       \
            int64_t size = offsets[i + 1] - offsets[i];                                            \
            for (int64_t w = 0; w < width; w++) mean[w] = 0;                                       \
            for (int64_t at = offsets[i]; at < offsets[i + 1]; at++) {                             \
                const NUMBER *row = table + ids[at] * width;                                       \
                for (int64_t w = 0; w < width; w++) mean[w] += WIDENED(row[w]);                    \
            }                                                                                      \
            for (int64_t w = 0; size && w < width; w++) mean[w] /= size;                           \
        }                                                                                          \
    }

BAG_MEANS(bag_means, float, )
BAG_MEANS(bag_means_of_halves, uint16_t, widened)
