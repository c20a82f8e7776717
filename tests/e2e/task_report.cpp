#include "tests/e2e/task_report.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <vector>

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::vector<pid_t> numbers_in(const fs::path& folder) {
    std::vector<pid_t> found;
    std::error_code gone;
    for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end;
         entry.increment(gone)) {
        const std::string name = entry->path().filename();
        if (is_number(name)) {
            found.push_back(static_cast<pid_t>(std::stol(name)));
        }
    }
    return found;
}

std::string link_of(const fs::path& path) {
    std::error_code gone;
    return fs::read_symlink(path, gone).string();
}

fs::path proc(pid_t pid) {
    return fs::path("/proc") / std::to_string(pid);
}

bool contains(const fs::path& file, const std::string& mark) {
    return read_file(file).find(mark) != std::string::npos;
}

// A container's processes need not carry the mark themselves; its root mount lies in the scratch
// folder.
std::set<pid_t> marked_processes(const std::string& mark) {
    std::set<pid_t> found;
    const std::string our_mounts = link_of("/proc/self/ns/mnt");
    for (const pid_t pid : numbers_in("/proc")) {
        if (pid == getpid()) {
            continue;
        }
        const bool own_mounts = link_of(proc(pid) / "ns/mnt") != our_mounts;
        if (contains(proc(pid) / "cmdline", mark) || contains(proc(pid) / "environ", mark) ||
            (own_mounts && contains(proc(pid) / "mountinfo", mark))) {
            found.insert(pid);
        }
    }
    return found;
}

std::string lines_of_status(const std::string& status) {
    std::istringstream lines(status);
    std::string line;
    std::string kept;
    while (std::getline(lines, line)) {
        for (const char* field : {"State:", "NSpid:", "TracerPid:", "SigPnd:", "ShdPnd:"}) {
            if (line.starts_with(field)) {
                std::replace(line.begin(), line.end(), '\t', ' ');
                kept += "  " + line;
            }
        }
    }
    return kept;
}

}  // namespace

std::string report_tasks(const std::string& mark) {
    std::ostringstream report;
    for (const pid_t pid : marked_processes(mark)) {
        std::string cmdline = read_file(proc(pid) / "cmdline").substr(0, 200);
        std::replace(cmdline.begin(), cmdline.end(), '\0', ' ');
        report << "process " << pid << ": " << cmdline << "\n";
        for (const pid_t tid : numbers_in(proc(pid) / "task")) {
            const fs::path task = proc(pid) / "task" / std::to_string(tid);
            report << " task " << tid << " " << read_file(task / "comm");
            report << lines_of_status(read_file(task / "status"))
                   << "\n   wchan: " << read_file(task / "wchan")
                   << "  syscall: " << read_file(task / "syscall") << read_file(task / "stack");
        }
    }
    return report.str();
}

void kill_marked(const std::string& mark) {
    for (const pid_t pid : marked_processes(mark)) {
        (void)kill(pid, SIGKILL);
    }
}

Outcome run_watched(const Command& command, const std::string& mark,
                    std::chrono::milliseconds deadline, const std::function<std::string()>& log) {
    Running running(command, mark);
    return running.wait(deadline, [&] {
        std::cerr << "deadline passed: " << command.argv[0] << "\n"
                  << report_tasks(mark) << (log ? log() : "");
        kill_marked(mark);
    });
}

}  // namespace execseal::e2e
