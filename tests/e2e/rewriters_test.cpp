// Programs that write config.json again on its way from the engine to the runtime: above the shim
// and below it, where the hook finds their work.
#include <gtest/gtest.h>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

class Rewriters : public testing::TestWithParam<Engine> {
  protected:
    // Stands in an engine's place and filters config.json by jq before it becomes `next`.
    fs::path jq_before(const std::string& next, const std::string& options,
                       const std::string& filter) {
        return script("rewriter",
                      "making=\n"
                      "for word; do\n"
                      "    case $before in --bundle|-b) bundle=$word;; esac\n"
                      "    case $word in create|run) making=1;; esac\n"
                      "    before=$word\n"
                      "done\n"
                      "if [ -n \"$making\" ]; then\n"
                      "    jq " +
                          options + " '" + filter +
                          "' \"$bundle/config.json\" >\"$bundle/config.json.new\"\n"
                          "    mv \"$bundle/config.json.new\" \"$bundle/config.json\"\n"
                          "fi\n"
                          "exec " +
                          next + " \"$@\"\n");
    }

    // nvidia-container-runtime with a configuration that becomes `next`; its own hook does nothing
    // but leave a mark, there is no card.
    fs::path nvidia_before(const std::string& next) {
        const fs::path home = scratch_.path() / "nvidia";
        fs::create_directories(home / "nvidia-container-runtime");
        const fs::path hook =
            script("nvidia-hook", "cat >/dev/null; : >" + (home / "hook-ran").string() + "\n");
        write_file(home / "nvidia-container-runtime/config.toml",
                   "[nvidia-container-runtime]\nmode = \"legacy\"\nruntimes = [\"" + next +
                       "\"]\n[nvidia-container-runtime-hook]\npath = \"" + hook.string() + "\"\n");
        return script("nvidia-runtime", "export XDG_CONFIG_HOME=" + home.string() + "\nexec " +
                                            EXECSEAL_TOOLS "/nvidia-container-runtime \"$@\"\n");
    }

    fs::path script(const std::string& name, const std::string& text) {
        const fs::path path = scratch_.path() / name;
        write_file(path, "#!/bin/sh\n" + text);
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }

    std::string engine() const { return engine_name(GetParam()); }

    // Below the shim; `runtime` becomes the engine itself.
    void put_below(const fs::path& runtime) {
        node_.settings()["runtimes"] = {runtime.string()};
        node_.write();
    }

    void write_bundle() {
        bundle_
            .args({"/bin/sh", "-c", "/bin/echo hi; /bin/wget 2>/dev/null; echo wget=$?; exit 42"})
            .env("NVIDIA_VISIBLE_DEVICES", "all")
            .annotation("io.execseal.policy", "small")
            .annotation("example.com/zebra", "1")
            .annotation("example.com/aardvark", "2")
            .write();
    }

    Outcome run(Runtime runtime) {
        write_bundle();
        return Container(std::move(runtime), bundle_, scratch_).run();
    }

    // As an engine does it, which is what nvidia-container-runtime looks at.
    void expect_judged_after_create(Runtime runtime) {
        write_bundle();
        Container container(std::move(runtime), bundle_, scratch_);
        ASSERT_EQ(container.create().exit_code, 0) << container.err();
        ASSERT_EQ(container.start().exit_code, 0) << container.err();
        EXPECT_TRUE(container.wait_until_stopped());
        EXPECT_EQ(container.out(), "hi\nwget=126\n") << container.err();
        EXPECT_EQ(container.remove().exit_code, 0);
        EXPECT_EQ(node_.events_of("/bin/wget").at(0)["rule"], "no-wget");
        EXPECT_TRUE(fs::exists(scratch_.path() / "nvidia/hook-ran")) << config()["hooks"];
        EXPECT_TRUE(node_.nothing_left());
    }

    void expect_judged(const Outcome& outcome) {
        EXPECT_EQ(outcome.exit_code, 42) << outcome.text() << read_file(node_.log_path());
        EXPECT_EQ(outcome.out, "hi\nwget=126\n") << outcome.text();
        EXPECT_EQ(node_.events_of("/bin/wget").at(0)["rule"], "no-wget");
        EXPECT_TRUE(node_.nothing_left());
    }

    [[nodiscard]] ordered_json config() const {
        return ordered_json::parse(read_file(bundle_.path() / "config.json"));
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(Rewriters, SortedKeysBelowTheShimAreNoTampering) {
    put_below(jq_before(engine(), "-S", "."));
    expect_judged(run(node_.runtime()));
    const ordered_json written = config();
    EXPECT_EQ(written.begin().key(), "annotations") << "it did write";
    EXPECT_TRUE(written["linux"]["seccomp"].contains("listenerPath"));
}

// As oci-add-hooks does it: decoded, a hook more, encoded in another order without white space.
TEST_P(Rewriters, AHookMoreBelowTheShimRunsBesideOurs) {
    const fs::path mark = scratch_.path() / "mark";
    const fs::path hook = script("hook", "cat >/dev/null; : >" + mark.string() + "\n");
    put_below(jq_before(engine(), "-S -c",
                        ".hooks.prestart += [{\"path\": \"" + hook.string() +
                            "\"}] | "
                            ".hooks.poststop = [{\"path\": \"" +
                            hook.string() +
                            "\"}] + "
                            ".hooks.poststop"));
    expect_judged(run(node_.runtime()));
    EXPECT_TRUE(fs::exists(mark)) << "the other hook ran";
}

TEST_P(Rewriters, AboveTheShimAllIsTheInput) {
    Runtime above = node_.runtime();
    above.program = jq_before(above.program, "-S", ".hostname = \"rewritten\"");
    expect_judged(run(above));
    EXPECT_EQ(config()["hostname"], "rewritten");
}

TEST_P(Rewriters, WhatTakesTheFilterAwayBelowTheShimIsNamed) {
    struct Row {
        const char* filter;
        const char* named;
    };
    for (const Row& row :
         {Row{"del(.linux.seccomp)", "/linux/seccomp"},
          Row{".linux.seccomp.syscalls = []", "/linux/seccomp/syscalls"},
          Row{".linux.seccomp.listenerPath = \"/nowhere\"", "/linux/seccomp/listenerPath"}}) {
        put_below(jq_before(engine(), "-S", row.filter));
        const Outcome outcome = run(node_.runtime());
        EXPECT_NE(outcome.exit_code, 42) << row.filter;
        EXPECT_EQ(outcome.out, "") << row.filter;
        if (GetParam() == Engine::kRunc) {  // crun says no more of a hook than its exit code
            EXPECT_NE(outcome.err.find(row.named), std::string::npos) << outcome.text();
        }
        EXPECT_TRUE(node_.nothing_left());
    }
}

TEST_P(Rewriters, NvidiasRuntimeAboveTheShim) {
    Runtime above = node_.runtime();
    above.program = nvidia_before(above.program);
    expect_judged_after_create(above);
}

TEST_P(Rewriters, NvidiasRuntimeBelowTheShim) {
    put_below(nvidia_before(engine()));
    expect_judged_after_create(node_.runtime());
}

INSTANTIATE_TEST_SUITE_P(Engines, Rewriters, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
