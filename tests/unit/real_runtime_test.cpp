#include "config/real_runtime.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/settings.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

class RealRuntime : public FolderTest {
  protected:
    void SetUp() override {
        fs::create_directories(directory_ + "/first");
        fs::create_directories(directory_ + "/second");
        path_ = directory_ + "/first:" + directory_ + "/second";
    }
    [[nodiscard]] std::string program(const std::string& name, mode_t mode = 0755) const {
        std::string path = directory_ + "/" + name;
        std::ofstream(path) << "#!/bin/sh\n";
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        return path;
    }
    [[nodiscard]] std::vector<std::string> runtimes_in(const std::string& text) const {
        std::ofstream(directory_ + "/config.json") << text;
        const auto runtimes = read_runtimes(directory_ + "/config.json");
        return runtimes ? *runtimes : std::vector<std::string>{runtimes.error().text()};
    }

    std::string path_;
};

TEST_F(RealRuntime, TheOrderOfTheListCountsBeforeThatOfThePath) {
    const auto crun = program("first/crun");
    const auto runc = program("second/runc");
    EXPECT_EQ(find_real_runtime({"runc", "crun"}, path_).value(), runc);
    EXPECT_EQ(find_real_runtime({"youki", "crun", "runc"}, path_).value(), crun);
    const auto runc_before = program("first/runc");
    EXPECT_EQ(find_real_runtime({"runc"}, path_).value(), runc_before);
}

TEST_F(RealRuntime, TheNameOfALinkStandsAboveTheSettings) {
    const std::vector<std::string> settings{"runc", "crun"};
    EXPECT_EQ(runtimes_for("/usr/libexec/execseal/execseal-runtime-crun", settings),
              std::vector<std::string>{"crun"});
    for (const char* const plain : {"/usr/bin/execseal-runtime", "execseal-runtime", "",
                                    "/x/execseal-runtime-", "/execseal-runtime-crun/shim"}) {
        EXPECT_EQ(runtimes_for(plain, settings), settings) << plain;
    }
}

TEST_F(RealRuntime, IsNeverTheProgramItself) {
    const auto real = program("second/runc");
    fs::create_symlink("/proc/self/exe", directory_ + "/first/crun");
    fs::create_symlink(fs::read_symlink("/proc/self/exe"), directory_ + "/first/runc");
    EXPECT_EQ(find_real_runtime({"crun", "runc"}, path_).value(), real);
    EXPECT_FALSE(find_real_runtime({directory_ + "/first/runc"}, path_).has_value());
}

TEST_F(RealRuntime, SkipsWhatCannotBeExecuted) {
    (void)program("first/runc", 0644);
    fs::create_directory(directory_ + "/second/runc");
    const auto nothing = find_real_runtime({"runc", "crun"}, path_);
    ASSERT_FALSE(nothing.has_value());
    EXPECT_NE(nothing.error().text().find("expected one of runc, crun in PATH="),
              std::string::npos);
}

TEST_F(RealRuntime, AbsolutePathsNeedNoPath) {
    const auto runc = program("second/runc");
    EXPECT_EQ(find_real_runtime({directory_ + "/absent", runc}, "").value(), runc);
}

TEST_F(RealRuntime, RelativeDirectoriesOfThePathAreNotSearched) {
    (void)program("first/runc");
    const fs::path before = fs::current_path();
    fs::current_path(directory_ + "/first");
    EXPECT_FALSE(find_real_runtime({"runc"}, ".::").has_value());
    fs::current_path(before);
}

TEST_F(RealRuntime, ReadsNothingButTheRuntimesFromTheSettings) {
    const auto defaults = Settings{}.runtimes;
    EXPECT_FALSE(read_runtimes(directory_ + "/absent").has_value());
    EXPECT_EQ(runtimes_in("{}"), defaults);
    EXPECT_EQ(runtimes_in(R"({"runtimes":["crun"],"not_a_setting":1,"hook":7})"),
              std::vector<std::string>{"crun"});
    EXPECT_NE(runtimes_in(R"({"runtimes":7})")[0].find("/runtimes"), std::string::npos);
    EXPECT_NE(runtimes_in(R"({"runtimes":[]})")[0].find("/runtimes"), std::string::npos);
    EXPECT_NE(runtimes_in("{")[0].find("config.json: line 1"), std::string::npos);
}

}  // namespace
}  // namespace execseal
