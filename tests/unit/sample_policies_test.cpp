// What the shipped policies decide: exec -> verdict and rule, each denial beside a neighbour that
// passes.
#include <gtest/gtest.h>

#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

using test::exec_of;
using test::verdict_of;
using Words = std::vector<std::string>;

class Sample : public testing::Test {
  protected:
    static Policy load(const std::string& name) {
        auto policy = Policy::load(EXECSEAL_SOURCE_DIR "/config/policies/" + name + ".json");
        EXPECT_TRUE(policy.has_value()) << policy.error().text();
        return std::move(policy).value();
    }

    static ExecFacts with_env(ExecFacts facts, const std::string& variable) {
        facts.env.push_back(variable);
        return facts;
    }
    static ExecFacts with_view(ExecFacts facts, ViewRole role, const std::string& exe, Words argv) {
        facts.views.push_back({role, exe, std::move(argv)});
        return facts;
    }
};

TEST_F(Sample, Demo) {
    const Policy policy = load("demo");
    const auto verdict = [&](const ExecFacts& facts) { return verdict_of(policy, facts); };
    EXPECT_EQ(verdict(exec_of("/bin/echo", {"hello"})), "allow harmless-tools");
    EXPECT_EQ(verdict(exec_of("/bin/sh", {"-c", "echo"}, Via::kEntrypoint)), "allow first-shell");
    EXPECT_EQ(verdict(exec_of("/bin/sh", {}, Via::kExec)), "deny default");
    EXPECT_EQ(verdict(exec_of("/bin/wget", {"http://x"})), "deny no-network-tools");
    EXPECT_EQ(verdict(exec_of("/bin/nc")), "deny no-network-tools");
    for (const Words& words : {Words{"-rf", "/"}, Words{"-f", "-R", "/x"}, Words{"--recursive"},
                               Words{"-fr", "/"}, Words{"--recurs", "/"}}) {
        EXPECT_EQ(verdict(exec_of("/bin/rm", words)), "deny no-rm-rf");
    }
    EXPECT_EQ(verdict(exec_of("/bin/rm", {"-f", "/tmp/x"})), "audit watched-tools");
    EXPECT_EQ(verdict(exec_of("/tmp/echo")), "deny default");
    EXPECT_EQ(verdict(with_env(exec_of("/bin/ls"), "LD_PRELOAD=/tmp/x.so")), "kill no-preload");
    // busybox by its applet: the multi-call view is what a denial sees, too.
    const auto applet = [&](const std::string& name, const Words& words) {
        Words whole{"busybox", name};
        whole.insert(whole.end(), words.begin(), words.end());
        return verdict(
            with_view(exec_of("/bin/" + name, words), ViewRole::kMultiCall, "/bin/busybox", whole));
    };
    EXPECT_EQ(applet("ls", {}), "allow harmless-tools");
    EXPECT_EQ(applet("wget", {"x"}), "deny no-network-tools");
    EXPECT_EQ(applet("rm", {"-rf", "/"}), "deny no-rm-rf");
}

TEST_F(Sample, NoShells) {
    const Policy policy = load("no-shells");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/dash")), "deny shell");
    EXPECT_EQ(verdict_of(policy, exec_of("/opt/x/bash5")), "deny shell");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/bashful")), "allow default");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/ssh")), "allow default");
    EXPECT_EQ(verdict_of(policy, exec_of("memfd:sh")), "deny shell-from-memory");
    const ExecFacts script = exec_of("/app/run.sh");
    EXPECT_EQ(verdict_of(policy, script), "allow default");
    EXPECT_EQ(verdict_of(policy, with_view(script, ViewRole::kInterpreter, "/usr/bin/dash",
                                           {"/bin/sh", "/app/run.sh"})),
              "deny shell");
    EXPECT_EQ(verdict_of(policy, with_view(script, ViewRole::kInterpreter, "/usr/bin/python3",
                                           {"/usr/bin/python3", "/app/run.sh"})),
              "allow default");
}

TEST_F(Sample, Postgres) {
    const Policy policy = load("postgres");
    const auto through_exec = [&](const std::string& exe) {
        return verdict_of(policy, exec_of(exe, {}, Via::kExec));
    };
    EXPECT_EQ(through_exec("/usr/lib/postgresql/16/bin/pg_dump"), "allow exec-pg-tools");
    EXPECT_EQ(through_exec("/usr/local/bin/pg_isready"), "allow exec-pg-tools");
    EXPECT_EQ(through_exec("/usr/lib/postgresql/16/bin/psql"), "deny exec-nothing-else");
    EXPECT_EQ(through_exec("/usr/lib/postgresql/16/bin/pg_ctl"), "deny exec-nothing-else");
    EXPECT_EQ(through_exec("/bin/sh"), "deny exec-nothing-else");
    EXPECT_EQ(through_exec("/tmp/pg_dump"), "deny exec-nothing-else");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/local/bin/pg_dump", {}, Via::kExec),
                                          "LD_PRELOAD=/tmp/x")),
              "deny exec-nothing-else");
    EXPECT_EQ(
        verdict_of(policy, exec_of("/usr/local/bin/docker-entrypoint.sh", {}, Via::kEntrypoint)),
        "allow default");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/dash", {"-c", "postgres -V"})), "allow default");
    ExecFacts copy_to_program = exec_of("/usr/bin/dash", {"-c", "curl x"});
    copy_to_program.cwd = "/var/lib/postgresql/data";
    EXPECT_EQ(verdict_of(policy, copy_to_program), "deny no-program-from-sql");
    ExecFacts backend = exec_of("/usr/lib/postgresql/16/bin/postgres");
    backend.cwd = "/var/lib/postgresql/data";
    EXPECT_EQ(verdict_of(policy, backend), "allow default");
}

TEST_F(Sample, CiNoPush) {
    const Policy policy = load("ci-no-push");
    const auto git = [&](const Words& words) {
        return verdict_of(policy, exec_of("/usr/bin/git", words));
    };
    for (const Words& words :
         {Words{"status"}, Words{"-C", "x", "fetch", "origin"}, Words{"commit", "-m", "push"},
          Words{"-c", "a.b=push", "pull"}, Words{"clone", "https://x/push"}}) {
        EXPECT_EQ(git(words), "allow default");
    }
    for (const Words& words :
         {Words{"push"}, Words{"-C", "x", "push", "-f"}, Words{"-c", "a=b", "--git-dir=x", "push"},
          Words{"--no-pager", "push", "origin", "+main"}, Words{"--new-flag", "push"},
          Words{"send-pack", "--all"}}) {
        EXPECT_EQ(git(words), "deny no-push");
    }
    ExecFacts renamed = exec_of("/usr/bin/git", {"origin"});
    renamed.views[0].argv[0] = "git-push";
    EXPECT_EQ(verdict_of(policy, renamed), "deny no-push-by-name");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/lib/git-core/git-push")), "deny no-push-program");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/ssh", {"h", "git-receive-pack 'x'"})),
              "deny no-receive-pack");
    EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/ssh", {"h", "git-upload-pack 'x'"})),
              "allow default");
}

TEST_F(Sample, CiNoForcePush) {
    const Policy policy = load("ci-no-force-push");
    const auto git = [&](const Words& words) {
        return verdict_of(policy, exec_of("/usr/bin/git", words));
    };
    for (const Words& words :
         {Words{"push"}, Words{"-C", "x", "push", "-u", "origin", "main"}, Words{"clean", "-f"},
          Words{"branch", "-f", "main"}, Words{"push", "origin", "HEAD:main"},
          Words{"fetch", "origin", "+refs/*:refs/*"}, Words{"push", "--follow-tags"}}) {
        EXPECT_EQ(git(words), "allow default") << words.front();
    }
    for (const Words& words :
         {Words{"push", "-f"}, Words{"-C", "x", "push", "-f"}, Words{"push", "origin", "-uf"},
          Words{"push", "--force"}, Words{"push", "--forc"}, Words{"push", "--force-with-lease=a"},
          Words{"push", "--mirror"}, Words{"push", "-d", "origin", "main"},
          Words{"--unknown", "x", "push", "-f"}}) {
        EXPECT_EQ(git(words), "deny no-force");
    }
    EXPECT_EQ(git({"push", "origin", "+main"}), "deny no-force-refspec");
    EXPECT_EQ(git({"-C", "x", "push", "origin", ":main"}), "deny no-force-refspec");
    EXPECT_EQ(git({"-c", "alias.p=push -f", "p"}), "deny no-alias");
    EXPECT_EQ(git({"config", "remote.origin.push", "+refs/*"}), "deny no-alias");
    EXPECT_EQ(git({"config", "remote.origin.url", "x"}), "allow default");
    EXPECT_EQ(
        verdict_of(policy, with_env(exec_of("/usr/bin/git", {"p"}), "GIT_CONFIG_KEY_0=alias.p")),
        "deny no-alias-from-env");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/git", {"p"}),
                                          "GIT_CONFIG_PARAMETERS='alias.p'='push -f'")),
              "deny no-alias-from-parameters");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/git", {"fetch"}),
                                          "GIT_CONFIG_PARAMETERS='protocol.version'='2'")),
              "allow default");
}

TEST_F(Sample, AgentImageOnly) {
    const Policy policy = load("agent-image-only");
    const auto verdict = [&](const std::string& exe, const Words& words = {}) {
        return verdict_of(policy, exec_of(exe, words));
    };
    EXPECT_EQ(verdict("/usr/bin/make", {"-j2"}), "allow image-programs");
    EXPECT_EQ(verdict("/usr/lib/git-core/git", {"status"}), "allow image-programs");
    EXPECT_EQ(verdict("/usr/bin/bash", {"-c", "ls"}), "allow image-programs");
    for (const std::string exe :
         {"/tmp/x", "/workspace/a.out", "/home/u/.local/bin/x", "memfd:x", "/usr/bin/x (deleted)",
          "unreachable:/usr/bin/x", "other-mounts:/usr/bin/x"}) {
        EXPECT_EQ(verdict(exe), "deny default") << exe;
    }
    EXPECT_EQ(verdict("/usr/bin/python3.11", {"-c", "x"}), "deny python-inline-code");
    EXPECT_EQ(verdict("/usr/bin/python3.11", {"-B", "-Wx", "-Ic", "x"}), "deny python-inline-code");
    EXPECT_EQ(verdict("/usr/bin/python3.11", {"x.py", "-c", "conf"}), "allow image-programs");
    EXPECT_EQ(verdict("/usr/bin/python3.11", {"-"}), "deny code-from-stdin");
    EXPECT_EQ(verdict("/usr/bin/perl", {"-ne", "x"}), "deny script-inline-code");
    EXPECT_EQ(verdict("/usr/local/bin/node", {"--eval=x"}), "deny script-inline-code");
    EXPECT_EQ(verdict("/usr/local/bin/node", {"app.js", "-e"}), "allow image-programs");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/ls"), "LD_PRELOAD=x")),
              "deny code-through-the-loader");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/bash"), "BASH_ENV=x")),
              "deny code-through-shell-startup");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/node"), "NODE_OPTIONS=--require x")),
              "deny code-through-node-options");
    EXPECT_EQ(verdict_of(policy, with_env(exec_of("/usr/bin/node"), "NODE_OPTIONS=--no-warnings")),
              "allow image-programs");
    // Through the loader it is still the program that counts, and its preload is seen.
    const std::string loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    EXPECT_EQ(verdict_of(policy, with_view(exec_of("/usr/bin/ls"), ViewRole::kLoader, loader,
                                           {"ld.so", "/usr/bin/ls"})),
              "allow image-programs");
    EXPECT_EQ(verdict_of(policy, with_view(exec_of("/tmp/x"), ViewRole::kLoader, loader,
                                           {"ld.so", "/tmp/x"})),
              "deny default");
    EXPECT_EQ(verdict_of(policy, with_view(exec_of("/usr/bin/ls"), ViewRole::kLoader, loader,
                                           {"ld.so", "--preload", "/tmp/x.so", "/usr/bin/ls"})),
              "deny loader-options");
}

}  // namespace
}  // namespace execseal
