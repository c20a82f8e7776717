// Execs that fail, with every errno that a program can provoke, from a process with threads; after
// each the caller and its siblings must still run.
#include <limits.h>

#include "live.h"

static volatile unsigned long progress;
static char* const no_env[] = {NULL};

static void* count(void* unused) {
    for (;;) {
        ++progress;
        sched_yield();
    }
    return unused;
}

static void expect(int wanted, const char* path, char* const argv[]) {
    const int result = execve(path, argv, no_env);
    const int got = errno;
    printf("%s: %s\n", strerrorname_np(wanted),
           got == wanted ? "as it should" : strerrorname_np(got));
    live_check(result == -1 && got == wanted, "%.40s", path);
    live_check(live_progress(&progress, 3), "a sibling stands still");
}

static void make_file(const char* path, const char* text, mode_t mode) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    live_check(write(file, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(file);
}

int main(void) {
    char* argv[] = {"x", NULL};
    char long_name[300], long_path[PATH_MAX + 10];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    memset(long_path, '/', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    char* big = calloc(1, 200 << 10);
    memset(big, 'b', (200 << 10) - 1);
    char* big_argv[] = {"x", big, NULL};
    make_file("/tmp/text", "not a program", 0755);
    make_file("/tmp/plain", "#!/bin/live_exit 1\n", 0644);
    make_file("/tmp/lost", "#!/no/such/interpreter\n", 0755);
    make_file("/tmp/elf", "\177ELF\2\1\1 broken", 0755);
    live_check(symlink("/tmp/ring", "/tmp/ring") == 0, "symlink");

    live_thread(count, NULL);
    live_thread(count, NULL);
    for (int round = 0; round < 3; ++round) {
        expect(ENOENT, "/no/such/program", argv);
        expect(ENOENT, "", argv);
        expect(ENOENT, "/tmp/lost", argv);
        expect(ENOTDIR, "/tmp/text/x", argv);
        expect(EACCES, "/tmp", argv);
        expect(EACCES, "/tmp/plain", argv);
        expect(ENOEXEC, "/tmp/text", argv);
        expect(ENOEXEC, "/tmp/elf", argv);
        expect(E2BIG, "/bin/live_exit", big_argv);
        expect(ELOOP, "/tmp/ring", argv);
        expect(ENAMETOOLONG, long_name, argv);
        expect(ENAMETOOLONG, long_path, argv);
    }
    const int writer = open("/bin/live_exit", O_RDWR | O_CLOEXEC);
    live_check(writer >= 0, "open for writing");
    expect(ETXTBSY, "/bin/live_exit", argv);
    close(writer);
    live_check(syscall(SYS_execveat, 1234, "", argv, no_env, AT_EMPTY_PATH) == -1 && errno == EBADF,
               "EBADF");
    live_check(syscall(SYS_execveat, 1234, "x", argv, no_env, 0) == -1 && errno == EBADF, "EBADF");
    live_check(
        syscall(SYS_execveat, AT_FDCWD, "/tmp/ring", argv, no_env, AT_SYMLINK_NOFOLLOW) == -1 &&
            errno == ELOOP,
        "ELOOP of AT_SYMLINK_NOFOLLOW");
    live_check(syscall(SYS_execveat, AT_FDCWD, "/bin/live_exit", argv, no_env, 0x40) == -1 &&
                   errno == EINVAL,
               "EINVAL of unknown flags");
    live_check(live_progress(&progress, 3), "a sibling stands still");

    const pid_t pid = live_fork();
    if (pid == 0) {
        char* good[] = {"live_exit", "42", NULL};
        execve("/no/such/program", good, no_env);
        execve("/bin/live_exit", good, no_env);
        _exit(1);
    }
    live_check(live_wait(pid) == 42, "an exec after a failed one");
    return live_end("failing_exec");
}
