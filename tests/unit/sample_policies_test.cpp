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
    for (const std::string name :
         {"sh",   "ash",  "bash", "bash5",       "bash-5.2",   "bash-static",
          "dash", "hush", "lash", "posh",        "sash",       "toysh",
          "osh",  "ysh",  "oksh", "mksh-static", "ksh93",      "zsh-5.9",
          "tcsh", "fish", "csh",  "bsd-csh",     "sh.distrib", "bash.distrib",
          "pwsh", "nu",   "rc",   "cttyhack"}) {
        EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/" + name)), "deny shell") << name;
    }
    for (const std::string name : {"bashful", "ssh", "git-sh-setup", "dash-server", "fish.py",
                                   "run.sh", "push", "flush", "python3", "busybox"}) {
        EXPECT_EQ(verdict_of(policy, exec_of("/usr/bin/" + name)), "allow default") << name;
    }
    EXPECT_EQ(verdict_of(policy, exec_of("/opt/x/bash5")), "deny shell");
    EXPECT_EQ(verdict_of(policy, exec_of("memfd:x")), "deny shell-from-memory");
    const ExecFacts script = exec_of("/app/run.sh");
    EXPECT_EQ(verdict_of(policy, script), "allow default");
    EXPECT_EQ(verdict_of(policy, with_view(script, ViewRole::kInterpreter, "/usr/bin/dash",
                                           {"/bin/sh", "/app/run.sh"})),
              "deny shell");
    EXPECT_EQ(verdict_of(policy, with_view(script, ViewRole::kInterpreter, "/usr/bin/python3",
                                           {"/usr/bin/python3", "/app/run.sh"})),
              "allow default");
}

TEST_F(Sample, PostgresThroughExec) {
    const Policy policy = load("postgres");
    const auto through_exec = [&](const std::string& exe, const Words& words = {}) {
        return verdict_of(policy, exec_of(exe, words, Via::kExec));
    };
    const auto dump_with = [&](const std::string& variable) {
        return verdict_of(policy,
                          with_env(exec_of("/usr/local/bin/pg_dump", {}, Via::kExec), variable));
    };
    EXPECT_EQ(through_exec("/usr/lib/postgresql/16/bin/pg_dump"), "allow exec-pg-tools");
    EXPECT_EQ(through_exec("/usr/local/bin/pg_isready"), "allow exec-pg-tools");
    EXPECT_EQ(through_exec("/usr/local/bin/pg_dump",
                           {"-d", "postgresql://u:p@h/db?sslmode=off", "-t", "customer_service"}),
              "allow exec-pg-tools");
    EXPECT_EQ(dump_with("PGPASSWORD=x"), "allow exec-pg-tools");
    EXPECT_EQ(dump_with("LC_ALL=C"), "allow exec-pg-tools");
    for (const std::string program :
         {"/usr/lib/postgresql/16/bin/psql", "/usr/lib/postgresql/16/bin/pg_ctl",
          "/usr/lib/postgresql/16/bin/pg_rewind", "/usr/lib/postgresql/16/bin/pgbench",
          "/usr/bin/pg_dump", "/bin/sh", "/tmp/pg_dump", "memfd:pg_dump"}) {
        EXPECT_EQ(through_exec(program), "deny exec-nothing-else") << program;
    }
    // A script, or a program of another loader, in a tool's place.
    EXPECT_EQ(verdict_of(policy, with_view(exec_of("/usr/local/bin/pg_dump", {}, Via::kExec),
                                           ViewRole::kInterpreter, "/usr/bin/perl",
                                           {"/usr/bin/perl", "/usr/local/bin/pg_dump"})),
              "deny exec-nothing-else");
    for (const std::string variable :
         {"LD_PRELOAD=/tmp/x", "OPENSSL_CONF=/tmp/x", "GCONV_PATH=/tmp", "KRB5_CONFIG=/tmp/x",
          "PGSERVICEFILE=/tmp/x", "PGSSLKEY=engine:x", "LANGUAGE=../../tmp", "NOVALUE"}) {
        EXPECT_EQ(dump_with(variable), "deny exec-not-like-this") << variable;
    }
    EXPECT_EQ(dump_with("PGDATABASE=sslkey=dynamic:x"),
              "deny exec-with-connection-string-from-env");
    for (const Words& words :
         {Words{"-d", "host=h sslkey=dynamic:x"}, Words{"-d", "service = evil"},
          Words{"-d", "postgresql://h/db?ssl%6Bey=x:y"}, Words{"-d", "dbname='ssl\\key=x:y'"}}) {
        EXPECT_EQ(through_exec("/usr/local/bin/pg_dump", words), "deny exec-not-like-this");
    }
}

TEST_F(Sample, PostgresInside) {
    const Policy policy = load("postgres");
    const auto as = [&](uid_t uid, ExecFacts facts) {
        facts.uid = uid;
        return verdict_of(policy, facts);
    };
    const std::string script = "/usr/local/bin/docker-entrypoint.sh";
    EXPECT_EQ(as(0, exec_of(script, {"postgres"}, Via::kEntrypoint)), "allow start");
    EXPECT_EQ(as(0, exec_of("/usr/bin/find", {"/d", "-exec", "chown", "postgres", "{}", "+"})),
              "allow root-at-start");
    EXPECT_EQ(as(0, exec_of("/usr/local/bin/gosu", {"postgres", script, "postgres"})),
              "allow root-at-start");
    EXPECT_EQ(as(999, exec_of(script, {"postgres"})), "allow start-script");
    EXPECT_EQ(as(999, exec_of("/usr/bin/bash", {script, "postgres"})),
              "allow start-script-in-bash");
    EXPECT_EQ(as(999, exec_of("/usr/bin/id", {"-u"})), "allow small-tools");
    EXPECT_EQ(as(999, exec_of("/usr/lib/postgresql/16/bin/initdb")), "allow postgres-programs");
    const std::string wrapper = "/usr/share/postgresql-common/pg_wrapper";
    EXPECT_EQ(as(999, exec_of(wrapper, {"-c", "x"})), "allow wrapper-of-debian");
    EXPECT_EQ(as(999, with_env(exec_of(wrapper), "PERL5OPT=-Mx")), "deny default");
    EXPECT_EQ(as(999, exec_of(wrapper, {"-c", "x"}, Via::kExec)), "deny exec-nothing-else");
    EXPECT_EQ(as(999, exec_of("/usr/bin/dash", {"-c", "locale -a"})), "allow locales-for-initdb");
    const std::string server = "/usr/lib/postgresql/15/bin/postgres";
    const auto shell = [&](uid_t uid, const std::string& text) {
        return as(uid, exec_of("/usr/bin/dash", {"-c", text}));
    };
    for (const uid_t uid : {0U, 999U}) {
        for (const std::string& text : Words{
                 "\"" + server + "\" -V",
                 "\"" + server +
                     "\" --check -F -c max_connections=100 < \"/dev/null\" > "
                     "\"/dev/null\" 2>&1",
                 "\"" + server +
                     "\" --single -F -O -j -c search_path=pg_catalog template1 >/dev/null",
                 "exec \"" + server +
                     "\" -D \"/d\" -c listen_addresses=\\'\\' -p 5432 < \"/dev/null\" "
                     ">> \"/var/log/pg.log\" 2>&1",
                 std::string("\"/usr/local/bin/pg_dump\"  -Fp 'user='\"'\"'$(a)'\"'\"' dbname=x'"),
                 "\"" + server + "\" --quiet --path=\"/b/pg_wal\" --end=0/2000100\n",
                 server + " -V"}) {
            EXPECT_EQ(shell(uid, text), "allow command-of-postgres") << text;
        }
        for (const std::string& text : Words{
                 std::string("id"), "\"" + server + "\" -V; id", "\"" + server + "\" -V & id",
                 "\"" + server + "\" $(id)", "\"" + server + "\" `id`", "\"" + server + "\" | sh",
                 "\"" + server + "\" \"$(id)\"", "\"" + server + "\" \"'$(id)'\"",
                 "\"" + server + " '$(id)'\"", server + "\" '\"$(id)'", "\"" + server + "\" <(id)",
                 "\"" + server + "\" -V\nid", "\"/tmp/bin/postgres\" -V",
                 std::string("\"/usr/lib/postgresql/15/bin/pg_waldump\" --path=\"$(id)\"")}) {
            EXPECT_EQ(shell(uid, text), "deny default") << text;
        }
    }
    for (const std::string program : {"/usr/bin/perl", "/usr/bin/env", "/usr/bin/curl",
                                      "/usr/bin/find", "/tmp/x", "/usr/bin/sudo"}) {
        EXPECT_EQ(as(999, exec_of(program)), "deny default") << program;
    }
    EXPECT_EQ(as(999, with_env(exec_of("/usr/bin/bash", {script}), "BASH_ENV=/tmp/x")),
              "deny default");
}

class SampleGit : public Sample {
  protected:
    explicit SampleGit(const std::string& name) : policy_(load(name)) {}

    std::string git(const Words& words, const std::string& name = "git") const {
        ExecFacts facts = exec_of("/usr/bin/git", words);
        facts.views[0].argv[0] = name;
        return verdict_of(policy_, facts);
    }
    // What CI systems and people ask git for, all but a push.
    void expect_honest_uses() const {
        for (const Words& words :
             {Words{"status"}, Words{"-C", "x", "fetch", "origin"}, Words{"commit", "-m", "push"},
              Words{"commit", "-m", "about receive-pack"}, Words{"-c", "a.b=push", "pull"},
              Words{"clone", "https://x/push"}, Words{"stash", "push"}, Words{"help", "push"},
              Words{"-c", "protocol.version=2", "fetch", "--prune", "origin",
                    "+abc:refs/remotes/origin/main"},
              Words{"config", "--local", "--name-only", "--get-regexp", "core\\.sshCommand"},
              Words{"config", "--global", "--add", "safe.directory", "/x"},
              Words{"config", "remote.origin.url", "x"}, Words{"remote", "add", "origin", "x"},
              Words{"--git-dir=x", "log"}, Words{"submodule", "update"}, Words{"clean", "-f"},
              Words{"branch", "-f", "main"}, Words{"fetch", "origin", "+refs/*:refs/*"}}) {
            EXPECT_EQ(git(words), "allow git") << testing::PrintToString(words);
        }
        EXPECT_EQ(git({}), "allow git-usage");
        EXPECT_EQ(git({"--version"}), "allow git-information");
        EXPECT_EQ(git({"remote-https", "origin", "https://x/y"}), "allow git-http-transport");
        EXPECT_EQ(git({"bisect--helper", "--bisect-start"}), "allow git-bisect-helper");
        EXPECT_EQ(git({"/x"}, "git-upload-pack"), "allow git-by-dashed-name");
        EXPECT_EQ(verdict_of(policy_, exec_of("/usr/bin/ssh", {"h", "git-upload-pack 'x'"})),
                  "allow default");
    }
    // Ways to a push that has no word of its own.
    void expect_no_unknown_command() const {
        for (const Words& words :
             {Words{"p"}, Words{"-c", "alias.p=push", "p"}, Words{"--new-flag", "status"},
              Words{"-c", "help.autocorrect=immediate", "pussh"}, Words{"lfs", "status"},
              Words{"bisect--helper", "origin"}, Words{"remote-https", "origin", "main"},
              Words{"remote-https", "https://x/y"}, Words{"http-backend"}, Words{"subtree"}}) {
            EXPECT_EQ(git(words), "deny git-nothing-else") << testing::PrintToString(words);
        }
        EXPECT_EQ(git({"status"}, "git-frotz"), "deny git-nothing-else");
        EXPECT_EQ(git({"status"}, "x"), "deny git-nothing-else");
        // An interpreter is a program, too.
        EXPECT_EQ(verdict_of(policy_, with_view(exec_of("/w/x"), ViewRole::kInterpreter,
                                                "/usr/bin/git", {"/usr/bin/git", "p", "/w/x"})),
                  "deny git-nothing-else");
    }

    Policy policy_;
};

class SampleCiNoPush : public SampleGit {
  protected:
    SampleCiNoPush() : SampleGit("ci-no-push") {}
};

TEST_F(SampleCiNoPush, HonestUses) {
    expect_honest_uses();
}

TEST_F(SampleCiNoPush, NoPush) {
    expect_no_unknown_command();
    for (const Words& words :
         {Words{"push"}, Words{"-C", "x", "push", "-f"}, Words{"-c", "a=b", "--git-dir=x", "push"},
          Words{"--no-pager", "push", "origin", "+main"}, Words{"--new-flag", "push"},
          Words{"send-pack", "--all"}, Words{"http-push"}, Words{"receive-pack", "x"}}) {
        EXPECT_EQ(git(words), "deny no-push");
    }
    EXPECT_EQ(git({"status"}, "git-push"), "deny no-push-by-name");
    EXPECT_EQ(git({"status"}, "/x/git-push"), "deny no-push-by-name");
    EXPECT_EQ(verdict_of(policy_, exec_of("/usr/lib/git-core/git-push")), "deny no-push-program");
    ExecFacts farm = exec_of("/usr/local/libexec/git-core/git-status", {"push"});
    farm.views[0].argv[0] = "git";
    EXPECT_EQ(verdict_of(policy_, farm), "deny git-nothing-else");
    EXPECT_EQ(verdict_of(policy_, exec_of("/usr/bin/ssh", {"h", "git-receive-pack 'x'"})),
              "deny no-receive-pack");
    EXPECT_EQ(verdict_of(policy_, exec_of("/tmp/vcs", {"-C", "x", "push", "origin"})),
              "deny no-push-by-copy");
    EXPECT_EQ(verdict_of(policy_, exec_of("/usr/bin/docker", {"push", "x"})), "allow default");
    EXPECT_EQ(verdict_of(policy_, exec_of("/w/build.sh", {"release"})), "allow default");
}

class SampleCiNoForcePush : public SampleGit {
  protected:
    SampleCiNoForcePush() : SampleGit("ci-no-force-push") {}

    std::string push_with(const std::string& variable) const {
        return verdict_of(policy_, with_env(exec_of("/usr/bin/git", {"push", "origin"}), variable));
    }
};

TEST_F(SampleCiNoForcePush, HonestUses) {
    expect_honest_uses();
    for (const Words& words :
         {Words{"push"}, Words{"-C", "x", "push", "-u", "origin", "main"},
          Words{"push", "origin", "HEAD:main"}, Words{"push", "--follow-tags"},
          Words{"push", "--tags", "origin"}, Words{"push", "--dry-run", "origin", "main"},
          Words{"-c", "http.extraheader=x", "push", "origin", "v1"}}) {
        EXPECT_EQ(git(words), "allow git") << testing::PrintToString(words);
    }
    EXPECT_EQ(git({"x"}, "git-receive-pack"), "allow git-by-dashed-name");
    EXPECT_EQ(push_with("GIT_CONFIG_PARAMETERS='protocol.version'='2'"), "allow git");
    EXPECT_EQ(push_with("GIT_CONFIG_KEY_0=http.extraheader"), "allow git");
}

TEST_F(SampleCiNoForcePush, NoForce) {
    expect_no_unknown_command();
    for (const Words& words :
         {Words{"push", "-f"}, Words{"-C", "x", "push", "-f"}, Words{"push", "origin", "-uf"},
          Words{"push", "--force"}, Words{"push", "--forc"}, Words{"push", "--force-with-lease=a"},
          Words{"push", "--mirror"}, Words{"push", "-d", "origin", "main"},
          Words{"push", "--receive-pack=git update-ref"}, Words{"--unknown", "x", "push", "-f"}}) {
        EXPECT_EQ(git(words), "deny no-force");
    }
    EXPECT_EQ(git({"push", "origin", "+main"}), "deny no-force-refspec");
    EXPECT_EQ(git({"-C", "x", "push", "origin", ":main"}), "deny no-force-refspec");
    for (const std::string setting : {"remote.origin.push=+main", "include.path=/tmp/x",
                                      "REMOTE.origin.Mirror=true", "includeIf.gitdir:/.path=x"}) {
        EXPECT_EQ(git({"-c", setting, "push"}), "deny no-force-config") << setting;
        EXPECT_EQ(git({"--config-env=" + setting, "push"}), "deny no-force-config") << setting;
    }
    EXPECT_EQ(push_with("GIT_CONFIG_KEY_0=remote.origin.push"), "deny no-force-config-from-env");
    EXPECT_EQ(push_with("GIT_CONFIG_PARAMETERS='remote.origin.mirror'='true'"),
              "deny no-force-config-from-parameters");
    EXPECT_EQ(git({"send-pack", "--stdin", "x"}), "deny no-http-push");
    EXPECT_EQ(git({"status"}, "git-push"), "deny no-force-by-name");
    EXPECT_EQ(verdict_of(policy_, exec_of("/usr/lib/git-core/git-http-push")),
              "deny no-force-by-name");
    ExecFacts farm = exec_of("/usr/lib/git-core/git-http-push");
    farm.views[0].argv[0] = "x";
    EXPECT_EQ(verdict_of(policy_, farm), "deny no-force-program");
    for (const Words& words :
         {Words{"config", "remote.origin.push", "+refs/*"}, Words{"config", "include.path", "x"},
          Words{"config", "--rename-section", "a.b", "remote.origin"},
          Words{"config", "--rename", "a", "b"}, Words{"config", "-e"},
          Words{"config", "set", "remote.origin.mirror", "true"}}) {
        EXPECT_EQ(git(words), "deny no-configured-force") << testing::PrintToString(words);
    }
    EXPECT_EQ(git({"remote", "add", "--mirror=push", "o", "x"}), "deny no-mirror");
    EXPECT_EQ(git({"clone", "--mirror", "x"}), "deny no-mirror");
    EXPECT_EQ(git({"clone", "-cremote.origin.mirror=true", "x"}),
              "deny no-configured-force-by-clone");
    EXPECT_EQ(verdict_of(policy_, exec_of("/tmp/vcs", {"push", "origin", "+main"})),
              "deny no-force-by-copy");
    EXPECT_EQ(verdict_of(policy_, exec_of("/tmp/vcs", {"push", "origin", "main"})),
              "allow default");
}

class SampleAgentImageOnly : public Sample {
  protected:
    std::string verdict(const std::string& exe, const Words& words = {}) const {
        return verdict_of(policy_, exec_of(exe, words));
    }
    std::string with(const std::string& variable) const {
        return verdict_of(policy_, with_env(exec_of("/usr/bin/ls"), variable));
    }

    Policy policy_ = load("agent-image-only");
};

TEST_F(SampleAgentImageOnly, ProgramsOfTheImage) {
    for (const std::string exe : {"/usr/bin/make", "/usr/lib/git-core/git", "/bin/ls",
                                  "/usr/share/nodejs/npm/bin/npm-cli.js", "/opt/tool/bin/x"}) {
        EXPECT_EQ(verdict(exe, {"-x"}), "allow image-programs") << exe;
    }
    EXPECT_EQ(verdict("/usr/bin/bash", {"-c", "ls"}), "allow image-programs");
    for (const std::string exe :
         {"/tmp/x", "/workspace/a.out", "/home/u/.local/bin/x", "memfd:x", "/usr/bin/x (deleted)",
          "unreachable:/usr/bin/x", "other-mounts:/usr/bin/x", "/proc/1/root/usr/bin/ls"}) {
        EXPECT_EQ(verdict(exe, {"x"}), "deny not-of-the-image") << exe;
    }
    // A script of the image is its own program, whatever its interpreter is given.
    EXPECT_EQ(verdict_of(policy_, with_view(exec_of("/usr/bin/debconf"), ViewRole::kInterpreter,
                                            "/usr/bin/perl", {"/usr/bin/perl", "-w", "x"})),
              "allow image-programs");
    EXPECT_EQ(verdict_of(policy_, with_view(exec_of("/work/x.py"), ViewRole::kInterpreter,
                                            "/usr/bin/python3", {"/usr/bin/python3", "x.py"})),
              "deny not-of-the-image");
}

TEST_F(SampleAgentImageOnly, InterpretersTakeFiles) {
    const std::string python = "/usr/bin/python3.11";
    for (const auto& [exe, words] : std::vector<std::pair<std::string, Words>>{
             {python, {"x.py", "-c", "conf"}},
             {python, {"-u", "-B", "x.py"}},
             {python, {"-m", "pytest", "-x"}},
             {python, {"--version"}},
             {python, {"-m", "flask", "run"}},
             {python, {"dev/server.py"}},
             {"/usr/local/bin/node", {"-v"}},
             {"/usr/bin/perl", {"-w", "x.pl"}},
             {"/usr/local/bin/node", {"app.js", "-e"}},
             {"/usr/local/bin/node", {"--max-old-space-size=4096", "app.js"}},
             {"/usr/bin/ruby3.1", {"/w/dev/x.rb"}}}) {
        EXPECT_TRUE(verdict(exe, words).starts_with("allow ")) << testing::PrintToString(words);
    }
    for (const auto& [exe, words] : std::vector<std::pair<std::string, Words>>{
             {python, {}},
             {python, {"-"}},
             {python, {"-i", "x.py"}},
             {python, {"-c", "x"}},
             {python, {"-Ic", "x"}},
             {python, {"-W", "error", "-c", "x"}},
             {python, {"-m", "timeit", "x"}},
             {python, {"-v"}},
             {python, {"-m", "pylint", "--init-hook=x"}},
             {python, {"-m", "coverage", "run", "-m", "timeit", "x"}},
             {python, {"-m", "flask", "--app", "x", "shell"}},
             {python, {"-m", "django", "shell", "-c", "x"}},
             {python, {"-m", "pytest", "--pdb"}},
             {python, {"/dev/stdin"}},
             {python, {"../dev/./stdin"}},
             {python, {"dev//stdin"}},
             {python, {"./tty1"}},
             {python, {"./fd/.//0"}},
             {python, {"../fd/../0"}},
             {python, {"/proc/self/fd/0"}},
             {"/usr/bin/perl", {}},
             {"/usr/bin/perl", {"-ne", "x"}},
             {"/usr/bin/perl", {"-I", "/tmp", "-e", "x"}},
             {"/usr/bin/ruby3.1", {"-E", "utf-8", "-e", "x"}},
             {"/usr/bin/php8.2", {"-B", "x"}},
             {"/usr/local/bin/node", {}},
             {"/usr/local/bin/node", {"--eval=x"}},
             {"/usr/local/bin/node", {"inspect", "x.js"}}}) {
        EXPECT_TRUE(verdict(exe, words).starts_with("deny ")) << testing::PrintToString(words);
    }
    EXPECT_EQ(verdict(python, {"-c", "x"}), "deny python-inline-code");
    EXPECT_EQ(verdict("/usr/bin/perl", {"-e", "x"}), "deny script-inline-code");
    EXPECT_EQ(verdict(python, {"-"}), "deny code-from-stdin");
    EXPECT_EQ(verdict("/usr/bin/deno", {"eval", "x"}), "deny deno-inline-code");
}

TEST_F(SampleAgentImageOnly, CodeFromTheEnvironment) {
    for (const std::string variable :
         {"NODE_OPTIONS=--no-warnings --max-old-space-size=4096", "PYTHONPATH=/usr/lib/x:/opt/y",
          "ENV=production", "PYTHONWARNINGS=ignore", "JAVA_TOOL_OPTIONS=-Xmx1g", "PS4=+ "}) {
        EXPECT_EQ(with(variable), "allow image-programs") << variable;
    }
    for (const std::string variable : {"LD_PRELOAD=x",
                                       "LD_AUDIT=x",
                                       "GCONV_PATH=x",
                                       "OPENSSL_CONF=x",
                                       "BASH_ENV=x",
                                       "BASH_FUNC_ls%%=() { x; }",
                                       "ENV=/tmp/x",
                                       "ENV=$(x)",
                                       "PS4=$(x)",
                                       "PYTHONPATH=/tmp",
                                       "PYTHONPATH=/usr/lib:/tmp",
                                       "PYTHONWARNINGS=error::x.Y",
                                       "PYTHONSTARTUP=x",
                                       "PERL5OPT=-Mx",
                                       "PERL5DB=x",
                                       "PERL5LIB=x",
                                       "RUBYOPT=-rx",
                                       "NODE_OPTIONS=--require x",
                                       "NODE_PATH=/w",
                                       "LUA_INIT=x",
                                       "JAVA_TOOL_OPTIONS=-javaagent:x"}) {
        EXPECT_TRUE(with(variable).starts_with("deny code-through-")) << variable;
    }
}

TEST_F(SampleAgentImageOnly, TheLoader) {
    // Through the loader it is still the program that counts, and its preload is seen.
    const std::string loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    const auto through = [&](const std::string& exe, const Words& words) {
        return verdict_of(policy_, with_view(exec_of(exe), ViewRole::kLoader, loader, words));
    };
    EXPECT_EQ(through("/usr/bin/ls", {"ld.so", "/usr/bin/ls"}), "allow image-programs");
    EXPECT_EQ(through("/tmp/x", {"ld.so", "/tmp/x"}), "deny not-of-the-image");
    EXPECT_EQ(through("/usr/bin/ls", {"ld.so", "--preload", "/tmp/x.so", "/usr/bin/ls"}),
              "deny loader-options");
}

}  // namespace
}  // namespace execseal
