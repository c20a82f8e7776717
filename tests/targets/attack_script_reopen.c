// A script is opened a second time by its interpreter, by name, long after the exec. A peer makes
// that name mean another script meanwhile. Built as script_link (the name is a link in /tmp, which
// the peer exchanges for another) and as script_cwd (the name is relative, and the peer shares
// the caller's working directory).
#include "race.h"

static void make_script(const char* path, const char* word) {
    char text[64];
    const int size =
        snprintf(text, sizeof text, "#!/bin/sh\nprintf %s >/proc/self/fd/%d\n", word, kResultFd);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (file < 0 || write(file, text, (size_t)size) != size) {
        race_broken(path);
    }
    close(file);
}

static void make_scripts(void) {
    mkdir("/srv/good", 0755);
    mkdir("/srv/evil", 0755);
    make_script("/srv/good/program", "g");
    make_script("/srv/evil/program", "e");
}

#ifdef BY_CWD
#define NAME "script_cwd"
#define FLAGS CLONE_FS
#define PATH "./program"

static char stack[64 << 10] __attribute__((aligned(64)));

static unsigned pause_between = 400;

static void prepare(void) {
    make_scripts();
    if (chdir("/srv/good") != 0 ||
        clone(race_wander, stack + sizeof stack, CLONE_FS | SIGCHLD, &pause_between) < 0) {
        race_broken("/srv");
    }
}

#else
#define NAME "script_link"
#define FLAGS 0
#define PATH "/tmp/program"

static void swap(void) {
    for (;;) {
        renameat2(AT_FDCWD, "/tmp/program", AT_FDCWD, "/tmp/other", RENAME_EXCHANGE);
        race_pause(400);
    }
}

static void prepare(void) {
    make_scripts();
    if (symlink("/srv/good/program", "/tmp/program") != 0 ||
        symlink("/srv/evil/program", "/tmp/other") != 0) {
        race_broken("/tmp");
    }
    race_peer(swap);
}

#endif

static void child(void) {
    race_exec(PATH, "good");
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = NAME, .start = kFork, .clone_flags = FLAGS, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
