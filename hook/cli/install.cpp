#include "hook/cli/install.h"

#include <cstdio>
#include <filesystem>

#include "hook/cli/text_edit.h"
#include "hook/cli/user_files.h"
#include "hook/os/file_replace.h"
#include "hook/os/marked_folder.h"

namespace execseal {
namespace {

std::vector<NodeProgram> programs_of(const InstallOptions& options) {
    if (!options.programs.empty()) {
        return options.programs;
    }
    std::vector<NodeProgram> programs;
    for (const NodeProgram program : {NodeProgram::kContainerd, NodeProgram::kCrio,
                                      NodeProgram::kPodman, NodeProgram::kDocker}) {
        if (is_on_node(program, options.root)) {
            programs.push_back(program);
        }
    }
    return programs;
}

Result<> write(const FileEdit& edit) {
    auto made = make_marked_folders(std::filesystem::path(edit.path).parent_path());
    if (!made) {
        return made;
    }
    return edit.before ? replace_file(edit.path, *edit.after) : create_file(edit.path, *edit.after);
}

Result<> back_up(const FileEdit& edit) {
    std::error_code code;
    // One that an uninstall had to leave is of an older file.
    if (edit.whole || !edit.before ||
        (!edit.first && std::filesystem::exists(backup_of(edit.path), code))) {
        return Ok{};
    }
    std::filesystem::copy_file(edit.path, backup_of(edit.path),
                               std::filesystem::copy_options::overwrite_existing, code);
    if (code) {
        return Error{code.value(), backup_of(edit.path)};
    }
    return Ok{};
}

// A copy that says nothing that the file does not say.
void drop_backup(const FileEdit& edit) {
    const auto kept = read_if_there(backup_of(edit.path));
    if (kept && *kept && *kept == edit.after) {
        std::error_code code;
        std::filesystem::remove(backup_of(edit.path), code);
    }
}

Result<> apply(const FileEdit& edit, InstallDirection direction) {
    if (edit.after) {
        if (direction == InstallDirection::kInstall) {
            if (auto kept = back_up(edit); !kept) {
                return kept;
            }
        }
        if (auto written = write(edit); !written) {
            return written;
        }
    } else {
        std::error_code code;
        std::filesystem::remove(edit.path, code);
        if (code) {
            return Error{code.value(), edit.path};
        }
        remove_marked_folders(std::filesystem::path(edit.path).parent_path());
    }
    if (direction == InstallDirection::kUninstall) {
        drop_backup(edit);
    }
    return Ok{};
}

void say_what_next(NodeProgram program, const InstallOptions& options) {
    const std::string advice = reload_advice(program, options.direction);
    if (!advice.empty() && options.root.empty()) {
        (void)std::fprintf(stderr, "execseal: %s: takes effect after: %s\n",
                           node_program_name(program), advice.c_str());
    }
}

// False: nothing was to be changed.
Result<bool> change(const Result<std::vector<FileEdit>>& edits, const InstallOptions& options) {
    if (!edits) {
        return edits.error();
    }
    bool changed = false;
    for (const FileEdit& edit : *edits) {
        if (edit.before == edit.after) {
            continue;
        }
        changed = true;
        const std::string diff = unified_diff(edit.path, edit.before, edit.after);
        (void)std::fwrite(diff.data(), 1, diff.size(), stdout);
        if (options.dry_run == DryRun::kNo) {
            if (auto applied = apply(edit, options.direction); !applied) {
                return applied.error();
            }
        }
    }
    return changed;
}

Result<int> install_for_user(const NodePlace& place, const InstallOptions& options) {
    if (!options.programs.empty() || !options.root.empty()) {
        return make_error("--user: expected no other program and no --root beside it");
    }
    const auto user = user_place();
    if (!user) {
        return user.error();
    }
    const auto changed = change(user_edits(place, *user, options.direction), options);
    if (!changed) {
        return changed.error();
    }
    if (!*changed) {
        (void)std::fprintf(stderr, "execseal: nothing to change\n");
    } else if (options.dry_run == DryRun::kNo && options.direction == InstallDirection::kInstall) {
        (void)std::fprintf(stderr,
                           "execseal: policies go to %s; then: podman --runtime execseal run "
                           "--annotation io.execseal.policy=NAME IMAGE\n",
                           user_policies(*user).c_str());
    }
    return 0;
}

}  // namespace

Result<int> run_install(const InstallOptions& options) {
    const auto place = node_place(options.root, options.share);
    if (!place) {
        return place.error();
    }
    if (options.user) {
        return install_for_user(*place, options);
    }
    const auto programs = programs_of(options);
    if (programs.empty()) {
        return make_error(
            "none of containerd, CRI-O, podman and Docker is on this node (--podman "
            "and so on name one all the same)");
    }
    for (const NodeProgram program : programs) {
        const auto changed = change(edits_of(program, *place, options.direction), options);
        if (!changed) {
            return add_context(node_program_name(program), changed.error());
        }
        if (!*changed) {
            (void)std::fprintf(stderr, "execseal: %s: nothing to change\n",
                               node_program_name(program));
        } else if (options.dry_run == DryRun::kNo) {
            say_what_next(program, options);
        }
    }
    return 0;
}

}  // namespace execseal
