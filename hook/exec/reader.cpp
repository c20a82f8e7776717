#include "hook/exec/reader.h"

#include <malloc.h>

#include <algorithm>
#include <array>

#include "hook/exec/container_start.h"
#include "hook/exec/flat_message.h"
#include "hook/exec/naming.h"
#include "hook/exec/target.h"

namespace execseal {
namespace {

// Address space only; pages come as they are written. A view has what it shares with the request
// once; where it shares nothing it carries its own.
constexpr std::size_t kRoom = 12 * kMaxArgTotal;
constexpr std::size_t kMaxIdle = 2;
// A process that had more to tell is not used again: its heap stays as large as it was.
constexpr std::size_t kKeptReply = std::size_t{1} << 20U;
// Of the arguments of all views of an exec that is read beside others, and of one that is read
// alone; see ProgramResolver::set_room().
constexpr std::size_t kUsualRoom = std::size_t{4} << 20U;
constexpr std::size_t kLargeRoom = std::size_t{24} << 20U;
constexpr int kMaxExtensions = 8;
// So many looks find it in another sleep each, before what it reads is too slow for anybody: a file
// of the 8 MiB that are searched at most (hook/exec/elf.cpp), in pages that take 25 ms each, for
// the usual deadline of a second.
constexpr int kMaxSleeps = 60;

struct Job {
    ExecCall call;
    StudyScope scope = StudyScope::kMemoryAndProgram;
    std::optional<RootIdentity> container;
    uid_t container_root = 0;
    std::string fs_trouble;       // why it cannot be known who shares the caller's fs
    std::vector<Tgid> fs_others;  // who may
    std::size_t limit = kMaxArgTotal;
};

void put_job(FlatWriter& out, const Job& job) {
    out.number(static_cast<std::uint64_t>(job.call.tid.value));
    out.number(job.call.path.value);
    out.number(job.call.argv.value);
    out.number(job.call.envp.value);
    out.number(static_cast<std::uint64_t>(job.call.dirfd));
    out.number(job.call.flags);
    out.number(static_cast<std::uint64_t>(job.call.width));
    out.number(static_cast<std::uint64_t>(job.scope));
    out.number(job.container_root);
    out.string(job.fs_trouble);
    out.number(job.fs_others.size());
    for (const Tgid other : job.fs_others) {
        out.number(static_cast<std::uint64_t>(other.value));
    }
    out.number(job.limit);
    out.number(job.container ? 1 : 0);
    if (job.container) {
        put_root(out, *job.container);
    }
}

Job get_job(FlatReader& in) {
    Job job;
    job.call.tid = Tid{static_cast<pid_t>(in.number())};
    job.call.path = RemoteAddr{in.number()};
    job.call.argv = RemoteAddr{in.number()};
    job.call.envp = RemoteAddr{in.number()};
    job.call.dirfd = static_cast<int>(in.number());
    job.call.flags = static_cast<unsigned>(in.number());
    job.call.width = in.number() == static_cast<std::uint64_t>(PointerWidth::k32)
                         ? PointerWidth::k32
                         : PointerWidth::k64;
    job.scope = static_cast<StudyScope>(in.number());
    job.container_root = static_cast<uid_t>(in.number());
    job.fs_trouble = in.string();
    for (std::size_t left = in.count(); left > 0; --left) {
        job.fs_others.push_back(Tgid{static_cast<pid_t>(in.number())});
    }
    job.limit = in.number();
    if (in.number() != 0) {
        job.container = get_root(in);
    }
    return job;
}

void put_block(FlatWriter& out, const StringBlock& block) {
    out.number(block.count);
    out.string(block.bytes);
}

StringBlock get_block(FlatReader& in) {
    StringBlock block;
    block.count = in.number();
    block.bytes = in.string();
    return block;
}

// A list that mostly ends as the request's argv does: its own beginning, and how much of that
// follows.
void put_tail(FlatWriter& out, const StringBlock& block, const StringBlock& request) {
    const auto ends = std::mismatch(block.bytes.rbegin(), block.bytes.rend(),
                                    request.bytes.rbegin(), request.bytes.rend());
    const auto rest = static_cast<std::size_t>(ends.first - block.bytes.rbegin());
    out.number(block.count);
    out.number(rest);
    out.string(std::string_view(block.bytes).substr(0, block.bytes.size() - rest));
}

// The same of a list that is no block, without making it one: of whole strings.
void put_tail(FlatWriter& out, const std::vector<std::string>& list, const StringBlock& request) {
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

StringBlock get_tail(FlatReader& in, const StringBlock& request) {
    StringBlock block;
    block.count = in.number();
    const std::size_t rest = std::min<std::size_t>(in.number(), request.bytes.size());
    block.bytes = in.string();
    block.bytes.append(request.bytes, request.bytes.size() - rest);
    return block;
}

void put_snapshot(FlatWriter& out, const ExecSnapshot& snapshot) {
    out.number(static_cast<std::uint64_t>(snapshot.outcome));
    out.number(static_cast<std::uint64_t>(snapshot.error));
    out.string(snapshot.reason);
    out.string(snapshot.path);
    put_block(out, snapshot.argv);
    put_block(out, snapshot.env);
    out.number(snapshot.in_shared_pages ? 1 : 0);
}

void get_snapshot(FlatReader& in, ExecSnapshot& snapshot) {
    snapshot.outcome = static_cast<SnapshotOutcome>(in.number());
    snapshot.error = static_cast<int>(in.number());
    snapshot.reason = in.string();
    snapshot.path = in.string();
    snapshot.argv = get_block(in);
    snapshot.env = get_block(in);
    snapshot.in_shared_pages = in.number() != 0;
}

void put_program(FlatWriter& out, const Program& program, const StringBlock& request) {
    out.number(static_cast<std::uint64_t>(program.outcome));
    out.number(static_cast<std::uint64_t>(program.error));
    out.string(program.reason);
    out.number(program.views.size());
    for (std::size_t i = 0; i < program.views.size(); ++i) {
        out.number(static_cast<std::uint64_t>(program.views[i].role));
        out.string(program.views[i].exe);
        put_tail(out, program.views[i].argv, request);
        put_block(out, make_block(program.views[i].names));
        out.string(program.views[i].loose_link);
        out.number(program.view_files[i]);
    }
    out.number(program.files.size());
    for (const ProgramFile& file : program.files) {
        out.number(file.id.device);
        out.number(file.id.inode);
        out.string(file.path);
    }
    out.number(program.executed);
    put_tail(out, program.final_argv, request);
    out.string(program.cwd);
    put_block(out, make_block(program.cwd_names));
    put_root(out, program.root);
    out.number(program.mounts.size());
    for (const ContainerMount& mount : program.mounts) {
        out.number(mount.mount);
        out.string(mount.place);
    }
}

void get_program(FlatReader& in, Program& program, const StringBlock& request) {
    program.outcome = static_cast<ProgramOutcome>(in.number());
    program.error = static_cast<int>(in.number());
    program.reason = in.string();
    for (std::size_t left = in.count(); left > 0; --left) {
        ProgramView view;
        view.role = static_cast<ViewRole>(in.number());
        view.exe = in.string();
        view.argv = get_tail(in, request).split();
        view.names = get_block(in).split();
        view.loose_link = in.string();
        program.views.push_back(std::move(view));
        program.view_files.push_back(in.number());
    }
    for (std::size_t left = in.count(); left > 0; --left) {
        ProgramFile file;
        file.id.device = in.number();
        file.id.inode = in.number();
        file.path = in.string();
        program.files.push_back(std::move(file));
    }
    program.executed = in.number();
    program.final_argv = get_tail(in, request);
    program.cwd = in.string();
    program.cwd_names = get_block(in).split();
    program.root = get_root(in);
    for (std::size_t left = in.count(); left > 0; --left) {
        ContainerMount mount;
        mount.mount = in.number();
        mount.place = in.string();
        program.mounts.push_back(std::move(mount));
    }
}

void put_caller(FlatWriter& out, const TaskIds& caller) {
    out.number(static_cast<std::uint64_t>(caller.tgid.value));
    out.number(static_cast<std::uint64_t>(caller.parent.value));
    for (const std::uint64_t id : {caller.euid, caller.egid, caller.fsuid, caller.fsgid}) {
        out.number(id);
    }
}

void get_caller(FlatReader& in, TaskIds& caller) {
    caller.tgid = Tgid{static_cast<pid_t>(in.number())};
    caller.parent = Tgid{static_cast<pid_t>(in.number())};
    caller.euid = static_cast<uid_t>(in.number());
    caller.egid = static_cast<gid_t>(in.number());
    caller.fsuid = static_cast<uid_t>(in.number());
    caller.fsgid = static_cast<gid_t>(in.number());
}

// The expendable process's side; its state lives from job to job.
class Worker {
  public:
    explicit Worker(std::shared_ptr<const ContainerMounts> mounts) : resolver_(std::move(mounts)) {}

    std::size_t answer(std::span<const std::byte> bytes, std::span<std::byte> room,
                       std::vector<UniqueFd>& fds) {
        FlatReader in(bytes);
        const Job job = get_job(in);
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
        put_snapshot(out, study_.snapshot);
        put_program(out, study_.program, study_.snapshot.argv);
        put_caller(out, study_.caller);
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

  private:
    void find_root(Tid task) {
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

    // Why what the program opens by name is not what has that name here; nullopt: it is.
    static std::optional<std::string> fs_trouble(const Job& job) {
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

    void add_mounts(const CallerView& view) {
        auto mounts = read_mounts(view);
        if (!mounts) {
            study_.program.outcome = ProgramOutcome::kUnresolved;
            study_.program.reason = mounts.error().text();
            return;
        }
        study_.program.mounts = std::move(*mounts);
    }

    void study_whole(const Job& job) {
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

    ExecRequestReader request_{stack_limit_of};
    ProgramResolver resolver_;
    ExecStudy study_;
};

// Costs something only once somebody has used CLONE_FS.
void add_sharers(Job& job, const FsSharers& sharers) {
    if (sharers.empty()) {
        return;
    }
    const auto ids = read_task_ids(job.call.tid);
    const auto suspects = ids ? sharers.suspects(ids->tgid) : std::nullopt;
    if (!suspects) {
        return;
    }
    if (suspects->in_flight) {
        job.fs_trouble =
            "the caller's process is making one that shares its root and working directory";
    } else if (suspects->others.size() > FsSharers::kMost) {
        job.fs_trouble = "too many processes may share the caller's root and working directory";
    } else {
        job.fs_others = suspects->others;
    }
}

ExecStudy failed_study(const ExecCall& call, SnapshotOutcome outcome, std::string reason) {
    ExecStudy study;
    study.snapshot.call = call;
    study.snapshot.outcome = outcome;
    study.snapshot.reason = std::move(reason);
    study.program.reason = study.snapshot.reason;
    return study;
}

ExecStudy unpack(const ExecCall& call, Expendable& process) {
    ExecStudy study;
    FlatReader in(process.reply());
    get_snapshot(in, study.snapshot);
    get_program(in, study.program, study.snapshot.argv);
    get_caller(in, study.caller);
    std::vector<UniqueFd> fds = process.take_fds();
    if (!in.done() || fds.size() != study.program.files.size()) {
        return failed_study(call, SnapshotOutcome::kUnreadable,
                            "the reader process gave no whole answer");
    }
    study.snapshot.call = call;
    study.caller.tid = call.tid;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        study.program.files[i].fd = std::move(fds[i]);
    }
    return study;
}

}  // namespace

Result<Expendable> ExecReader::take_process() {
    if (!idle_.empty()) {
        Expendable process = std::move(idle_.back());
        idle_.pop_back();
        return process;
    }
    return Expendable::start(
        [worker = std::make_shared<Worker>(mounts_)](auto job, auto room, auto& fds) {
            return worker->answer(job, room, fds);
        },
        kRoom);
}

void ExecReader::set_mounts(ContainerMounts mounts) {
    mounts_ = std::make_shared<const ContainerMounts>(std::move(mounts));
    idle_.clear();  // they were started without
}

Result<> ExecReader::warm_up() {
    auto process = take_process();
    if (!process) {
        return process.error();
    }
    idle_.push_back(std::move(*process));
    return Ok{};
}

ExecReader::Ticket ExecReader::begin(const ExecCall& call, StudyScope scope,
                                     const std::optional<RootIdentity>& container,
                                     std::size_t limit) {
    Ticket ticket;
    ticket.call_ = call;
    ticket.deadline_ = std::chrono::steady_clock::now() + deadline_;
    std::array<std::byte, kMaxJob> room{};
    FlatWriter job(room);
    Job asked{call, scope, container, container_root_, "", {}, limit};
    if (sharers_ != nullptr) {
        ticket.fs_serial_ = sharers_->serial();
        add_sharers(asked, *sharers_);
    }
    put_job(job, asked);
    if (!job.fits()) {
        ticket.failure_ = "the container's root has too long a name";
        return ticket;
    }
    // An idle process may have been killed meanwhile (by the out-of-memory killer, say).
    for (int attempt = 0; attempt < 2 && !ticket.process_; ++attempt) {
        ticket.once_ = holds_much_ && idle_.empty();
        auto process = take_process();
        if (!process) {
            ticket.failure_ = process.error().text();
            return ticket;
        }
        if (const auto sent = process->begin(std::span(room).first(job.size())); sent) {
            ticket.process_ = std::move(*process);
        } else {
            ticket.failure_ = sent.error().text();
            idle_.clear();
        }
    }
    return ticket;
}

bool ExecReader::try_extend(Ticket& ticket, std::chrono::steady_clock::time_point now) const {
    const bool looked = now - ticket.deadline_ < deadline_ / 4;
    const auto sleep = looked ? ticket.process_->sleeping() : std::nullopt;
    const bool hangs = sleep && sleep == ticket.sleep_;
    int& times = sleep ? ticket.sleeps_ : ticket.extensions_;
    if (hangs || times == (sleep ? kMaxSleeps : kMaxExtensions)) {
        return false;
    }
    ++times;
    ticket.sleep_ = sleep;
    ticket.deadline_ = now + deadline_;
    return true;
}

std::string ExecReader::blocked_reason(const Ticket& ticket) const {
    return ticket.sleeps_ == kMaxSleeps
               ? "the caller's memory or program could not be read whole within " +
                     std::to_string((kMaxSleeps * deadline_).count()) +
                     " ms: its file system is too slow"
               : "no answer within " + std::to_string(deadline_.count()) +
                     " ms: a page or a mount of the caller hangs";
}

std::optional<ExecStudy> ExecReader::collect(Ticket& ticket,
                                             std::chrono::steady_clock::time_point until) {
    if (!ticket.process_) {
        return failed_study(ticket.call_, SnapshotOutcome::kUnreadable, ticket.failure_);
    }
    ReplyState state = ticket.process_->wait(std::min(until, ticket.deadline_));
    while (state == ReplyState::kPending) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= ticket.deadline_ && !try_extend(ticket, now)) {
            break;
        }
        if (now >= until) {
            return std::nullopt;
        }
        state = ticket.process_->wait(std::min(until, ticket.deadline_));
    }
    Expendable process = std::move(*ticket.process_);
    ticket.process_.reset();
    ticket.failure_ = "collected already";
    switch (state) {
        case ReplyState::kReady: {
            ExecStudy study = unpack(ticket.call_, process);
            study.fs_serial = ticket.fs_serial_;
            if (mounts_ == nullptr && !study.program.mounts.empty() &&
                study.program.outcome == ProgramOutcome::kFound) {
                set_mounts(std::move(study.program.mounts));  // this process does not know them
                return study;
            }
            if (!ticket.once_ && idle_.size() < kMaxIdle && process.reply().size() <= kKeptReply) {
                idle_.push_back(std::move(process));
            }
            return study;
        }
        case ReplyState::kPending:
            return failed_study(ticket.call_, SnapshotOutcome::kBlocked, blocked_reason(ticket));
        case ReplyState::kLost:
            break;
    }
    return failed_study(ticket.call_, SnapshotOutcome::kUnreadable,
                        "the reader process ended before it answered");
}

ExecStudy ExecReader::study(const ExecCall& call, StudyScope scope,
                            const std::optional<RootIdentity>& container) {
    Ticket ticket = begin(call, scope, container);
    while (true) {
        if (auto study = collect(ticket, ticket.deadline())) {
            return std::move(*study);
        }
    }
}

}  // namespace execseal
