// The first program of a container of the dodge suite: makes one exec after the other and says what
// became of each, so that many cases share one container.
//
// argv[1]: a file of strings, each with a NUL behind it. They come in pairs, KEY VALUE; what they
// say gathers until "run":
//   arg, env     of the exec; the path is the first arg, unless "path" gives another
//   cwd, in      working directory, standard input (a pipe)
//   copy, link, symlink, rename, remove   "FROM\nTO" (remove: PATH) before the exec, by this
//   program make         "PATH\nTEXT", mode 0755 lease        PATH: a write lease is held during
//   the exec fd           PATH: is open as 9; "memfd" NAME: 9 is a memfd with the bytes of that
//   path's file run          NAME: now; prints "NAME ERRNO STATUS LENGTH\n" and LENGTH bytes of its
//   output
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kWords = 64, kOutput = 64 << 10, kSeconds = 60, kFd = 9 };

struct run {
    char* args[kWords];
    char* env[kWords];
    int arg_count;
    int env_count;
    char* path;
    char* cwd;
    char* in;
    char* lease;
    char* fd;
    char* memfd;
};

static void fail(const char* what, const char* name) {
    fprintf(stderr, "dodge_driver: %s %s: %s\n", what, name, strerror(errno));
    exit(99);
}

// Cuts "FROM\nTO" and gives TO.
static char* cut(char* text) {
    char* const end = strchr(text, '\n');
    if (end == NULL) {
        errno = EINVAL;
        fail("no second part in", text);
    }
    *end = '\0';
    return end + 1;
}

// Whoever opens the file finds the lease first, and the file free when it comes again.
static int g_lease = -1;
static void give_up_lease(int number) {
    (void)number;
    (void)fcntl(g_lease, F_SETLEASE, F_UNLCK);
}

static void take_lease(const char* path) {
    g_lease = open(path, O_RDONLY | O_CLOEXEC);
    signal(SIGIO, give_up_lease);
    if (g_lease < 0 || fcntl(g_lease, F_SETLEASE, F_WRLCK) != 0) {
        fail("lease", path);
    }
}

static void pour(const char* from, int to) {
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (in < 0 || fstat(in, &status) != 0) {
        fail("open", from);
    }
    for (off_t left = status.st_size; left > 0;) {
        const ssize_t count = sendfile(to, in, NULL, (size_t)left);
        if (count <= 0) {
            fail("copy", from);
        }
        left -= count;
    }
    close(in);
}

static void copy(char* value) {
    char* const to = cut(value);
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (out < 0) {
        fail("create", to);
    }
    pour(value, out);
    close(out);
}

static void make(char* value) {
    char* const text = cut(value);
    const int out = open(value, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (out < 0 || write(out, text, strlen(text)) < 0) {
        fail("write", value);
    }
    close(out);
}

// A static program finds its TLS through AT_PHDR, which is the interpreted file's: that has the
// same PT_TLS, so FILE runs as if it had been started itself.
static void make_interpreted(char* value) {
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr segments[3];
        char name[PATH_MAX];
    } image;
    char* const to = cut(value);
    const int in = open(value, O_RDONLY | O_CLOEXEC);
    Elf64_Phdr all[32];
    if (in < 0 || read(in, &image.head, sizeof image.head) != sizeof image.head ||
        image.head.e_type != ET_EXEC || image.head.e_phnum > 32 ||
        pread(in, all, sizeof all, (off_t)image.head.e_phoff) != sizeof all) {
        fail("static program", value);
    }
    const Elf64_Addr base = 0x10000000;
    image.segments[0] = (Elf64_Phdr){.p_type = PT_INTERP,
                                     .p_offset = offsetof(__typeof__(image), name),
                                     .p_filesz = strlen(value) + 1};
    image.segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_X,
                                     .p_vaddr = base,
                                     .p_filesz = sizeof image,
                                     .p_memsz = sizeof image,
                                     .p_align = 4096};
    image.segments[2] = (Elf64_Phdr){.p_type = PT_NULL};
    for (int i = 0; i < image.head.e_phnum; ++i) {
        if (all[i].p_type == PT_TLS) {
            image.segments[2] = all[i];
        }
    }
    image.head.e_entry = base;
    image.head.e_phoff = offsetof(__typeof__(image), segments);
    image.head.e_phnum = 3;
    image.head.e_shnum = 0;
    image.head.e_shoff = 0;
    strncpy(image.name, value, sizeof image.name - 1);
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (out < 0 || write(out, &image, sizeof image) != sizeof image) {
        fail("create", to);
    }
    close(in);
    close(out);
}

static void two_paths(const char* key, char* value, int (*call)(const char*, const char*)) {
    char* const to = cut(value);
    if (call(value, to) != 0) {
        fail(key, value);
    }
}

// True if the key was about files.
static int prepare(const char* key, char* value) {
    if (strcmp(key, "copy") == 0) {
        copy(value);
    } else if (strcmp(key, "make") == 0) {
        make(value);
    } else if (strcmp(key, "interpreted") == 0) {
        make_interpreted(value);
    } else if (strcmp(key, "link") == 0) {
        two_paths(key, value, link);
    } else if (strcmp(key, "symlink") == 0) {
        two_paths(key, value, symlink);
    } else if (strcmp(key, "rename") == 0) {
        two_paths(key, value, rename);
    } else if (strcmp(key, "remove") == 0) {
        if (unlink(value) != 0) {
            fail(key, value);
        }
    } else {
        return 0;
    }
    return 1;
}

static void gather(struct run* run, const char* key, char* value) {
    if (strcmp(key, "arg") == 0 && run->arg_count + 1 < kWords) {
        run->args[run->arg_count++] = value;
    } else if (strcmp(key, "env") == 0 && run->env_count + 1 < kWords) {
        run->env[run->env_count++] = value;
    } else if (strcmp(key, "path") == 0) {
        run->path = value;
    } else if (strcmp(key, "cwd") == 0) {
        run->cwd = value;
    } else if (strcmp(key, "in") == 0) {
        run->in = value;
    } else if (strcmp(key, "lease") == 0) {
        run->lease = value;
    } else if (strcmp(key, "fd") == 0) {
        run->fd = value;
    } else if (strcmp(key, "memfd") == 0) {
        run->memfd = value;
    } else {
        errno = EINVAL;
        fail("key", key);
    }
}

static void open_nine(const struct run* run) {
    int fd = -1;
    if (run->fd != NULL) {
        fd = open(run->fd, O_PATH);
    } else if (run->memfd != NULL) {
        fd = memfd_create("dodge", 0);
        if (fd >= 0) {
            pour(run->memfd, fd);
        }
    } else {
        return;
    }
    if (fd < 0 || dup2(fd, kFd) < 0) {
        fail("open as 9", run->fd != NULL ? run->fd : run->memfd);
    }
}

static void child(struct run* run, int in, int out, int error) {
    if (setpgid(0, 0) != 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
        fail("set up", run->args[0]);
    }
    open_nine(run);
    if (run->cwd != NULL && chdir(run->cwd) != 0) {
        fail("chdir", run->cwd);
    }
    execve(run->path != NULL ? run->path : run->args[0], run->args, run->env);
    const int number = errno;
    if (write(error, &number, sizeof number) < 0) {
        _exit(98);
    }
    _exit(97);
}

// Reads until the end, or until the deadline has killed the whole group.
static size_t read_all(int fd, pid_t group, char* output) {
    size_t length = 0;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, kSeconds * 1000) == 0) {
            kill(-group, SIGKILL);
            fprintf(stderr, "dodge_driver: a run took %d s\n", kSeconds);
            return length;
        }
        char rest[4096];
        char* const to = length < kOutput ? output + length : rest;
        const ssize_t count = read(fd, to, length < kOutput ? kOutput - length : sizeof rest);
        if (count <= 0) {
            return length;
        }
        length += length < kOutput ? (size_t)count : 0;
    }
}

static void feed(int to, const char* text) {
    const pid_t feeder = text == NULL ? 0 : fork();
    if (feeder == 0 && text != NULL) {
        _exit(write(to, text, strlen(text)) < 0);
    }
    close(to);
}

static void carry_out(struct run* run, const char* name) {
    static char output[kOutput];
    int in[2];
    int out[2];
    int error[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(error, O_CLOEXEC) != 0) {
        fail("pipes for", name);
    }
    if (run->lease != NULL) {
        take_lease(run->lease);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(g_lease);
        child(run, in[0], out[1], error[1]);
    }
    close(in[0]);
    close(out[1]);
    close(error[1]);
    feed(in[1], run->in);
    const size_t length = read_all(out[0], pid, output);
    int number = 0;
    if (read(error[0], &number, sizeof number) != sizeof number) {
        number = 0;
    }
    int status = 0;
    waitpid(pid, &status, 0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    close(g_lease);
    g_lease = -1;
    close(out[0]);
    close(error[0]);
    printf("%s %d %d %zu\n", name, number,
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), length);
    fwrite(output, 1, length, stdout);
    fflush(stdout);
}

int main(int argc, char** argv) {
    const int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        fail("plan", argc == 2 ? argv[1] : "(none)");
    }
    char* const plan =
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (plan == MAP_FAILED) {
        fail("map", argv[1]);
    }
    signal(SIGPIPE, SIG_IGN);
    struct run run = {.arg_count = 0};
    for (char* at = plan; at < plan + status.st_size;) {
        char* const key = at;
        char* const value = key + strlen(key) + 1;
        at = value + strlen(value) + 1;
        if (strcmp(key, "run") == 0) {
            carry_out(&run, value);
            memset(&run, 0, sizeof run);
        } else if (!prepare(key, value)) {
            gather(&run, key, value);
        }
    }
    return 0;
}
