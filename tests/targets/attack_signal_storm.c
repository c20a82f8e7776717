// Signals hit the caller while its exec is judged: every one cancels the notification and the call
// comes again. A sibling flips argv[1] all the while, and so does the handler.
#include "race.h"

static char* word;

static void on_signal(int number) {
    (void)number;
    race_set(word, word[0] == 'g' ? "evil" : "good");
}

static void* flip(void* unused) {
    sigset_t all;
    (void)unused;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    ++board->hits;
    race_flip_forever(word);
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void child(void) {
    const unsigned before = board->hits;
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGWINCH, &action, NULL);  // ignored by default, so the witness survives a late one
    race_thread(flip, NULL);
    race_await(&board->hits, before);
    race_exec(WITNESS, word);
}

static void during(pid_t pid) {
    for (unsigned i = race_random() % 24; i > 0; --i) {
        race_spin_us(race_delay_us() / 16);
        kill(pid, SIGWINCH);
    }
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "signal_storm",
                                     .start = kFork,
                                     .prepare = prepare,
                                     .child = child,
                                     .during = during};
    return race_run(argc, argv, &race);
}
