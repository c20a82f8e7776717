#include "tests/kernel/filter_program.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "hook/os/byte_io.h"
#include "hook/os/check.h"
#include "hook/os/unique_fd.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

std::uint32_t action_of(const Json& object, const char* name_key, const char* errno_key) {
    const auto name = object.at(name_key).get<std::string>();
    const unsigned number = object.value(errno_key, static_cast<unsigned>(EPERM));
    if (name == "SCMP_ACT_ALLOW") {
        return SCMP_ACT_ALLOW;
    }
    if (name == "SCMP_ACT_LOG") {
        return SCMP_ACT_LOG;
    }
    if (name == "SCMP_ACT_ERRNO") {
        return SCMP_ACT_ERRNO(number);
    }
    if (name == "SCMP_ACT_TRAP") {
        return SCMP_ACT_TRAP;
    }
    if (name == "SCMP_ACT_KILL_PROCESS") {
        return SCMP_ACT_KILL_PROCESS;
    }
    if (name == "SCMP_ACT_NOTIFY") {
        return SCMP_ACT_NOTIFY;
    }
    CHECK(name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD");
    return SCMP_ACT_KILL;
}

scmp_arg_cmp comparison_of(const Json& argument) {
    const auto op = argument.at("op").get<std::string>();
    scmp_arg_cmp comparison{};
    comparison.arg = argument.value("index", 0U);
    comparison.datum_a = argument.value("value", std::uint64_t{0});
    comparison.datum_b = argument.value("valueTwo", std::uint64_t{0});
    if (op == "SCMP_CMP_EQ") {
        comparison.op = SCMP_CMP_EQ;
    } else if (op == "SCMP_CMP_NE") {
        comparison.op = SCMP_CMP_NE;
    } else if (op == "SCMP_CMP_LT") {
        comparison.op = SCMP_CMP_LT;
    } else if (op == "SCMP_CMP_LE") {
        comparison.op = SCMP_CMP_LE;
    } else if (op == "SCMP_CMP_GE") {
        comparison.op = SCMP_CMP_GE;
    } else if (op == "SCMP_CMP_GT") {
        comparison.op = SCMP_CMP_GT;
    } else {
        CHECK(op == "SCMP_CMP_MASKED_EQ");
        comparison.op = SCMP_CMP_MASKED_EQ;
    }
    return comparison;
}

int add_call(scmp_filter_ctx filter, std::uint32_t action, int number, const Json& args) {
    std::vector<scmp_arg_cmp> comparisons;
    std::set<unsigned> registers;
    for (const Json& argument : args) {
        comparisons.push_back(comparison_of(argument));
        registers.insert(comparisons.back().arg);
    }
    if (registers.size() == comparisons.size()) {
        return seccomp_rule_add_array(
            filter, action, number, static_cast<unsigned>(comparisons.size()), comparisons.data());
    }
    for (const scmp_arg_cmp& comparison : comparisons) {
        if (const int rc = seccomp_rule_add_array(filter, action, number, 1, &comparison);
            rc != 0) {
            return rc;
        }
    }
    return 0;
}

Result<> add_rules(scmp_filter_ctx filter, const Json& seccomp, std::uint32_t default_action) {
    for (const Json& rule : seccomp.value("syscalls", Json::array())) {
        const std::uint32_t action = action_of(rule, "action", "errnoRet");
        if (action == default_action) {
            continue;
        }
        for (const Json& name : rule.at("names")) {
            const int number = seccomp_syscall_resolve_name(name.get<std::string>().c_str());
            if (number == __NR_SCMP_ERROR) {
                continue;
            }
            const int rc = add_call(filter, action, number, rule.value("args", Json::array()));
            if (rc != 0) {
                return Error{-rc, "seccomp_rule_add " + name.get<std::string>()};
            }
        }
    }
    return Ok{};
}

Result<> add_architectures(scmp_filter_ctx filter, const Json& seccomp) {
    for (const Json& item : seccomp.value("architectures", Json::array())) {
        std::string name = item.get<std::string>().substr(std::strlen("SCMP_ARCH_"));
        std::ranges::transform(name, name.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const std::uint32_t token = seccomp_arch_resolve_name(name.c_str());
        CHECK(token != 0);
        if (const int rc = seccomp_arch_add(filter, token); rc != 0 && rc != -EEXIST) {
            return Error{-rc, "seccomp_arch_add " + name};
        }
    }
    return Ok{};
}

std::vector<sock_filter> exported(scmp_filter_ctx filter) {
    const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
    CHECK(file.valid() && seccomp_export_bpf(filter, file.get()) == 0);
    CHECK(::lseek(file.get(), 0, SEEK_SET) == 0);
    const auto bytes = read_all(file.get(), std::size_t{1} << 20U);
    CHECK(bytes.has_value() && bytes->size() % sizeof(sock_filter) == 0);
    std::vector<sock_filter> program(bytes->size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes->data(), bytes->size());
    return program;
}

std::uint32_t load_word(const seccomp_data& data, std::uint32_t offset) {
    CHECK(offset + sizeof(std::uint32_t) <= sizeof data);
    std::uint32_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
    return word;
}

}  // namespace

Result<std::vector<sock_filter>> build_filter(const Json& seccomp, FilterTree tree) {
    const std::uint32_t default_action = action_of(seccomp, "defaultAction", "defaultErrnoRet");
    const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(default_action),
                                                        &seccomp_release);
    CHECK(filter != nullptr);
    if (auto added = add_architectures(filter.get(), seccomp); !added) {
        return added.error();
    }
    if (tree == FilterTree::kBinary) {
        CHECK(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0);
    }
    if (auto added = add_rules(filter.get(), seccomp, default_action); !added) {
        return added.error();
    }
    return exported(filter.get());
}

std::uint32_t filter_answer(const std::vector<sock_filter>& program, const FilteredCall& call) {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = call.arch;
    std::copy(call.args.begin(), call.args.end(), &data.args[0]);
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        const auto jump = [&](bool condition) { at += condition ? step.jt : step.jf; };
        switch (step.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                accumulator = load_word(data, step.k);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                accumulator &= step.k;
                break;
            case BPF_JMP | BPF_JA:
                at += step.k;
                break;
            case BPF_JMP | BPF_JEQ | BPF_K:
                jump(accumulator == step.k);
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                jump(accumulator > step.k);
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                jump(accumulator >= step.k);
                break;
            case BPF_JMP | BPF_JSET | BPF_K:
                jump((accumulator & step.k) != 0);
                break;
            case BPF_RET | BPF_K:
                return step.k;
            default:
                CHECK(!"an instruction that libseccomp does not write");
        }
    }
    CHECK(!"a program without an end");
    return SECCOMP_RET_KILL_PROCESS;
}

}  // namespace execseal
