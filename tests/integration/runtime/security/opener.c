/* R1: hold every interpreter seen in /proc by an O_PATH descriptor, and try to reopen it for writing.

   What the image itself brought is left out: that may be written. Ends on SIGTERM and writes what
   it saw to /seen: files held, refusals, and files that could be opened for writing. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELD = 64 };

static volatile sig_atomic_t ending;
static unsigned long seen, refused, written;
static int held[HELD], next;
static struct stat own[2];

static void end(int signal) { (void)signal; ending = 1; }

static int is_own(int fd)
{
    struct stat found;
    if (fstat(fd, &found)) return 1;
    for (int i = 0; i < 2; i++)
        if (found.st_dev == own[i].st_dev && found.st_ino == own[i].st_ino) return 1;
    return 0;
}

static void reopen(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        refused++;
        return;
    }
    written++;
    close(file);
}

static void look(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/exe", name);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return;
    if (is_own(fd)) {
        close(fd);
        return;
    }
    seen++;
    if (held[next] > 0) close(held[next]);
    held[next] = fd;
    next = (next + 1) % HELD;
}

int main(void)
{
    signal(SIGTERM, end);
    stat("/bin/busybox", &own[0]);
    stat("/opener", &own[1]);
    close(open("/ready", O_CREAT | O_WRONLY, 0600));
    while (!ending) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc)))
            if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') look(entry->d_name);
        if (proc) closedir(proc);
        for (int i = 0; i < HELD; i++)
            if (held[i] > 0) reopen(held[i]);
    }
    FILE *out = fopen("/seen", "w");
    fprintf(out, "%lu %lu %lu\n", seen, refused, written);
    return fclose(out);
}
