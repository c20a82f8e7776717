// flood_args PROCESSES STRINGS BYTES [PROGRAM [CODE]]: so many processes execute PROGRAM
// (/bin/true) at once, each with so many arguments of so many bytes of that code. Says how many of
// them ran.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 4 || argc > 6) {
        return 2;
    }
    const int processes = atoi(argv[1]);
    const size_t strings = strtoul(argv[2], NULL, 10), bytes = strtoul(argv[3], NULL, 10);
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) != 0) {
        return 4;
    }
    stack.rlim_cur = stack.rlim_max;
    setrlimit(RLIMIT_STACK, &stack);  // the kernel takes a quarter of it, 6 MiB at most
    char* const text = malloc(bytes + 1);
    char** const list = calloc(strings + 2, sizeof *list);
    memset(text, argc == 6 ? atoi(argv[5]) : 'x', bytes);
    text[bytes] = '\0';
    list[0] = "true";
    for (size_t i = 1; i <= strings; ++i) {
        list[i] = text;
    }
    int gate[2], ran = 0;
    if (pipe(gate) != 0) {
        return 3;
    }
    for (int i = 0; i < processes; ++i) {
        if (fork() == 0) {
            char byte;
            close(gate[1]);
            (void)!read(gate[0], &byte, 1);  // its end: all go at once
            execve(argc >= 5 ? argv[4] : "/bin/true", list, (char*[]){NULL});
            _exit(99);
        }
    }
    close(gate[1]);
    for (int status; wait(&status) > 0;) {
        ran += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    printf("%d\n", ran);
    return 0;
}
