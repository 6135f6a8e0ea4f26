/* The peer to beat: the benchmark's rules in threaded C, vectorised over lanes by the compiler.

   Same generator, same counters, same rules as the engine: the outcome counts must agree to the last path.
   Rules: static floor, end-of-day trailing floor, daily loss from the prior balance, profit target; one trade a day.
   Build: gcc -O3 -march=native -shared -fPIC -pthread. */

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define LANES 512

typedef struct {
  uint32_t key0, key1;
  int32_t trades, steps;
  const int32_t *pnl;
  int32_t start, static_floor, allowance, daily_loss, target;
  uint64_t first, count;
  int64_t outcomes[4];
  int64_t path_steps;
} job;

static inline uint32_t rotl(uint32_t x, int r) { return (x << r) | (x >> (32 - r)); }


#define QUAD(r0, r1, r2, r3) \
  { x += y; y = rotl(y, r0) ^ x; x += y; y = rotl(y, r1) ^ x; x += y; y = rotl(y, r2) ^ x; x += y; y = rotl(y, r3) ^ x; }

/* Threefry-2x32-13 (Salmon et al. 2011) for all lanes. */
static void draw(const job *j, uint32_t lane0, uint32_t pair, uint32_t *restrict a, uint32_t *restrict b) {
  const uint32_t k0 = j->key0, k1 = j->key1, k2 = 0x1BD11BDAu ^ k0 ^ k1;
  for (int i = 0; i < LANES; i++) {
    uint32_t x = lane0 + (uint32_t)i + k0, y = pair + k1;
    QUAD(13, 15, 26, 6) x += k1; y += k2 + 1u;
    QUAD(17, 29, 16, 24) x += k2; y += k0 + 2u;
    QUAD(13, 15, 26, 6) x += k0; y += k1 + 3u;
    x += y; y = rotl(y, 17) ^ x;
    a[i] = x; b[i] = y;
  }
}

typedef struct { int32_t balance[LANES], peak[LANES], outcome[LANES], end[LANES]; } lanes;

/* One trade on every lane; a lane that has ended stands still. Returns whether any lane goes on. */
static int step(const job *j, lanes *restrict s, const uint32_t *restrict word, int32_t t) {
  const int32_t *restrict pnl = j->pnl;
  const uint64_t n = (uint64_t)j->trades;
  int32_t alive = 0;
  for (int i = 0; i < LANES; i++) {
    const int32_t going = s->outcome[i] < 0;
    const int32_t index = (int32_t)(((uint64_t)word[i] * n) >> 32);
    const int32_t trade = pnl[index];
    const int32_t before = s->balance[i];
    const int32_t after = before + trade;
    const int32_t trailing = s->peak[i] - j->allowance;
    const int32_t floor = trailing > j->static_floor ? trailing : j->static_floor;
    int32_t outcome = after >= j->target ? 0 : -1;
    outcome = after <= before - j->daily_loss ? 2 : outcome;
    outcome = after <= floor ? 1 : outcome;
    s->balance[i] = going ? after : before;
    s->peak[i] = going && after > s->peak[i] ? after : s->peak[i];
    s->outcome[i] = going ? outcome : s->outcome[i];
    s->end[i] = going ? t + 1 : s->end[i];
    alive |= s->outcome[i] < 0;
  }
  return alive;
}

static void *worker(void *argument) {
  job *j = argument;
  static __thread lanes s;
  static __thread uint32_t a[LANES], b[LANES];
  for (uint64_t base = 0; base < j->count; base += LANES) {
    for (int i = 0; i < LANES; i++) {
      s.balance[i] = s.peak[i] = j->start;
      s.outcome[i] = -1;
      s.end[i] = 0;
    }
    int alive = 1;
    for (int32_t t = 0; t < j->steps && alive; t += 2) {
      draw(j, (uint32_t)(j->first + base), (uint32_t)(t / 2), a, b);
      alive = step(j, &s, a, t);
      if (t + 1 < j->steps && alive) alive = step(j, &s, b, t + 1);
    }
    for (int i = 0; i < LANES && base + (uint64_t)i < j->count; i++) {
      j->outcomes[s.outcome[i] < 0 ? 3 : s.outcome[i]]++;
      j->path_steps += s.end[i];
    }
  }
  return NULL;
}

/* Splits the paths over threads; counts come back in outcomes[4] and the trades taken as the return value. */
int64_t run(uint32_t key0, uint32_t key1, const int32_t *pnl, int32_t trades, int32_t steps, int32_t start,
            int32_t static_floor, int32_t allowance, int32_t daily_loss, int32_t target, uint64_t paths,
            int32_t threads, int64_t *outcomes) {
  pthread_t thread[64];
  job jobs[64];
  const uint64_t tiles = (paths + LANES - 1) / LANES;
  for (int k = 0; k < threads; k++) {
    const uint64_t low = tiles * (uint64_t)k / (uint64_t)threads * LANES;
    uint64_t high = tiles * (uint64_t)(k + 1) / (uint64_t)threads * LANES;
    if (high > paths) high = paths;
    jobs[k] = (job){.key0 = key0, .key1 = key1, .trades = trades, .steps = steps, .pnl = pnl, .start = start,
                    .static_floor = static_floor, .allowance = allowance, .daily_loss = daily_loss,
                    .target = target, .first = low, .count = high - low};
    pthread_create(&thread[k], NULL, worker, &jobs[k]);
  }
  int64_t path_steps = 0;
  memset(outcomes, 0, 4 * sizeof *outcomes);
  for (int k = 0; k < threads; k++) {
    pthread_join(thread[k], NULL);
    path_steps += jobs[k].path_steps;
    for (int o = 0; o < 4; o++) outcomes[o] += jobs[k].outcomes[o];
  }
  return path_steps;
}
