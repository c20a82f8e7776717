// The program is a script whose first line decides with which argument /bin/witness runs. Built as
// rename_swap (a peer keeps exchanging two scripts under the same name) and as script_rewrite (a
// peer overwrites the first line in place: same name, same inode).
#include "race.h"

#define GOOD "#!" WITNESS " good\n"
#define EVIL "#!" WITNESS " evil\n"

static void make_script(const char* path, const char* line) {
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (file < 0 || write(file, line, strlen(line)) != (ssize_t)strlen(line)) {
        race_broken(path);
    }
    close(file);
}

#ifdef IN_PLACE
#define NAME "script_rewrite"

// Open for writing it cannot be executed (ETXTBSY), so it is open for a moment only.
static void swap(void) {
    for (bool evil = true;; evil = !evil) {
        const int script = open("/tmp/program", O_WRONLY | O_CLOEXEC);
        if (script >= 0) {
            (void)!write(script, evil ? EVIL : GOOD, sizeof EVIL - 1);
            close(script);
        }
        race_pause(400);
    }
}

static void prepare(void) {
    make_script("/tmp/program", GOOD);
    race_peer(swap);
}

#else
#define NAME "rename_swap"

static void swap(void) {
    for (;;) {
        renameat2(AT_FDCWD, "/tmp/program", AT_FDCWD, "/tmp/other", RENAME_EXCHANGE);
        race_pause(40);
    }
}

static void prepare(void) {
    make_script("/tmp/program", GOOD);
    make_script("/tmp/other", EVIL);
    race_peer(swap);
}

#endif

static void child(void) {
    race_exec("/tmp/program", "good");
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = NAME, .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
