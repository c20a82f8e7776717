// The ways in which programs start others: vfork, posix_spawn with and without PATH search, execvp,
// system, popen, fexecve, and clone with CLONE_PARENT; from a process without and with threads.
#include <spawn.h>

#include "live.h"

enum { kTimes = 20 };

static char* const argv42[] = {"live_exit", "42", NULL};
static char* const path_env[] = {"PATH=/nowhere:/sbin:/usr/bin:/tmp:/bin", NULL};

static int by_vfork(void) {
    const pid_t pid = vfork();
    if (pid == 0) {
        execve("/bin/live_exit", argv42, path_env);
        _exit(1);
    }
    return live_wait(pid);
}

static int by_spawn(void) {
    pid_t pid = 0;
    return posix_spawn(&pid, "/bin/live_exit", NULL, NULL, argv42, path_env) ? -1 : live_wait(pid);
}

static int by_spawnp(void) {
    pid_t pid = 0;
    return posix_spawnp(&pid, "live_exit", NULL, NULL, argv42, path_env) ? -1 : live_wait(pid);
}

static int by_spawn_of_nothing(void) {
    pid_t pid = 0;
    return posix_spawnp(&pid, "no-such-program", NULL, NULL, argv42, path_env);
}

static int by_execvp(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        execvp("live_exit", argv42);
        _exit(1);
    }
    return live_wait(pid);
}

static int by_system(void) {
    return WEXITSTATUS(system("live_exit 42"));
}

static int by_popen(void) {
    FILE* shell = popen("live_exit 21; echo $?", "r");
    int said = 0;
    live_check(shell && fscanf(shell, "%d", &said) == 1, "popen");
    return said + (pclose(shell) == 0 ? 21 : 0);
}

static int by_fexecve(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        const int program = open("/bin/live_exit", O_PATH | O_CLOEXEC);
        fexecve(program, argv42, path_env);
        _exit(1);
    }
    return live_wait(pid);
}

static int by_memfd(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        char bytes[4096];
        ssize_t size = 0;
        const int from = open("/bin/live_exit", O_RDONLY | O_CLOEXEC);
        const int to = memfd_create("copy", MFD_CLOEXEC);
        while ((size = read(from, bytes, sizeof bytes)) > 0) {
            (void)!write(to, bytes, (size_t)size);
        }
        fexecve(to, argv42, path_env);
        _exit(1);
    }
    return live_wait(pid);
}

static int by_script(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        char* argv[] = {"script", NULL};
        execve("/tmp/script", argv, path_env);
        _exit(1);
    }
    return live_wait(pid);
}

// The child of a child that is ours: CLONE_PARENT.
static int by_clone_parent(void) {
    int ends[2];
    pid_t grandchild = 0;
    live_check(pipe(ends) == 0, "pipe");
    const pid_t pid = live_fork();
    if (pid == 0) {
        grandchild = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (grandchild == 0) {
            execve("/bin/live_exit", argv42, path_env);
            _exit(1);
        }
        (void)!write(ends[1], &grandchild, sizeof grandchild);
        _exit(0);
    }
    live_check(read(ends[0], &grandchild, sizeof grandchild) == sizeof grandchild, "read");
    close(ends[0]);
    close(ends[1]);
    return live_wait(pid) == 0 ? live_wait(grandchild) : -1;
}

static void series(const char* name, int (*way)(void), int wanted) {
    int good = 0, last = 0;
    for (int i = 0; i < kTimes; ++i) {
        last = way();
        good += last == wanted;
    }
    printf("%s: %d of %d\n", name, good, kTimes);
    live_check(good == kTimes, "%s gave %d", name, last);
}

static void* idle(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

static void all_ways(void) {
    series("vfork", by_vfork, 42);
    series("posix_spawn", by_spawn, 42);
    series("posix_spawnp", by_spawnp, 42);
    series("posix_spawnp of nothing", by_spawn_of_nothing, ENOENT);
    series("execvp", by_execvp, 42);
    series("system", by_system, 42);
    series("popen", by_popen, 42);
    series("fexecve", by_fexecve, 42);
    series("memfd", by_memfd, 42);
    series("script", by_script, 42);
    series("CLONE_PARENT", by_clone_parent, 42);
}

int main(void) {
    setenv("PATH", "/nowhere:/sbin:/usr/bin:/tmp:/bin", 1);
    const int script = open("/tmp/script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    live_check(write(script, "#!/bin/sh\nexec live_exit 42\n", 28) == 28, "script");
    close(script);
    all_ways();
    for (int i = 0; i < 8; ++i) {
        live_thread(idle, NULL);
    }
    all_ways();
    return live_end("spawn");
}
