// No signal is lost: real-time signals are queued, so each that was sent must be counted.
// A bystander counts signals while others exec; a process gets signals while it execs and finds
// them all pending in its new program ("live_signals pending N"); a threaded caller gets them
// before.
#include "live.h"

enum { kSignals = 2000, kExecs = 60, kPending = 40 };

static volatile sig_atomic_t counted;

static void on_signal(int number) {
    (void)number;
    ++counted;
}

static void exec_often(void) {
    char* argv[] = {"live_exit", "42", NULL};
    char* envp[] = {NULL};
    for (int i = 0; i < kExecs; ++i) {
        const pid_t pid = fork();
        if (pid == 0) {
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        live_check(live_wait(pid) == 42, "exec");
    }
}

static void send(pid_t to, int number) {
    const union sigval value = {.sival_int = 0};
    while (sigqueue(to, number, value) != 0 && errno == EAGAIN) {
        sched_yield();  // its queue is full
    }
}

// Handlers run in a bystander that sleeps, or that spins, while others exec.
static void bystander(const char* name, bool sleeps) {
    volatile int* seen = live_shared(4096);
    const pid_t pid = live_fork();
    if (pid == 0) {
        const struct sigaction action = {.sa_handler = on_signal};
        sigaction(SIGRTMIN, &action, NULL);
        seen[1] = 1;
        while (counted < kSignals) {
            seen[0] = counted;
            if (sleeps) {
                live_sleep_us(50000);
            }
        }
        seen[0] = counted;
        _exit(0);
    }
    while (!seen[1]) {
        sched_yield();
    }
    const pid_t sender = live_fork();
    if (sender == 0) {
        for (int i = 0; i < kSignals; ++i) {
            send(pid, SIGRTMIN);
            if (i % 16 == 0) {
                live_sleep_us(200);
            }
        }
        _exit(0);
    }
    exec_often();
    live_check(live_wait(sender) == 0, "sender");
    live_check(live_wait(pid) == 0, "bystander");
    printf("%s bystander: %d of %d signals\n", name, seen[0], kSignals);
}

// Signals that come before, while and after a process execs stay pending if they are blocked.
static void through_exec(void) {
    int good = 0;
    for (int i = 0; i < kExecs; ++i) {
        sigset_t set;
        char text[16];
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        snprintf(text, sizeof text, "%d", kPending);
        const pid_t pid = live_fork();
        if (pid == 0) {
            char* argv[] = {"live_signals", "pending", text, NULL};
            char* envp[] = {NULL};
            execve("/bin/live_signals", argv, envp);
            _exit(errno);
        }
        for (int k = 0; k < kPending; ++k) {
            send(pid, SIGRTMIN);
        }
        good += live_wait(pid) == 42;
    }
    printf("through exec: %d of %d\n", good, kExecs);
    live_check(good == kExecs, "signals were lost");
}

static int take_pending(int wanted) {
    const struct timespec patience = {5, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    for (int i = 0; i < wanted; ++i) {
        if (sigtimedwait(&set, NULL, &patience) != SIGRTMIN && errno != EINTR) {
            return i;
        }
    }
    return 42;
}

// A caller whose handler runs in the middle: the exec begins again and succeeds.
static void interrupted(void) {
    int good = 0;
    for (int i = 0; i < kExecs; ++i) {
        const pid_t pid = live_fork();
        if (pid == 0) {
            char* argv[] = {"live_exit", "42", NULL};
            char* envp[] = {NULL};
            const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
            sigaction(SIGURG, &action, NULL);  // ignored by default: harmless to the new program
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        for (int k = 0; k < 20; ++k) {
            kill(pid, SIGURG);
            live_sleep_us(60);
        }
        good += live_wait(pid) == 42;
    }
    printf("interrupted: %d of %d\n", good, kExecs);
    live_check(good == kExecs, "an interrupted exec did not come again");
}

int main(int argc, char** argv) {
    if (argc == 3) {
        return take_pending(atoi(argv[2]));
    }
    bystander("sleeping", true);
    bystander("spinning", false);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    through_exec();
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    interrupted();
    return live_end("signals");
}
