#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

struct statement {
    sqlite3_stmt *stmt;
    unsigned texts, numbers;
};

struct ticker {
    void (*tick)(void);
};

struct store {
    struct ticker ticker;
    sqlite3 *db;
    struct statement put[TABLE_COUNT];
    bool finished;
    char path[4096];
    char error[512];
};

static const struct {
    const char *name, *texts, *numbers, *rest;
} tables[TABLE_COUNT] = {
#define TABLE(name, texts, numbers, rest) {#name, texts, numbers, rest},
    TABLES(TABLE)
#undef TABLE
};

#define TICK_INSTRUCTIONS 1000000 /* of SQLite's machine */

static const char pragmas[] =
    "PRAGMA page_size=16384; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-16384; PRAGMA temp_store=FILE;"
    "BEGIN";

/* After the rows, where building at once is cheaper. */
static const char indexes[] = "CREATE INDEX life_begin ON life (begin);"
                              "CREATE INDEX spell_life ON spell (proc, ss, mapping, slab, n);"
                              "COMMIT";

static void fail(struct store *s, const char *doing)
{
    if (!s->error[0])
        snprintf(s->error, sizeof(s->error), "%s: %.200s: %s", doing, s->path,
                 s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

static unsigned columns(const char *list)
{
    unsigned n = *list ? 1 : 0;

    for (; *list; list++)
        n += *list == ',';
    return n;
}

static void execute(struct store *s, const char *sql)
{
    if (!s->error[0] && sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(s, "cannot write");
}

static void create(struct store *s, enum table t)
{
    struct statement *put = &s->put[t];
    const char *comma = *tables[t].texts ? ", " : "";
    char sql[1024];
    int n;

    put->texts = columns(tables[t].texts);
    put->numbers = columns(tables[t].numbers);
    snprintf(sql, sizeof(sql), "CREATE TABLE %s (%s%s%s%s%s", tables[t].name, tables[t].texts,
             comma, tables[t].numbers, *tables[t].rest == ')' ? "" : ", ", tables[t].rest);
    execute(s, sql);
    n = snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (?", tables[t].name);
    for (unsigned i = 1; i < put->texts + put->numbers; i++)
        n += snprintf(sql + n, sizeof(sql) - (size_t)n, ",?");
    snprintf(sql + n, sizeof(sql) - (size_t)n, ")");
    if (!s->error[0] && sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &put->stmt,
                                           NULL) != SQLITE_OK)
        fail(s, "cannot write");
}

/* SQLite may be long about an index, and calls this meanwhile. */
static int still_working(void *tick)
{
    ((struct ticker *)tick)->tick();
    return 0;
}

struct store *store_open(const char *path, void (*tick)(void), char *error, unsigned error_size)
{
    struct store *s = memory_new(sizeof(*s));
    int n = snprintf(s->path, sizeof(s->path), "%s", path);

    s->ticker.tick = tick;
    if (n < 0 || n >= (int)sizeof(s->path)) {
        snprintf(error, error_size, "the path of the database is too long");
        free(s);
        return NULL;
    }
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        fail(s, "cannot create");
    else
        sqlite3_progress_handler(s->db, TICK_INSTRUCTIONS, still_working, &s->ticker);
    execute(s, pragmas);
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        create(s, (enum table)t);
    if (s->error[0]) {
        snprintf(error, error_size, "%s", s->error);
        store_close(s);
        return NULL;
    }
    return s;
}

static int bind_number(sqlite3_stmt *stmt, int column, int64_t value)
{
    return value == NO_VALUE ? sqlite3_bind_null(stmt, column)
                             : sqlite3_bind_int64(stmt, column, value);
}

void store_put(struct store *s, enum table table, const char *const *texts, const int64_t *numbers,
               unsigned count)
{
    struct statement *put = &s->put[table];
    int column = 1, rc = SQLITE_OK;

    if (s->error[0])
        return;
    if (count != put->numbers) {
        snprintf(s->error, sizeof(s->error), "table %s has %u numbers, not %u", tables[table].name,
                 put->numbers, count);
        return;
    }
    for (unsigned i = 0; i < put->texts && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_text(put->stmt, column++, texts[i], -1, SQLITE_STATIC);
    for (unsigned i = 0; i < count && rc == SQLITE_OK; i++)
        rc = bind_number(put->stmt, column++, numbers[i]);
    if (rc != SQLITE_OK || sqlite3_step(put->stmt) != SQLITE_DONE)
        fail(s, "cannot write");
    sqlite3_reset(put->stmt);
}

void store_fail(struct store *s, const char *what, const char *why)
{
    if (!s->error[0])
        snprintf(s->error, sizeof(s->error), "%s beside %.200s: %s", what, s->path, why);
}

const char *store_failed(const struct store *s)
{
    return s->error[0] ? s->error : NULL;
}

static bool close_database(struct store *s)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        sqlite3_finalize(s->put[t].stmt);
        s->put[t].stmt = NULL;
    }
    if (s->db && sqlite3_close(s->db) != SQLITE_OK)
        fail(s, "cannot write");
    s->db = NULL;
    return !s->error[0];
}

bool store_finish(struct store *s)
{
    execute(s, indexes);
    if (!close_database(s))
        return false;
    s->finished = true;
    return true;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    (void)close_database(s);
    if (!s->finished)
        unlink(s->path);
    free(s);
}
