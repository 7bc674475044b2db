#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hakmem.h"
#include "log.h"

struct config config = {
#define KNOB_INT(field, name, dflt, ...) .field = dflt,
#define KNOB_ENUM(field, name, dflt, ...) .field = dflt,
#define KNOB_CAPS(field, ...)
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
};

static const struct config defaults = {
#define KNOB_INT(field, name, dflt, ...) .field = dflt,
#define KNOB_ENUM(field, name, dflt, ...) .field = dflt,
#define KNOB_CAPS(field, ...)
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
};

struct word {
    const char *spelling;
    uint32_t number;
};

/* One row a knob: how to read it, how to show it, what it may be. */
struct knob {
    const char *name;
    uint32_t *value;
    const uint32_t *dflt;
    uint32_t min, max;
    const struct word *words;
    const char *meaning;
    bool caps;
};

/* clang-format off */
static const struct knob knobs[] = {
#define WORD(spelling, number) {spelling, number},
#define KNOB_INT(field, nm, d, lo, hi, text)                                               \
    {.name = nm, .value = &config.field, .dflt = &defaults.field, .min = lo, .max = hi,    \
     .meaning = text},
#define KNOB_ENUM(field, nm, d, list, text)                                                \
    {.name = nm, .value = &config.field, .dflt = &defaults.field,                          \
     .words = (const struct word[]){list{NULL, 0}}, .meaning = text},
#define KNOB_CAPS(field, nm, text)                                                         \
    {.name = nm, .value = config.field, .dflt = defaults.field, .meaning = text, .caps = true},
#include "knobs.def"
#undef KNOB_INT
#undef KNOB_ENUM
#undef KNOB_CAPS
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

/* Stores text in the knob if it is usable, and says whether it was. */
static bool knob_set(const struct knob *k, const char *text)
{
    uint32_t caps[CLASSES] = {0};
    uint32_t n;

    if (k->caps) {
        if (!parse_caps(text, caps))
            return false;
        memcpy(k->value, caps, sizeof(caps));
        return true;
    }
    if (k->words)
        return parse_word(k->words, text, k->value);
    if (!parse_u32(text, '\0', &n, &text) || n < k->min || n > k->max)
        return false;
    /* The two whose range has holes. */
    if (k->value == &config.ss_lg && n != 0 && n < SS_LG_MIN)
        return false;
    if (k->value == &config.classes && n != PHASE9_CLASSES && n != CLASSES)
        return false;
    *k->value = n;
    return true;
}

void config_init(void)
{
    for (size_t i = 0; i < KNOBS; i++) {
        const char *text = getenv(knobs[i].name);

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
    if (!environ)
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
}

static void show(const struct knob *k, const uint32_t *value, char out[SHOWN_MAX])
{
    int len = 0;

    out[0] = '\0';
    if (k->words) {
        for (const struct word *w = k->words; w->spelling; w++)
            if (w->number == *value)
                snprintf(out, SHOWN_MAX, "%s", w->spelling);
    } else if (k->caps) {
        for (unsigned c = 0; c < CLASSES; c++)
            if (value[c])
                len += snprintf(out + len, SHOWN_MAX - (size_t)len, "%s%u:%u", len ? "," : "", c,
                                value[c]);
    } else {
        snprintf(out, SHOWN_MAX, "%u", *value);
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
