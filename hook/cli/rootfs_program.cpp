#include "hook/cli/rootfs_program.h"

#include <fcntl.h>
#include <unistd.h>

#include "hook/exec/program.h"
#include "hook/exec/target.h"

namespace execseal {
namespace {

std::vector<std::string> names_to_try(const std::string& name,
                                      const std::vector<std::string>& env) {
    if (name.find('/') != std::string::npos) {
        return {name};
    }
    std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const std::string& variable : env) {
        if (variable.starts_with("PATH=")) {
            path = variable.substr(5);
        }
    }
    std::vector<std::string> names;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        // An empty component is the working directory, execvp(3).
        const std::string directory = path.substr(start, end - start);
        names.push_back((directory.empty() ? "." : directory) + "/" + name);
        start = end + 1;
    }
    return names;
}

Result<CallerView> view_of(const std::string& rootfs, const std::string& cwd) {
    auto view = CallerView::open(Tid{::getpid()});
    if (!view) {
        return view;
    }
    auto root = open_own_path(rootfs);
    if (!root) {
        return add_context("--rootfs", root.error());
    }
    view->root = std::move(*root);
    auto directory = open_scoped(view->root.get(), cwd + "/", Scope::kInRoot);
    if (!directory) {
        return add_context("--cwd " + cwd + " in " + rootfs, directory.error());
    }
    view->cwd = std::move(*directory);
    return view;
}

}  // namespace

Result<RootfsExec> resolve_in_rootfs(const std::string& rootfs, const std::string& cwd,
                                     const std::vector<std::string>& command,
                                     const std::vector<std::string>& env) {
    const auto view = view_of(rootfs, cwd);
    if (!view) {
        return view.error();
    }
    ExecSnapshot request;
    request.outcome = SnapshotOutcome::kComplete;
    request.call.tid = view->ids.tid;
    request.call.dirfd = AT_FDCWD;
    request.argv = make_block(command);
    request.env = make_block(env);
    ProgramResolver resolver;
    Program program;
    for (const std::string& name : names_to_try(command.front(), env)) {
        request.path = name;
        resolver.resolve(request, *view, std::nullopt, open_exec_target(request.call, name, *view),
                         program);
        if (program.outcome == ProgramOutcome::kFound) {
            return RootfsExec{std::move(program.views), std::move(program.cwd),
                              std::move(program.cwd_names)};
        }
        if (program.error != ENOENT) {
            break;
        }
    }
    return make_error(command.front() + " in " + rootfs + ": " + program.reason);
}

}  // namespace execseal
