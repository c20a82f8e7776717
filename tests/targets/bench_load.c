// bench_load N WORKLOAD...: does each workload N times (or what its suffix says) and prints one
// JSON line each:
//   {"workload":W,"n":N,"median_ns":m,"p99_ns":p,"mean_ns":a}
// The program it starts is /bin/bench_nothing, which exits at once. A workload may carry a number
// after a colon: threads:100 is an exec beside one process of 100 idle threads, peers:200 beside
// 200 processes, parallel:4 the execs of 4 processes at once (the times are wall time over all
// execs). `pause` is the longest gap that a spinning bystander sees while an exec happens beside
// it; `hold` stays for ever, for what is measured from outside; `syscall` is a thousand getppid(2)
// a turn.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char* const kArgv[] = {"bench_nothing", "an", "argument", NULL};
static char* const kEnvp[] = {"PATH=/a:/b:/usr/local/bin:/usr/bin:/bin", "HOME=/root", "LANG=C",
                              NULL};

static void die(const char* what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void* shared_page(void) {
    void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        die("mmap");
    }
    return page;
}

static void wait_for(pid_t pid) {
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "bench_load: a child ended with status %#x\n", status);
        exit(1);
    }
}

static void fork_exit(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    wait_for(pid);
}

static void fork_exec(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/bench_nothing", kArgv, kEnvp);
        _exit(1);
    }
    wait_for(pid);
}

static void vfork_exec(void) {
    const pid_t pid = vfork();
    if (pid == 0) {
        execve("/bin/bench_nothing", kArgv, kEnvp);
        _exit(1);
    }
    wait_for(pid);
}

static void spawn_path(void) {
    pid_t pid = 0;
    if (posix_spawnp(&pid, "bench_nothing", NULL, NULL, kArgv, kEnvp) != 0) {
        die("posix_spawnp");
    }
    wait_for(pid);
}

static void failing_execvp(void) {
    if (execvp("no-such-program", kArgv) != -1 || errno != ENOENT) {
        die("execvp");
    }
}

static void denied_exec(void) {
    if (execve("/bin/bench_denied", kArgv, kEnvp) != -1) {
        die("execve");
    }
}

static void run_script(const char* path) {
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", path, (char*)NULL);
        _exit(1);
    }
    wait_for(pid);
}

static void script(void) {
    run_script("/script.sh");
}

static void make(void) {
    run_script("/make.sh");
}

static void* nothing(void* unused) {
    return unused;
}

static void thread_create(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0) {
        die("pthread_create");
    }
    pthread_join(thread, NULL);
}

static void syscalls(void) {
    for (int i = 0; i < 1000; ++i) {
        syscall(SYS_getppid);
    }
}

// The bystander's side of `pause`: the page's first word is the longest gap seen since it was last
// zeroed.
static void spin(_Atomic uint64_t* longest) {
    uint64_t last = now_ns();
    for (;;) {
        const uint64_t time = now_ns();
        if (time - last > atomic_load(longest)) {
            atomic_store(longest, time - last);
        }
        last = time;
    }
}

static void* idle(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

// A process of `threads` threads that do nothing; returns when all are there.
static pid_t idle_process(int threads) {
    int ends[2];
    if (pipe(ends) != 0) {
        die("pipe");
    }
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 65536);
        for (int i = 1; i < threads; ++i) {
            pthread_t thread;
            if (pthread_create(&thread, &small, idle, NULL) != 0) {
                die("pthread_create");
            }
        }
        if (write(ends[1], "r", 1) != 1) {
            die("write");
        }
        idle(NULL);
    }
    char byte = 0;
    if (pid < 0 || read(ends[0], &byte, 1) != 1) {
        die("idle process");
    }
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static void end_process(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int by_size(const void* left, const void* right) {
    const uint64_t a = *(const uint64_t*)left;
    const uint64_t b = *(const uint64_t*)right;
    return a < b ? -1 : a > b;
}

static void report(const char* workload, uint64_t* times, int n) {
    qsort(times, (size_t)n, sizeof *times, by_size);
    uint64_t sum = 0;
    for (int i = 0; i < n; ++i) {
        sum += times[i];
    }
    printf("{\"workload\":\"%s\",\"n\":%d,\"median_ns\":%llu,\"p99_ns\":%llu,\"mean_ns\":%llu}\n",
           workload, n, (unsigned long long)times[n / 2],
           (unsigned long long)times[(int)((double)(n - 1) * 0.99)],
           (unsigned long long)(sum / (uint64_t)n));
    fflush(stdout);
}

static void time_each(void (*turn)(void), uint64_t* times, int n) {
    for (int i = 0; i < n; ++i) {
        const uint64_t start = now_ns();
        turn();
        times[i] = now_ns() - start;
    }
}

static void beside_idle(int processes, int threads, uint64_t* times, int n) {
    pid_t* peers = calloc((size_t)processes + 1, sizeof *peers);
    for (int i = 0; i < processes; ++i) {
        peers[i] = idle_process(threads);
    }
    time_each(fork_exec, times, n);
    for (int i = 0; i < processes; ++i) {
        end_process(peers[i]);
    }
    free(peers);
}

static void in_parallel(int processes, uint64_t* times, int n) {
    const int each = n / processes + 1;
    const uint64_t start = now_ns();
    pid_t* workers = calloc((size_t)processes, sizeof *workers);
    for (int i = 0; i < processes; ++i) {
        workers[i] = fork();
        if (workers[i] == 0) {
            for (int turn = 0; turn < each; ++turn) {
                fork_exec();
            }
            _exit(0);
        }
    }
    for (int i = 0; i < processes; ++i) {
        wait_for(workers[i]);
    }
    times[0] = (now_ns() - start) / (uint64_t)(each * processes);
    free(workers);
}

static void pauses(uint64_t* times, int n) {
    _Atomic uint64_t* longest = shared_page();
    const pid_t spinner = fork();
    if (spinner == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        spin(longest);
    }
    for (int i = 0; i < n; ++i) {
        atomic_store(longest, 0);
        fork_exec();
        times[i] = atomic_load(longest);
    }
    end_process(spinner);
}

// How often an exec of somebody else ends the wait of a process that waits for nothing; as
// nanoseconds, a thousand each.
static void interruptions(uint64_t* times, int n) {
    _Atomic uint64_t* interrupted = shared_page();
    const pid_t waiter = fork();
    if (waiter == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int events = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event event;
        for (;;) {
            if (epoll_wait(events, &event, 1, -1) < 0 && errno == EINTR) {
                atomic_fetch_add(interrupted, 1000);
            }
        }
    }
    time_each(fork_exec, times, n);
    end_process(waiter);
    for (int i = 0; i < n; ++i) {
        times[i] = atomic_load(interrupted) / (uint64_t)n;
    }
}

static const struct {
    const char* name;
    void (*turn)(void);
} kTurns[] = {
    {"fork_exit", fork_exit},
    {"fork_exec", fork_exec},
    {"vfork_exec", vfork_exec},
    {"spawn_path", spawn_path},
    {"denied_exec", denied_exec},
    {"failing_execvp", failing_execvp},
    {"thread_create", thread_create},
    {"syscall", syscalls},
    {"script", script},
    {"make", make},
};

static void run(const char* workload, uint64_t* times, int n) {
    int number = 0;
    if (strcmp(workload, "hold") == 0) {
        idle(NULL);
    }
    if (sscanf(workload, "threads:%d", &number) == 1) {
        beside_idle(number > 0, number, times, n);
    } else if (sscanf(workload, "peers:%d", &number) == 1) {
        beside_idle(number, 1, times, n);
    } else if (sscanf(workload, "parallel:%d", &number) == 1) {
        in_parallel(number, times, n);
        n = 1;
    } else if (strcmp(workload, "pause") == 0) {
        pauses(times, n);
    } else if (strcmp(workload, "interrupted") == 0) {
        interruptions(times, n);
    } else {
        size_t i = 0;
        while (i < sizeof kTurns / sizeof *kTurns && strcmp(kTurns[i].name, workload) != 0) {
            ++i;
        }
        if (i == sizeof kTurns / sizeof *kTurns) {
            fprintf(stderr, "bench_load: unknown workload %s\n", workload);
            exit(2);
        }
        time_each(kTurns[i].turn, times, n / 10 + 1);  // warm
        time_each(kTurns[i].turn, times, n);
    }
    report(workload, times, n);
}

int main(int argc, char** argv) {
    const int n = argc > 2 ? atoi(argv[1]) : 0;
    if (n < 1) {
        fprintf(stderr, "usage: bench_load N WORKLOAD...\n");
        return 2;
    }
    uint64_t* times = calloc((size_t)n, sizeof *times);
    if (times == NULL) {
        die("calloc");
    }
    for (int i = 2; i < argc; ++i) {
        run(argv[i], times, n);
    }
    free(times);
    return 0;
}
