/* Products of rows with the matrices of a language model, in tiles of some rows and COLUMNS columns.

   A tile is summed in registers, input after input, so a row gives the same whatever it is computed
   with. Of a matrix one panel after another is read; while it is, the next is fetched. */

#include <math.h>
#include <string.h>

#include "layers.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 9)
#include <immintrin.h>
#define FOR(TARGETS) __attribute__((target(TARGETS)))
#define HAS_X86 1
#else
#define HAS_X86 0
#endif

enum { MOST_ROWS = 14 };

typedef int32_t whole __attribute__((may_alias));

typedef void Tile(const void *rows, int64_t depth, const void *panel, int64_t n, void *tile);

/* As many rows as stand in registers, [n, depth] and [depth, COLUMNS] to [n, COLUMNS]; each number of
   them is compiled for itself. */
#define TILE_OF_FLOATS(NAME, TARGETED, WIDTH, MOST)                                                \
    typedef float NAME##_lanes __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));     \
    INLINED void NAME##_rows(const float *rows, int64_t depth, const float *panel, const int n,    \
                             float *tile) {                                                        \
        for (int part = 0; part < COLUMNS; part += 2 * WIDTH) {                                    \
            NAME##_lanes sums[MOST][2];                                                            \
            for (int r = 0; r < n; r++) sums[r][0] = sums[r][1] = (NAME##_lanes){0};               \
            for (int64_t k = 0; k < depth; k++) {                                                  \
                const float *of = panel + k * COLUMNS + part;                                      \
                __builtin_prefetch(of + depth * COLUMNS, 0, 2);                                    \
                if (WIDTH == 16) __builtin_prefetch(of + depth * COLUMNS + 16, 0, 2);              \
                NAME##_lanes left = *(const NAME##_lanes *)of;                                     \
                NAME##_lanes right = *(const NAME##_lanes *)(of + WIDTH);                          \
                _Pragma("GCC unroll 14") for (int r = 0; r < n; r++) {                             \
                    float x = rows[r * depth + k];                                                 \
                    sums[r][0] += x * left;                                                        \
                    sums[r][1] += x * right;                                                       \
                }                                                                                  \
            }                                                                                      \
            for (int r = 0; r < n; r++) {                                                          \
                *(NAME##_lanes *)(tile + r * COLUMNS + part) = sums[r][0];                         \
                *(NAME##_lanes *)(tile + r * COLUMNS + part + WIDTH) = sums[r][1];                 \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    TARGETED static void NAME(const void *rows, int64_t depth, const void *panel, int64_t n,       \
                              void *tile) {                                                        \
        const float *from = rows;                                                                  \
        float *into = tile;                                                                        \
        for (; n > MOST; n -= MOST, from += MOST * depth, into += MOST * COLUMNS)                  \
            NAME##_rows(from, depth, panel, MOST, into);                                           \
        EACH_NUMBER_OF_ROWS(NAME##_rows, MOST)                                                     \
    }

#define ROWS_CASE(OF, R, MOST)                                                                     \
    case R: OF(from, depth, panel, R < MOST ? R : MOST, into); break;

#define EACH_NUMBER_OF_ROWS(OF, MOST)                                                              \
    switch (n) {                                                                                   \
        ROWS_CASE(OF, 1, MOST) ROWS_CASE(OF, 2, MOST) ROWS_CASE(OF, 3, MOST)                       \
        ROWS_CASE(OF, 4, MOST) ROWS_CASE(OF, 5, MOST) ROWS_CASE(OF, 6, MOST)                       \
        ROWS_CASE(OF, 7, MOST) ROWS_CASE(OF, 8, MOST) ROWS_CASE(OF, 9, MOST)                       \
        ROWS_CASE(OF, 10, MOST) ROWS_CASE(OF, 11, MOST) ROWS_CASE(OF, 12, MOST)                    \
        ROWS_CASE(OF, 13, MOST) ROWS_CASE(OF, 14, MOST)                                            \
    }

TILE_OF_FLOATS(floats_by_4, , 4, 6)

#if HAS_X86

TILE_OF_FLOATS(floats_by_8, FOR("avx2,fma"), 8, 6)
TILE_OF_FLOATS(floats_by_16, FOR("avx512f,fma"), 16, MOST_ROWS)

#define WITH_VNNI FOR("avx512f,avx512bw,avx512vnni")

/* By name: of an array of these gcc 12 keeps a copy in memory. */
#define DECLARED(R) __m512i left_##R = _mm512_setzero_si512(), right_##R = left_##R;
#define SUMMED(R)                                                                                  \
    if (R < n) {                                                                                   \
        int32_t four;                                                                              \
        __builtin_memcpy(&four, rows + R * depth + k, 4);                                          \
        __m512i x = _mm512_set1_epi32(four);                                                       \
        left_##R = _mm512_dpbusd_epi32(left_##R, x, left);                                         \
        right_##R = _mm512_dpbusd_epi32(right_##R, x, right);                                      \
    }
#define STORED(R)                                                                                  \
    if (R < n) {                                                                                   \
        _mm512_storeu_si512(tile + R * COLUMNS, left_##R);                                         \
        _mm512_storeu_si512(tile + R * COLUMNS + 16, right_##R);                                   \
    }
#define EACH_ROW(DO)                                                                               \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)

WITH_VNNI INLINED void vnni_rows(const uint8_t *rows, int64_t depth, const int8_t *panel,
                                 const int n, int32_t *tile) {
    EACH_ROW(DECLARED)
    for (int64_t k = 0; k < depth; k += 4) {
        __m512i left = _mm512_loadu_si512(panel + k * COLUMNS);
        __m512i right = _mm512_loadu_si512(panel + k * COLUMNS + 64);
        __builtin_prefetch(panel + (depth + k) * COLUMNS, 0, 2);
        __builtin_prefetch(panel + (depth + k) * COLUMNS + 64, 0, 2);
        EACH_ROW(SUMMED)
    }
    EACH_ROW(STORED)
}

WITH_VNNI static void bytes_with_vnni(const void *rows, int64_t depth, const void *panel, int64_t n,
                                      void *tile) {
    const uint8_t *from = rows;
    int32_t *into = tile;
    EACH_NUMBER_OF_ROWS(vnni_rows, MOST_ROWS)
}

#endif

/* Whether matrices in eight bits can be read: without VNNI floats are no slower. */
int reads_bytes(void) {
#if HAS_X86
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
#else
    return 0;
#endif
}

static Tile *tile_of(const Matrix *matrix) {
#if HAS_X86
    if (matrix->scale) return bytes_with_vnni;
    if (__builtin_cpu_supports("avx512f")) return floats_by_16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return floats_by_8;
#endif
    (void)matrix;
    return floats_by_4;
}

/* What a panel of a matrix makes of n rows, from its sums. */
INLINED void finished(const Matrix *matrix, int64_t panel, const float *steps, int64_t n,
                      float *tile) {
    const float *bias = matrix->bias + panel * COLUMNS;
    if (matrix->scale) {
        const float *scale = matrix->scale + panel * COLUMNS;
        const int32_t *zeros = matrix->zeros + panel * COLUMNS;
        for (int64_t r = 0; r < n; r++, tile += COLUMNS) {
            const whole *sums = (const whole *)tile;
            for (int c = 0; c < COLUMNS; c++)
                tile[c] = (float)(sums[c] - zeros[c]) * (scale[c] * steps[r]) + bias[c];
        }
    } else {
        for (int64_t r = 0; r < n; r++, tile += COLUMNS)
            for (int c = 0; c < COLUMNS; c++) tile[c] += bias[c];
    }
}

INLINED void tile_into(Tile *tile, const Matrix *matrix, int64_t panel, Rows rows, int64_t from,
                       int64_t n, float *sums) {
    int64_t bytes = matrix->scale ? 1 : 4;
    const char *numbers = (const char *)rows.numbers + from * matrix->in * bytes;
    const char *of = (const char *)matrix->panels + panel * COLUMNS * matrix->in * bytes;
    tile(numbers, matrix->in, of, n, sums);
    finished(matrix, panel, rows.steps + from, n, sums);
}

/* Rows of a tile: as many as in all others, or one less. */
INLINED int64_t at_once(int64_t n) {
    int64_t tiles = (n + MOST_ROWS - 1) / MOST_ROWS;
    return (n + tiles - 1) / tiles;
}

/* Products, or what they add to what stands there: [n, out]. */
WIDE void multiply(const Matrix *matrix, Rows rows, int64_t n, int added, float *into) {
    Tile *tile = tile_of(matrix);
    float sums[MOST_ROWS * COLUMNS];
    int64_t most = at_once(n ? n : 1);
    for (int64_t first = 0; first < matrix->out; first += COLUMNS) {
        int64_t columns = matrix->out - first < COLUMNS ? matrix->out - first : COLUMNS;
        for (int64_t from = 0; from < n; from += most) {
            int64_t some = n - from < most ? n - from : most;
            tile_into(tile, matrix, first / COLUMNS, rows, from, some, sums);
            for (int64_t r = 0; r < some; r++) {
                float *of = into + (from + r) * matrix->out + first;
                const float *made = sums + r * COLUMNS;
                if (!added)
                    memcpy(of, made, sizeof(float) * columns);
                else if (columns == COLUMNS)
                    for (int c = 0; c < COLUMNS; c++) of[c] += made[c];
                else
                    for (int64_t c = 0; c < columns; c++) of[c] += made[c];
            }
        }
    }
}

/* The second half of the products times SiLU of the first: [n, out / 2]. */
WIDE void multiply_gated(const Matrix *matrix, Rows rows, int64_t n, float *passed) {
    Tile *tile = tile_of(matrix);
    float gate[MOST_ROWS * COLUMNS], sums[MOST_ROWS * COLUMNS];
    int64_t most = at_once(n ? n : 1), inner = matrix->out / 2, panels = inner / COLUMNS;
    for (int64_t panel = 0; panel < panels; panel++)
        for (int64_t from = 0; from < n; from += most) {
            int64_t some = n - from < most ? n - from : most;
            tile_into(tile, matrix, panel, rows, from, some, gate);
            tile_into(tile, matrix, panels + panel, rows, from, some, sums);
            gated(gate, sums, some * COLUMNS);
            for (int64_t r = 0; r < some; r++)
                memcpy(passed + (from + r) * inner + panel * COLUMNS, gate + r * COLUMNS,
                       sizeof(float) * COLUMNS);
        }
}

/* Numbers as bytes with 128 for 0; what a step is worth, no number if one of those is none. */
WIDE static float to_bytes(const float *numbers, int64_t n, uint8_t *bytes) {
    /* As whole numbers, sizes of floats are in the same order, and above all of them what is none. */
    const whole *bits = (const whole *)numbers;
    int32_t largest = 0x03000000; /* of a step that is a normal number */
    for (int64_t i = 0; i < n; i++) {
        int32_t size = bits[i] & 0x7fffffff;
        largest = size > largest ? size : largest;
    }
    float most;
    memcpy(&most, &largest, sizeof most);
    float scale = 127 / most;
    /* What is cut off is positive. */
    for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)(int32_t)(numbers[i] * scale + 128.5f);
    return largest >= 0x7f800000 ? NAN : most / 127;
}

/* Rows as a matrix reads them; bytes [n, in] and steps [n] are the caller's. */
Rows rows_of(const Matrix *matrix, const float *numbers, int64_t n, uint8_t *bytes, float *steps) {
    if (!matrix->scale) return (Rows){numbers, steps};
    for (int64_t r = 0; r < n; r++)
        steps[r] = to_bytes(numbers + r * matrix->in, matrix->in, bytes + r * matrix->in);
    return (Rows){bytes, steps};
}

/* For a product by itself. */
void matrix_products(const Matrix *matrix, const float *numbers, int64_t n, uint8_t *bytes,
                     float *steps, float *into) {
    multiply(matrix, rows_of(matrix, numbers, n, bytes, steps), n, 0, into);
}
