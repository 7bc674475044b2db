/*
 * The SQLite file: written in one transaction without a journal; what is there is taken for an
 * empty one. The first failure sticks: later calls do nothing, store_failed() tells, and nothing
 * half written is left. Owned by one component.
 */
#ifndef HAK_STORE_H
#define HAK_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "tables.h"

struct store;

/* NULL with *error set (caller's buffer) if the file cannot be made. tick() is called now and then
 * while SQLite works. */
struct store *store_open(const char *path, void (*tick)(void), char *error, unsigned error_size);

/* Stored as SQL NULL. */
#define NO_VALUE INT64_MIN

/* PUT(store, table, (texts), numbers...): one row; the texts may be NULL. */
#define PUT(store, table, texts, ...)                                    \
    store_put(store, TABLE_##table, (const char *const[]){UNPACK texts}, \
              (const int64_t[]){__VA_ARGS__},                            \
              sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define UNPACK(...) __VA_ARGS__

void store_put(struct store *s, enum table table, const char *const *texts, const int64_t *numbers,
               unsigned count);

/* Something beside the file failed that the rows need. */
void store_fail(struct store *s, const char *what, const char *why);

/* NULL while all is well. */
const char *store_failed(const struct store *s);

/* Completes the file; false with store_failed() set. */
bool store_finish(struct store *s);

/* Frees the store; what was not finished is removed. */
void store_close(struct store *s);

#endif
