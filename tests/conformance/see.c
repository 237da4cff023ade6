/* The program of every conformance case: it prints what it sees, as one JSON object.
 *
 *     see [+ REQUEST [ARGUMENT ...]] ...
 *
 * Each request becomes a member under its name (with its arguments, where it has some); a failed
 * system call is {"errno": N}. Static, and without /proc where a system call can tell.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void text(const char *bytes, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = bytes[i];
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 32 || c > 126) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

static void word(const char *bytes) { text(bytes, strlen(bytes)); }

static void failed(void) { printf("{\"errno\":%d}", errno); }

static void outcome(long result) {
    if (result < 0) failed();
    else printf("%ld", result);
}

static void words(char **list) {
    putchar('[');
    for (int i = 0; list[i]; i++) {
        if (i) putchar(',');
        word(list[i]);
    }
    putchar(']');
}

static void user(void) {
    gid_t groups[256];
    int count = getgroups(256, groups);
    mode_t mask = umask(0);
    uid_t r, e, s;
    gid_t rg, eg, sg;
    umask(mask);
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    printf("{\"uids\":[%u,%u,%u],\"gids\":[%u,%u,%u],\"umask\":%u,\"groups\":[", r, e, s, rg, eg, sg, mask);
    for (int i = 0; i < count; i++) printf(i ? ",%u" : "%u", groups[i]);
    printf("]}");
}

static void capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    unsigned long long bounding = 0, ambient = 0;
    syscall(SYS_capget, &header, data);
    for (int i = 0; i < 64; i++) {
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) bounding |= 1ULL << i;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1) ambient |= 1ULL << i;
    }
#define SET(field) ((unsigned long long)data[1].field << 32 | data[0].field)
    printf("{\"effective\":%llu,\"permitted\":%llu,\"inheritable\":%llu,\"bounding\":%llu,\"ambient\":%llu}",
           SET(effective), SET(permitted), SET(inheritable), bounding, ambient);
}

static void limits(void) {
    putchar('[');
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        printf(i ? ",[%llu,%llu]" : "[%llu,%llu]", (unsigned long long)limit.rlim_cur,
               (unsigned long long)limit.rlim_max);
    }
    putchar(']');
}

static void descriptors(void) {
    const char *comma = "";
    putchar('[');
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            printf("%s%d", comma, fd);
            comma = ",";
        }
    putchar(']');
}

static void terminal(void) {
    struct winsize size = {0};
    int rows = ioctl(0, TIOCGWINSZ, &size);
    printf("{\"tty\":[%d,%d,%d],\"size\":", isatty(0), isatty(1), isatty(2));
    if (rows < 0) failed();
    else printf("[%u,%u]", size.ws_row, size.ws_col);
    printf(",\"session\":%d,\"foreground\":%d}", getsid(0) == getpid(), (int)tcgetpgrp(0) == getpgrp());
}

static void status(const char *path) {
    struct stat st;
    char target[4096];
    if (lstat(path, &st) < 0) {
        failed();
        return;
    }
    const char *kind = S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" :
        S_ISLNK(st.st_mode) ? "link" : S_ISCHR(st.st_mode) ? "c" : S_ISBLK(st.st_mode) ? "b" :
        S_ISFIFO(st.st_mode) ? "p" : "socket";
    printf("{\"kind\":\"%s\",\"mode\":%u,\"uid\":%u,\"gid\":%u,\"device\":[%u,%u],\"size\":%lld", kind,
           st.st_mode & 07777, st.st_uid, st.st_gid, major(st.st_rdev), minor(st.st_rdev), (long long)st.st_size);
    if (S_ISLNK(st.st_mode)) {
        ssize_t length = readlink(path, target, sizeof target);
        printf(",\"target\":");
        text(target, length < 0 ? 0 : length);
    }
    putchar('}');
}

static void contents(const char *path) {
    static char buffer[1 << 18];
    size_t length = 0;
    ssize_t count;
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) {
        failed();
        return;
    }
    while (length < sizeof buffer && (count = read(fd, buffer + length, sizeof buffer - length)) > 0) length += count;
    if (count < 0 && !length) failed();
    else text(buffer, length);
    close(fd);
}

static void put(const char *path, const char *bytes, int flags) {
    int fd = open(path, O_WRONLY | O_NONBLOCK | flags, 0666);
    long count = fd < 0 ? -1 : write(fd, bytes, strlen(bytes));
    outcome(count);
    if (fd >= 0) close(fd);
}

static void names(const char *path) {
    DIR *directory = opendir(path);
    const char *comma = "";
    struct dirent *entry;
    if (!directory) {
        failed();
        return;
    }
    putchar('[');
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            fputs(comma, stdout);
            word(entry->d_name);
            comma = ",";
        }
    putchar(']');
    closedir(directory);
}

static void namespaces(void) {
    static const char *kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
    putchar('{');
    for (int i = 0; i < 8; i++) {
        char path[64], target[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        ssize_t length = readlink(path, target, sizeof target);
        printf("%s\"%s\":", i ? "," : "", kinds[i]);
        if (length < 0) failed();
        else text(target, length);
    }
    putchar('}');
}

static void scheduling(void) {
    struct { unsigned size, policy; unsigned long long flags; int nice; unsigned priority;
             unsigned long long runtime, deadline, period; } attributes = {.size = sizeof attributes};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) < 0) {
        failed();
        return;
    }
    printf("{\"policy\":%u,\"flags\":%llu,\"nice\":%d,\"priority\":%u,\"runtime\":%llu,\"deadline\":%llu,\"period\":%llu}",
           attributes.policy, attributes.flags, attributes.nice, attributes.priority,
           attributes.runtime, attributes.deadline, attributes.period);
}

static void affinity(void) {
    cpu_set_t set;
    const char *comma = "";
    sched_getaffinity(0, sizeof set, &set);
    putchar('[');
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            printf("%s%d", comma, i);
            comma = ",";
        }
    putchar(']');
}

static void clocks(void) {
    struct timespec monotonic, boot;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    printf("{\"monotonic\":%lld,\"boottime\":%lld}", (long long)monotonic.tv_sec, (long long)boot.tv_sec);
}

static void file_system(const char *path) {
    struct statfs fs;
    if (statfs(path, &fs) < 0) failed();
    else printf("{\"type\":%lu,\"flags\":%lu,\"blocks\":%llu,\"size\":%llu}", (unsigned long)fs.f_type,
                (unsigned long)fs.f_flags, (unsigned long long)fs.f_blocks,
                (unsigned long long)fs.f_blocks * fs.f_bsize);
}

static void call(char **arguments, int count) {
    long values[7] = {0};
    for (int i = 0; i < count && i < 7; i++) values[i] = strtol(arguments[i], NULL, 0);
    outcome(syscall(values[0], values[1], values[2], values[3], values[4], values[5], values[6]));
}

static void caught(int number) { _exit(100 + number); }

/* Nobody but the caller's test waits for this: it ends by a signal or by being killed. */
static void wait_for_signal(void) {
    for (int number = 1; number < 32; number++) signal(number, caught);
    printf("}\n");
    fflush(stdout);
    for (;;) pause();
}

static void memory_policy(void) {
    int mode = 0;
    unsigned long nodes[16] = {0};
    if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0) < 0) failed();
    else printf("{\"mode\":%d,\"nodes\":%lu}", mode, nodes[0]);
}

static void answer(int count, char **arguments) {
    const char *name = arguments[0];
    const char *first = count > 1 ? arguments[1] : "";
    const char *second = count > 2 ? arguments[2] : "";
    struct utsname system;
    uname(&system);
    if (!strcmp(name, "env")) words(environ);
    else if (!strcmp(name, "cwd")) word(get_current_dir_name() ?: "");
    else if (!strcmp(name, "user")) user();
    else if (!strcmp(name, "capabilities")) capabilities();
    else if (!strcmp(name, "no_new_privileges")) outcome(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    else if (!strcmp(name, "dumpable")) outcome(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    else if (!strcmp(name, "limits")) limits();
    else if (!strcmp(name, "descriptors")) descriptors();
    else if (!strcmp(name, "hostname")) word(system.nodename);
    else if (!strcmp(name, "domainname")) word(system.domainname);
    else if (!strcmp(name, "machine")) word(system.machine);
    else if (!strcmp(name, "pid")) outcome(getpid());
    else if (!strcmp(name, "terminal")) terminal();
    else if (!strcmp(name, "stat")) status(first);
    else if (!strcmp(name, "read")) contents(first);
    else if (!strcmp(name, "write")) put(first, second, 0);
    else if (!strcmp(name, "create")) put(first, second, O_CREAT);
    else if (!strcmp(name, "mkdir")) outcome(mkdir(first, 0777));
    else if (!strcmp(name, "mknod")) outcome(mknod(first, S_IFCHR | 0666, makedev(1, 3)));
    else if (!strcmp(name, "list")) names(first);
    else if (!strcmp(name, "namespaces")) namespaces();
    else if (!strcmp(name, "scheduling")) scheduling();
    else if (!strcmp(name, "io_priority")) outcome(syscall(SYS_ioprio_get, 1, 0));
    else if (!strcmp(name, "affinity")) affinity();
    else if (!strcmp(name, "personality")) outcome(personality(0xffffffff));
    else if (!strcmp(name, "memory_policy")) memory_policy();
    else if (!strcmp(name, "keyring")) outcome(syscall(SYS_keyctl, 0, -3, 0));
    else if (!strcmp(name, "clocks")) clocks();
    else if (!strcmp(name, "statfs")) file_system(first);
    else if (!strcmp(name, "syscall")) call(arguments + 1, count - 1);
    else if (!strcmp(name, "wait")) { printf("true"); wait_for_signal(); }
    else if (!strcmp(name, "exit")) { printf("true}\n"); fflush(stdout); _exit(atoi(first)); }
    else printf("\"unknown request\"");
}

int main(int count, char **arguments) {
    printf("{\"args\":");
    words(arguments);
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "+")) continue;
        int last = i + 1;
        while (last < count && strcmp(arguments[last], "+")) last++;
        printf(",\"");
        for (int j = i + 1; j < last; j++) printf("%s%s", j > i + 1 ? " " : "", arguments[j]);
        printf("\":");
        if (last > i + 1) answer(last - i - 1, arguments + i + 1);
        else printf("null");
    }
    printf("}\n");
    return 0;
}
