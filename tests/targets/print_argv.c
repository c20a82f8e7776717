// Writes its argv to standard output, each string with its NUL: what the kernel really made of an
// exec.
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
        size_t size = strlen(argv[i]) + 1;
        if (write(STDOUT_FILENO, argv[i], size) != (ssize_t)size) {
            return 1;
        }
    }
    return 0;
}
