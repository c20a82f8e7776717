// From watching to enforcing: a job is recorded in mode learn, `execseal policy learn` makes a
// policy of it, and a second run with other data has no denial under that policy.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

// What runs in the container, and the data that it runs on.
struct Job {
    Words args;
    std::function<void(Bundle&)> set_up;
    uid_t uid = 0;
    std::chrono::seconds deadline{240};
};

class Learnt : public testing::Test {
  protected:
    Learnt() {
        node_.settings()["audit"]["events_per_second"] = 0;
        node_.write();
        // In a recording nothing of the policy matters but that it is there.
        node_.policy("job", {{"apiVersion", "execseal/v1"},
                             {"name", "job"},
                             {"default", "deny"},
                             {"rules", ordered_json::array()}});
    }

    Outcome cli(Words words) const {
        words.insert(words.begin(), EXECSEAL_CLI);
        return run({.argv = std::move(words), .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}},
                   scratch_.path(), std::chrono::minutes{2});
    }
    [[nodiscard]] fs::path audit_file() const { return scratch_.path() / "audit.jsonl"; }
    [[nodiscard]] fs::path policy_file() const { return scratch_.path() / "policies.d/job.json"; }

    Outcome run_job(const Job& job, const std::string& mode) {
        fs::remove(audit_file());
        Bundle bundle(scratch_.path() / ("bundle-" + std::to_string(runs_++)), RootFs::kHostUsr);
        bundle.rights(Rights::kDocker).args(job.args).env("HOME", "/root").env("LANG", "C.UTF-8");
        for (const char* const name : {"cc", "awk", "ld", "x86_64-linux-gnu-ld"}) {
            const fs::path link = fs::path("/etc/alternatives") / name;
            if (fs::is_symlink(link)) {
                fs::create_directories(bundle.rootfs() / "etc/alternatives");
                fs::copy_symlink(link, bundle.rootfs() / "etc/alternatives" / name);
            }
        }
        bundle.config()["process"]["user"] = {{"uid", job.uid}, {"gid", job.uid}};
        job.set_up(bundle);
        bundle.annotation("io.execseal.policy", "job").annotation("io.execseal.mode", mode);
        bundle.write();
        Container container(node_.runtime(), bundle, scratch_);
        Outcome outcome = container.run(job.deadline);
        EXPECT_TRUE(node_.nothing_left());
        return outcome;
    }

    // The policy's text, in force for what comes.
    std::string learn(const Words& more = {}) {
        Words words{"policy", "learn", audit_file(), "--name", "job"};
        words.insert(words.end(), more.begin(), more.end());
        const Outcome learnt = cli(words);
        EXPECT_EQ(learnt.exit_code, 0) << learnt.err;
        static const std::regex kWidth(R"(width: (\d+\.\d) % of (\d+) mutations)");
        std::smatch found;
        EXPECT_TRUE(std::regex_search(learnt.err, found, kWidth)) << learnt.err;
        width_ = found.empty() ? 0 : std::stod(found[1]);
        write_file(policy_file(), learnt.out);
        return learnt.out;
    }

    void expect_no_denial(const Outcome& outcome) const {
        EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
        std::size_t ran = 0;
        for (const auto& event : node_.events()) {
            if (event["event"] != "exec" || event["rule"] == "kernel") {
                continue;
            }
            ++ran;
            EXPECT_TRUE(event["verdict"] == "allow" || event["verdict"] == "audit")
                << event["exe"] << " " << event["argv"] << " " << event["reason"];
        }
        EXPECT_GT(ran, 0U);
    }

    // Records one, enforces the other; both widths that promise something keep their promise.
    void expect_second_run_passes(const Job& first, const Job& second) {
        const Outcome recorded = run_job(first, "learn");
        ASSERT_EQ(recorded.exit_code, 0) << recorded.text();
        (void)learn({"--strict"});
        EXPECT_GE(width_, 95.0);
        const std::string policy = learn();
        EXPECT_GE(width_, 85.0);
        const Outcome same =
            cli({"policy", "test", policy_file(), "--against", audit_file(), "--format", "json"});
        EXPECT_EQ(ordered_json::parse(same.out)["unknown"], 0) << same.out;
        EXPECT_EQ(ordered_json::parse(same.out)["changed"], 0) << same.out;
        expect_no_denial(run_job(second, "enforce"));
        if (HasFailure()) {
            std::cerr << policy;
        }
    }

    Scratch scratch_;
    Node node_{scratch_};
    double width_ = 0;

  private:
    int runs_ = 0;
};

Job script(const std::string& text, std::function<void(Bundle&)> set_up) {
    return {.args = {"/bin/sh", "/job/run"},
            .set_up = [text, set_up = std::move(set_up)](Bundle& bundle) {
                bundle.file("/job/run", "set -e\n" + text, 0755);
                set_up(bundle);
            }};
}

// A project of a few files in C, in a repository; cloned, built and tested.
Job build_job(const std::string& name, const Words& modules, const Scratch& scratch) {
    const auto set_up = [=, &scratch](Bundle& bundle) {
        const fs::path work = bundle.rootfs() / "srv" / (name + ".src");
        std::string objects;
        for (const std::string& module : modules) {
            bundle.file("/srv/" + name + ".src/src/" + module + ".c",
                        module == "main" ? "int main(void) { return 0; }\n"
                                         : "int " + module + "_f(void) { return 1; }\n");
            objects += " src/" + module + ".o";
        }
        bundle.file("/srv/" + name + ".src/tests/run.sh",
                    "#!/bin/sh\nset -e\npython3 tests/test_" + modules.back() + ".py --seed $1 ./" +
                        name + "\n",
                    0755);
        bundle.file("/srv/" + name + ".src/tests/test_" + modules.back() + ".py",
                    "import subprocess, sys\nsubprocess.run([sys.argv[-1]], check=True)\n");
        bundle.file("/srv/" + name + ".src/Makefile",
                    "OBJS =" + objects + "\n" + name +
                        ": $(OBJS)\n\t$(CC) -o $@ $(OBJS)\nsrc/%.o: src/%.c\n"
                        "\t$(CC) -O1 -Wall -c -o $@ $<\ntest: " +
                        name + "\n\t./tests/run.sh 42\nclean:\n\trm -f $(OBJS) " + name + "\n");
        const std::string git = "git -c user.name=T -c user.email=t@example.org ";
        const Outcome made =
            run({.argv = {"/bin/sh", "-c",
                          "cd " + work.string() + " && git init -q -b main . && git add -A && " +
                              git + "commit -qm " + name + " && git clone -q --bare . ../" + name +
                              ".git && rm -rf " + work.string()}},
                scratch.path());
        ASSERT_EQ(made.exit_code, 0) << made.text();
        bundle.file("/root/.gitconfig", "[safe]\n\tdirectory = *\n").tmpfs("/work");
    };
    return script("git clone -q file:///srv/" + name + ".git /work/" + name + "\ncd /work/" + name +
                      "\ngit checkout -q -b ci-" + std::to_string(modules.size() * 1234) +
                      "\nmake -j2 CC=gcc\nmake test\ngit status --porcelain\ngit rev-parse HEAD\n"
                      "git log -1 --format=%H\ngit fetch -q origin\nmake clean\n",
                  set_up);
}

TEST_F(Learnt, ACloneABuildAndATest) {
    expect_second_run_passes(
        build_job("alpha", {"main", "list", "tree"}, scratch_),
        build_job("bravo", {"main", "queue", "heap", "json_in", "hash"}, scratch_));
}

// Debian's nginx where there is one: it is no package of the tests.
Job web_job(const std::string& name, int port) {
    const std::string configuration = "/srv/" + name + "/nginx.conf";
    return script("nginx -t -c " + configuration + "\nnginx -c " + configuration + "\nnginx -c " +
                      configuration + " -s reload\ncat /run/nginx.pid\nnginx -c " + configuration +
                      " -s quit\n",
                  [=](Bundle& bundle) {
                      bundle.file("/srv/" + name + "/nginx.conf",
                                  "pid /run/nginx.pid; error_log stderr; events {}\nhttp {"
                                  "access_log off; client_body_temp_path /tmp/b; proxy_temp_path "
                                  "/tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; "
                                  "scgi_temp_path /tmp/s; server { listen 127.0.0.1:" +
                                      std::to_string(port) + "; root /srv/" + name + "; } }\n");
                      bundle.file("/etc/passwd",
                                  "root:x:0:0::/root:/bin/sh\n"
                                  "nobody:x:65534:65534::/:/bin/false\n");
                      bundle.file("/etc/group", "root:x:0:\nnogroup:x:65534:\n");
                      bundle.tmpfs("/run").tmpfs("/var/log/nginx").tmpfs("/var/lib/nginx");
                  });
}

TEST_F(Learnt, AWebServer) {
    ASSERT_TRUE(fs::exists("/usr/sbin/nginx")) << "deploy/packages.sh has nginx-light";
    expect_second_run_passes(web_job("shop", 8080), web_job("blog", 9090));
}

Job database_job(const std::string& name, const std::string& note) {
    const std::string sql = "psql -X -h /tmp -U user -d " + name + " -c ";
    Job job = script(
        "PATH=/usr/lib/postgresql/15/bin:$PATH\ninitdb -D /data/" + name +
            " -A trust -U user --no-sync\npg_ctl -D /data/" + name + " -w -l /data/" + name +
            ".log -o '-k /tmp -c listen_addresses=' start\ncreatedb -h /tmp -U user " + name +
            "\n" + sql + "'create table " + name + "_t (id int primary key, note text)'\n" + sql +
            "\"insert into " + name + "_t values (" + std::to_string(note.size()) + ", '" + name +
            "')\"\n" + sql + "'select count(*) from " + name +
            "_t'\npg_isready -h /tmp\npg_dump -h /tmp -U user -f /data/" + name + ".sql " + name +
            "\npg_ctl -D /data/" + name + " -m immediate stop\n",
        [](Bundle& bundle) {
            fs::create_directories(bundle.rootfs() / "data");
            ASSERT_EQ(::chown((bundle.rootfs() / "data").c_str(), 1000, 1000), 0);
        });
    job.uid = 1000;
    return job;
}

TEST_F(Learnt, ADatabase) {
    expect_second_run_passes(database_job("orders", "first"), database_job("users", "the second"));
}

// CPython's own tests (Debian's libpython3.11-testsuite) of what makes processes. Of another seed
// and folder the order is another one, and so is each temporary name.
Job python_job(const std::string& seed, const std::string& modules) {
    const std::string test = "python3 -m test -r --randseed " + seed + " --tempdir /tmp/ci-" + seed;
    return script("export HOME=/tmp\ncd /tmp\nmkdir -p /tmp/ci-" + seed + "\n" + test + " " +
                      modules + "\n" + test +
                      " -m 'test_*package*' -m 'test_*zip*' test_cmd_line_script\n",
                  [](Bundle& /*bundle*/) {});
}

TEST_F(Learnt, ACPythonTestRun) {
    expect_second_run_passes(python_job("4711", "test_popen test_posix test_script_helper"),
                             python_job("815", "test_script_helper test_popen test_posix"));
}

}  // namespace
}  // namespace execseal::e2e
