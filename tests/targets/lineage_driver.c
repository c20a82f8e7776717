// lineage_driver WAY PROGRAM [ARGS...]: executes PROGRAM in one of several ways to make a process,
// and prints "WAY ran" or "WAY errno N". What the program itself prints goes to /dev/null, unless
// its way is "reaper" or "chain".
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char** words;
static int result[2];  // closed by an exec; else its errno comes

static void execute(void) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execv(words[0], words);
    const int error = errno;
    if (write(result[1], &error, sizeof error) != sizeof error) {
        _exit(2);
    }
    _exit(1);
}

static void* execute_in_thread(void* unused) {
    (void)unused;
    execute();
    return NULL;
}

static void* fork_in_thread(void* unused) {
    (void)unused;
    if (fork() == 0) {
        execute();
    }
    return NULL;
}

static void in_thread(void* (*what)(void*)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, what, NULL) != 0) {
        abort();
    }
    pthread_join(thread, NULL);
}

// Once its maker is dead and somebody else is its parent.
static void execute_as_orphan(pid_t maker) {
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, maker, 0), .events = POLLIN};
    if (end.fd >= 0) {
        poll(&end, 1, -1);
    }
    while (getppid() == maker) {
        sched_yield();
    }
    execute();
}

static void make(const char* way) {
    if (strcmp(way, "fork") == 0) {
        if (fork() == 0) {
            execute();
        }
    } else if (strcmp(way, "vfork") == 0) {
        if (vfork() == 0) {
            execute();
        }
    } else if (strcmp(way, "thread-forks") == 0) {
        in_thread(fork_in_thread);
    } else if (strcmp(way, "thread-execs") == 0) {
        if (fork() == 0) {
            in_thread(execute_in_thread);
        }
    } else if (strcmp(way, "clone-parent") == 0) {
        if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) {
            execute();
        }
    } else if (strcmp(way, "orphan") == 0) {
        const pid_t maker = fork();
        if (maker == 0) {
            const pid_t self = getpid();
            if (fork() == 0) {
                execute_as_orphan(self);
            }
            _exit(0);
        }
        waitpid(maker, NULL, 0);
    } else {
        printf("%s: no such way\n", way);
        exit(2);
    }
}

int main(int argc, char** argv) {
    if (argc < 3) {
        return 2;
    }
    words = argv + 2;
    if (strcmp(argv[1], "chain") == 0) {  // in this very process
        execv(words[0], words);
        printf("chain errno %d\n", errno);
        return 1;
    }
    if (strcmp(argv[1], "reaper") == 0) {  // who becomes the parent of orphans
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (fork() == 0) {
            execv(words[0], words);
            printf("reaper errno %d\n", errno);
            exit(1);
        }
        while (wait(NULL) > 0 || errno == EINTR) {
        }
        return 0;
    }
    if (pipe2(result, O_CLOEXEC) != 0) {
        return 2;
    }
    make(argv[1]);
    close(result[1]);
    int error = 0;
    if (read(result[0], &error, sizeof error) == sizeof error) {
        printf("%s errno %d\n", argv[1], error);
    } else {
        printf("%s ran\n", argv[1]);
    }
    fflush(stdout);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    return 0;
}
