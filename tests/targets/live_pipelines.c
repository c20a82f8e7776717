// A shell's pipelines of short programs: the first of one ends while the shell makes the next, and
// the shell catches SIGCHLD without SA_RESTART. Arguments: the shell's command line.
#include "live.h"

enum { kScripts = 200 };

static const char kScript[] = "echo a | cat | cat >/dev/null; true | true; /bin/true | /bin/true";

// What the shell said on its standard error.
static size_t run_script(char** shell, char* said, size_t room, int* code) {
    int ends[2];
    live_check(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    const pid_t pid = live_fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        execv(shell[0], shell);
        _exit(127);
    }
    close(ends[1]);
    size_t size = 0;
    ssize_t got = 0;
    while ((got = read(ends[0], said + size, room - 1 - size)) > 0) {
        size += (size_t)got;
    }
    said[size] = '\0';
    close(ends[0]);
    *code = live_wait(pid);
    return size;
}

int main(int argc, char** argv) {
    char* shell[8] = {NULL};
    for (int i = 1; i < argc && i < 5; ++i) {
        shell[i - 1] = argv[i];
    }
    shell[argc - 1] = "-c";
    shell[argc] = (char*)kScript;
    int failed = 0;
    int interrupted = 0;
    char said[4096];
    for (int i = 0; i < kScripts; ++i) {
        int code = 0;
        const size_t size = run_script(shell, said, sizeof said, &code);
        failed += code != 0 || size != 0;
        interrupted += strstr(said, "Interrupted system call") != NULL;
        if ((code != 0 || size != 0) && failed <= 3) {
            printf("exit code %d: %s\n", code, said);
        }
    }
    live_check(failed == 0, "%d of %d, %d by EINTR", failed, kScripts, interrupted);
    return live_end("pipelines");
}
