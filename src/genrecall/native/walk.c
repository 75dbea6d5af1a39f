/* Beam search of a compact generator down the tree of SIDs, one prompt at a time.
 *
 * The same search as `decode/walk/plain.py`, which says what is computed: of each level the best
 * prefixes, in the order of their log-probabilities, are expanded one after another, until the next
 * cannot have a child among the best any more. While one is expanded, what the next one needs is
 * fetched: it lies anywhere. Nothing is allocated; arrays belong to the caller.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "told.h"

/* All that a search reads; `struct` of the same name in `decode/walk/native.py`. */
typedef struct {
    int64_t dim, width, closely, longest, most;
    int64_t n_nodes[3];
    int64_t n_usual[3]; /* codes of which it is asked at once what a head says */
    const int64_t *children[3]; /* [n_(l-1) + 1]: where those of each node start */
    const int64_t *codes[3];    /* [n_l] */
    Told whole, levels[3];
    Told heads[3];            /* of codes, one vector of size W each */
    const float *constant[3]; /* [n_l]: what a head says of a node whatever the query */
    float head_weight[3], ahead_weight[3];
} Tables;

typedef struct {
    float logprob;
    int32_t node;
    int32_t first; /* place of its first code among those that were kept */
} Prefix;

typedef struct {
    Prefix *of;
    int64_t n, most;
} Best;

/* One prompt. */
typedef struct {
    const Tables *tables;
    Rounded query, hidden;
    float *said[3]; /* what heads say of the usual codes */
    float *logits;  /* [longest] */
    float *groups;  /* [most + ROOM]: of the nodes that are told at once */
    Next next;      /* vectors that will be read */
} Prompt;

static inline void fetch_all(const void *start, int64_t n_bytes) {
    for (const char *at = start; at < (const char *)start + n_bytes; at += LINE)
        __builtin_prefetch(at, 0, 2);
}

/* What the children of a prefix, start to end, are told by will be read next. */
static void foresee(Prompt *p, int level, int64_t start, int64_t end) {
    const Tables *t = p->tables;
    const Told *of = t->levels + level;
    if (t->ahead_weight[level] != 0) {
        int64_t g = of->offsets[start], last = of->offsets[end];
        p->next = (Next){of->steps + g * t->dim, of->steps + last * t->dim};
        fetch_all(of->scale + g, (last - g) * sizeof(float));
        fetch_all(of->bias + g, (last - g) * sizeof(float));
        if (last - g > end - start) fetch_all(of->offsets + start, (end - start) * sizeof(int64_t));
    }
    if (t->head_weight[level] != 0) {
        fetch_all(t->codes[level] + start, (end - start) * sizeof(int64_t));
        fetch_all(t->constant[level] + start, (end - start) * sizeof(float));
    }
}

static int better(Prefix a, Prefix b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.node < b.node);
}

static int by_logprob(const void *a, const void *b) {
    const Prefix *one = a, *other = b;
    return better(*one, *other) ? -1 : better(*other, *one);
}

/* Put a prefix in the place of the front of a heap of n. */
static void sink(Prefix *of, int64_t n, Prefix prefix) {
    int64_t at = 0;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && better(of[child], of[child + 1])) child++;
        if (!better(prefix, of[child])) break;
        of[at] = of[child];
        at = child;
    }
    of[at] = prefix;
}

/* Keep a prefix if it is among the best: a heap with the worst in front. */
static void keep(Best *best, Prefix prefix) {
    Prefix *of = best->of;
    int64_t at;
    if (best->n < best->most) {
        at = best->n++;
        while (at && better(of[(at - 1) / 2], prefix)) {
            of[at] = of[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        of[at] = prefix;
    } else if (better(prefix, of[0])) {
        sink(of, best->n, prefix);
    }
}

/* Put a heap in order, best first. */
static void sort(Best *best) {
    for (int64_t n = best->n - 1; n > 0; n--) {
        Prefix last = best->of[n];
        best->of[n] = best->of[0];
        sink(best->of, n, last);
    }
}

/* What a level's vectors say of neighbouring nodes, start to end, into x. */
static void tell(Prompt *p, const Told *of, int64_t start, int64_t end, float *x) {
    const int64_t *offsets = of->offsets + start;
    int64_t n = end - start, g = offsets[0], last = offsets[n];
    if (last - g == n) {
        products(&p->next, &p->query, of, g, last, x);
    } else {
        products(&p->next, &p->query, of, g, last, p->groups);
        sums_of_runs(offsets, n, p->groups, x);
    }
}

/* Add what the head of a level says of n neighbouring nodes to x. */
WIDE static void add_heads(Prompt *p, int level, int64_t start, int64_t n, float *x) {
    const Tables *t = p->tables;
    const int64_t *codes = t->codes[level] + start;
    const float *constant = t->constant[level] + start, *said = p->said[level];
    float weight = t->head_weight[level];
    int64_t usual = n;
    while (usual && codes[usual - 1] >= t->n_usual[level]) usual--; /* codes of neighbours ascend */
    for (int64_t i = 0; i < usual; i++) x[i] += weight * (said[codes[i]] + constant[i]);
    for (int64_t i = usual; i < n; i++) {
        float z;
        products(&p->next, &p->hidden, t->heads + level, codes[i], codes[i] + 1, &z);
        x[i] += weight * (z + constant[i]);
    }
}

/* What the look-ahead says of all first codes: the best by one vector are told by all of theirs. */
static void ahead_of_first(Prompt *p, float *x) {
    const Tables *t = p->tables;
    int64_t n = t->n_nodes[0];
    if (n <= t->closely) {
        tell(p, t->levels, 0, n, x);
        return;
    }
    tell(p, &t->whole, 0, n, x);
    float least = kth_largest(x, n, t->closely);
    int64_t node = 0, next;
    while (node < n && x[node] < least) node++;
    for (; node < n; node = next) {
        for (next = node + 1; next < n && x[next] < least;) next++;
        if (next < n) foresee(p, 0, next, next + 1);
        tell(p, t->levels, node, node + 1, x + node);
    }
}

/* Children of a node of the level above, with their log-probabilities. */
static void expand(Prompt *p, int level, Prefix parent, const uint8_t *alive, Best *best,
                   Prefix *lead) {
    const Tables *t = p->tables;
    int64_t start = t->children[level][parent.node], end = t->children[level][parent.node + 1];
    float *x = p->logits, aheads = t->ahead_weight[level];
    if (aheads == 0) memset(x, 0, (end - start) * sizeof(float));
    else if (level == 0) ahead_of_first(p, x);
    else tell(p, t->levels + level, start, end, x);
    int64_t n = end - start;
    for (int64_t i = 0; i < n; i++) x[i] *= aheads;
    if (t->head_weight[level] != 0) add_heads(p, level, start, n, x);
    float above = parent.logprob - logsumexp(x, n);
    for (int64_t i = 0; i < n; i++) {
        if (alive && !alive[start + i]) continue;
        /* Rounding must not make a child likelier than its parent. */
        float logprob = above + x[i] < parent.logprob ? above + x[i] : parent.logprob;
        if (!lead && best->n == best->most && logprob < best->of[0].logprob) continue;
        Prefix child = {logprob, (int32_t)(start + i), parent.first};
        keep(best, child);
        if (lead && (lead[parent.first].node < 0 || better(child, lead[parent.first])))
            lead[parent.first] = child;
    }
}

/* While the first of some prefixes is expanded, what the next needs is on its way; where that
 * stands is looked up two and three ahead. */
static void foresee_next(Prompt *p, int level, const Prefix *of, int64_t n) {
    const int64_t *children = p->tables->children[level];
    if (n > 3) __builtin_prefetch(children + of[3].node);
    if (n > 2) __builtin_prefetch(p->tables->levels[level].offsets + children[of[2].node]);
    if (n > 1) foresee(p, level, children[of[1].node], children[of[1].node + 1]);
}

/* The best prefix of each of the leading first codes stays, in the place of the worst others. */
static void keep_leads(Best *best, Prefix *lead, int64_t n_first, int64_t least) {
    int64_t n = 0;
    for (int64_t i = 0; i < n_first; i++)
        if (lead[i].node >= 0) lead[n++] = lead[i];
    qsort(lead, n, sizeof(Prefix), by_logprob);
    if (n > least) n = least;
    int64_t there = 0; /* leads that are kept anyway stand in front */
    while (there < n && best->n && !better(best->of[best->n - 1], lead[there])) there++;
    int64_t missing = n - there, last = best->n;
    for (int64_t i = best->n - 1; i >= 0 && last > best->n - missing; i--) {
        int is_lead = 0;
        for (int64_t j = 0; j < there; j++) is_lead |= lead[j].node == best->of[i].node;
        if (is_lead) continue;
        memmove(best->of + i, best->of + i + 1, (last - i - 1) * sizeof(Prefix));
        last--;
    }
    memcpy(best->of + last, lead + there, missing * sizeof(Prefix));
}

/* How many prefixes are kept, by the entropy of the first code. */
static int64_t chosen_width(const Prompt *p, const int64_t *widths, const float *entropies,
                            int64_t n_widths) {
    int64_t n = p->tables->n_nodes[0], i = 0;
    float all = logsumexp(p->logits, n), entropy = 0;
    for (int64_t node = 0; node < n; node++) {
        float logprob = p->logits[node] - all;
        entropy -= power(logprob) * logprob;
    }
    while (i < n_widths - 1 && entropy >= entropies[i]) i++;
    return widths[i];
}

/* See `native/library.py`. */
int library_version(void) { return 10; }

/* Bytes that a search needs besides its arguments. */
int64_t scratch_bytes(const Tables *t, int64_t beam) {
    int64_t codes = t->n_usual[0] + t->n_usual[1] + t->n_usual[2];
    return 3 * beam * (int64_t)sizeof(Prefix) +
           (codes + t->longest + t->most + ROOM) * (int64_t)sizeof(float) +
           (t->dim + t->width) * (int64_t)sizeof(int16_t);
}

/* Search one prompt; says how many SIDs it has found.
 *
 * query: over the temperature, [D]; hidden: [W]; alive: nodes of each level that may be visited,
 * NULL for all; widths: [n_widths], ascending, of which the entropy of the first code chooses one
 * by entropies: [n_widths - 1]; min_first: of how many first codes the best prefix stays; leaves,
 * logprob: of the widest; n_read: of how many nodes' and codes' vectors a product was made.
 */
int64_t search(const Tables *t, const float *query, const float *hidden,
               const uint8_t *const *alive, const int64_t *widths, const float *entropies,
               int64_t n_widths, int64_t min_first, char *scratch, int64_t *leaves,
               float *logprob, int64_t *n_read) {
    int64_t widest = widths[n_widths - 1], beam = widest;
    Prefix *room = (Prefix *)scratch, *lead = min_first > 1 ? room + 2 * widest : NULL;
    float *floats = (float *)(room + 3 * widest);
    Prompt p = {.tables = t};
    for (int level = 0; level < 3; level++) {
        p.said[level] = floats;
        floats += t->n_usual[level];
    }
    p.logits = floats;
    p.groups = p.logits + t->longest;
    int16_t *steps = (int16_t *)(p.groups + t->most + ROOM);
    p.query = rounded(query, t->dim, steps);
    p.hidden = rounded(hidden, t->width, steps + t->dim);
    for (int level = 0; level < 3; level++)
        if (t->head_weight[level] != 0)
            products(&p.next, &p.hidden, t->heads + level, 0, t->n_usual[level], p.said[level]);

    Prefix root = {0, 0, 0};
    Best parents = {&root, 1, 1}, best = {room, 0, beam};
    int64_t n_first = 1;
    for (int level = 0; level < 3; level++) {
        for (int64_t i = 0; lead && level && i < n_first; i++) lead[i].node = -1;
        for (int64_t i = 0; i < parents.n; i++) {
            Prefix parent = parents.of[i];
            /* No child is likelier than its parent. */
            if (best.n == beam && parent.logprob < best.of[0].logprob && !lead) break;
            if (level) foresee_next(&p, level, parents.of + i, parents.n - i);
            expand(&p, level, parent, alive ? alive[level] : NULL, &best, level ? lead : NULL);
        }
        sort(&best);
        if (lead && level) keep_leads(&best, lead, n_first, min_first);
        if (level == 0) {
            /* Logits of all first codes are still there. */
            if (n_widths > 1) beam = chosen_width(&p, widths, entropies, n_widths);
            if (best.n > beam) best.n = beam;
            n_first = best.n;
            for (int64_t i = 0; i < best.n; i++) best.of[i].first = (int32_t)i;
        }
        parents = best;
        best = (Best){level % 2 ? room : room + widest, 0, beam};
    }
    for (int64_t i = 0; i < parents.n; i++) {
        leaves[i] = parents.of[i].node;
        logprob[i] = parents.of[i].logprob;
    }
    n_read[0] = p.query.n_read;
    n_read[1] = p.hidden.n_read;
    return parents.n;
}
