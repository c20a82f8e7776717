// The proof that an edit makes no profile laxer: the filters that a runtime builds from the profile
// before and after the edit are compared call by call, over all numbers, ABIs and the flag values
// that matter. Then a few filters are loaded for real.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "hook/os/byte_io.h"
#include "hook/os/unique_fd.h"
#include "tests/kernel/filter_program.h"
#include "tests/spec_samples.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint64_t kNamespaces = 0x7E020000;
constexpr std::uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                       CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                                       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

// An oracle of its own: numbers from the kernel's syscall tables, not from libseccomp or
// notify_set.
enum class Target { kNone, kExec, kFork, kClone, kClone3, kSeccomp };

Target target_of(std::uint32_t arch, std::uint32_t number) {
    static const std::map<std::uint32_t, Target> kX64{
        {56, Target::kClone}, {57, Target::kFork},     {58, Target::kFork},   {59, Target::kExec},
        {322, Target::kExec}, {317, Target::kSeccomp}, {435, Target::kClone3}};
    static const std::map<std::uint32_t, Target> kX32{
        {56, Target::kClone}, {57, Target::kFork},     {58, Target::kFork},   {520, Target::kExec},
        {545, Target::kExec}, {317, Target::kSeccomp}, {435, Target::kClone3}};
    static const std::map<std::uint32_t, Target> kI386{
        {120, Target::kClone}, {2, Target::kFork},      {190, Target::kFork},  {11, Target::kExec},
        {358, Target::kExec},  {354, Target::kSeccomp}, {435, Target::kClone3}};
    const auto look = [](const std::map<std::uint32_t, Target>& table, std::uint32_t nr) {
        const auto found = table.find(nr);
        return found == table.end() ? Target::kNone : found->second;
    };
    if (arch == AUDIT_ARCH_X86_64) {
        return (number & kX32Bit) != 0 ? look(kX32, number & ~kX32Bit) : look(kX64, number);
    }
    return arch == AUDIT_ARCH_I386 ? look(kI386, number) : Target::kNone;
}

bool permits(std::uint32_t answer) {
    return answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
}

std::uint32_t expected_answer(const FilteredCall& call, std::uint32_t before, bool tracked) {
    if (!permits(before)) {
        return before;
    }
    const std::uint32_t fork_class = tracked ? SECCOMP_RET_USER_NOTIF : before;
    switch (target_of(call.arch, call.number)) {
        case Target::kNone:
            return before;
        case Target::kExec:
            return SECCOMP_RET_USER_NOTIF;
        case Target::kFork:
            return fork_class;
        case Target::kClone:
            if ((call.args[0] & CLONE_UNTRACED) != 0) {
                return SECCOMP_RET_ERRNO | EPERM;
            }
            if ((call.args[0] & CLONE_THREAD) != 0) {
                return before;
            }
            return (call.args[0] & CLONE_FS) != 0 ? SECCOMP_RET_USER_NOTIF : fork_class;
        case Target::kClone3:
            return SECCOMP_RET_ERRNO | ENOSYS;
        case Target::kSeccomp:
            return (call.args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0
                       ? SECCOMP_RET_ERRNO | EPERM
                       : before;
    }
    return before;
}

// Each value goes into argument 0 and into argument 1; calls that no edit touches get the first
// few.
constexpr std::size_t kValuesForOthers = 12;
std::vector<std::uint64_t> interesting_values() {
    std::vector<std::uint64_t> values{0,
                                      1,
                                      2,
                                      8,
                                      9,
                                      17,
                                      0x20000,
                                      0x20008,
                                      40,
                                      41,
                                      0xffffffff,
                                      ~0ULL,
                                      1ULL << 32,
                                      kThreadFlags,
                                      kThreadFlags | CLONE_UNTRACED,
                                      CLONE_UNTRACED,
                                      CLONE_UNTRACED | SIGCHLD,
                                      CLONE_THREAD,
                                      CLONE_FS,
                                      CLONE_FS | SIGCHLD,
                                      CLONE_FS | CLONE_UNTRACED,
                                      CLONE_VM | CLONE_VFORK | SIGCHLD,
                                      CLONE_UNTRACED | (1ULL << 40)};
    for (unsigned bit = 0; bit < 32; ++bit) {
        if (((kNamespaces >> bit) & 1) != 0) {
            values.push_back(1ULL << bit);
            values.push_back((1ULL << bit) | SIGCHLD);
            values.push_back((1ULL << bit) | CLONE_THREAD);
            values.push_back((1ULL << bit) | CLONE_UNTRACED | CLONE_THREAD);
        }
    }
    return values;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> all_numbers() {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> numbers;
    for (std::uint32_t number = 0; number < 560; ++number) {
        numbers.emplace_back(AUDIT_ARCH_X86_64, number);
        numbers.emplace_back(AUDIT_ARCH_X86_64, number | kX32Bit);
        numbers.emplace_back(AUDIT_ARCH_I386, number);
    }
    for (const std::uint32_t arch : {AUDIT_ARCH_AARCH64, AUDIT_ARCH_S390X, 0U}) {
        for (const std::uint32_t number : {0U, 59U, 220U, 221U}) {
            numbers.emplace_back(arch, number);
        }
    }
    numbers.emplace_back(AUDIT_ARCH_X86_64, ~0U);
    return numbers;
}

struct Compared {
    int calls = 0;
    int notified = 0;
    int kept_denied = 0;
    int newly_refused = 0;
};

using Program = std::vector<sock_filter>;

// `before` empty: the container ran without a filter.
Compared compare(const std::optional<Program>& before, const Program& after, bool tracked,
                 const std::vector<std::pair<std::uint32_t, std::uint32_t>>& numbers) {
    static const auto kValues = interesting_values();
    Compared compared;
    for (const auto& [arch, number] : numbers) {
        FilteredCall call{arch, number, {}};
        const bool target = target_of(arch, number) != Target::kNone;
        const std::size_t values = target ? kValues.size() : kValuesForOthers;
        for (std::size_t at = 0; at < values * 2; ++at) {
            call.args = {};
            call.args[at % 2] = kValues[at / 2];
            std::uint32_t was = SECCOMP_RET_ALLOW;
            if (before) {
                was = filter_answer(*before, call);
            } else if (arch != AUDIT_ARCH_X86_64 && arch != AUDIT_ARCH_I386) {
                continue;  // a kernel for x86 makes no such call
            }
            const std::uint32_t is = filter_answer(after, call);
            const std::uint32_t should = expected_answer(call, was, tracked);
            EXPECT_EQ(is, should) << std::hex << "arch " << arch << " number " << number
                                  << " value " << kValues[at / 2] << " in argument " << at % 2
                                  << " was " << was;
            if (is != should) {
                return compared;
            }
            ++compared.calls;
            compared.notified += is == SECCOMP_RET_USER_NOTIF ? 1 : 0;
            compared.kept_denied += !permits(was) ? 1 : 0;
            compared.newly_refused +=
                permits(was) && !permits(is) && is != SECCOMP_RET_USER_NOTIF ? 1 : 0;
        }
    }
    return compared;
}

Result<Json> edit(const Json& spec, bool tracked) {
    Plan plan = sample_plan();
    plan.track_forks = tracked;
    return edit_spec(spec, plan, sample_inputs());
}

// runc puts a stub in front that answers ENOSYS above the highest number that the rules name
// (patchbpf, findLastSyscalls()): with the same names it is the same stub.
std::set<std::string> names_in(const Json& seccomp) {
    std::set<std::string> names;
    for (const Json& rule : seccomp.value("syscalls", Json::array())) {
        for (const Json& name : rule["names"]) {
            names.insert(name.get<std::string>());
        }
    }
    return names;
}

class SpecFilterSamples : public ::testing::TestWithParam<std::string> {};

TEST_P(SpecFilterSamples, ChangesTargetCallsOnlyAndWeakensNothing) {
    const Json spec = load_sample(GetParam());
    const bool filtered = spec["linux"].contains("seccomp");
    for (const bool tracked : {true, false}) {
        const auto edited = edit(spec, tracked);
        ASSERT_TRUE(edited.has_value()) << edited.error().text();
        if (filtered) {
            EXPECT_EQ(names_in(spec["linux"]["seccomp"]), names_in((*edited)["linux"]["seccomp"]));
        }
        for (const FilterTree tree : {FilterTree::kLinear, FilterTree::kBinary}) {
            std::optional<Program> before;
            if (filtered) {
                auto program = build_filter(spec["linux"]["seccomp"], tree);
                ASSERT_TRUE(program.has_value()) << program.error().text();
                before = *program;
            }
            const auto after = build_filter((*edited)["linux"]["seccomp"], tree);
            ASSERT_TRUE(after.has_value()) << after.error().text();
            const Compared compared = compare(before, *after, tracked, all_numbers());
            EXPECT_GT(compared.calls, 30000);
            EXPECT_GT(compared.notified, 100);
            EXPECT_GT(compared.newly_refused, 10);
            if (filtered) {
                EXPECT_GT(compared.kept_denied, 1000);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Data, SpecFilterSamples, ::testing::ValuesIn(sample_names()),
                         [](const auto& sample) {
                             std::string name = sample.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// Profiles of random shape: target calls allowed, denied, masked, repeated, in rules of their own
// or among others.
class ProfileMaker {
  public:
    explicit ProfileMaker(unsigned seed) : random_(seed) {}

    Json make() {
        Json profile = Json::object();
        profile["defaultAction"] =
            pick({"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
                  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO"});
        if (profile["defaultAction"] == "SCMP_ACT_ERRNO" && below(2) == 0) {
            profile["defaultErrnoRet"] = below(2) == 0 ? 38U : 13U;
        }
        const Json all = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
        switch (below(4)) {
            case 0:
                break;
            case 1:
                profile["architectures"] = Json::array({all[0]});
                break;
            case 2:
                profile["architectures"] = Json::array({all[0], all[1]});
                break;
            default:
                profile["architectures"] = all;
        }
        rules_ = Json::array();
        denies_ = profile["defaultAction"] != "SCMP_ACT_ALLOW" &&
                  profile["defaultAction"] != "SCMP_ACT_LOG";
        add_others();
        for (const char* call : {"execve", "execveat", "fork", "vfork", "clone3"}) {
            add_plain(call);
        }
        add_clone();
        add_plain("seccomp");
        if (below(10) == 0) {
            add_stranger();
        }
        std::shuffle(rules_.begin(), rules_.end(), random_);
        profile["syscalls"] = rules_;
        return profile;
    }

  private:
    std::size_t below(std::size_t limit) { return random_() % limit; }
    const char* pick(std::initializer_list<const char*> from) {
        return from.begin()[below(from.size())];
    }

    Json rule(const std::string& call, const char* action) {
        Json result = profile_rule(call, action);
        if (result["action"] == "SCMP_ACT_ERRNO" && below(3) != 0) {
            result["errnoRet"] = below(2) == 0 ? 38U : 1U;
        }
        return result;
    }

    void add_others() {
        Json many = rule("read", pick({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"}));
        for (const char* name :
             {"write", "openat", "mmap", "socket", "setns", "unshare", "ptrace"}) {
            if (below(2) == 0) {
                many["names"].push_back(name);
            }
        }
        rules_.push_back(many);
        rules_.push_back(masked_rule("personality", "SCMP_ACT_ALLOW", 0, 0xffffffff, 0x20000));
    }

    void add_plain(const char* call) {
        switch (below(7)) {
            case 0:
                break;  // the default's
            case 1:
                rules_.push_back(rule(call, pick({"SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
                                                  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"})));
                break;
            case 2:
                rules_[0]["names"].push_back(call);
                break;
            case 3:
                rules_.push_back(rule(call, "SCMP_ACT_ALLOW"));
                rules_.push_back(rule(call, pick({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"})));
                break;
            default:
                rules_.push_back(
                    rule(call, pick({"SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG"})));
        }
    }

    void add_clone() {
        const std::uint64_t masks[] = {
            kNamespaces,    CLONE_NEWUSER, kNamespaces | CLONE_UNTRACED, kNamespaces | CLONE_THREAD,
            CLONE_UNTRACED, 0xff000000};
        const std::uint64_t mask = masks[below(std::size(masks))];
        switch (below(8)) {
            case 0:
                add_plain("clone");
                break;
            case 6:
                add_compared("clone", masks[below(std::size(masks))] & masks[below(3)]);
                break;
            case 7:
                add_compared(pick({"seccomp", "clone", "execve"}), below(2) == 0 ? 1 : 17);
                break;
            case 1:
                rules_.push_back(masked_rule("clone", "SCMP_ACT_ALLOW", 0, mask, 0));
                rules_.push_back(rules_.back());
                break;
            case 2:
                rules_.push_back(masked_rule("clone", "SCMP_ACT_ALLOW", 0, mask, 0));
                rules_.push_back(rule("clone", pick({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"})));
                break;
            case 3:
                rules_.push_back(
                    masked_rule("clone", pick({"SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW"}),
                                0, mask, below(2) == 0 ? mask : 0));
                break;
            default:
                rules_.push_back(
                    masked_rule("clone", pick({"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}), 0, mask, 0));
        }
    }

    // Another agent's, or a condition on an argument that a filter cannot tell from ours: what no
    // edit can take.
    void add_stranger() {
        if (below(2) == 0) {
            rules_.push_back(rule(pick({"execve", "clone", "openat"}), "SCMP_ACT_NOTIFY"));
        } else {
            rules_.push_back(masked_rule(pick({"execve", "clone", "mount"}), "SCMP_ACT_NOTIFY", 0,
                                         1 + below(7), 1));
        }
    }

    // Permitting rules where the default denies, denying ones where it permits: rules of one action
    // may overlap, the filter is the same in whatever order.
    void add_compared(const char* call, std::uint64_t value) {
        const char* const action = denies_ ? "SCMP_ACT_ALLOW" : "SCMP_ACT_TRAP";
        std::erase_if(rules_.get_ref<Json::array_t&>(),
                      [&](const Json& rule) { return rule["names"] == Json::array({call}); });
        Json& shared = rules_[0]["names"];
        for (auto name = shared.begin(); name != shared.end();) {
            name = *name == call ? shared.erase(name) : name + 1;
        }
        for (std::size_t count = 1 + below(3); count > 0; --count) {
            const std::uint64_t mask = below(2) == 0 ? value : value | kNamespaces;
            Json made = masked_rule(call, action, static_cast<unsigned>(below(2)), mask,
                                    below(2) == 0 ? value : 0);
            if (below(2) == 0) {
                made["args"][0] = {{"index", below(2)},
                                   {"value", value},
                                   {"op", pick({"SCMP_CMP_EQ", "SCMP_CMP_EQ", "SCMP_CMP_GE",
                                                "SCMP_CMP_LT", "SCMP_CMP_NE"})}};
            }
            rules_.push_back(made);
        }
    }

    std::mt19937 random_;
    Json rules_;
    bool denies_ = true;
};

TEST(SpecFilter, RandomProfilesAreNotWeakenedEither) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> numbers;
    for (const auto& [arch, number] : all_numbers()) {
        if (target_of(arch, number) != Target::kNone || number % 61 == 0) {
            numbers.emplace_back(arch, number);
        }
    }
    int compared = 0;
    int refused = 0;
    int notified = 0;
    for (unsigned seed = 0; seed < 1500; ++seed) {
        const Json profile = ProfileMaker(seed).make();
        const auto before = build_filter(profile, FilterTree::kLinear);
        if (!before) {
            continue;  // no runtime would take it
        }
        const bool tracked = seed % 3 != 0;
        const auto edited = edit(spec_with_profile(profile), tracked);
        if (!edited) {
            ++refused;
            continue;
        }
        const auto after = build_filter((*edited)["linux"]["seccomp"], FilterTree::kLinear);
        ASSERT_TRUE(after.has_value()) << after.error().text() << " of " << edited->dump();
        notified += compare(*before, *after, tracked, numbers).notified;
        ++compared;
        ASSERT_FALSE(HasFailure()) << "seed " << seed << "\n"
                                   << profile.dump() << "\n"
                                   << edited->dump();
    }
    RecordProperty("compared", compared);
    RecordProperty("refused", refused);
    EXPECT_GT(compared, 500);
    EXPECT_GT(refused, 100);
    EXPECT_GT(notified, 10000);
}

// Shapes that engines and their users write (tests/data/README.md), over every combination of the
// clone flags that any of them or any rule of ours looks at.
class SpecFilterProfiles : public ::testing::TestWithParam<std::string> {};

TEST_P(SpecFilterProfiles, AnswersEveryCombinationOfCloneFlagsAsBefore) {
    static constexpr std::uint64_t kBits[] = {CLONE_NEWNS,        0x80 /* CLONE_NEWTIME */,
                                              CLONE_NEWCGROUP,    CLONE_NEWUTS,
                                              CLONE_NEWIPC,       CLONE_NEWUSER,
                                              CLONE_NEWPID,       CLONE_NEWNET,
                                              CLONE_THREAD,       CLONE_UNTRACED,
                                              CLONE_VM | SIGCHLD, CLONE_FS,
                                              1ULL << 40};
    static constexpr std::pair<std::uint32_t, std::uint32_t> kClones[] = {
        {AUDIT_ARCH_X86_64, 56}, {AUDIT_ARCH_X86_64, kX32Bit | 56}, {AUDIT_ARCH_I386, 120}};
    const Json spec = spec_with_profile(load_sample("profiles/" + GetParam()));
    const auto before = build_filter(spec["linux"]["seccomp"], FilterTree::kLinear);
    ASSERT_TRUE(before.has_value()) << before.error().text();
    for (const bool tracked : {true, false}) {
        const auto edited = edit(spec, tracked);
        ASSERT_TRUE(edited.has_value()) << edited.error().text();
        const auto after = build_filter((*edited)["linux"]["seccomp"], FilterTree::kLinear);
        ASSERT_TRUE(after.has_value()) << after.error().text();
        EXPECT_GT(compare(*before, *after, tracked, all_numbers()).notified, 20);
        std::set<std::uint32_t> answers;
        for (std::uint64_t set = 0; set < 1ULL << std::size(kBits); ++set) {
            FilteredCall call{AUDIT_ARCH_X86_64, 56, {}};
            for (std::size_t bit = 0; bit < std::size(kBits); ++bit) {
                call.args[0] |= (set >> bit & 1) != 0 ? kBits[bit] : 0;
            }
            for (const std::uint64_t extra : {std::uint64_t{0}, std::uint64_t{SIGCHLD}}) {
                call.args[0] |= extra;
                for (const auto& [arch, number] : kClones) {
                    call.arch = arch;
                    call.number = number;
                    const std::uint32_t is = filter_answer(*after, call);
                    const std::uint32_t was = filter_answer(*before, call);
                    ASSERT_EQ(is, expected_answer(call, was, tracked))
                        << std::hex << "flags " << call.args[0] << " arch " << arch;
                    answers.insert(is);
                }
            }
        }
        EXPECT_GT(answers.size(), 1U);
    }
}

INSTANTIATE_TEST_SUITE_P(Data, SpecFilterProfiles,
                         ::testing::Values("chrome2", "clone-eq", "seccomp-arg", "sentinel",
                                           "threads-only", "newuser-eperm"),
                         [](const auto& profile) {
                             std::string name = profile.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// The comparison itself can fail: a filter that lets one denied call through is noticed.
TEST(SpecFilter, TheComparisonNoticesAWeakerFilter) {
    const Json spec = load_sample("docker-default");
    auto edited = edit(spec, true);
    ASSERT_TRUE(edited.has_value());
    (*edited)["linux"]["seccomp"]["syscalls"].push_back(profile_rule("mount", "SCMP_ACT_ALLOW"));
    const auto before = build_filter(spec["linux"]["seccomp"], FilterTree::kLinear);
    const auto after = build_filter((*edited)["linux"]["seccomp"], FilterTree::kLinear);
    EXPECT_NONFATAL_FAILURE((void)compare(*before, *after, true, all_numbers()), "number 15 ");
}

// Loaded for real. The child reports by its exit code.
int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(body());
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

long load(const Program& program, unsigned flags) {
    const sock_fprog filter{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

// errno of a raw call that must fail, 0 if it succeeded; a child born by it ends at once.
int errno_of(long number, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0) {
    const long result = ::syscall(number, a, b, c, 0, 0, 0);
    if (result == 0 && (number == SYS_clone || number == SYS_fork)) {
        ::_exit(0);
    }
    return result < 0 ? errno : 0;
}

// int 0x80 from a 64-bit program enters by the i386 table.
long i386_call(long number, unsigned long a = 0) {
    long result = number;
    asm volatile("int $0x80" : "+a"(result) : "b"(a), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
    return result;
}

Program edited_program(const std::string& sample) {
    auto edited = edit(load_sample(sample), true);
    EXPECT_TRUE(edited.has_value());
    auto program = build_filter((*edited)["linux"]["seccomp"], FilterTree::kLinear);
    EXPECT_TRUE(program.has_value());
    return program ? *program : Program();
}

void* quiet_thread(void* argument) {
    return argument;
}

const sock_filter kAllowAll{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};

class SpecFilterLoaded : public ::testing::TestWithParam<std::string> {};

TEST_P(SpecFilterLoaded, RefusesWhatWouldHideATask) {
    const Program program = edited_program(GetParam());
    EXPECT_EQ(in_child([&] {
                  // The control: without the filter such children are born.
                  if (errno_of(SYS_clone, CLONE_UNTRACED | SIGCHLD) != 0) {
                      return 1;
                  }
                  if (load(program, 0) != 0) {
                      return 2;
                  }
                  if (errno_of(SYS_clone, CLONE_UNTRACED | SIGCHLD) != EPERM) {
                      return 3;
                  }
                  if (errno_of(SYS_clone, CLONE_UNTRACED | kThreadFlags) != EPERM) {
                      return 4;
                  }
                  if (errno_of(SYS_clone3, 0, 88) != ENOSYS) {
                      return 5;
                  }
                  pthread_t thread{};  // libc falls back from clone3 to clone
                  if (::pthread_create(&thread, nullptr, &quiet_thread, nullptr) != 0) {
                      return 6;
                  }
                  return ::pthread_join(thread, nullptr) == 0 ? 0 : 7;
              }),
              0);
}

TEST_P(SpecFilterLoaded, RefusesASecondListenerButNoOtherFilter) {
    const Program program = edited_program(GetParam());
    EXPECT_EQ(in_child([&] {
                  if (load(program, 0) != 0) {
                      return 1;
                  }
                  const Program allow{kAllowAll};
                  if (load(allow, SECCOMP_FILTER_FLAG_NEW_LISTENER) != -1 || errno != EPERM) {
                      return 2;
                  }
                  return load(allow, 0) == 0 ? 0 : 3;
              }),
              0);
}

TEST_P(SpecFilterLoaded, WithoutAListenerExecAndForkFailInEveryAbi) {
    const Program program = edited_program(GetParam());
    constexpr int kNoCompat = 77;
    const int code = in_child([&] {
        const bool compat = i386_call(20 /* getpid */) > 0;
        if (load(program, 0) != 0) {
            return 1;
        }
        if (errno_of(SYS_execve) != ENOSYS || errno_of(SYS_execveat) != ENOSYS) {
            return 2;
        }
        if (errno_of(SYS_fork) != ENOSYS || errno_of(SYS_clone, SIGCHLD) != ENOSYS) {
            return 3;
        }
        if (errno_of(kX32Bit | 520) != ENOSYS || errno_of(kX32Bit | 56, SIGCHLD) != ENOSYS) {
            return 4;
        }
        if (!compat) {
            return kNoCompat;
        }
        if (i386_call(11) != -ENOSYS || i386_call(2) != -ENOSYS || i386_call(190) != -ENOSYS) {
            return 5;
        }
        return i386_call(120, CLONE_UNTRACED | SIGCHLD) == -EPERM ? 0 : 6;
    });
    if (code == kNoCompat) {
        GTEST_SKIP() << "this kernel has no i386 entry (CONFIG_IA32_EMULATION)";
    }
    EXPECT_EQ(code, 0);
}

TEST_P(SpecFilterLoaded, AnExecReachesTheListener) {
    const Program program = edited_program(GetParam());
    auto ends = make_pipe();
    ASSERT_TRUE(ends.has_value());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto listener = static_cast<int>(load(program, SECCOMP_FILTER_FLAG_NEW_LISTENER));
        (void)!::write(ends->write.get(), &listener, sizeof listener);
        ::_exit(errno_of(SYS_execve) == EXDEV ? 0 : 1);
    }
    ends->write.reset();
    int number = -1;
    ASSERT_EQ(::read(ends->read.get(), &number, sizeof number), ssize_t{sizeof number});
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    const UniqueFd listener(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
    ASSERT_TRUE(listener.valid());
    seccomp_notif request{};
    ASSERT_EQ(::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &request), 0);
    EXPECT_EQ(request.data.nr, SYS_execve);
    EXPECT_EQ(request.pid, static_cast<std::uint32_t>(child));
    seccomp_notif_resp response{};
    response.id = request.id;
    response.error = -EXDEV;
    ASSERT_EQ(::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

INSTANTIATE_TEST_SUITE_P(Data, SpecFilterLoaded,
                         ::testing::Values("podman-default", "docker-default",
                                           "containerd-ctr-seccomp", "podman-privileged"),
                         [](const auto& sample) {
                             std::string name = sample.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace execseal
