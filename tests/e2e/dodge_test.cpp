// The dodge suite: ways around each shipped policy, by name, link, loader, script, interpreter,
// alias and configuration, on real programs. A case is won without the policy (the control), is not
// won with it, and a neighbour of it, an honest use, works with the policy.
//
// The cases of a batch share one container with and one without the policy; dodge_driver.c makes
// their execs, one after the other. Each batch is one ctest entry.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/dodge_cases.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using dodge::Batch;
using dodge::Case;
using dodge::Exec;
using dodge::Place;

struct Result {
    int error = -1;  // errno of the exec, 0 if it was made
    int status = -1;
    std::string output;
};
using Results = std::map<std::string, Result>;
using Refs = std::map<std::string, std::string>;

std::string checked(const std::vector<std::string>& argv, const Scratch& scratch) {
    const Outcome outcome = run({.argv = argv}, scratch.path());
    if (outcome.exit_code != 0) {
        throw std::runtime_error(argv[0] + ": " + outcome.text());
    }
    return outcome.out;
}

void put(std::string& plan, const std::string& key, const std::string& value) {
    plan += key + '\0' + value + '\0';
}

void put(std::string& plan, const Exec& exec, const std::string& name) {
    for (const auto& [key, value] : exec.before) {
        put(plan, key, value);
    }
    for (const std::string& word : exec.argv) {
        put(plan, "arg", word);
    }
    for (const char* variable : {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}) {
        put(plan, "env", variable);
    }
    for (const std::string& variable : exec.env) {
        put(plan, "env", variable);
    }
    if (!exec.cwd.empty()) {
        put(plan, "cwd", exec.cwd);
    }
    if (exec.in) {
        put(plan, "in", *exec.in);
    }
    put(plan, "run", name);
}

Results results_of(const std::string& text) {
    Results results;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = text.find('\n', at);
        std::istringstream line(text.substr(at, end - at));
        std::string name;
        Result result;
        std::size_t length = 0;
        if (end == std::string::npos ||
            !(line >> name >> result.error >> result.status >> length)) {
            ADD_FAILURE() << "the driver says " << text.substr(at, 200);
            return results;
        }
        result.output = text.substr(end + 1, length);
        results[name] = std::move(result);
        at = end + 1 + length;
    }
    return results;
}

// A git repository whose main has two commits, a remote one with branches a case can push to, and
// the servers in front of it.
class Repositories {
  public:
    Repositories(const fs::path& folder, const std::vector<Case>& cases, const Scratch& scratch)
        : folder_(folder), scratch_(scratch) {
        std::string script =
            "cd " + folder.string() +
            " && git init -q -b main work && git init -q --bare -b main remote.git && cd work &&"
            " git config user.name T && git config user.email t@example.org &&"
            " git -C ../remote.git config http.receivepack true &&"
            " git commit -q --allow-empty -m one && git commit -q --allow-empty -m two &&"
            " git push -q ../remote.git main";
        for (const Case& one : cases) {
            if (one.ref.starts_with("old-")) {
                script += " main:" + one.ref;
            }
        }
        script +=
            " && git reset -q --hard HEAD~1 && git commit -q --allow-empty -m three &&"
            " git remote add origin /srv/remote.git";
        checked({"sh", "-c", script}, scratch);
        server_ = std::make_unique<Running>(
            Command{.argv = {EXECSEAL_SOURCE_DIR "/tests/e2e/git_server.py", folder}},
            scratch.path());
        if (!eventually([&] { return server_->out().ends_with('\n'); }, kDeadline)) {
            throw std::runtime_error("git_server.py: " + server_->err());
        }
        std::istringstream ports(server_->out());
        ports >> git_port_ >> http_port_;
    }

    // @GIT@ and @HTTP@ are where the remote repository is served.
    [[nodiscard]] std::string with_addresses(std::string text) const {
        for (const auto& [mark, address] :
             {std::pair{"@GIT@", "git://127.0.0.1:" + git_port_ + "/remote.git"},
              std::pair{"@HTTP@", "http://127.0.0.1:" + http_port_ + "/remote.git"}}) {
            for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
                text.replace(at, std::string(mark).size(), address);
            }
        }
        return text;
    }
    [[nodiscard]] Refs refs() const {
        Refs refs;
        std::istringstream lines(
            checked({"git", "-c", "safe.directory=*", "--git-dir", folder_ / "remote.git",
                     "for-each-ref", "--format=%(refname:short) %(objectname)"},
                    scratch_));
        std::string name;
        std::string object;
        while (lines >> name >> object) {
            refs[name] = object;
        }
        return refs;
    }

  private:
    fs::path folder_;
    const Scratch& scratch_;
    std::unique_ptr<Running> server_;
    std::string git_port_;
    std::string http_port_;
};

Exec with_addresses(Exec exec, const Repositories& repositories) {
    for (auto* list : {&exec.argv, &exec.env}) {
        for (std::string& word : *list) {
            word = repositories.with_addresses(word);
        }
    }
    for (auto& [key, value] : exec.before) {
        value = repositories.with_addresses(value);
    }
    if (exec.in) {
        exec.in = repositories.with_addresses(*exec.in);
    }
    return exec;
}

// What a container of a batch runs under, and what in it.
struct Seal {
    nlohmann::ordered_json policy;
    std::string mode = "enforce";
    bool dodges = true;  // besides the honest uses
};

nlohmann::ordered_json shipped(const Batch& batch) {
    return nlohmann::ordered_json::parse(
        read_file(EXECSEAL_SOURCE_DIR "/config/policies/" + batch.policy + ".json"));
}

// One container of a batch, with a policy or without, after its cases.
class Side {
  public:
    Side(const Batch& batch, const std::optional<Seal>& seal) : batch_(batch) {
        if (batch.place == Place::kDebianOverlay) {
            // The kernel wants both of one file system.
            fs::create_directories(scratch_.path() / "upper");
            fs::create_directories(scratch_.path() / "work");
        }
        Bundle bundle = make_bundle();
        std::optional<Repositories> repositories;
        if (batch.git) {
            repositories.emplace(bundle.rootfs() / "srv", batch.cases, scratch_);
            before_ = repositories->refs();
        }
        write_plan(bundle, seal, repositories);
        Runtime runtime{.engine = batch.engine};
        std::optional<Node> node;
        if (seal) {
            const std::string name = seal->policy["name"];
            node.emplace(scratch_, batch.engine);
            node->settings()["audit"]["events_per_second"] = 0;
            node->policy(name, seal->policy);
            node->write();
            runtime = node->runtime();
            bundle.annotation("io.execseal.policy", name)
                .annotation("io.execseal.mode", seal->mode);
        }
        bundle.write();
        Container container(runtime, bundle, scratch_);
        const Outcome outcome = container.run(std::chrono::minutes{5});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
        results_ = results_of(outcome.out);
        if (repositories) {
            after_ = repositories->refs();
        }
    }

    [[nodiscard]] fs::path audit_file() const { return scratch_.path() / "audit.jsonl"; }
    [[nodiscard]] const Result& result(const std::string& name) const {
        static const Result kNone;
        const auto found = results_.find(name);
        return found == results_.end() ? kNone : found->second;
    }
    [[nodiscard]] bool won(const Case& one) const {
        if (!one.ref.empty()) {
            return ref(before_, one.ref) != ref(after_, one.ref);
        }
        return result(one.name).output.find(one.sign) != std::string::npos;
    }
    [[nodiscard]] bool honest(const Case& one) const {
        if (!one.honest_ref.empty()) {
            return ref(before_, one.honest_ref) != ref(after_, one.honest_ref);
        }
        const Result& result = this->result("honest-" + one.name);
        return result.error == 0 && result.output.find(one.honest_sign) != std::string::npos;
    }

  private:
    using Json = nlohmann::ordered_json;

    static std::string ref(const Refs& refs, const std::string& name) {
        const auto found = refs.find(name);
        return found == refs.end() ? "" : found->second;
    }

    Bundle make_bundle() {
        const bool busybox = batch_.place == Place::kBusybox;
        Bundle bundle(scratch_.path() / "b", busybox ? RootFs::kBusybox : RootFs::kHostUsr);
        // Where the policies let it start.
        driver_ = batch_.driver;
        bundle.rights(Rights::kDocker).program("dodge_driver", driver_).args({driver_, "/plan"});
        if (!busybox) {
            for (const char* name : {"which", "awk"}) {
                fs::create_directories(bundle.rootfs() / "etc/alternatives");
                fs::copy_symlink(fs::path("/etc/alternatives") / name,
                                 bundle.rootfs() / "etc/alternatives" / name);
            }
        }
        if (batch_.place == Place::kDebianOverlay) {
            for (Json& mount : bundle.config()["mounts"]) {
                if (mount["destination"] == "/usr") {
                    mount = {{"destination", "/usr"},
                             {"type", "overlay"},
                             {"source", "overlay"},
                             {"options",
                              {"lowerdir=/usr", "upperdir=" + (scratch_.path() / "upper").string(),
                               "workdir=" + (scratch_.path() / "work").string()}}};
                }
            }
        }
        if (batch_.git) {
            Json& namespaces = bundle.config()["linux"]["namespaces"];
            for (std::size_t i = 0; i < namespaces.size(); ++i) {
                if (namespaces[i]["type"] == "network") {
                    namespaces.erase(i);
                    break;
                }
            }
        }
        if (batch_.uid != 0) {
            bundle.config()["process"]["user"] = {{"uid", batch_.uid}, {"gid", batch_.uid}};
            fs::create_directories(bundle.rootfs() / "data");
            if (chown((bundle.rootfs() / "data").c_str(), batch_.uid, batch_.uid) != 0) {
                throw std::runtime_error("chown of data");
            }
        }
        if (batch_.library) {
            bundle.program("dodge_library", dodge::kLibrary);
        }
        for (const auto& [path, text] : batch_.files) {
            bundle.file(path, text, 0755);
        }
        return bundle;
    }

    void write_plan(Bundle& bundle, const std::optional<Seal>& seal,
                    const std::optional<Repositories>& servers) const {
        const auto exec_of = [&](const Exec& exec) {
            return servers ? with_addresses(exec, *servers) : exec;
        };
        std::string plan;
        std::size_t number = 0;
        for (const Exec& exec : batch_.setup) {
            put(plan, exec_of(exec), "setup-" + std::to_string(number++));
        }
        for (const Case& one : batch_.cases) {
            if (!seal || seal->dodges) {
                put(plan, exec_of(one.dodge), one.name);
            }
            if (seal) {
                put(plan, exec_of(one.honest), "honest-" + one.name);
            }
        }
        number = 0;
        for (const Exec& exec : batch_.end) {
            put(plan, exec_of(exec), "end-" + std::to_string(number++));
        }
        bundle.file("/plan", plan);
    }

    const Batch& batch_;
    Scratch scratch_;
    std::string driver_;
    Results results_;
    Refs before_;
    Refs after_;
};

// Run when the first of its cases asks.
struct Both {
    explicit Both(const Batch& batch)
        : bare(batch, std::nullopt), sealed(batch, Seal{shipped(batch)}) {}
    Side bare;
    Side sealed;
};

const Both& both_of(const Batch& batch) {
    static std::map<std::string, std::unique_ptr<Both>> all;
    auto& both = all[batch.name];
    if (!both) {
        both = std::make_unique<Both>(batch);
    }
    return *both;
}

struct Param {
    const Batch* batch;
    const Case* one;
};

std::vector<Param> all_cases() {
    std::vector<Param> params;
    for (const Batch& batch : dodge::batches()) {
        for (const Case& one : batch.cases) {
            params.push_back({&batch, &one});
        }
    }
    return params;
}

std::string text_of(const Result& result) {
    return "errno " + std::to_string(result.error) + ", status " + std::to_string(result.status) +
           ": " + result.output;
}

class Dodge : public testing::TestWithParam<Param> {};

TEST_P(Dodge, IsRefusedAndHonestUsePasses) {
    const Batch& batch = *GetParam().batch;
    const Case& one = *GetParam().one;
    const Both& both = both_of(batch);
    EXPECT_TRUE(both.bare.won(one))
        << "without the policy: " << text_of(both.bare.result(one.name));
    EXPECT_FALSE(both.sealed.won(one)) << text_of(both.sealed.result(one.name));
    EXPECT_NE(both.sealed.result(one.name).error, -1) << "it was not tried";
    EXPECT_TRUE(both.sealed.honest(one)) << text_of(both.sealed.result("honest-" + one.name));
}

INSTANTIATE_TEST_SUITE_P(All, Dodge, testing::ValuesIn(all_cases()), [](const auto& param) {
    std::string name = param.param.batch->name + "_" + param.param.one->name;
    for (char& letter : name) {
        letter = isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
    }
    return name;
});

// The honest uses of a batch are recorded and a policy is learnt from them. It refuses each dodge,
// and lets the honest uses pass when they come again, on other data. That each dodge is won where
// nothing refuses it is seen by Dodge, above.
class LearntDodge : public testing::TestWithParam<const char*> {
  protected:
    // With a rule of a person's own for the driver, which is no part of what is learnt.
    static nlohmann::ordered_json learnt_from(const Side& recorded, const Batch& batch) {
        const Scratch scratch;
        const nlohmann::ordered_json own{
            {"apiVersion", "execseal/v1"},
            {"name", "learnt"},
            {"default", "deny"},
            {"rules", {{{"id", "driver"}, {"verdict", "allow"}, {"exe", batch.driver}}}}};
        const fs::path policy = scratch.path() / "learnt.json";
        write_file(policy, own.dump(2));
        const Outcome learnt = run(
            {.argv = {EXECSEAL_CLI, "policy", "learn", recorded.audit_file(), "--into", policy}},
            scratch.path());
        EXPECT_EQ(learnt.exit_code, 0) << learnt.err;
        return nlohmann::ordered_json::parse(read_file(policy));
    }
};

TEST_P(LearntDodge, IsRefusedByWhatHonestUseTaught) {
    const auto& all = dodge::batches();
    const auto batch = std::find_if(all.begin(), all.end(),
                                    [](const Batch& one) { return one.name == GetParam(); });
    ASSERT_NE(batch, all.end());
    nlohmann::ordered_json nothing = shipped(*batch);
    nothing["default"] = "deny";
    nothing["rules"] = nlohmann::ordered_json::array();
    const Side recorded(*batch, Seal{nothing, "learn", false});
    const Side sealed(*batch, Seal{learnt_from(recorded, *batch)});
    for (const Case& one : batch->cases) {
        EXPECT_TRUE(recorded.honest(one)) << one.name << ": recorded";
        EXPECT_FALSE(sealed.won(one)) << one.name << ": " << text_of(sealed.result(one.name));
        EXPECT_NE(sealed.result(one.name).error, -1) << one.name << ": it was not tried";
        EXPECT_TRUE(sealed.honest(one))
            << one.name << ": " << text_of(sealed.result("honest-" + one.name));
    }
}

INSTANTIATE_TEST_SUITE_P(All, LearntDodge,
                         testing::Values("CiNoPush", "CiNoForcePush", "Postgres", "AgentImageOnly",
                                         "NoShellsDebian", "NoShellsStarters"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace execseal::e2e
