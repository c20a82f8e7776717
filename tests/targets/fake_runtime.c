// Stands in for runc: writes what it was given to the files of $FAKE_RUNTIME (argv, env: NUL
// separated as the kernel has them; fds: one number a line), then ends as $FAKE_RUNTIME_END says:
// an exit code, "signal N" (kills itself), or "wait" (until a signal comes).
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy(const char* from, const char* directory, const char* name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char buffer[4096];
    ssize_t got;
    while ((got = read(in, buffer, sizeof buffer)) > 0) {
        if (write(out, buffer, (size_t)got) != got) {
            return -1;
        }
    }
    close(in);
    close(out);
    return 0;
}

static void list_fds(const char* directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s/fds", directory);
    DIR* open_fds = opendir("/proc/self/fd");
    FILE* out = fopen(path, "we");
    struct dirent* entry;
    while ((entry = readdir(open_fds)) != NULL) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(open_fds) &&
            atoi(entry->d_name) != fileno(out)) {
            fprintf(out, "%s\n", entry->d_name);
        }
    }
    fclose(out);
    closedir(open_fds);
}

int main(void) {
    const char* directory = getenv("FAKE_RUNTIME");
    const char* end = getenv("FAKE_RUNTIME_END");
    list_fds(directory);
    if (copy("/proc/self/cmdline", directory, "argv") != 0 ||
        copy("/proc/self/environ", directory, "env") != 0) {
        return 99;
    }
    printf("fake runtime on stdout\n");
    fprintf(stderr, "fake runtime on stderr\n");
    fflush(stdout);
    if (end == NULL) {
        return 0;
    }
    if (strcmp(end, "wait") == 0) {
        pause();
    }
    if (strncmp(end, "signal ", 7) == 0) {
        raise(atoi(end + 7));
    }
    return atoi(end);
}
