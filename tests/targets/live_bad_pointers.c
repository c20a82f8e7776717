// execve with pointers that lead nowhere: the call fails and the process goes on. (With which errno
// may differ: an agent that cannot read does not let it pass.) Pages that can be written or
// executed but not read are good enough for the kernel.
#include "live.h"

static char* const no_env[] = {NULL};

static void* page_with(const char* text, int protection) {
    char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, text);
    live_check(mprotect(page, 4096, protection) == 0, "mprotect");
    return page;
}

// `size` bytes that end where memory ends.
static void* before_a_hole(size_t size) {
    char* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    live_check(mprotect(pages + 4096, 4096, PROT_NONE) == 0, "mprotect");
    return pages + 4096 - size;
}

static void fails(const char* what, const char* path, char* const* argv, char* const* envp) {
    const int result = execve(path, argv, envp);
    printf("%s: %s\n", what, result == -1 ? "fails" : "?");
}

// With them PROT_EXEC alone means that not even the kernel reads the page for its task
// (execute_only_pkey(), arch/x86/mm/pkeys.c).
static bool has_protection_keys(void) {
    char line[8192];
    bool found = false;
    FILE* file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = strstr(line, " ospke") != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static void ends_with(const char* what, int protection, int expected) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        char* argv[] = {"live_exit", page_with("42", protection), NULL};
        execve("/bin/live_exit", argv, no_env);
        _exit(errno);
    }
    const int code = live_wait(pid);
    printf("%s: %d\n", what, code);
    live_check(code == expected, "%s", what);
}

int main(void) {
    char* argv[] = {"x", NULL};
    char* bad_string[] = {"x", (char*)16, NULL};
    char* string = before_a_hole(96);
    memset(string, 'h', 96);  // runs into the hole
    char* torn_string[] = {"x", string, NULL};
    char** torn_list = before_a_hole(sizeof(char*));
    torn_list[0] = "x";  // no NULL before the hole

    fails("path nowhere", (const char*)16, argv, no_env);
    fails("argv nowhere", "/bin/live_exit", (char**)16, no_env);
    fails("string nowhere", "/bin/live_exit", bad_string, no_env);
    fails("torn string", "/bin/live_exit", torn_string, no_env);
    fails("torn list", "/bin/live_exit", torn_list, no_env);
    fails("environment nowhere", "/bin/live_exit", argv, (char**)16);
    fails("torn environment", "/bin/live_exit", argv, torn_string);
    ends_with("readable", PROT_READ, 42);
    ends_with("write-only", PROT_WRITE, 42);
    ends_with("exec-only", PROT_EXEC, has_protection_keys() ? EFAULT : 42);
    return live_end("bad_pointers");
}
