#include <stdint.h>

/* Compiled several times; the widest that the processor knows is taken when it is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDE
#endif

/* A float of 16 bits, which is finite and no smaller than a normal one but for 0; the tables that
   are kept in them hold no others. */
static inline float widened(uint16_t half) {
    union {
        uint32_t bits;
        float number;
    } as;
    uint32_t size = (uint32_t)(half & 0x7fff) << 13;
    as.bits = (size ? size + (112u << 23) : 0) | (uint32_t)(half & 0x8000) << 16;
    return as.number;
}

void gelu(const float *x, int64_t n, float *y);
