// storm WORKERS: so many processes fork children that execute /bin/true and, each second time,
// /bin/wget, which the policy denies, until SIGTERM. Then says what became of them, in one line,
// and waits for its end.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRan, kDenied, kNoSupervisor, kKilled, kOther, kWon, kOutcomes };
enum { kExitDenied = 100, kExitNoSupervisor, kExitOther };

static const char* const kNames[kOutcomes] = {"ran", "denied", "enosys", "killed", "other", "won"};
static volatile sig_atomic_t stopping;

static void stop(int number) {
    (void)number;
    stopping = 1;
}

static int other(const char* what, int value) {
    fprintf(stderr, "%s: %d\n", what, value);
    return kOther;
}

static int one(int denied) {
    const pid_t child = fork();
    if (child < 0) {
        return errno == ENOSYS ? kNoSupervisor : other("fork: errno", errno);
    }
    if (child == 0) {
        char* const argv[] = {denied ? "wget" : "true", NULL};
        char* const none[] = {NULL};
        execve(denied ? "/bin/wget" : "/bin/true", argv, none);
        _exit(errno == EACCES   ? kExitDenied
              : errno == ENOSYS ? kExitNoSupervisor
                                : (other("execve: errno", errno), kExitOther));
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return other("waitpid: errno", errno);
        }
    }
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGKILL ? kKilled : other("signal", WTERMSIG(status));
    }
    switch (WEXITSTATUS(status)) {
        case kExitDenied:
            return denied ? kDenied : other("denied what is allowed", 0);
        case kExitNoSupervisor:
            return kNoSupervisor;
        case kExitOther:
            return kOther;
        default:
            return denied                     ? kWon
                   : WEXITSTATUS(status) == 0 ? kRan
                                              : other("exit", WEXITSTATUS(status));
    }
}

int main(int argc, char** argv) {
    const int workers = argc == 2 ? atoi(argv[1]) : 0;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    long(*const counts)[kOutcomes] =
        mmap(NULL, sizeof(long[kOutcomes]) * (size_t)(workers + 1), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED || workers == 0) {
        return 2;
    }
    pid_t* const pids = calloc((size_t)workers, sizeof *pids);
    for (int i = 0; i < workers; ++i) {
        pids[i] = fork();
        if (pids[i] == 0) {
            action.sa_flags = SA_RESTART;  // a fork that waits for its answer would give EINTR
            sigaction(SIGTERM, &action, NULL);
            for (int n = 0; !stopping; ++n) {
                ++counts[i][one(n % 2)];
            }
            _exit(0);
        }
    }
    int passed = 0, running = 0;
    for (int i = 0; i < workers; ++i) {
        running += pids[i] > 0;
    }
    while (running > 0) {
        int status;
        if (wait(&status) > 0) {
            passed += WIFEXITED(status) && WEXITSTATUS(status) == 0;
            --running;
        } else if (errno == EINTR) {
            for (int i = 0; i < workers; ++i) {
                kill(pids[i], SIGTERM);
            }
        }
    }
    for (int k = 0; k < kOutcomes; ++k) {
        long sum = 0;
        for (int i = 0; i < workers; ++i) {
            sum += counts[i][k];
        }
        printf("%s %ld ", kNames[k], sum);
    }
    printf("workers %d\n", passed);
    fflush(stdout);
    for (;;) {
        pause();
    }
}
