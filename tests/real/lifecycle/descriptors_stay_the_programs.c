/* A program that closes all descriptors, as daemons do, and opens its own afterwards finds in
 * its files what it wrote, nothing else; and no descriptor appears that it did not open. */
#include <dirent.h>

#include "check.h"

enum { FILES = 20, ROUNDS = 20 };

static void churn(void)
{
    static void *held[3000];

    for (size_t i = 0; i < 3000; i++) {
        free(held[i]);
        held[i] = malloc(i % 2500);
    }
}

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    CHECK(d, "%s", strerror(errno));
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

int main(void)
{
    int files[FILES];
    char name[32], text[64];

    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file.%d", i);
        files[i] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        CHECK(files[i] == 3 + i, "descriptor %d for file %d", files[i], i);
    }
    int before = open_descriptors();
    for (int r = 0; r < ROUNDS; r++) {
        churn();
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        for (int i = 0; i < FILES; i++)
            CHECK(dprintf(files[i], "%02d %02d\n", i, r) == 6, "%s", strerror(errno));
    }
    int after = open_descriptors();
    CHECK(after == before, "%d descriptors, %d before", after, before);
    for (int i = 0; i < FILES; i++) {
        CHECK(lseek(files[i], 0, SEEK_END) == 6 * ROUNDS, "a file of another size");
        for (int r = 0; r < ROUNDS; r++) {
            snprintf(name, sizeof name, "%02d %02d\n", i, r);
            CHECK(pread(files[i], text, 6, 6 * r) == 6 && !memcmp(text, name, 6), "other bytes");
        }
        close(files[i]);
    }
    puts("files hold what was written");
    return 0;
}
