#include "hook/exec/study_wire.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "hook/exec/container_start.h"

namespace execseal {
namespace {

// A block, also where it is a list of strings on either side.
void block_field(FlatWriter& out, const StringBlock& block) {
    out.field(block.count);
    out.field(block.bytes);
}

void block_field(FlatReader& in, StringBlock& block) {
    in.field(block.count);
    in.field(block.bytes);
}

void block_field(FlatWriter& out, const std::vector<std::string>& list) {
    block_field(out, make_block(list));
}

void block_field(FlatReader& in, std::vector<std::string>& list) {
    StringBlock block;
    block_field(in, block);
    list = block.split();
}

// A list that mostly ends as the request's argv does: its own beginning, and how much of that
// follows.
void tail_field(FlatWriter& out, const StringBlock& block, const StringBlock& request) {
    const auto ends = std::mismatch(block.bytes.rbegin(), block.bytes.rend(),
                                    request.bytes.rbegin(), request.bytes.rend());
    const auto rest = static_cast<std::size_t>(ends.first - block.bytes.rbegin());
    out.number(block.count);
    out.number(rest);
    out.string(std::string_view(block.bytes).substr(0, block.bytes.size() - rest));
}

// The same of a list that is no block, without making it one: of whole strings.
void tail_field(FlatWriter& out, const std::vector<std::string>& list, const StringBlock& request) {
    std::string_view left = request.bytes;
    std::size_t own = list.size();
    for (; own > 0; --own) {
        const std::string& last = list[own - 1];
        const std::size_t size = last.size() + 1;
        if (left.size() < size || left.substr(left.size() - size, last.size()) != last ||
            left.back() != '\0') {
            break;
        }
        left.remove_suffix(size);
    }
    out.number(list.size());
    out.number(request.bytes.size() - left.size());
    out.string(make_block({list.begin(), list.begin() + static_cast<std::ptrdiff_t>(own)}).bytes);
}

void tail_field(FlatReader& in, StringBlock& block, const StringBlock& request) {
    block.count = in.number();
    const std::size_t rest = std::min<std::size_t>(in.number(), request.bytes.size());
    block.bytes = in.string();
    block.bytes.append(request.bytes, request.bytes.size() - rest);
}

void tail_field(FlatReader& in, std::vector<std::string>& list, const StringBlock& request) {
    StringBlock block;
    tail_field(in, block, request);
    list = block.split();
}

template <class Wire, class Job>
void job_fields(Wire& wire, Job& job) {
    wire.field(job.call.tid.value);
    wire.field(job.call.path.value);
    wire.field(job.call.argv.value);
    wire.field(job.call.envp.value);
    wire.field(job.call.dirfd);
    wire.field(job.call.flags);
    wire.field(job.call.width);
    wire.field(job.scope);
    wire.field(job.container_root);
    wire.field(job.fs_trouble);
    wire.list(job.fs_others, [&](auto& other) { wire.field(other.value); });
    wire.field(job.limit);
}

template <class Wire, class Snapshot>
void snapshot_fields(Wire& wire, Snapshot& snapshot) {
    wire.field(snapshot.outcome);
    wire.field(snapshot.error);
    wire.field(snapshot.reason);
    wire.field(snapshot.path);
    block_field(wire, snapshot.argv);
    block_field(wire, snapshot.env);
    wire.field(snapshot.in_shared_pages);
}

template <class Wire, class TheProgram>
void program_fields(Wire& wire, TheProgram& program, const StringBlock& request) {
    wire.field(program.outcome);
    wire.field(program.error);
    wire.field(program.reason);
    wire.list(program.views, [&](auto& view) {
        wire.field(view.role);
        wire.field(view.exe);
        tail_field(wire, view.argv, request);
        block_field(wire, view.names);
        wire.field(view.loose_link);
    });
    wire.list(program.view_files, [&](auto& file) { wire.field(file); });
    wire.list(program.files, [&](auto& file) {
        wire.field(file.id.device);
        wire.field(file.id.inode);
        wire.field(file.path);
    });
    wire.field(program.executed);
    tail_field(wire, program.final_argv, request);
    wire.field(program.cwd);
    block_field(wire, program.cwd_names);
    root_fields(wire, program.root);
    mounts_fields(wire, program.mounts);
}

template <class Wire, class Ids>
void caller_fields(Wire& wire, Ids& caller) {
    wire.field(caller.tgid.value);
    wire.field(caller.parent.value);
    wire.field(caller.euid);
    wire.field(caller.egid);
    wire.field(caller.fsuid);
    wire.field(caller.fsgid);
}

template <class Wire, class Study>
void study_fields(Wire& wire, Study& study) {
    snapshot_fields(wire, study.snapshot);
    program_fields(wire, study.program, study.snapshot.argv);
    caller_fields(wire, study.caller);
}

}  // namespace

void put_job(FlatWriter& out, const StudyJob& job) {
    job_fields(out, job);
    out.field(job.container.has_value());
    if (job.container) {
        root_fields(out, *job.container);
    }
}

StudyJob get_job(FlatReader& in) {
    StudyJob job;
    job_fields(in, job);
    if (in.number() != 0) {
        root_fields(in, job.container.emplace());
    }
    return job;
}

void put_study(FlatWriter& out, const ExecStudy& study) {
    study_fields(out, study);
}

void get_study(FlatReader& in, ExecStudy& study) {
    study_fields(in, study);
}

}  // namespace execseal
