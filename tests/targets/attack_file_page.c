// argv[1] lies on a page of a file; a peer flips it with pwrite(). Built as shared_file
// (MAP_SHARED) and as private_file (MAP_PRIVATE: a page that was never written still shows the
// file's bytes). With FILE in the environment the writer is somebody else: another container that
// has the same volume and runs "PROGRAM write FILE".
#include "race.h"

#ifdef MAP_PAGE_PRIVATE
#define NAME "private_file"
enum { kSharing = MAP_PRIVATE };
#else
#define NAME "shared_file"
enum { kSharing = MAP_SHARED };
#endif

static char* word;
static int file;

static void flip(void) {
    for (;;) {
        (void)!pwrite(file, "good", 4, 0);
        race_pause(40);
        (void)!pwrite(file, "evil", 4, 0);
        race_pause(40);
    }
}

static void open_file(const char* path) {
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, "good", 5, 0) != 5 || ftruncate(file, 4096) != 0) {
        race_broken(path);
    }
}

static void prepare(void) {
    const char* foreign = getenv("FILE");
    open_file(foreign ? foreign : "/tmp/word");
    word = race_map(kSharing, file);
    if (!foreign) {
        race_peer(flip);
    }
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = NAME, .start = kFork, .prepare = prepare, .child = child};
    if (argc > 2 && strcmp(argv[1], "write") == 0) {
        open_file(argv[2]);
        race_pin(kWriters);
        flip();
    }
    return race_run(argc, argv, &race);
}
