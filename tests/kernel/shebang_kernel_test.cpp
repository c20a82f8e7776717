// parse_shebang() against the kernel: each odd first line is really executed, the interpreter is a
// program that prints the argv it got.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "hook/exec/script.h"
#include "hook/exec/string_block.h"
#include "hook/os/unique_fd.h"
#include "tests/scratch_folder.h"

namespace execseal {
namespace {

using namespace std::string_literals;

struct Outcome {
    int error = 0;
    std::string argv;  // with their NULs
};

class ShebangKernel : public ::testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::copy_file(EXECSEAL_TARGETS_DIR "/print_argv", directory_ + "/i");
        std::filesystem::create_symlink("i", directory_ + "/i\r");
    }

    // The path of the interpreter, as long as asked for.
    [[nodiscard]] std::string interpreter(std::size_t size) const {
        std::string path = directory_ + "/i";
        path.insert(directory_.size(), size - path.size(), '/');
        return path;
    }

    Outcome run(const std::string& head) {
        const std::string script = directory_ + "/script";
        std::ofstream(script, std::ios::binary | std::ios::trunc) << head;
        (void)::chmod(script.c_str(), 0755);
        int out[2];
        int failed[2];
        EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(failed, O_CLOEXEC), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            (void)::dup2(out[1], STDOUT_FILENO);
            char* argv[] = {const_cast<char*>("zero"), const_cast<char*>("one"), nullptr};
            (void)::execve(script.c_str(), argv, argv + 2);
            const int error = errno;
            (void)!::write(failed[1], &error, sizeof error);
            ::_exit(0);
        }
        (void)::close(out[1]);
        (void)::close(failed[1]);
        Outcome outcome;
        char buffer[1024];
        for (ssize_t got = 0; (got = ::read(out[0], buffer, sizeof buffer)) > 0;) {
            outcome.argv.append(buffer, static_cast<std::size_t>(got));
        }
        (void)!::read(failed[0], &outcome.error, sizeof outcome.error);
        (void)::close(out[0]);
        (void)::close(failed[0]);
        (void)::waitpid(child, nullptr, 0);
        return outcome;
    }

    void expect_as_parsed(const std::string& head) {
        const Outcome really = run(head);
        const auto parsed = parse_shebang(head);
        if (!parsed) {
            EXPECT_EQ(really.error, ENOEXEC) << "line: " << head;
            return;
        }
        if (parsed->interpreter.empty()) {
            EXPECT_NE(really.error, 0);
            return;
        }
        ASSERT_EQ(really.error, 0) << "line: " << head << ", interpreter " << parsed->interpreter;
        StringBlock expected;
        expected.add(parsed->interpreter);
        if (parsed->argument) {
            expected.add(*parsed->argument);
        }
        expected.add(directory_ + "/script");
        expected.add("one");
        EXPECT_EQ(really.argv, expected.bytes) << "line: " << head;
    }

    ScratchFolder folder_;
    std::string directory_ = folder_.path();
};

TEST_F(ShebangKernel, AgreesOnOddLines) {
    const std::string i = directory_ + "/i";
    for (const std::string& line : {"#!" + i + "\n",
                                    "#!" + i,
                                    "#! \t" + i + "\n",
                                    "#!" + i + " -e\n",
                                    "#!" + i + " a b \t\n",
                                    "#!" + i + "\t\ta\n",
                                    "#!" + i + " \n",
                                    "#!" + i + "\r\n",
                                    "#!" + i + "\0 x\n"s,
                                    "#!" + i + " x\0y\n"s,
                                    "#!" + i + " x"s,
                                    "#!"s,
                                    "#!\n"s,
                                    "#!  \n"s,
                                    " #!" + i + "\n",
                                    "#!" + std::string(300, ' '),
                                    "#!" + std::string(150, ' ') + i + "\n",
                                    "#!" + i + " " + std::string(300, 'a') + "\n",
                                    "#!" + i + std::string(300, ' ') + "a\n",
                                    "#!" + i + "\n\n",
                                    "#!" + i + " \0\n"s,
                                    "#!\0" + i + "\n"}) {
        expect_as_parsed(line);
    }
}

TEST_F(ShebangKernel, AgreesAroundTheEndOfTheBuffer) {
    for (std::size_t size = 248; size <= 258; ++size) {
        const std::string i = interpreter(size);
        for (const char* end : {"", "\n", " \n", " a\n", "\t", " abcdef\n"}) {
            expect_as_parsed("#!" + i + end);
        }
        expect_as_parsed("#!" + i + "\0x\n"s);
        // Here the interpreter is short and the argument ends around there.
        const std::string head = "#!" + directory_ + "/i ";
        expect_as_parsed(head + std::string(size - head.size(), 'a') + "\n");
        expect_as_parsed(head + std::string(size - head.size(), 'a') + " b\n");
    }
}

}  // namespace
}  // namespace execseal
