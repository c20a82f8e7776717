#include "hook/exec/wrapped.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using Strings = std::vector<std::string>;

TEST(LoaderCommand, FindsTheProgramPastOptions) {
    const auto plain = parse_loader_command({"ld.so", "/bin/ls", "-l"});
    EXPECT_EQ(plain.use, LoaderUse::kPlain);
    EXPECT_EQ(plain.program, "/bin/ls");
    EXPECT_EQ(plain.argv, (Strings{"/bin/ls", "-l"}));

    const auto named =
        parse_loader_command({"ld.so", "--inhibit-cache", "--argv0", "x", "/bin/ls"});
    EXPECT_EQ(named.use, LoaderUse::kPlain);
    EXPECT_EQ(named.program, "/bin/ls");
    EXPECT_EQ(named.argv, Strings{"x"});
    EXPECT_EQ(parse_loader_command({"ld.so", "--argv0=x", "/bin/ls"}).argv, Strings{"x"});
    EXPECT_EQ(parse_loader_command({"ld.so", "--", "--odd"}).program, "--odd");
}

TEST(LoaderCommand, OtherLibrariesMakeItMoreThanTheProgram) {
    for (const char* option : {"--preload", "--audit", "--library-path", "--inhibit-rpath",
                               "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"}) {
        const auto command = parse_loader_command({"ld.so", option, "x", "/bin/ls"});
        EXPECT_EQ(command.use, LoaderUse::kAltered) << option;
        EXPECT_EQ(command.program, "/bin/ls");
        EXPECT_EQ(parse_loader_command({"ld.so", std::string(option) + "=x", "/bin/ls"}).program,
                  "/bin/ls");
    }
    const auto altered = parse_loader_command(
        {"ld.so", "--preload", "/a:/b /c", "--audit", "/d", "--library-path", "/l:/m", "/bin/ls"});
    EXPECT_EQ(altered.objects, (Strings{"/a", "/b", "/c", "/d"}));
    EXPECT_EQ(altered.directories, (Strings{"/l", "/m"}));
}

TEST(LoaderCommand, AnOptionThatNoLoaderIsKnownToHaveIsNotGuessedAt) {
    const auto future = parse_loader_command({"ld.so", "--from-the-future", "/bin/ls"});
    EXPECT_EQ(future.use, LoaderUse::kUnknown);
    EXPECT_EQ(future.unknown, "--from-the-future");
    EXPECT_EQ(parse_loader_command({"ld.so", "--list", "--new", "/bin/ls"}).use,
              LoaderUse::kUnknown);
    EXPECT_EQ(parse_loader_command({"ld.so", "--glibc-hwcaps-prepend", "../x", "/bin/ls"}).use,
              LoaderUse::kUnknown);
    EXPECT_EQ(parse_loader_command({"ld.so", "--glibc-hwcaps-prepend", "v2", "/bin/ls"}).use,
              LoaderUse::kAltered);
}

TEST(LoaderCommand, ListingRunsNothing) {
    EXPECT_EQ(parse_loader_command({"ld.so", "--list", "/bin/ls"}).use, LoaderUse::kListing);
    EXPECT_EQ(parse_loader_command({"/usr/bin/ldd", "/bin/ls"}).use, LoaderUse::kListing);
    EXPECT_EQ(parse_loader_command({"ld.so"}).use, LoaderUse::kListing);
    EXPECT_EQ(parse_loader_command({"ld.so", "--preload", "x"}).use, LoaderUse::kListing);
    EXPECT_EQ(parse_loader_command({"ld.so", "--preload"}).program, "");
    EXPECT_EQ(parse_loader_command({}).program, "");
}

TEST(Applet, IsTheBaseNameOfArgv0) {
    EXPECT_EQ(pick_applet({"/bin/ls", "-l"}, "busybox")->name, "ls");
    EXPECT_EQ(pick_applet({"-sh"}, "busybox")->name, "sh");
    EXPECT_EQ(pick_applet({"-/bin/ash"}, "busybox")->name, "ash");
}

TEST(Applet, OrTheNextArgumentOfTheBinaryItself) {
    const auto applet = pick_applet({"/bin/busybox", "sh", "-c", "id"}, "busybox");
    ASSERT_TRUE(applet.has_value());
    EXPECT_EQ(applet->name, "sh");
    EXPECT_EQ(applet->argv, (Strings{"sh", "-c", "id"}));
    EXPECT_EQ(pick_applet({"busybox", "busybox", "sh"}, "busybox")->argv, Strings{"sh"});
    EXPECT_EQ(pick_applet({"busybox-static", "/x/sh"}, "busybox")->name, "sh");
    EXPECT_EQ(pick_applet({"toybox", "ls"}, "toybox")->name, "ls");
}

TEST(Applet, IsNoneForTheBinaryAlone) {
    for (const Strings& argv :
         {Strings{}, Strings{""}, Strings{"busybox"}, Strings{"busybox", "--list"},
          Strings{"/bin/.."}, Strings{"busybox", "busybox"}, Strings{"x/"}}) {
        EXPECT_FALSE(pick_applet(argv, "busybox").has_value());
    }
}

}  // namespace
}  // namespace execseal
