// live_privilege: as user 1000, execs a setuid-root copy of itself and one with a file capability;
// each ("live_privilege show") prints what it got. Both must rise as without anybody looking on.
#include <grp.h>

#include "live.h"

static void show(void) {
    char line[256];
    FILE* status = fopen("/proc/self/status", "re");
    printf("uid %d euid %d", getuid(), geteuid());
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "CapEff:", 7) == 0) {
            line[strcspn(line, "\n")] = '\0';
            printf(" effective %s", line + 8);
        }
    }
    printf("\n");
}

static void rise(const char* path) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        char* argv[] = {"live_privilege", "show", NULL};
        char* envp[] = {NULL};
        if (setgroups(0, NULL) != 0 || setgid(1000) != 0 || setuid(1000) != 0) {
            _exit(errno);
        }
        execve(path, argv, envp);
        _exit(errno);
    }
    live_check(live_wait(pid) == 0, "%s", path);
}

int main(int argc, char** argv) {
    (void)argv;
    if (argc == 2) {
        show();
        return 0;
    }
    rise("/bin/live_privilege");
    rise("/bin/live_setuid");
    rise("/bin/live_filecap");
    return live_end("privilege");
}
