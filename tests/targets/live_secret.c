// argv[1] lies in a memfd_secret page: execve can read it, nobody else can. Prints whether the exec
// ran or was refused.
#include "live.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(void) {
    const int secret = (int)syscall(SYS_memfd_secret, 0);
    if (secret < 0 || ftruncate(secret, 4096) != 0) {
        printf("memfd_secret: %s\n", strerror(errno));
        return 1;
    }
    char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, secret, 0);
    strcpy(page, "42");
    const pid_t pid = live_fork();
    if (pid == 0) {
        char* argv[] = {"live_exit", page, NULL};
        char* envp[] = {NULL};
        execve("/bin/live_exit", argv, envp);
        _exit(errno);
    }
    const int code = live_wait(pid);
    printf("secret argument: %s\n", code == 42 ? "runs" : code == EACCES ? "refused" : "?");
    return live_end("secret");
}
