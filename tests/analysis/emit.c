/*
 * Emits hakmem events as a script on stdin says, through the real provider, so that any
 * sequence, right or wrong, can be recorded. usage: emit libhakmem-lttng.so < script
 *
 *     EVENT field=value …   one event; numbers as in C, labels of enums.def, texts without
 *                           spaces; what is left out is 0 or "", but for the moment at which
 *                           a process was born: that is now, or as it said last if it says so again
 *     cpu N                 from here on, on this CPU: in that CPU's stream
 *     sleep MILLISECONDS
 *     fork … end            the lines between, in a forked child; the parent waits for it
 *     repeat N … end        the lines between, N times
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "seam.h"

enum field_kind { U64, U32, TEXT };

struct field {
    const char *name;
    enum field_kind kind;
    unsigned offset;
};

#define F_PTR(f) {#f, U64, offsetof(self, f)},
#define F_U64(f) {#f, U64, offsetof(self, f)},
#define F_U32(f) {#f, U32, offsetof(self, f)},
#define F_I32(f) {#f, U32, offsetof(self, f)},
#define F_ENUM(f, e) {#f, U32, offsetof(self, f)},
#define F_STR(f) {#f, TEXT, offsetof(self, f)},
#define HAK_EVENT(event, ...) HAK_EVENT_(event, __VA_ARGS__)
#define HAK_EVENT_(event, tier, level, ...)                             \
    static const struct field *fields_##event(void)                     \
    {                                                                   \
        typedef struct hak_ev_##event self;                             \
        static const struct field list[] = {__VA_ARGS__{NULL, U32, 0}}; \
                                                                        \
        return list;                                                    \
    }
#include "events.def"
#undef HAK_EVENT

static const struct {
    const char *name;
    const struct field *(*fields)(void);
} events[HAK_EVENTS] = {
#define HAK_EVENT(event, ...) {#event, fields_##event},
#include "events.def"
#undef HAK_EVENT
};

static const struct {
    const char *text;
    unsigned value;
} labels[] = {
#define HAK_ENUM(name, ...) __VA_ARGS__
#define V(label, number) {#label, number},
#include "enums.def"
#undef V
#undef HAK_ENUM
};

union payload {
#define HAK_EVENT(event, ...) struct hak_ev_##event event;
#include "events.def"
#undef HAK_EVENT
};

enum command { EVENT, CPU, SLEEP, FORK, REPEAT, END };

struct line {
    enum command command;
    unsigned event;
    long number;   /* of a command */
    unsigned jump; /* fork, repeat: the line of their end */
    union payload payload;
};

static struct line *lines;
static unsigned count;
static const struct hak_trace_ops *ops;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "emit: line %u: %s: %s\n", count + 1, what, why);
    exit(2);
}

static unsigned long long number_of(const char *text)
{
    char *end;
    unsigned long long n;

    for (unsigned i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (strcmp(labels[i].text, text) == 0)
            return labels[i].value;
    errno = 0;
    n = strtoull(text, &end, 0);
    if (errno || end == text || *end)
        die("not a value", text);
    return n;
}

static void set_field(struct line *l, char *word)
{
    const struct field *f = events[l->event].fields();
    char *value = strchr(word, '=');
    char *to;

    if (!value)
        die("not field=value", word);
    *value++ = '\0';
    while (f->name && strcmp(f->name, word) != 0)
        f++;
    if (!f->name)
        die("no such field", word);
    to = (char *)&l->payload + f->offset;
    if (f->kind == TEXT)
        *(const char **)to = strdup(value);
    else if (f->kind == U64)
        *(uint64_t *)to = number_of(value);
    else
        *(uint32_t *)to = (uint32_t)number_of(value);
}

static void parse_event(struct line *l, const char *name)
{
    char *word;

    while (l->event < HAK_EVENTS && strcmp(events[l->event].name, name) != 0)
        l->event++;
    if (l->event == HAK_EVENTS)
        die("no such event", name);
    for (const struct field *f = events[l->event].fields(); f->name; f++)
        if (f->kind == TEXT)
            *(const char **)((char *)&l->payload + f->offset) = "";
    while ((word = strtok(NULL, " \t\n")))
        set_field(l, word);
}

static void parse_line(struct line *l, const char *name)
{
    static const char *const commands[] = {
        [CPU] = "cpu", [SLEEP] = "sleep", [FORK] = "fork", [REPEAT] = "repeat", [END] = "end"};
    char *word;

    for (unsigned i = CPU; i <= END; i++)
        if (strcmp(commands[i], name) == 0)
            l->command = (enum command)i;
    if (l->command == EVENT) {
        parse_event(l, name);
        return;
    }
    word = strtok(NULL, " \t\n");
    l->number = word ? (long)number_of(word) : 0;
}

static void parse(void)
{
    unsigned open[16], depth = 0;
    char text[4096];

    while (fgets(text, sizeof(text), stdin)) {
        char *name = strtok(text, " \t\n");
        struct line *l;

        if (!name || *name == '#')
            continue;
        lines = realloc(lines, (count + 1) * sizeof(*lines));
        l = &lines[count];
        memset(l, 0, sizeof(*l));
        parse_line(l, name);
        if ((l->command == FORK || l->command == REPEAT) && depth < 16)
            open[depth++] = count;
        else if (l->command == END && depth > 0)
            lines[open[--depth]].jump = count;
        else if (l->command >= FORK)
            die("unbalanced", name);
        count++;
    }
    if (depth)
        die("unbalanced", "end is missing");
}

static void run(unsigned from, unsigned to);

static void in_child(unsigned from, unsigned to)
{
    sigset_t saved;
    pid_t pid;

    ops->before_fork(&saved);
    pid = fork();
    if (pid == 0) {
        ops->after_fork_child(&saved);
        run(from, to);
        _exit(0);
    }
    ops->after_fork_parent(&saved);
    waitpid(pid, NULL, 0);
}

static void on_cpu(long cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        perror("emit: cpu");
}

static void emit(const struct line *l)
{
    static uint64_t born;
    union payload payload = l->payload;
    struct timespec now;

    if (l->event == HAK_EV_process_start && !payload.process_start.born) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!payload.process_start.again || !born)
            born = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        payload.process_start.born = born;
    }
    ops->emit[l->event](&payload);
}

static void run(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        const struct line *l = &lines[i];

        switch (l->command) {
        case EVENT: emit(l); break;
        case CPU: on_cpu(l->number); break;
        case SLEEP:
            nanosleep(&(struct timespec){l->number / 1000, l->number % 1000 * 1000000}, NULL);
            break;
        case FORK:
            in_child(i + 1, l->jump);
            i = l->jump;
            break;
        case REPEAT:
            for (long n = 0; n < l->number; n++)
                run(i + 1, l->jump);
            i = l->jump;
            break;
        case END: break;
        }
    }
}

int main(int argc, char **argv)
{
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;

    ops = library ? dlsym(library, HAK_TRACE_OPS_SYMBOL) : NULL;
    if (!ops || ops->abi != HAK_TRACE_ABI || ops->events != HAK_EVENTS) {
        fprintf(stderr, "emit: %s\n", library ? "another version's library" : dlerror());
        return 2;
    }
    parse();
    run(0, count);
    return 0;
}
