#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hakmem.h"
#include "log.h"
#include "os.h"

struct config config = {
#define KNOB_INT(field, name, dflt, ...) .field = dflt,
#define KNOB_ENUM(field, name, dflt, ...) .field = dflt,
#define KNOB_CAPS(field, ...)
#define KNOB_RATIO(field, name, dflt, ...) .field = dflt,
#define KNOB_BYTES(field, ...)
#define KNOB_FAULT(field, ...)
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
#undef KNOB_RATIO
#undef KNOB_BYTES
#undef KNOB_FAULT
};

static const struct config defaults = {
#define KNOB_INT(field, name, dflt, ...) .field = dflt,
#define KNOB_ENUM(field, name, dflt, ...) .field = dflt,
#define KNOB_CAPS(field, ...)
#define KNOB_RATIO(field, name, dflt, ...) .field = dflt,
#define KNOB_BYTES(field, ...)
#define KNOB_FAULT(field, ...)
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
#undef KNOB_RATIO
#undef KNOB_BYTES
#undef KNOB_FAULT
};

struct word {
    const char *spelling;
    uint32_t number;
};

enum knob_kind { OF_INT, OF_ENUM, OF_CAPS, OF_RATIO, OF_BYTES, OF_FAULT };

/* One row a knob: how to read it, how to show it, what it may be. */
struct knob {
    const char *name;
    enum knob_kind kind;
    void *value; /* uint64_t of OF_BYTES, uint32_t[CLASSES] of OF_CAPS, uint32_t of the others */
    const void *dflt;
    uint32_t min, max;
    const struct word *words;
    const char *meaning;
};

/* clang-format off */
static const struct knob knobs[] = {
#define WORD(spelling, number) {spelling, number},
#define ROW(field, nm, of, text)                                                           \
    .name = nm, .kind = of, .value = (void *)&config.field, .dflt = (const void *)&defaults.field, \
    .meaning = text
#define KNOB_INT(field, nm, d, lo, hi, text) {ROW(field, nm, OF_INT, text), .min = lo, .max = hi},
#define KNOB_ENUM(field, nm, d, list, text)                                                \
    {ROW(field, nm, OF_ENUM, text), .words = (const struct word[]){list{NULL, 0}}},
#define KNOB_CAPS(field, nm, text) {ROW(field, nm, OF_CAPS, text)},
#define KNOB_RATIO(field, nm, d, lo, hi, text) {ROW(field, nm, OF_RATIO, text), .min = lo, .max = hi},
#define KNOB_BYTES(field, nm, text) {ROW(field, nm, OF_BYTES, text)},
#define KNOB_FAULT(field, nm, text) {ROW(field, nm, OF_FAULT, text)},
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
#undef KNOB_RATIO
#undef KNOB_BYTES
#undef KNOB_FAULT
#undef ROW
#undef WORD
};
/* clang-format on */

#define KNOBS (sizeof(knobs) / sizeof(knobs[0]))
/* Sixteen caps of ten digits each, with their classes, fit. */
#define SHOWN_MAX 256

/* An unsigned decimal number and nothing else up to end; false otherwise. */
static bool parse_u32(const char *text, char end, uint32_t *out, const char **rest)
{
    char *stop;
    unsigned long n;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    n = strtoul(text, &stop, 10);
    if (errno || n > UINT32_MAX || (*stop && *stop != end))
        return false;
    *out = (uint32_t)n;
    *rest = stop;
    return true;
}

static bool parse_caps(const char *text, uint32_t caps[CLASSES])
{
    uint32_t cls, cap;

    for (;;) {
        if (!parse_u32(text, ':', &cls, &text) || *text != ':' || cls >= CLASSES)
            return false;
        if (!parse_u32(text + 1, ',', &cap, &text))
            return false;
        caps[cls] = cap;
        if (!*text)
            return true;
        text++;
    }
}

static bool parse_word(const struct word *words, const char *text, uint32_t *out)
{
    for (; words->spelling; words++) {
        if (!strcmp(words->spelling, text)) {
            *out = words->number;
            return true;
        }
    }
    return false;
}

/* A decimal number with at most two digits behind the point, in hundredths. */
static bool parse_ratio(const char *text, uint32_t *out)
{
    uint32_t whole, part = 0;

    if (!parse_u32(text, '.', &whole, &text) || whole > UINT32_MAX / 100 - 1)
        return false;
    for (unsigned unit = 10; *text && *++text; unit /= 10) {
        if (!unit || *text < '0' || *text > '9')
            return false;
        part += unit * (uint32_t)(*text - '0');
    }
    *out = whole * 100 + part;
    return true;
}

/* A number of bytes, with a K, M or G behind it of 2^10, 2^20 or 2^30 as many. */
static bool parse_bytes(const char *text, uint64_t *out)
{
    static const char suffix[] = "KMG";
    unsigned long n;
    unsigned shift = 0;
    char *stop;
    const char *s;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    n = strtoul(text, &stop, 10);
    if (*stop && (s = strchr(suffix, *stop))) {
        shift = 10 * (unsigned)(s - suffix + 1);
        stop++;
    }
    if (errno || *stop || n > UINT64_MAX >> shift)
        return false;
    *out = (uint64_t)n << shift;
    return true;
}

/* <n>, <n>+ or <p>%. */
static bool parse_fault(const char *text, uint32_t *out)
{
    uint32_t n;
    size_t digits = strspn(text, "0123456789");
    const char *end = text + digits;
    char kind = *end;

    if (kind && ((kind != '+' && kind != '%') || end[1]))
        return false;
    if (!parse_u32(text, kind, &n, &text) || n > OS_FAULT_N_MAX)
        return false;
    if (kind == '%' ? n > 100 : n == 0)
        return false;
    *out = os_fault(kind == '%' ? OS_FAULT_SHARE : kind == '+' ? OS_FAULT_FROM : OS_FAULT_NTH, n);
    return true;
}

static bool parse_int(const struct knob *k, const char *text, uint32_t *out)
{
    uint32_t n;

    if (!parse_u32(text, '\0', &n, &text) || n < k->min || n > k->max)
        return false;
    /* The two whose range has holes. */
    if (k->value == &config.ss_lg && n != 0 && n < SS_LG_MIN)
        return false;
    if (k->value == &config.classes && n != PHASE9_CLASSES && n != CLASSES)
        return false;
    *out = n;
    return true;
}

/* Stores text in the knob if it is usable, and says whether it was. */
static bool knob_set(const struct knob *k, const char *text)
{
    uint32_t caps[CLASSES] = {0}, n;

    switch (k->kind) {
    case OF_INT: return parse_int(k, text, k->value);
    case OF_ENUM: return parse_word(k->words, text, k->value);
    case OF_BYTES: return parse_bytes(text, k->value);
    case OF_FAULT: return parse_fault(text, k->value);
    case OF_RATIO:
        if (!parse_ratio(text, &n) || n < k->min || n > k->max)
            return false;
        *(uint32_t *)k->value = n;
        return true;
    case OF_CAPS:
        if (!parse_caps(text, caps))
            return false;
        memcpy(k->value, caps, sizeof(caps));
        return true;
    }
    return false;
}

void config_init(void)
{
    for (size_t i = 0; i < KNOBS; i++) {
        const char *text = os_env(knobs[i].name);

        if (text && *text)
            (void)knob_set(&knobs[i], text);
    }
}

/* The knob that an environment entry NAME=... sets, or NULL. */
static const struct knob *knob_of(const char *entry)
{
    for (size_t i = 0; i < KNOBS; i++) {
        size_t len = strlen(knobs[i].name);

        if (!strncmp(entry, knobs[i].name, len) && entry[len] == '=')
            return &knobs[i];
    }
    return NULL;
}

void config_warn(void)
{
    /* A name that is there twice was read once; checking the second must not change it. */
    struct config as_read = config;

    if (!environ || os_secure())
        return;
    for (char **entry = environ; *entry; entry++) {
        const struct knob *k;
        const char *value;

        if (strncmp(*entry, "HAKMEM_", 7) != 0)
            continue;
        k = knob_of(*entry);
        value = strchr(*entry, '=');
        if (!k)
            log_line("hakmem: unknown knob %.*s ignored: `hak config` lists the knobs\n",
                     value ? (int)(value - *entry) : 64, *entry);
        else if (value[1] && !knob_set(k, value + 1))
            log_line(
                "hakmem: %s=%.64s is not usable, the default holds: `hak config` tells what is\n",
                k->name, value + 1);
    }
    config = as_read;
}

static void show_caps(const uint32_t *caps, char out[SHOWN_MAX])
{
    int len = 0;

    for (unsigned c = 0; c < CLASSES; c++)
        if (caps[c])
            len +=
                snprintf(out + len, SHOWN_MAX - (size_t)len, "%s%u:%u", len ? "," : "", c, caps[c]);
}

static void show_bytes(uint64_t bytes, char out[SHOWN_MAX])
{
    unsigned unit = 0;

    while (bytes && unit < 3 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, SHOWN_MAX, "%lu%.1s", (unsigned long)bytes, &"\0KMG"[unit]);
}

static void show_fault(uint32_t fault, char out[SHOWN_MAX])
{
    static const char *const suffix[] = {
        [OS_FAULT_NTH] = "", [OS_FAULT_FROM] = "+", [OS_FAULT_SHARE] = "%"};

    if (fault)
        snprintf(out, SHOWN_MAX, "%u%s", os_fault_n(fault), suffix[os_fault_kind(fault)]);
}

static void show(const struct knob *k, const void *value, char out[SHOWN_MAX])
{
    uint32_t n = *(const uint32_t *)value;

    out[0] = '\0';
    switch (k->kind) {
    case OF_INT: snprintf(out, SHOWN_MAX, "%u", n); break;
    case OF_RATIO: snprintf(out, SHOWN_MAX, "%u.%02u", n / 100, n % 100); break;
    case OF_BYTES: show_bytes(*(const uint64_t *)value, out); break;
    case OF_FAULT: show_fault(n, out); break;
    case OF_CAPS: show_caps(value, out); break;
    case OF_ENUM:
        for (const struct word *w = k->words; w->spelling; w++)
            if (w->number == n)
                snprintf(out, SHOWN_MAX, "%s", w->spelling);
        break;
    }
}

void config_each(void (*each)(const char *, const char *, bool, void *), void *arg)
{
    char now[SHOWN_MAX], dflt[SHOWN_MAX];

    for (size_t i = 0; i < KNOBS; i++) {
        show(&knobs[i], knobs[i].value, now);
        show(&knobs[i], knobs[i].dflt, dflt);
        each(knobs[i].name, now, !strcmp(now, dflt), arg);
    }
}

EXPORT void hak_config_print(int fd)
{
    char now[SHOWN_MAX], dflt[SHOWN_MAX], line[LOG_LINE_MAX];

    for (size_t i = 0; i < KNOBS; i++) {
        int len;

        show(&knobs[i], knobs[i].value, now);
        show(&knobs[i], knobs[i].dflt, dflt);
        len = snprintf(line, sizeof(line), "%s\t%s\t%s\t%s\t%s\n", knobs[i].name, dflt, now,
                       strcmp(now, dflt) ? "set" : "default", knobs[i].meaning);
        log_write(fd, line, (size_t)len);
    }
}
