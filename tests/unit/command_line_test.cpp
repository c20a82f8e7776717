#include "runtime-shim/command_line.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using Arguments = std::vector<std::string>;

CommandLine parsed(const Arguments& arguments) {
    auto line = parse_command_line(arguments);
    EXPECT_TRUE(line.has_value()) << (line ? "" : line.error().text());
    return line ? *line : CommandLine{};
}

std::string refusal(const Arguments& arguments) {
    auto line = parse_command_line(arguments);
    EXPECT_FALSE(line.has_value());
    return line ? "" : line.error().text();
}

TEST(CommandLine, ReadsWhatContainerdCalls) {
    const auto line = parsed({"--root", "/run/containerd/runc/k8s.io", "--log", "/r/log.json",
                              "--log-format", "json", "--systemd-cgroup", "create", "--bundle",
                              "/run/b", "--pid-file", "/run/b/init.pid", "id1"});
    EXPECT_EQ(line.subcommand, Subcommand::kCreate);
    EXPECT_EQ(line.bundle, "/run/b");
    EXPECT_EQ(line.container_id, "id1");
}

TEST(CommandLine, ReadsWhatPodmanCalls) {
    const auto line = parsed({"create", "--bundle", "/b", "--pid-file", "/p", "--console-socket",
                              "/c", "--no-pivot", "--preserve-fds", "2", "id2"});
    EXPECT_EQ(line.subcommand, Subcommand::kCreate);
    EXPECT_EQ(line.bundle, "/b");
    EXPECT_EQ(line.container_id, "id2");
}

TEST(CommandLine, ValuesMayFollowAnEqualsSign) {
    const auto line = parsed({"--root=/r", "--cgroup-manager=systemd", "run", "--bundle=/b=1",
                              "--detach", "--keep=true", "id"});
    EXPECT_EQ(line.subcommand, Subcommand::kRun);
    EXPECT_EQ(line.bundle, "/b=1");
}

TEST(CommandLine, AValueMayLookLikeASubcommandOrAFlag) {
    const auto line = parsed({"--root", "create", "--log", "run", "create", "--pid-file",
                              "--bundle", "-b", "/b", "create"});
    EXPECT_EQ(line.subcommand, Subcommand::kCreate);
    EXPECT_EQ(line.bundle, "/b");
    EXPECT_EQ(line.container_id, "create");
    EXPECT_EQ(parsed({"--root", "create", "state", "id"}).subcommand, Subcommand::kOther);
}

TEST(CommandLine, FlagsBehindTheIdCount) {
    // Seen: `runc create ID --bundle /x` changes to /x.
    EXPECT_EQ(parsed({"create", "id", "--bundle", "/b"}).bundle, "/b");
}

TEST(CommandLine, TheLastOfARepeatedFlagCounts) {
    EXPECT_EQ(parsed({"create", "--bundle", "/a", "-b", "/b", "id"}).bundle, "/b");
}

TEST(CommandLine, NothingIsAFlagBehindTwoDashes) {
    EXPECT_EQ(parsed({"create", "--", "id"}).container_id, "id");
    EXPECT_NE(refusal({"create", "--", "id", "--bundle", "/b"}).find("one container id"),
              std::string::npos);
    EXPECT_EQ(parsed({"--debug", "--", "create", "id"}).subcommand, Subcommand::kCreate);
}

TEST(CommandLine, ReadsCrunsConfigFlag) {
    EXPECT_EQ(parsed({"run", "-f", "/x.json", "id"}).config_file, "/x.json");
    EXPECT_EQ(parsed({"run", "--config=/y.json", "id"}).config_file, "/y.json");
}

TEST(CommandLine, RestoreIsReadToo) {
    const auto line =
        parsed({"restore", "--image-path", "/i", "--tcp-established", "-b", "/b", "id"});
    EXPECT_EQ(line.subcommand, Subcommand::kRestore);
    EXPECT_EQ(line.bundle, "/b");
}

TEST(CommandLine, OtherSubcommandsPassWhateverTheirFlags) {
    for (const Arguments& arguments :
         {Arguments{}, Arguments{"--version"}, Arguments{"--help"}, Arguments{"state", "id"},
          Arguments{"exec", "--process", "/p", "--detach", "id", "create"},
          Arguments{"--root", "/r", "kill", "--whatever", "id", "9"},
          Arguments{"delete", "--force", "id"}, Arguments{"--future-flag", "x", "state", "id"},
          Arguments{"create", "--help"}, Arguments{"create", "-?"}, Arguments{"--debug"},
          Arguments{"spec"}, Arguments{"Create", "id"}}) {
        EXPECT_EQ(parsed(arguments).subcommand, Subcommand::kOther);
    }
}

TEST(CommandLine, AnUnknownFlagBeforeACreateIsRefused) {
    EXPECT_NE(refusal({"--future-flag", "x", "create", "id"}).find("--future-flag"),
              std::string::npos);
    EXPECT_NE(refusal({"--roo", "/r", "run", "id"}).find("--roo"), std::string::npos);
    EXPECT_NE(refusal({"create", "--bund", "/b", "id"}).find("--bund"), std::string::npos);
}

TEST(CommandLine, SpellingsThatTheRuntimesReadDifferentlyAreRefused) {
    for (const char* flag : {"-bundle", "-bundle=/b", "-b/b", "-b=/b", "-db"}) {
        EXPECT_NE(refusal({"create", flag, "/b", "id"}).find("read this differently"),
                  std::string::npos)
            << flag;
    }
    EXPECT_NE(refusal({"-root", "/r", "create", "id"}).find("read this differently"),
              std::string::npos);
}

TEST(CommandLine, WantsExactlyOneId) {
    EXPECT_NE(refusal({"create"}).find("found 0"), std::string::npos);
    EXPECT_NE(refusal({"run", "a", "b"}).find("found 2"), std::string::npos);
    EXPECT_NE(refusal({"create", "id", "--bundle"}).find("a value behind it"), std::string::npos);
    for (const char* id : {"", ".", "..", "a/b", "../x"}) {
        EXPECT_NE(refusal({"create", id}).find("without a slash"), std::string::npos) << id;
    }
}

TEST(CommandLine, FindsTheLogEvenWhereTheLineIsBad) {
    const auto options =
        find_log_options({"--future", "--log", "/l", "--log-format=json", "create", "--log", "/x"});
    EXPECT_EQ(options.file, "/l");
    EXPECT_EQ(options.format, LogFormat::kJson);
    EXPECT_EQ(find_log_options({"create", "id"}).file, "");
}

}  // namespace
}  // namespace execseal
