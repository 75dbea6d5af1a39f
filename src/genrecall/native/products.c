/* Products of some rows of a matrix with one vector, without a copy of the rows. */

#include "native.h"

/* rows: [n] of the matrix [N, D]; each sum depends on its own row alone. */
#define ROW_PRODUCTS(NAME, NUMBER, WIDENED)                                                        \
    WIDE void NAME(const NUMBER *matrix, int64_t dim, const int32_t *rows, int64_t n,              \
                   const float *vector, float *products) {                                         \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const NUMBER *row = matrix + rows[i] * dim;                                            \
            float sum = 0;                                                                         \
            if (i + 4 < n) __builtin_prefetch(matrix + rows[i + 4] * dim);                         \
            for (int64_t d = 0; d < dim; d++) sum += WIDENED(row[d]) * vector[d];                  \
            products[i] = sum;                                                                     \
        }                                                                                          \
    }

ROW_PRODUCTS(row_products, float, )
ROW_PRODUCTS(row_products_of_halves, uint16_t, widened)
