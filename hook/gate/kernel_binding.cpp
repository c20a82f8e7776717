#include "hook/gate/kernel_binding.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "hook/exec/target.h"
#include "hook/os/log.h"
#include "hook/os/memory_use.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

// A caller that nothing has told of is asked for at these intervals: an exec that fails tells
// nothing, and a slow one goes on.
constexpr std::chrono::milliseconds kFirstLook{1};
constexpr std::chrono::milliseconds kLongestLook{50};

// As far as the kernel has told; where that was not all, `judged` is cut to as much.
TakenExec taken_exec(const exec_taken& told, ExpectedExec& judged) {
    TakenExec taken;
    taken.executable = judged.executable;
    taken.path = told.path;
    const std::string_view strings(told.strings, std::min<std::size_t>(told.bytes, kTakenBytes));
    std::size_t end = 0;
    for (std::uint32_t i = 0; i < told.argc && end < strings.size(); ++i) {
        end = std::min(strings.find('\0', end), strings.size() - 1) + 1;
    }
    taken.argv = strings.substr(0, end);
    taken.env = strings.substr(end);
    if (told.strings_size > strings.size()) {
        const std::string all = (judged.argv.bytes + judged.env.bytes).substr(0, strings.size());
        judged.argv.bytes = all.substr(0, std::min(judged.argv.bytes.size(), all.size()));
        judged.env.bytes = all.substr(judged.argv.bytes.size());
    }
    if (judged.path.size() >= kTakenPathBytes) {
        judged.path.resize(kTakenPathBytes - 1);
    }
    return taken;
}

Verification killed(const exec_taken& told, ExpectedExec judged) {
    Verification found = compare_exec(judged, taken_exec(told, judged));
    if (found.outcome == VerifyOutcome::kDiffers) {
        return found;
    }
    found.outcome = VerifyOutcome::kDiffers;
    switch (told.told.field) {
        case kTakenFile:
            found.field = "exe";
            found.judged = "inode " + std::to_string(judged.executable.inode);
            found.taken =
                "device " + std::to_string(told.device) + " inode " + std::to_string(told.inode);
            break;
        case kTakenFs:
            found.field = "fs";
            found.taken = "another process shares root and working directory, or has changed them";
            break;
        case kTakenPath:
            found.field = "path";
            break;
        case kTakenUnreadable:
            found.field = "unreadable: its stack was not in memory";
            break;
        default:
            found.field =
                "argv or env, behind their first " + std::to_string(told.bytes) + " bytes";
            break;
    }
    return found;
}

}  // namespace

class KernelBinding final : public ExecBinding {
  public:
    KernelBinding(KernelBinder& binder, Tid caller) : binder_(binder), tid_(caller) {}
    KernelBinding(const KernelBinding&) = delete;
    KernelBinding& operator=(const KernelBinding&) = delete;
    KernelBinding(KernelBinding&&) = delete;
    KernelBinding& operator=(KernelBinding&&) = delete;
    ~KernelBinding() override {
        if (serial_ != 0) {
            binder_.forget(serial_);
        }
        if (expected_) {
            binder_.tracer_.exec_over(process_, tid_);
        }
    }

    ArmReport arm(const ArmRequest& request) override;
    std::optional<BoundOutcome> outcome() override;
    void hurry() override;
    bool sleeps() override { return held_ && held_->sleeps(); }
    Verification verify(const ExpectedExec& judged) override;
    bool kill() override { return (held_ && held_->kill()) || is_killed(); }
    void kill_survivor() override {}  // the kernel has verified it
    void release() override {
        if (held_) {
            held_->release();
        }
    }

    void tell(const exec_told& told, const exec_taken* taken) {
        told_ = told;
        if (taken != nullptr) {
            taken_ = *taken;
        }
    }
    [[nodiscard]] std::optional<Clock::time_point> next_look() const { return next_look_; }

  private:
    [[nodiscard]] bool is_killed() const { return told_ && told_->what == kToldKilled; }
    // Asks the kernel, where the ring has told nothing.
    std::optional<BoundOutcome> look();
    ArmReport arm_in_kernel(const ArmRequest& request);
    // By ptrace as well.
    ArmReport hold(const ArmRequest& request);

    KernelBinder& binder_;
    Tid tid_;
    Tgid process_;
    std::unique_ptr<ExecBinding> held_;  // by ptrace, for an exec that freezes somebody
    bool expected_ = false;              // Tracer::expect_exec() was called
    std::uint64_t serial_ = 0;           // 0: not armed
    std::optional<exec_told> told_;
    std::optional<exec_taken> taken_;
    std::optional<Clock::time_point> next_look_;
    std::chrono::milliseconds interval_ = kFirstLook;
};

ArmReport KernelBinding::arm(const ArmRequest& request) {
    process_ = request.process;
    // A page of the new stack that was swapped out could not be read in the kernel.
    if (request.freezes || binder_.tracer_.is_attached(tid_) || swap_is_used()) {
        if (ArmReport held = hold(request); held.outcome != ArmReport::Outcome::kBound) {
            return held;
        }
    } else {
        binder_.tracer_.expect_exec(process_, tid_);
        expected_ = true;
    }
    return arm_in_kernel(request);
}

ArmReport KernelBinding::arm_in_kernel(const ArmRequest& request) {
    using Outcome = ArmReport::Outcome;
    exec_arm arm{};
    arm.tid = tid_.value;
    arm.serial = serial_ = binder_.next_serial_++;
    binder_.bindings_.emplace(serial_, this);
    if (request.verifies) {
        const ExecStudy& study = request.study;
        if (binder_.sharers_.last_of(process_) > study.fs_serial) {
            return {Outcome::kRefused, built_in_rule::kArm,
                    "another process has come to share root and working directory (CLONE_FS)"};
        }
        const StringBlock& argv = study.program.final_argv;
        const StringBlock& env = study.snapshot.env;
        const std::string path = exec_filename(study.snapshot.call, study.snapshot.path);
        const auto& key = binder_.programs_.key();
        arm.strings_hash = binding_hash(key, argv.bytes, env.bytes);
        arm.strings_size = argv.bytes.size() + env.bytes.size();
        arm.argc = static_cast<std::uint32_t>(argv.count);
        arm.envc = static_cast<std::uint32_t>(env.count);
        arm.path_size = path.size();
        arm.path_hash = binding_hash(key, {path.c_str(), path.size() + 1});
        arm.file = study.program.files.at(study.program.executed).fd.get();
        arm.flags = held_ ? kArmHeld : 0;
    } else {
        arm.flags = kArmAnything;
        arm.file = -1;
    }
    if (const auto armed = binder_.programs_.arm(arm); !armed) {
        if (armed.error().code == ESRCH) {
            return {Outcome::kGone, "", ""};
        }
        return {Outcome::kRefused, built_in_rule::kArm, armed.error().text()};
    }
    // Another thread could make a process that shares root and working directory, and that is gone
    // when the kernel looks; fork tracking has seen it.
    if (request.verifies && arm.threads > 1 && !held_) {
        return hold(request);
    }
    return {Outcome::kBound, "", ""};
}

ArmReport KernelBinding::hold(const ArmRequest& request) {
    held_ = binder_.ptrace_.binding_for(tid_);
    ArmReport held = held_->arm(request);
    if (held.outcome != ArmReport::Outcome::kBound) {
        held_.reset();
    }
    return held;
}

std::optional<BoundOutcome> KernelBinding::outcome() {
    using What = BoundOutcome::What;
    binder_.drain();
    if (held_) {
        auto seen = held_->outcome();
        if (seen && seen->what == What::kEnded) {
            binder_.drain();  // what the kernel has killed it told before
            if (is_killed()) {
                return BoundOutcome{What::kExecuted, 0};
            }
        }
        return seen;
    }
    if (told_) {
        next_look_.reset();
        return BoundOutcome{What::kExecuted, 0};
    }
    return next_look_ ? look() : std::nullopt;
}

std::optional<BoundOutcome> KernelBinding::look() {
    using What = BoundOutcome::What;
    const auto found = binder_.programs_.look(serial_, tid_, process_);
    next_look_ = Clock::now() + interval_;
    interval_ = std::min(2 * interval_, kLongestLook);
    if (!found) {
        log_warning("what has become of an exec: " + found.error().text());
        return std::nullopt;
    }
    binder_.drain();  // it may have been told meanwhile, and of a killed one that says more
    switch (found->state) {
        case kLookExecuting:
            return std::nullopt;
        case kLookReturned:
            return BoundOutcome{What::kReturned, found->error};
        case kLookExecuted:
        case kLookKilled:
            if (!told_) {  // the ring was full
                told_ = exec_told{
                    serial_,
                    static_cast<__u32>(found->state == kLookKilled ? kToldKilled : kToldExecuted),
                    kTakenStrings, tid_.value, process_.value};
            }
            return BoundOutcome{What::kExecuted, 0};
        default:
            return BoundOutcome{told_ ? What::kExecuted : What::kEnded, 0};
    }
}

void KernelBinding::hurry() {
    if (held_) {
        held_->hurry();
        return;
    }
    next_look_ = Clock::now();
}

Verification KernelBinding::verify(const ExpectedExec& judged) {
    if (is_killed()) {
        if (taken_) {
            return killed(*taken_, judged);
        }
        Verification found;
        found.outcome = VerifyOutcome::kDiffers;
        found.field = "not told: the ring was full";
        return found;
    }
    if (held_) {
        return held_->verify(judged);
    }
    Verification same;
    same.outcome = VerifyOutcome::kSame;
    return same;
}

std::unique_ptr<ExecBinding> KernelBinder::binding_for(Tid caller) {
    return std::make_unique<KernelBinding>(*this, caller);
}

bool KernelBinder::has_news() {
    return programs_.has_news();
}

std::optional<Clock::time_point> KernelBinder::next_look() const {
    std::optional<Clock::time_point> next;
    for (const auto& [serial, binding] : bindings_) {
        const auto look = binding->next_look();
        if (look && (!next || *look < *next)) {
            next = look;
        }
    }
    return next;
}

void KernelBinder::drain() {
    programs_.drain([this](const exec_told& told, const exec_taken* taken) {
        const auto found = bindings_.find(told.serial);
        if (found != bindings_.end()) {
            found->second->tell(told, taken);
        } else if (told.what == kToldKilled) {
            log_warning("process " + std::to_string(told.process) +
                        " was killed: its exec was not armed");
        }
    });
}

}  // namespace execseal
