#include "hook/exec/worker.h"

#include <malloc.h>

#include <utility>

#include "hook/exec/container_start.h"
#include "hook/exec/fs_sharers.h"
#include "hook/exec/naming.h"
#include "hook/exec/target.h"
#include "hook/os/expendable.h"
#include "hook/os/remote_memory.h"

namespace execseal {
namespace {

// Of the arguments of all views of an exec that is read beside others, and of one that is read
// alone; see ProgramResolver::set_room().
constexpr std::size_t kUsualRoom = std::size_t{4} << 20U;
constexpr std::size_t kLargeRoom = std::size_t{24} << 20U;

// Why what the program opens by name is not what has that name here; nullopt: it is.
std::optional<std::string> fs_trouble(const StudyJob& job) {
    if (!job.fs_trouble.empty()) {
        return job.fs_trouble;
    }
    const auto sharer = find_fs_sharer(job.call.tid, job.fs_others);
    if (!sharer) {
        return "who shares the caller's root and working directory is not known: " +
               sharer.error().text();
    }
    if (!*sharer) {
        return std::nullopt;
    }
    return "process " + std::to_string((*sharer)->value) +
           " shares the caller's root and working directory (CLONE_FS) and can move them";
}

}  // namespace

StudyWorker::StudyWorker(std::shared_ptr<const ContainerMounts> mounts)
    : resolver_(std::move(mounts)) {}

std::size_t StudyWorker::answer(std::span<const std::byte> bytes, std::span<std::byte> room,
                                std::vector<UniqueFd>& fds) {
    FlatReader in(bytes);
    const StudyJob job = get_job(in);
    study_.program = Program{};
    study_.caller = TaskIds{};
    request_.set_limit(job.limit);
    resolver_.set_room(job.limit < kMaxArgTotal ? kUsualRoom : kLargeRoom);
    switch (job.scope) {
        case StudyScope::kRoot:
            find_root(job.call.tid);
            break;
        case StudyScope::kMemory: {
            ProcessMemory memory(job.call.tid);
            request_.read(job.call, memory, study_.snapshot);
            if (const auto shared = fs_trouble(job);
                shared && study_.snapshot.outcome == SnapshotOutcome::kComplete) {
                study_.snapshot.outcome = SnapshotOutcome::kUnreadable;
                study_.snapshot.reason = *shared;
            }
            break;
        }
        case StudyScope::kMemoryAndProgram:
            study_whole(job);
            break;
    }
    const ExecSnapshot& read = study_.snapshot;
    const bool is_large = read.argv.bytes.size() + read.env.bytes.size() > kKeptReply ||
                          request_.held() > kKeptReply || study_.program.over_room;
    if (read.outcome != SnapshotOutcome::kComplete) {
        study_.snapshot.argv.clear();  // parts of them say nothing
        study_.snapshot.env.clear();
    }
    FlatWriter out(room);
    put_study(out, study_);
    for (ProgramFile& file : study_.program.files) {
        fds.push_back(std::move(file.fd));
    }
    if (is_large) {
        // The other side is about to make its copy.
        study_ = ExecStudy{};
        request_ = ExecRequestReader{stack_limit_of};
        (void)::malloc_trim(0);
    }
    // A reply of size 0 is no reply: the supervisor's side takes it for unreadable.
    return out.fits() && fds.size() <= kMaxReplyFds ? out.size() : 0;
}

void StudyWorker::find_root(Tid task) {
    study_.snapshot = ExecSnapshot{};
    const auto view = CallerView::open(task);
    if (!view) {
        study_.program.reason = view.error().text();
        return;
    }
    const FileNamer namer(*view, std::nullopt, nullptr);
    if (namer.failure()) {
        study_.program.reason = namer.failure()->text();
        return;
    }
    study_.program.root = namer.caller_root();
    study_.program.outcome = ProgramOutcome::kFound;
    add_mounts(*view);
}

void StudyWorker::add_mounts(const CallerView& view) {
    auto mounts = read_mounts(view);
    if (!mounts) {
        study_.program.outcome = ProgramOutcome::kUnresolved;
        study_.program.reason = mounts.error().text();
        return;
    }
    study_.program.mounts = std::move(*mounts);
}

void StudyWorker::study_whole(const StudyJob& job) {
    ExecSnapshot& snapshot = study_.snapshot;
    Program& program = study_.program;
    ProcessMemory memory(job.call.tid);
    if (!request_.read_path(job.call, memory, snapshot)) {
        return;
    }
    auto view = CallerView::open(job.call.tid);
    if (!view) {
        program.reason = view.error().text();
        request_.read_lists();
        return;
    }
    view->container_root = job.container_root;
    study_.caller = view->ids;
    auto target = open_exec_target(job.call, snapshot.path, *view);
    // The usual one is a step of a search along PATH: that is the answer, whatever argv is.
    if (!target && is_kernels_answer(target.error())) {
        snapshot.outcome = SnapshotOutcome::kRefused;
        snapshot.error = target.error().code;
        snapshot.reason = target.error().text();
        return;
    }
    request_.read_lists();
    if (snapshot.outcome == SnapshotOutcome::kComplete) {
        resolver_.resolve(snapshot, *view, job.container, std::move(target), program);
        if (program.over_room && job.limit < kMaxArgTotal) {
            snapshot.outcome = SnapshotOutcome::kLarge;
            return;
        }
        if (program.outcome == ProgramOutcome::kFound && !job.container) {
            add_mounts(*view);
        }
        if (const auto shared = fs_trouble(job);
            shared && program.outcome == ProgramOutcome::kFound) {
            program.outcome = ProgramOutcome::kUnresolved;
            program.reason = *shared;
        }
    }
}

}  // namespace execseal
