/* Every system call by number, through all three ways into an x86_64 kernel, with arguments that
 * no call can do anything with (-1 each). One line an ABI, one letter a number:
 *
 *     P  EPERM, what the default profile answers     N  ENOSYS
 *     .  anything else: the call went through         x  the process did not come back
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST = 470, X32 = 0x40000000 };

static long native(long number) {
    long result;
    register long r10 asm("r10") = -1, r8 asm("r8") = -1, r9 asm("r9") = -1;
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(-1L), "S"(-1L), "d"(-1L), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

static long x32(long number) { return native(number | X32); }

static long interrupt(long number) {
    int result;
    asm volatile("push %%rbp\n\tmov $-1, %%rbp\n\tint $0x80\n\tpop %%rbp"
                 : "=a"(result) : "a"((int)number), "b"(-1), "c"(-1), "d"(-1), "S"(-1), "D"(-1)
                 : "r8", "r9", "r10", "r11", "memory");
    return result;
}

static char letter(long (*call)(long), long number, volatile long *answer) {
    int status;
    *answer = 1;
    pid_t child = fork();
    if (child == 0) {
        alarm(1);
        *answer = call(number);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (*answer == -EPERM) return 'P';
    if (*answer == -ENOSYS) return 'N';
    return *answer == 1 && WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM ? 'x' : '.';
}

int main(void) {
    static const struct { const char *name; long (*call)(long); } ways[] = {
        {"x86_64", native}, {"i386", interrupt}, {"x32", x32}};
    volatile long *answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int way = 0; way < 3; way++) {
        printf("%s ", ways[way].name);
        for (long number = 0; number <= LAST; number++) putchar(letter(ways[way].call, number, answer));
        putchar('\n');
    }
    return 0;
}
