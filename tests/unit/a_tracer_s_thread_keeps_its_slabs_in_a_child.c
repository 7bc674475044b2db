/* What the tracer's new threads own in a forked child is theirs: the slabs of the threads that are
 * gone are given away, and no others. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"
#include "owner.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

static struct hak_trace_ops ops;
static pthread_t thread;
static _Atomic int stage;
static struct slab *held;
static struct owner *owner;

static void *listen(void *unused)
{
    (void)unused;
    fill_blocks(7, 0, 3);
    held = slab_of(block[0]);
    owner = tls.owner;
    stage = 1;
    while (stage != 2)
        usleep(1000);
    return NULL;
}

static void start_a_thread(sigset_t *saved)
{
    (void)saved;
    check_eq(pthread_create(&thread, NULL, listen, NULL), 0);
    while (!stage)
        usleep(1000);
}

SCENARIO(a_tracer_s_thread_keeps_its_slabs)
{
    int status = 0;
    pid_t pid;

    witness_begin();
    memcpy(&ops, atomic_load(&listener_ops), sizeof(ops));
    ops.after_fork_child = start_a_thread;
    atomic_store(&listener_ops, &ops);
    hak_free(hak_malloc(100));
    pid = fork();
    if (pid == 0) {
        check_eq(held->owner, owner);
        check_eq(held->remote & REMOTE_UNOWNED, 0);
        stage = 2;
        pthread_join(thread, NULL);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_tracer_s_thread_keeps_its_slabs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
