// The scaffolding of the attacks: each attack_*.c says only how its writer reaches the memory (or
// the name, fd, directory) that a pending execve is about to use.
//
// One try: a child execs /bin/witness with argv {"witness", "good"} while a writer turns something
// into "evil". The witness says by one byte on kResultFd what really ran: 'g', exactly what an
// honest agent approves, or 'e', anything else. So a win is counted by effect, and also when the
// witness is killed afterwards. Every tenth try is followed by an honest one, with memory that
// nobody else touches. After all tries one JSON line goes to stdout:
//   {"attack":NAME,"attempts":N,"good":g,"evil":e,"refused":r,"killed":k,"other":o,
//    "honest_attempts":n,"honest":h,"writer":"ok"}
// "refused": execve failed with EACCES, EPERM or (a script being written) ETXTBSY. "honest": the
// honest tries that ran. "writer" is "refused" where the environment does not let the writer be
// made (the tries run without it).
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kResultFd = 100, kWordFd = 101, kRefusedExit = 101, kOtherExit = 102, kBrokenExit = 103 };

#define WITNESS "/bin/witness"
#define WITNESS_EVIL "/bin/witness-evil"

// How the child of a try comes to be.
enum race_start {
    kFork,     // own copy of the memory
    kVfork,    // in our memory, we wait until it has exec'd
    kCloneVm,  // in our memory, beside us
};

struct race {
    const char* name;
    enum race_start start;
    int clone_flags;               // more flags for the child's clone, e.g. CLONE_FS
    void (*prepare)(void);         // once; makes a writer that lives through all tries
    void (*arm)(unsigned number);  // before each try
    void (*child)(void);           // in the child: must exec or race_failed()
    void (*during)(pid_t child);   // in the parent, when the child is about to exec and we may run
    void (*after)(void);           // after each try
};

static const char* race_writer_state = "ok";

static void __attribute__((noreturn, unused)) race_broken(const char* what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(kBrokenExit);
}

static inline void race_pause(unsigned spins) {
    for (unsigned i = 0; i < spins; ++i) {
        __builtin_ia32_pause();
    }
}

static inline uint64_t race_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void race_spin_us(unsigned us) {
    const uint64_t end = race_now_ns() + (uint64_t)us * 1000;
    while (race_now_ns() < end) {
        __builtin_ia32_pause();
    }
}

static inline uint32_t race_random(void) {
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

// For writers that have one shot: 1 us to 4 ms, every octave as likely as the next, so that fast
// agents and slow ones are both hit.
static inline unsigned race_delay_us(void) {
    const unsigned octave = 1u << (race_random() % 12);
    return octave + race_random() % octave;
}

// ---- the word that is judged ------------------------------------------------------------------

static inline void race_set(volatile char* word, const char four[4]) {
    uint32_t value;
    memcpy(&value, four, 4);
    *(volatile uint32_t*)word = value;  // one store: the kernel sees one word or the other
}

static inline void __attribute__((noreturn)) race_flip_forever(volatile char* word) {
    for (;;) {
        race_set(word, "good");
        race_pause(40);
        race_set(word, "evil");
        race_pause(40);
    }
}

// Memory far from where the witness's own will be: late writes through another task must not hit
// it.
#define RACE_WORD ((char*)0x600000000000)
static inline char* race_map(int flags, int fd) {
    char* at = mmap(RACE_WORD, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED) {  // 32-bit programs
        at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
    }
    if (at == MAP_FAILED) {
        race_broken("mmap");
    }
    if (fd < 0) {
        memcpy(at, "good", 5);
    }
    return at;
}

// A file for race_map() with the word in it, also for programs that are executed later.
static inline int race_word_file(void) {
    const int file = memfd_create("word", MFD_CLOEXEC);
    if (file < 0 || pwrite(file, "good", 5, 0) != 5 || ftruncate(file, 4096) != 0 ||
        dup2(file, kWordFd) < 0) {
        race_broken("memfd");
    }
    close(file);
    return kWordFd;
}

static inline void race_flip_until_a_child_ends(volatile char* word) {
    siginfo_t ended;
    do {
        for (int i = 0; i < 16; ++i) {
            race_set(word, "evil");
            race_pause(40);
            race_set(word, "good");
            race_pause(40);
        }
        ended.si_pid = 0;
    } while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0);
}

// ---- between the processes of a try -----------------------------------------------------------

// What a try and its peers tell each other; one page, shared by all of them.
struct race_board {
    volatile unsigned execs;  // counted by the caller just before its execve
    volatile pid_t caller;    // the process whose exec is wanted, once its memory is ready
    volatile pid_t writer;    // a writer that the child made
    volatile unsigned hits;   // counted by the writer, so that the caller can wait for it
    volatile unsigned phase;
    volatile unsigned reads;
};

static struct race_board* board;

// With BOARD in the environment it lies in that file, and the writer is somebody else: a process of
// another container that has the same file and runs "PROGRAM write".
static inline bool race_is_foreign(void) {
    return getenv("BOARD") != NULL;
}

static inline void race_open_board(void) {
    const char* path = getenv("BOARD");
    const int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (path && (file < 0 || ftruncate(file, 4096) != 0)) {
        race_broken(path);
    }
    board =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), file, 0);
    if (board == MAP_FAILED) {
        race_broken("mmap");
    }
}

// Spins until *counter is no longer `old`, at most 20 ms.
static inline void race_await(const volatile unsigned* counter, unsigned old) {
    const uint64_t end = race_now_ns() + 20000000u;
    while (*counter == old && race_now_ns() < end) {
        __builtin_ia32_pause();
    }
}

// ---- the end of a child -----------------------------------------------------------------------

static void __attribute__((noreturn, unused)) race_failed(void) {
    const bool refused = errno == EACCES || errno == EPERM || errno == ETXTBSY;
    _exit(refused ? kRefusedExit : kOtherExit);
}

static inline void __attribute__((noreturn)) race_exec(const char* path, char* word) {
    char* argv[] = {"witness", word, NULL};
    char* envp[] = {"WITNESS=good", NULL};
    ++board->execs;
    execve(path, argv, envp);
    race_failed();
}

// Not before somebody writes to the word.
static inline void __attribute__((noreturn)) race_exec_when_flipped(const char* path, char* word) {
    uint32_t good;
    memcpy(&good, "good", sizeof good);
    race_await((volatile unsigned*)word, good);
    race_exec(path, word);
}

// This very program, as a second stage that knows the result's and the word's file by number.
static inline void __attribute__((noreturn)) race_exec_self(void) {
    char* argv[] = {"second-stage", NULL};
    char* envp[] = {NULL};
    execve("/proc/self/exe", argv, envp);
    race_failed();
}

static inline bool race_is_second_stage(char** argv) {
    static struct race_board own;
    board = &own;
    return strcmp(argv[0], "second-stage") == 0;
}

// ---- writers ----------------------------------------------------------------------------------

// Callers run on the last CPU, writers on the first: a writer that spins where the agent wants to
// wake up would cost a scheduler slice (3 ms) each time, and would write only between slices.
enum race_side { kCallers, kWriters };

static inline void race_pin(enum race_side side) {
    static cpu_set_t all;
    if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof all, &all) != 0) {
        return;
    }
    int chosen = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE && (side == kCallers || chosen < 0); ++cpu) {
        chosen = CPU_ISSET(cpu, &all) ? cpu : chosen;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

struct race_body {
    void* (*run)(void*);
    void* argument;
};

static inline void* race_pinned_thread(void* passed) {
    const struct race_body body = *(struct race_body*)passed;
    race_pin(kWriters);
    return body.run(body.argument);
}

static inline void race_thread(void* (*body)(void*), void* argument) {
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    static struct race_body started;  // one thread at a time is made
    started = (struct race_body){body, argument};
    if (pthread_create(&thread, &attr, race_pinned_thread, &started) != 0) {
        race_broken("pthread_create");
    }
}

// A process that shares no memory with us but what was mapped MAP_SHARED; dies with us.
static inline pid_t race_peer(void (*body)(void)) {
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        race_pin(kWriters);
        body();
        _exit(0);
    }
    if (pid < 0) {
        race_broken("fork");
    }
    return pid;
}

// For a peer that shares the caller's working directory: it is in one folder and in the other.
static inline int race_wander(void* pause) {
    race_pin(kWriters);
    for (;;) {
        (void)!chdir("/srv/evil");
        race_pause(*(const unsigned*)pause);
        (void)!chdir("/srv/good");
        race_pause(*(const unsigned*)pause);
    }
    return 0;
}

// ---- the tries --------------------------------------------------------------------------------

static const struct race* race_current;
static char race_child_stack[128 << 10] __attribute__((aligned(64)));

static int race_child_entry(void* unused) {
    (void)unused;
    if (race_current->during) {
        race_pin(kCallers);
    }
    race_current->child();
    return kBrokenExit;
}

static pid_t race_start_child(void) {
    if (race_current->start == kFork && race_current->clone_flags == 0) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(race_child_entry(NULL));
        }
        return pid;
    }
    int flags = race_current->clone_flags | SIGCHLD;
    flags |= race_current->start == kFork ? 0 : CLONE_VM;
    flags |= race_current->start == kVfork ? CLONE_VFORK : 0;
    return clone(race_child_entry, race_child_stack + sizeof race_child_stack, flags, NULL);
}

static int race_reap(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
    return status;
}

// For who stands between the caller and us.
static void __attribute__((noreturn, unused)) race_end_as(int status) {
    if (WIFSIGNALED(status)) {
        (void)kill(getpid(), WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

// The witness's word, 0 if it said none.
static char race_seen(int results) {
    char seen = 0;
    return read(results, &seen, 1) == 1 ? seen : 0;
}

static bool race_honest_try(int results) {
    const pid_t child = fork();
    if (child == 0) {
        char word[] = "good";
        race_exec(WITNESS, word);
    }
    (void)race_reap(child);
    return race_seen(results) == 'g';
}

struct race_counts {
    unsigned good, evil, refused, killed, other, honest_attempts, honest;
    int first_other;
};

static void race_count(struct race_counts* counts, char seen, int status) {
    if (seen) {
        *(seen == 'g' ? &counts->good : &counts->evil) += 1;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        ++counts->killed;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == kRefusedExit) {
        ++counts->refused;
    } else {
        counts->first_other = counts->other++ == 0 ? status : counts->first_other;
    }
}

static void race_try(unsigned number, int results, struct race_counts* counts) {
    if (race_current->arm) {
        race_current->arm(number);
    }
    const unsigned execs = board->execs;
    const pid_t child = race_start_child();
    if (child < 0) {
        race_broken("fork of a try");
    }
    if (race_current->during) {
        race_await(&board->execs, execs);
        race_current->during(child);
    }
    const int status = race_reap(child);
    if (race_current->after) {
        race_current->after();
    }
    race_count(counts, race_seen(results), status);
}

static int race_run(int argc, char** argv, const struct race* race) {
    const unsigned attempts = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
    struct race_counts counts = {0};
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0 || dup2(ends[1], kResultFd) < 0) {
        race_broken("pipe");
    }
    close(ends[1]);
    race_open_board();
    race_current = race;
    race_pin(race->during ? kWriters : kCallers);  // during() is a writer's work
    if (race->prepare) {
        race->prepare();
    }
    for (unsigned i = 0; i < attempts; ++i) {
        race_try(i, ends[0], &counts);
        if (i % 10 == 9) {
            ++counts.honest_attempts;
            counts.honest += race_honest_try(ends[0]);
        }
    }
    printf(
        "{\"attack\":\"%s\",\"attempts\":%u,\"good\":%u,\"evil\":%u,\"refused\":%u,\"killed\":%u,"
        "\"other\":%u,\"first_other_status\":%d,\"honest_attempts\":%u,\"honest\":%u,"
        "\"writer\":\"%s\"}\n",
        race->name, attempts, counts.good, counts.evil, counts.refused, counts.killed, counts.other,
        counts.first_other, counts.honest_attempts, counts.honest, race_writer_state);
    fflush(stdout);
    _exit(0);  // writers may still be running; as PID 1 of the container we take them along
}
