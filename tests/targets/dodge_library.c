// A shared library that says the dodge suite's sign wherever a program is made to load it.
#include <unistd.h>

__attribute__((constructor)) static void say_sign(void) {
    const char sign[] = "42ok\n";
    if (write(STDOUT_FILENO, sign, sizeof sign - 1) < 0) {
        _exit(99);
    }
}
