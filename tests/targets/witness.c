// The program that every attack wants to run as something else than what was judged. One byte on
// kResultFd (see race.h) says what really ran: 'g' for exactly {"witness", "good"} (or what a
// script
// "#!/bin/witness good" makes of that) with a clean
// environment from this very file, 'e' for anything else. Built twice: witness, and witness-evil
// with WITNESS_IS_EVIL, whose mere start is a win.
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv, char** envp) {
    const int honest = argc >= 2 && strcmp(argv[1], "good") == 0;
    const int as_script =
        argc == 4 && strcmp(argv[2], "/tmp/program") == 0 && strcmp(argv[3], "good") == 0;
    char verdict = honest && (argc == 2 || as_script) ? 'g' : 'e';
    for (; *envp; ++envp) {
        if (strncmp(*envp, "WITNESS=", 8) == 0 && strcmp(*envp + 8, "good") != 0) {
            verdict = 'e';
        }
    }
#ifdef WITNESS_IS_EVIL
    verdict = 'e';
#endif
    return write(100, &verdict, 1) == 1 ? 0 : 1;
}
