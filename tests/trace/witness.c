/* Preloaded in front of libhakmem.so: stands in for every function that it imports, and ends the
 * process with a line where one is called at a moment at which src/imports.txt does not allow it.
 * NAMES is W(name, moments) for each of them. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum moment { ANY = 1, START = 2, HELPER = 4, FORK = 8, ASKED = 16, END = 32 };

static const struct {
    const char *name;
    unsigned moments;
} imports[] = {
#define W(name, moments) {#name, moments},
#include NAMES
#undef W
};
#define IMPORTS (sizeof imports / sizeof *imports)

static void *real[IMPORTS];
static void *(*find)(void *, const char *);
static int (*find_object)(void *, struct dl_find_object *);
static bool at_work;
static __thread __attribute__((tls_model("initial-exec"))) int depth;
static __thread __attribute__((tls_model("initial-exec"))) bool programs;
static unsigned long seen;

static void *first_of(const char *name, const char *a, const char *b)
{
    void *found = dlvsym(RTLD_NEXT, name, a);

    return found ? found : dlvsym(RTLD_NEXT, name, b);
}

static void resolve(void)
{
    *(void **)&find_object = first_of("_dl_find_object", "GLIBC_2.35", "GLIBC_2.35");
    *(void **)&find = first_of("dlsym", "GLIBC_2.34", "GLIBC_2.2.5");
    for (size_t i = 0; i < IMPORTS; i++)
        real[i] = find(RTLD_NEXT, imports[i].name);
}

static bool is_hakmem(void *caller)
{
    struct dl_find_object object;

    return find_object(caller, &object) == 0 &&
           strstr(object.dlfo_link_map->l_name, "/libhakmem.so") != NULL;
}

static unsigned moments_now(void)
{
    bool mine = programs || getpid() == gettid();

    if (!at_work)
        return ANY | START | HELPER;
    if (!mine)
        return ANY | HELPER;
    return depth ? ANY : ANY | FORK | ASKED | END;
}

void *witness_judge(unsigned i, void *caller);

__attribute__((visibility("hidden"))) void *witness_judge(unsigned i, void *caller)
{
    static __thread __attribute__((tls_model("initial-exec"))) bool judging;

    if (!find)
        resolve();
    if (judging)
        return real[i];
    judging = true;
    if (is_hakmem(caller)) {
        __atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
        if (!(imports[i].moments & moments_now())) {
            int saved = errno;

            dprintf(2, "witness: %s called %s\n", imports[i].name,
                    depth                  ? "inside malloc"
                    : getpid() != gettid() ? "on another thread"
                                           : "by the program's call");
            errno = saved;
            _exit(99);
        }
    }
    judging = false;
    return real[i];
}

/* Whatever their arguments are, they are as they were when the function behind is jumped to. */
__asm__(".text\n"
        "witness_common:\n"
        "  pushq %rax\n  pushq %rdi\n  pushq %rsi\n  pushq %rdx\n"
        "  pushq %rcx\n  pushq %r8\n  pushq %r9\n  pushq %r10\n"
        "  subq $128, %rsp\n"
        "  movups %xmm0, (%rsp)\n  movups %xmm1, 16(%rsp)\n"
        "  movups %xmm2, 32(%rsp)\n  movups %xmm3, 48(%rsp)\n"
        "  movups %xmm4, 64(%rsp)\n  movups %xmm5, 80(%rsp)\n"
        "  movups %xmm6, 96(%rsp)\n  movups %xmm7, 112(%rsp)\n"
        "  movq 192(%rsp), %rdi\n"
        "  movq 200(%rsp), %rsi\n"
        "  call witness_judge\n"
        "  movq %rax, %r11\n"
        "  movups (%rsp), %xmm0\n  movups 16(%rsp), %xmm1\n"
        "  movups 32(%rsp), %xmm2\n  movups 48(%rsp), %xmm3\n"
        "  movups 64(%rsp), %xmm4\n  movups 80(%rsp), %xmm5\n"
        "  movups 96(%rsp), %xmm6\n  movups 112(%rsp), %xmm7\n"
        "  addq $128, %rsp\n"
        "  popq %r10\n  popq %r9\n  popq %r8\n  popq %rcx\n"
        "  popq %rdx\n  popq %rsi\n  popq %rdi\n  popq %rax\n"
        "  addq $8, %rsp\n"
        "  jmp *%r11\n"
        ".set witness_number, 0\n");
#define W(name, moments)                                      \
    __asm__(".globl " #name "\n"                              \
            ".type " #name ", @function\n" #name ":\n"        \
            "  pushq $witness_number_" #name "\n"             \
            "  jmp witness_common\n"                          \
            ".set witness_number_" #name ", witness_number\n" \
            ".set witness_number, witness_number + 1\n");
#include NAMES
#undef W

/* What the program calls, so that it is known to be inside. */
#define INSIDE(type, name, parameters, arguments)     \
    type name parameters;                             \
    type name parameters                              \
    {                                                 \
        static type(*next) parameters;                \
        type answer;                                  \
                                                      \
        if (!find)                                    \
            resolve();                                \
        if (!next)                                    \
            *(void **)&next = find(RTLD_NEXT, #name); \
        depth++;                                      \
        answer = next arguments;                      \
        depth--;                                      \
        return answer;                                \
    }
INSIDE(void *, malloc, (size_t size), (size))
INSIDE(void *, calloc, (size_t count, size_t size), (count, size))
INSIDE(void *, realloc, (void *p, size_t size), (p, size))
INSIDE(void *, aligned_alloc, (size_t align, size_t size), (align, size))
INSIDE(void *, memalign, (size_t align, size_t size), (align, size))
INSIDE(void *, valloc, (size_t size), (size))
INSIDE(void *, pvalloc, (size_t size), (size))
INSIDE(int, posix_memalign, (void **out, size_t align, size_t size), (out, align, size))
INSIDE(size_t, malloc_usable_size, (void *p), (p))

void free(void *p);

void free(void *p)
{
    static void (*next)(void *);

    if (!find)
        resolve();
    if (!next)
        *(void **)&next = find(RTLD_NEXT, "free");
    depth++;
    next(p);
    depth--;
}

struct begun {
    void *(*run)(void *);
    void *arg;
};

static void *begin(void *arg)
{
    struct begun b = *(struct begun *)arg;

    programs = true;
    free(arg);
    return b.run(b.arg);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    struct begun *b = malloc(sizeof *b);
    bool mine = programs || getpid() == gettid();

    *(void **)&next = find(RTLD_NEXT, "pthread_create");
    *b = (struct begun){run, arg};
    return mine ? next(thread, attr, begin, b) : next(thread, attr, run, arg);
}

/* Called by the program when it begins, and for how many calls have been seen. */
unsigned long witness_begin(void);

unsigned long witness_begin(void)
{
    at_work = true;
    return seen;
}
