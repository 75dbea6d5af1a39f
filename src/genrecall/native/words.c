/* What the words that a query and a text share say: see `queries/field_words.py`. */

#include "native.h"

/* ids: words of all texts, ascending within a text; asked: m words, ascending, with what each says;
 * scores: [n], of the texts at some rows. */
void shared_words(const int32_t *ids, const int64_t *offsets, const int32_t *rows, int64_t n,
                  const int64_t *asked, const float *says, int64_t m, const float *discount,
                  float *scores) {
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        int64_t next = 0;
        for (int64_t at = offsets[rows[i]]; at < offsets[rows[i] + 1] && next < m; at++) {
            while (next < m && asked[next] < ids[at]) next++;
            if (next < m && asked[next] == ids[at]) sum += says[next];
        }
        scores[i] = (float)sum / discount[rows[i]];
    }
}
