#include "tests/e2e/dodge_cases.h"

#include <sys/utsname.h>

#include <sstream>

namespace execseal::e2e::dodge {
namespace {

const std::string kEcho = "echo $((40+2))ok";
constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";
const Exec kPython{.argv = {"/usr/bin/python3", "-c", "print(1)"}};

// `words` with -c and the sign's command behind them.
Words and_echo(Words words) {
    words.insert(words.end(), {"-c", kEcho});
    return words;
}

Words loader(Words words) {
    words.insert(words.begin(), kLoader);
    return words;
}

// Shells by all their names, and how else one starts.
std::vector<Case> shells_of_debian() {
    const Exec awk{.argv = {"/usr/bin/awk", "BEGIN { print 1 }"}};
    const Exec through_loader{.argv = {kLoader, "/usr/bin/printf", "1"}};
    const std::string python_exec = "import os; os.execv('/bin/sh', ['x', '-c', '" + kEcho + "'])";
    const std::string script = "#!/bin/sh\n" + kEcho + "\n";
    return {
        {"dash", {.argv = and_echo({"/usr/bin/dash"})}, kPython},
        {"sh", {.argv = and_echo({"/bin/sh"})}, awk},
        {"bash", {.argv = and_echo({"/bin/bash"})}, kPython},
        {"rbash", {.argv = and_echo({"/bin/rbash"})}, kPython},
        {"bash_static", {.argv = and_echo({"/bin/bash-static"})}, kPython},
        {"sash", {.argv = {"/bin/sash", "-c", "printenv S"}, .env = {"S=42ok"}}, kPython},
        {"posh", {.argv = and_echo({"/bin/posh"})}, kPython},
        {"zsh", {.argv = and_echo({"/bin/zsh"})}, kPython},
        {"fish", {.argv = {"/usr/bin/fish", "-c", "echo (math 40+2)ok"}}, kPython},
        {"diverted",
         {.argv = and_echo({"/tmp/sh.distrib"}),
          .before = {{"copy", "/bin/dash\n/tmp/sh.distrib"}}},
         kPython},
        {"another_version",
         {.argv = and_echo({"/tmp/bash-5.2"}), .before = {{"copy", "/bin/bash\n/tmp/bash-5.2"}}},
         kPython},
        {"link_of_another_name",
         {.argv = and_echo({"/tmp/tool"}), .before = {{"symlink", "/usr/bin/dash\n/tmp/tool"}}},
         awk},
        {"script",
         {.argv = {"/tmp/s1"}, .before = {{"make", "/tmp/s1\n" + script}}},
         {.argv = {"/tmp/p1"}, .before = {{"make", "/tmp/p1\n#!/usr/bin/python3\nprint(1)\n"}}}},
        {"script_through_env",
         {.argv = {"/tmp/s2"},
          .before = {{"make", "/tmp/s2\n#!/usr/bin/env bash\n" + kEcho + "\n"}}},
         {.argv = {"/tmp/p2"},
          .before = {{"make", "/tmp/p2\n#!/usr/bin/env python3\nprint(1)\n"}}}},
        {"env",
         {.argv = and_echo({"/usr/bin/env", "sh"})},
         {.argv = {"/usr/bin/env", "printf", "1"}}},
        {"xargs",
         {.argv = {"/usr/bin/xargs", "-d", "\n", "sh", "-c"}, .in = kEcho + "\n"},
         {.argv = {"/usr/bin/xargs", "printf"}, .in = "1\n"}},
        {"find",
         {.argv = {"/usr/bin/find", "/srv", "-maxdepth", "0", "-exec", "sh", "-c", kEcho, ";"}},
         {.argv = {"/usr/bin/find", "/srv", "-maxdepth", "0"}}},
        {"python", {.argv = {"/usr/bin/python3", "-c", python_exec}}, kPython},
        {"loader", {.argv = and_echo(loader({"/usr/bin/dash"}))}, through_loader},
        {"loader_inhibit_rpath",
         {.argv = and_echo(loader({"--inhibit-rpath", "x", "/bin/dash"}))},
         through_loader},
        {"loader_hwcaps",
         {.argv = and_echo(loader({"--glibc-hwcaps-mask", "x", "/bin/dash"}))},
         through_loader},
        {"loader_argv0", {.argv = and_echo(loader({"--argv0", "x", "/bin/dash"}))}, through_loader},
        {"memfd",
         {.argv = and_echo({"x"}), .before = {{"memfd", "/bin/dash"}, {"path", "/proc/self/fd/9"}}},
         kPython},
        {"descriptor",
         {.argv = and_echo({"x"}), .before = {{"fd", "/bin/dash"}, {"path", "/proc/self/fd/9"}}},
         kPython},
        {"applet",
         {.argv = and_echo({"/usr/bin/busybox", "sh"})},
         {.argv = {"/usr/bin/busybox", "echo", "1"}}},
        {"applet_by_argv0",
         {.argv = and_echo({"ash"}), .before = {{"path", "/usr/bin/busybox"}}},
         {.argv = {"/usr/bin/busybox", "echo", "1"}}},
        {"applet_by_link",
         {.argv = and_echo({"/tmp/ash"}),
          .before = {{"symlink", "/usr/bin/busybox\n/tmp/ash"}, {"path", "/tmp/ash"}}},
         awk},
        {"chroot",
         {.argv = and_echo({"/usr/sbin/chroot", "/srv/jail", "/sh"}),
          .before = {{"copy", "/bin/bash-static\n/srv/jail/sh"}}},
         {.argv = {"/usr/sbin/chroot", "/srv/jail", "/printf", "printf", "1"},
          .before = {{"copy", "/usr/bin/busybox\n/srv/jail/printf"}}}},
        {"other_mounts",
         {.argv = and_echo({"/usr/bin/unshare", "-Urm", "/bin/dash"})},
         {.argv = {"/usr/bin/unshare", "-Urm", "/usr/bin/printf", "1"}}},
    };
}

// Programs that run a command line for whoever asks.
std::vector<Case> starters_of_shells() {
    const std::string split = "sh -c '" + kEcho + "'";
    return {
        {"env_split",
         {.argv = {"/usr/bin/env", "-S", split}},
         {.argv = {"/usr/bin/env", "-S", "printf 1"}}},
        {"script_of_env_split",
         {.argv = {"/tmp/e1"}, .before = {{"make", "/tmp/e1\n#!/usr/bin/env -S " + split + "\n"}}},
         {.argv = {"/tmp/e2"},
          .before = {{"make", "/tmp/e2\n#!/usr/bin/env -S python3 -B\nprint(1)\n"}}}},
        {"awk",
         {.argv = {"/usr/bin/awk", "BEGIN { system(\"" + kEcho + "\") }"}},
         {.argv = {"/usr/bin/awk", "BEGIN { print 1 }"}}},
        {"perl",
         {.argv = {"/usr/bin/perl", "-e", "print qx'" + kEcho + "'"}},
         {.argv = {"/usr/bin/perl", "-e", "print 1"}}},
        {"git_alias",
         {.argv = {"/usr/bin/git", "-c", "alias.x=!" + kEcho, "x"}},
         {.argv = {"/usr/bin/git", "--version"}}},
        {"tar",
         {.argv = {"/usr/bin/tar", "-cf", "/dev/null", "--checkpoint=1",
                   "--checkpoint-action=exec=" + kEcho, "/usr/bin/dash"}},
         {.argv = {"/usr/bin/tar", "-cf", "/dev/null", "/usr/bin/dash"}}},
        {"flock",
         {.argv = {"/usr/bin/flock", "/tmp/lock", "-c", kEcho}},
         {.argv = {"/usr/bin/flock", "/tmp/lock", "printf", "1"}}},
        {"gdb",
         {.argv = {"/usr/bin/gdb", "-batch", "-nx", "-ex", "shell " + kEcho}},
         {.argv = {"/usr/bin/gdb", "--version"}}},
        {"setpriv",
         {.argv = and_echo({"/usr/bin/setpriv", "--nnp", "dash"})},
         {.argv = {"/usr/bin/setpriv", "--nnp", "printf", "1"}}},
    };
}

// A shell behind names that are not its own, or of which nothing can be read.
std::vector<Case> names_of_shells() {
    const Exec awk{.argv = {"/usr/bin/awk", "BEGIN { print 1 }"}};
    const Exec through_loader{.argv = {kLoader, "/usr/bin/printf", "1"}};
    const std::string python_deleted =
        "import os; fd = os.open('/tmp/sh', os.O_PATH); os.unlink('/tmp/sh');"
        "os.execve(fd, ['x', '-c', '" +
        kEcho + "'], {})";
    return {
        {"links_name",
         {.argv = and_echo({"/tmp/ksh"}),
          .before = {{"copy", "/bin/dash\n/tmp/tool-x"}, {"symlink", "tool-x\n/tmp/ksh"}}},
         awk},
        {"name_on_the_way",
         {.argv = and_echo({"/tmp/tool-y"}),
          .before = {{"copy", "/bin/dash\n/tmp/tool-z"},
                     {"symlink", "tool-z\n/tmp/zsh"},
                     {"symlink", "zsh\n/tmp/tool-y"}}},
         awk},
        {"deleted",
         {.argv = {"/usr/bin/python3", "-c", python_deleted},
          .before = {{"copy", "/bin/dash\n/tmp/sh"}}},
         kPython},
        {"lease",
         {.argv = and_echo(loader({"/tmp/dash"})),
          .before = {{"copy", "/bin/dash\n/tmp/dash"}, {"lease", "/tmp/dash"}}},
         through_loader},
        {"link_of_the_file",
         {.argv = and_echo({"/tmp/mksh"}),
          .before = {{"copy", "/bin/dash\n/tmp/tool-h"}, {"link", "/tmp/tool-h\n/tmp/mksh"}}},
         awk},
        {"static_one",
         {.argv = and_echo({"/tmp/bash.static"}),
          .before = {{"copy", "/bin/bash-static\n/tmp/bash.static"}}},
         awk},
        {"left_by_dpkg",
         {.argv = and_echo({"/tmp/dash.dpkg-new"}),
          .before = {{"copy", "/bin/dash\n/tmp/dash.dpkg-new"}}},
         awk},
        {"through_proc", {.argv = and_echo({"/proc/self/root/bin/sh"})}, awk},
        {"copy_of_the_loader",
         {.argv = and_echo({"/tmp/ls", "/bin/dash"}),
          .before = {{"copy", "/lib64/ld-linux-x86-64.so.2\n/tmp/ls"}}},
         {.argv = {"/tmp/ls", "/usr/bin/printf", "1"}}},
        {"busybox_by_argv0",
         {.argv = and_echo({"busybox-x", "sh"}),
          .before = {{"copy", "/bin/busybox\n/tmp/tool-b"}, {"path", "/tmp/tool-b"}}},
         awk},
        {"script_of_a_script",
         {.argv = {"/tmp/n2"},
          .before = {{"make", "/tmp/n1\n#!/bin/sh\n" + kEcho + "\n"},
                     {"make", "/tmp/n2\n#!/tmp/n1\n"}}},
         awk},
        {"script_in_memory",
         {.argv = {"x"},
          .before = {{"make", "/tmp/n3\n#!/bin/sh\n" + kEcho + "\n"},
                     {"memfd", "/tmp/n3"},
                     {"path", "/proc/self/fd/9"}}},
         awk},
        {"interpreter_of_an_elf",
         {.argv = and_echo({"sh"}),
          .before = {{"interpreted", "/bin/busybox\n/tmp/interpreted"},
                     {"path", "/tmp/interpreted"}}},
         kPython},
    };
}

// The kernel hands files of a kind to a program that a user namespace has named; since Linux 6.7.
std::vector<Case> shells_of_binfmt_misc() {
    utsname system{};
    int major = 0;
    int minor = 0;
    char dot = '.';
    if (uname(&system) != 0 || !(std::istringstream(system.release) >> major >> dot >> minor) ||
        std::pair(major, minor) < std::pair(6, 7)) {
        return {};
    }
    const std::string script =
        "import ctypes, os\nos.mkdir('/tmp/b')\n"
        "assert ctypes.CDLL(None).mount(b'x', b'/tmp/b', b'binfmt_misc', 0, None) == 0\n"
        "open('/tmp/b/register', 'w').write(':dodge:M::DODGE::/bin/dash:')\n"
        "os.execv('/tmp/format', ['x'])\n";
    return {{"binfmt_misc",
             {.argv = {"/usr/bin/unshare", "-Urm", "/usr/bin/python3", "/tmp/binfmt.py"},
              .before = {{"make", "/tmp/binfmt.py\n" + script},
                         {"make", "/tmp/format\nDODGE=1\n" + kEcho + "\n"}}},
             {.argv = {"/usr/bin/unshare", "-Urm", "/usr/bin/python3", "-c", "print(1)"}}}};
}

std::vector<Case> shells_of_busybox() {
    const Exec honest{.argv = {"/bin/busybox", "echo", "1"}};
    return {
        {"sh", {.argv = and_echo({"/bin/sh"})}, {.argv = {"/bin/echo", "1"}}},
        {"ash", {.argv = and_echo({"/bin/ash"})}, honest},
        {"busybox_sh", {.argv = and_echo({"/bin/busybox", "sh"})}, honest},
        {"busybox_as_hush",
         {.argv = and_echo({"-sh"}), .before = {{"path", "/bin/busybox"}}},
         honest},
        {"copy",
         {.argv = and_echo({"/tmp/sh"}), .before = {{"copy", "/bin/busybox\n/tmp/sh"}}},
         {.argv = {"/tmp/echo", "1"}, .before = {{"copy", "/bin/busybox\n/tmp/echo"}}}},
        {"renamed_copy",
         {.argv = and_echo({"sh"}),
          .before = {{"copy", "/bin/busybox\n/tmp/tool"}, {"path", "/tmp/tool"}}},
         honest},
        {"script",
         {.argv = {"/tmp/s"}, .before = {{"make", "/tmp/s\n#!/bin/sh\n" + kEcho + "\n"}}},
         honest},
        {"script_of_an_applet",
         {.argv = {"/tmp/t"}, .before = {{"make", "/tmp/t\n#!/bin/busybox sh\n" + kEcho + "\n"}}},
         honest},
        {"env", {.argv = and_echo({"/bin/env", "sh"})}, {.argv = {"/bin/env", "echo", "1"}}},
        {"xargs",
         {.argv = {"/bin/xargs", "-n1", "-0", "sh", "-c"}, .in = kEcho},
         {.argv = {"/bin/xargs", "echo"}, .in = "1\n"}},
        {"find",
         {.argv = {"/bin/find", "/srv", "-maxdepth", "0", "-exec", "sh", "-c", kEcho, ";"}},
         {.argv = {"/bin/find", "/srv", "-maxdepth", "0"}}},
    };
}

std::vector<Case> shells_of_an_overlay() {
    return {
        {"sh", {.argv = and_echo({"/bin/sh"})}, kPython},
        {"diverted",
         {.argv = and_echo({"/usr/bin/dash.distrib"}),
          .before = {{"rename", "/usr/bin/dash\n/usr/bin/dash.distrib"},
                     {"symlink", "dash.distrib\n/usr/bin/dash"}}},
         kPython},
        {"link",
         {.argv = and_echo({"/usr/local/bin/tool"}),
          .before = {{"symlink", "/usr/bin/bash\n/usr/local/bin/tool"}}},
         kPython},
        {"loader",
         {.argv = and_echo(loader({"/usr/bin/bash"}))},
         {.argv = {kLoader, "/usr/bin/printf", "1"}}},
        {"script",
         {.argv = {"/usr/bin/tool"},
          .before = {{"make", "/usr/bin/tool\n#!/bin/bash\n" + kEcho + "\n"}}},
         kPython},
    };
}

// Programs that are not the image's, and code that is in no file.
std::vector<Case> agents() {
    const Exec ls{.argv = {"/bin/ls", "/srv"}};
    const Exec shell{.argv = and_echo({"/bin/sh"})};
    const Exec file{.argv = {"/usr/bin/python3", "/tmp/honest.py"},
                    .before = {{"make", "/tmp/honest.py\nprint(1)\n"}}};
    const std::string python = "print(str(40+2)+'ok')";
    const std::string perl = "print 40+2, 'ok'";
    const std::string node = "console.log(40+2+'ok')";
    const Exec node_file{.argv = {"/usr/bin/node", "/tmp/honest.js"},
                         .before = {{"make", "/tmp/honest.js\nconsole.log(1)\n"}}};
    const Exec perl_file{.argv = {"/usr/bin/perl", "-w", "/tmp/honest.pl"},
                         .before = {{"make", "/tmp/honest.pl\nprint 1\n"}}};
    return {
        {"downloaded",
         {.argv = and_echo({"/tmp/x"}), .before = {{"copy", "/bin/dash\n/tmp/x"}}},
         shell},
        {"relative",
         {.argv = and_echo({"./x"}), .cwd = "/tmp"},
         {.argv = {"./ls"}, .cwd = "/usr/bin"}},
        {"through_proc", {.argv = and_echo({"/proc/self/root/tmp/x"})}, ls},
        {"memfd",
         {.argv = and_echo({"x"}), .before = {{"memfd", "/bin/dash"}, {"path", "/proc/self/fd/9"}}},
         ls},
        {"script",
         {.argv = {"/tmp/s"}, .before = {{"make", "/tmp/s\n#!/bin/sh\n" + kEcho + "\n"}}},
         {.argv = {"/usr/bin/which", "ls"}}},
        {"loader", {.argv = and_echo(loader({"/tmp/x"}))}, {.argv = loader({"/bin/ls"})}},
        {"loader_inhibit_rpath",
         {.argv = and_echo(loader({"--inhibit-rpath", "x", "/tmp/x"}))},
         ls},
        {"loader_hwcaps_mask",
         {.argv = and_echo(loader({"--glibc-hwcaps-mask", "x", "/tmp/x"}))},
         ls},
        {"loader_argv0", {.argv = and_echo(loader({"--argv0", "/bin/ls", "/tmp/x"}))}, ls},
        {"loader_library_path",
         {.argv = and_echo(loader({"--library-path", "/tmp", "/bin/dash"}))},
         ls},
        {"link_in_tmp_to_a_file_there",
         {.argv = and_echo({"/tmp/ls"}), .before = {{"symlink", "x\n/tmp/ls"}}},
         {.argv = {"/opt/bin/npm"}, .before = {{"symlink", "../npm/cli.js\n/opt/bin/npm"}}},
         kSign,
         "npm"},
        {"debug_of_the_loader",
         {.argv = {"/bin/true"}, .env = {"LD_DEBUG=help"}},
         ls,
         "Valid options"},
        {"python_c", {.argv = {"/usr/bin/python3", "-c", python}}, file},
        {"python_cluster", {.argv = {"/usr/bin/python3", "-Isc", python}}, file},
        {"python_value_before_c",
         {.argv = {"/usr/bin/python3", "-W", "error", "-c", python}},
         file},
        {"python_stdin", {.argv = {"/usr/bin/python3"}, .in = python}, file},
        {"python_dash", {.argv = {"/usr/bin/python3", "-"}, .in = python}, file},
        {"python_dev_stdin", {.argv = {"/usr/bin/python3", "/dev/stdin"}, .in = python}, file},
        {"python_interactive",
         {.argv = {"/usr/bin/python3", "-i", "/tmp/empty.py"},
          .before = {{"make", "/tmp/empty.py\n"}},
          .in = python},
         file},
        {"python_timeit",
         {.argv = {"/usr/bin/python3", "-m", "timeit", "-n1", "-r1", python}},
         {.argv = {"/usr/bin/python3", "-m", "json.tool"}, .in = "1"}},
        {"python_path",
         {.argv = {"/usr/bin/python3", "/tmp/empty.py"},
          .env = {"PYTHONPATH=/tmp/lib"},
          .before = {{"make", "/tmp/sitecustomize.py\n" + python + "\n"},
                     {"symlink", ".\n/tmp/lib"}}},
         file},
        {"perl_e", {.argv = {"/usr/bin/perl", "-e", perl}}, perl_file},
        {"perl_include_before_e", {.argv = {"/usr/bin/perl", "-I", "/tmp", "-e", perl}}, perl_file},
        {"perl_stdin", {.argv = {"/usr/bin/perl"}, .in = perl}, perl_file},
        {"perl_db",
         {.argv = {"/usr/bin/perl", "-d", "/tmp/empty.py"},
          .env = {"PERL5DB=BEGIN { " + perl + "; exit }"}},
         perl_file},
        {"node_e", {.argv = {"/usr/bin/node", "-e", node}}, node_file},
        {"node_p", {.argv = {"/usr/bin/node", "-p", "40+2+'ok'"}}, node_file},
        {"node_stdin", {.argv = {"/usr/bin/node"}, .in = node}, node_file},
        {"node_options",
         {.argv = {"/usr/bin/node", "/tmp/honest.js"},
          .env = {"NODE_OPTIONS=--require /tmp/r.js"},
          .before = {{"make", "/tmp/r.js\n" + node + "\n"}, {"make", "/tmp/honest.js\n"}}},
         node_file},
        {"through_another_process", {.argv = and_echo({"/proc/1/root/tmp/x"})}, ls},
        {"descriptor",
         {.argv = and_echo({"x"}), .before = {{"fd", "/tmp/x"}, {"path", "/dev/fd/9"}}},
         ls},
        {"env_split",
         {.argv = {"/usr/bin/env", "-S", "/tmp/x -c '" + kEcho + "'"}},
         {.argv = {"/usr/bin/env", "-S", "ls /srv"}}},
        {"chroot",
         {.argv = and_echo({"/usr/sbin/chroot", "/srv/jail", "/usr/bin/tool"}),
          .before = {{"copy", "/bin/bash-static\n/srv/jail/usr/bin/tool"}}},
         {.argv = {"/usr/sbin/chroot", "/", "/bin/ls"}}},
        {"mounted_over_a_program",
         {.argv = {"/usr/bin/python3", "/tmp/mount.py"},
          .before = {{"make",
                      "/tmp/mount.py\nimport ctypes, os\nc = ctypes.CDLL(None)\n"
                      "assert c.unshare(0x10020000) == 0\n"
                      "assert c.mount(b'/tmp/x', b'/usr/bin/printf', None, 4096, None) == 0\n"
                      "os.execv('/usr/bin/printf', ['x', '-c', '" +
                          kEcho + "'])\n"}}},
         {.argv = {"/usr/bin/python3", "/tmp/printf.py"},
          .before = {{"make",
                      "/tmp/printf.py\nimport os\nos.execv('/usr/bin/printf', ['x', '1'])\n"}}}},
        {"git_alias",
         {.argv = {"/usr/bin/git", "-c", "alias.x=!/tmp/x -c '" + kEcho + "'", "x"}},
         {.argv = {"/usr/bin/git", "-c", "alias.x=!ls /srv", "x"}}},
        {"git_exec_path",
         {.argv = {"/usr/bin/git", "--exec-path=/tmp", "dodge"},
          .before = {{"make", "/tmp/git-dodge\n#!/bin/sh\n" + kEcho + "\n"}}},
         {.argv = {"/usr/bin/git", "--exec-path=/tmp", "--version"}}},
        {"gdb",
         {.argv = {"/usr/bin/gdb", "-nx", "-batch", "-ex", "run", "--args", "/tmp/x", "-c", kEcho}},
         {.argv = {"/usr/bin/gdb", "--version"}}},
        {"loader_preload",
         {.argv = loader({"--preload", kLibrary, "/bin/true"})},
         {.argv = loader({"/bin/true"})}},
        {"loader_audit", {.argv = loader({"--audit", kLibrary, "/bin/true"})}, ls},
        {"preload", {.argv = {"/bin/true"}, .env = {std::string("LD_PRELOAD=") + kLibrary}}, ls},
        {"gconv",
         {.argv = {"/usr/bin/iconv", "-f", "SIGN", "-t", "UTF-8", "/dev/null"},
          .env = {"GCONV_PATH=/srv/gconv"}},
         {.argv = {"/usr/bin/iconv", "-f", "LATIN1", "-t", "UTF-8", "/dev/null"}}},
        {"openssl_conf",
         {.argv = {"/usr/bin/python3", "/tmp/tls.py"},
          .env = {"OPENSSL_CONF=/srv/openssl.cnf"},
          .before = {{"make", "/tmp/tls.py\nimport ssl\n" +
                                  std::string("ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n")}}},
         {.argv = {"/usr/bin/python3", "/tmp/tls.py"}}},
        {"python_v", {.argv = {"/usr/bin/python3", "-v"}, .in = python}, file},
        {"python_dev_stdin_by_dots",
         {.argv = {"/usr/bin/python3", "../dev/./stdin"}, .cwd = "/tmp", .in = python},
         {.argv = {"/usr/bin/python3", "./honest.py"}, .cwd = "/tmp"}},
        {"python_dev_stdin_relative",
         {.argv = {"/usr/bin/python3", "dev/stdin"}, .cwd = "/", .in = python},
         {.argv = {"/usr/bin/python3", "tmp/honest.py"}, .cwd = "/"}},
        {"python_descriptor_relative",
         {.argv = {"/usr/bin/python3", "0"}, .cwd = "/proc/self/fd", .in = python},
         file},
        {"perl_stdin_relative",
         {.argv = {"/usr/bin/perl", "./stdin"}, .cwd = "/dev", .in = perl},
         perl_file},
        {"python_path_by_dots",
         {.argv = {"/usr/bin/python3", "/tmp/empty.py"}, .env = {"PYTHONPATH=/usr/../tmp/lib"}},
         {.argv = {"/usr/bin/python3", "/tmp/honest.py"},
          .env = {"PYTHONPATH=/usr/lib/python3/dist-packages:/usr/local/lib/"}}},
        {"python_path_with_an_empty_part",
         {.argv = {"/usr/bin/python3", "/srv/empty.py"},
          .env = {"PYTHONPATH=/usr/lib:"},
          .cwd = "/tmp"},
         {.argv = {"/usr/bin/python3", "/tmp/honest.py"}, .env = {"PYTHONPATH=/usr/lib"}}},
        {"node_path_by_dots",
         {.argv = {"/usr/bin/node", "/srv/needs.js"},
          .env = {"NODE_PATH=/usr/../tmp"},
          .before = {{"make", "/tmp/dodged.js\n" + node + "\n"}}},
         {.argv = {"/usr/bin/node", "/tmp/honest.js"}, .env = {"NODE_PATH=/usr/lib/nodejs"}}},
        {"bash_env", {.argv = {"/bin/bash", "-c", "true"}, .env = {"BASH_ENV=/tmp/s"}}, shell},
        {"bash_function",
         {.argv = {"/bin/bash", "-c", "ls"}, .env = {"BASH_FUNC_ls%%=() { " + kEcho + "; }"}},
         shell},
        {"env_of_an_interactive_sh",
         {.argv = {"/bin/dash", "-i"}, .env = {"ENV=/tmp/s"}, .in = ""},
         shell},
    };
}

// The image's own folders, with a link of a package manager's kind in them.
std::vector<Case> agents_on_an_overlay() {
    return {
        {"link_out_of_the_image",
         {.argv = and_echo({"/usr/local/bin/tool"}),
          .before = {{"copy", "/bin/dash\n/tmp/x"}, {"symlink", "/tmp/x\n/usr/local/bin/tool"}}},
         {.argv = {"/usr/bin/npm-like"},
          .before = {{"make", "/usr/share/cli.js\n#!/usr/bin/env node\nconsole.log('npm')\n"},
                     {"symlink", "../share/cli.js\n/usr/bin/npm-like"}}},
         kSign,
         "npm"},
        {"interpreter_out_of_the_image",
         {.argv = {"/usr/local/bin/script"},
          .before = {{"make", "/usr/local/bin/script\n#!/tmp/x\n" + kEcho + "\n"}}},
         {.argv = {"/usr/bin/which", "ls"}},
         kSign,
         "/bin/ls"},
        {"loader",
         {.argv = and_echo(loader({"/tmp/x"}))},
         {.argv = {"/usr/bin/env", "npm-like"}},
         kSign,
         "npm"},
    };
}

const Words kGit{"/usr/bin/git"};

Words git(const Words& words) {
    Words all = kGit;
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

Exec in_work(Words argv, Words env = {}) {
    return {.argv = std::move(argv), .env = std::move(env), .cwd = "/srv/work"};
}

Case push(const std::string& name, Exec exec, const Exec& honest, const std::string& sign) {
    exec.cwd = "/srv/work";
    return {
        .name = name, .dodge = std::move(exec), .honest = honest, .honest_sign = sign, .ref = name};
}

std::vector<Case> pushes() {
    const std::string path = "/srv/remote.git";
    const std::string all = "refs/heads/main:refs/heads/";
    const Exec status = in_work(git({"status"}));
    const Exec fetch = in_work(git({"fetch", "@GIT@", "main"}));
    const Exec fetch_http = in_work(git({"fetch", "@HTTP@", "main"}));
    const Exec commit = in_work(git({"commit", "--allow-empty", "-m", "about receive-pack"}));
    return {
        push("path", {.argv = git({"push", path, all + "path"})}, in_work(git({"fetch", path})),
             "FETCH_HEAD"),
        push("daemon", {.argv = git({"push", "@GIT@", all + "daemon"})}, fetch, "FETCH_HEAD"),
        push("http", {.argv = git({"push", "@HTTP@", all + "http"})}, fetch_http, "FETCH_HEAD"),
        push(
            "flags",
            {.argv = git({"-C", ".", "-c", "a.b=c", "--no-pager", "push", "@GIT@", all + "flags"})},
            commit, "about receive-pack"),
        push("alias", {.argv = git({"-c", "alias.p=push", "p", "@GIT@", all + "alias"})}, status,
             "On branch"),
        push("alias_of_a_file",
             {.argv = git({"p", "@GIT@", all + "alias_of_a_file"}),
              .before = {{"make",
                          "/root/.gitconfig\n[alias]\n\tp = push\n[user]\n\tname = T\n\temail = "
                          "t@example.org\n"}}},
             status, "On branch"),
        push("alias_from_env",
             {.argv = git({"q", "@GIT@", all + "alias_from_env"}),
              .env = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=alias.q", "GIT_CONFIG_VALUE_0=push"}},
             status, "On branch"),
        push("alias_to_a_shell",
             {.argv = git({"-c", "alias.s=!git push @GIT@ " + all + "alias_to_a_shell", "s"})},
             in_work(git({"-c", "alias.s=!git status", "log", "-1"})), "commit"),
        push("autocorrect",
             {.argv =
                  git({"-c", "help.autocorrect=immediate", "pussh", "@GIT@", all + "autocorrect"})},
             in_work(git({"stash", "list"})), ""),
        push("send_pack", {.argv = git({"send-pack", path, all + "send_pack"})}, fetch,
             "FETCH_HEAD"),
        push("remote_http",
             {.argv = git({"remote-http", "origin", "@HTTP@"}),
              .in = "push " + all + "remote_http\n\n"},
             fetch_http, "FETCH_HEAD"),
        push("dashed", {.argv = {"/usr/lib/git-core/git-push", "@GIT@", all + "dashed"}},
             in_work({"/usr/lib/git-core/git-status"}), "On branch"),
        push(
            "by_argv0",
            {.argv = {"git-push", "@GIT@", all + "by_argv0"}, .before = {{"path", "/usr/bin/git"}}},
            status, "On branch"),
        push("link",
             {.argv = {"/tmp/vcs", "push", "@GIT@", all + "link"},
              .before = {{"symlink", "/usr/bin/git\n/tmp/vcs"}}},
             status, "On branch"),
        push("copy",
             {.argv = {"/tmp/vcs2", "push", "@GIT@", all + "copy"},
              .before = {{"copy", "/usr/bin/git\n/tmp/vcs2"}}},
             status, "On branch"),
        push("loader", {.argv = loader({"/usr/bin/git", "push", "@GIT@", all + "loader"})},
             in_work(loader({"/usr/bin/git", "status"})), "On branch"),
        push("other_mounts",
             {.argv = {"/usr/bin/unshare", "-Urm", "git", "push", "@GIT@", all + "other_mounts"}},
             in_work({"/usr/bin/unshare", "-Urm", "true"}), ""),
        push("shell", {.argv = {"/bin/sh", "-c", "cd . && git push @GIT@ " + all + "shell"}},
             in_work({"/bin/sh", "-c", "git log -1"}), "commit"),
        push(
            "rebase",
            {.argv = git({"rebase", "-q", "--exec", "git push @GIT@ " + all + "rebase", "--root"})},
            in_work(git({"rebase", "--abort"})), ""),
        push("receivepack_in_quotes",
             {.argv =
                  git({"-c", "alias.p=push", "-c", "remote.origin.receivepack=git-receive\"\"-pack",
                       "p", "origin", all + "receivepack_in_quotes"})},
             in_work({"/bin/sh", "-c",
                      "git clone -q " + path + " /tmp/clone && git -C /tmp/clone log -1"}),
             "commit"),
        push("argv0_of_the_loader",
             {.argv = loader(
                  {"--argv0", "git-push", "/usr/bin/git", "@GIT@", all + "argv0_of_the_loader"})},
             in_work(loader({"--argv0", "git-status", "/usr/bin/git"})), "On branch"),
        push("interpreter",
             {.argv = {"/tmp/gp", all + "interpreter"},
              .env = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.@GIT@.insteadOf",
                      "GIT_CONFIG_VALUE_0=/tmp/gp"},
              .before = {{"make", "/tmp/gp\n#!/usr/bin/git push\n"}}},
             status, "On branch"),
        push("env_split", {.argv = {"/usr/bin/env", "-S", "git push @GIT@ " + all + "env_split"}},
             in_work({"/usr/bin/env", "-S", "git status"}), "On branch"),
        push("through_proc",
             {.argv = {"/proc/self/root/usr/bin/git", "push", "@GIT@", all + "through_proc"}},
             status, "On branch"),
        push("included",
             {.argv = git({"-c", "include.path=/tmp/included", "i", "@GIT@", all + "included"}),
              .before = {{"make", "/tmp/included\n[alias]\n\ti = push\n"}}},
             status, "On branch"),
        push("for_each_repo",
             {.argv = git({"-c", "a.b=/srv/work", "for-each-repo", "--config=a.b", "push", path,
                           all + "for_each_repo"})},
             in_work(git({"-c", "a.b=/srv/work", "for-each-repo", "--config=a.b", "status"})),
             "On branch"),
        push("hook",
             {.argv = git({"-c", "core.hooksPath=/srv/hooks", "commit", "-q", "--allow-empty", "-m",
                           "hook"})},
             commit, "about receive-pack"),
        push("editor",
             {.argv = git({"-c", "core.editor=git push " + path + " " + all + "editor;:", "commit",
                           "--amend", "--allow-empty"})},
             in_work(git({"-c", "core.editor=:", "commit", "--amend", "--allow-empty"})),
             "about receive-pack"),
        push("ssh_command",
             {.argv = git({"-c", "core.sshCommand=git push " + path + " " + all + "ssh_command;:",
                           "fetch", "ssh://host/x"})},
             fetch, "FETCH_HEAD"),
        push("upload_pack",
             {.argv = git({"fetch",
                           "--upload-pack=git push " + path + " " + all +
                               "upload_pack >&2; git-upload-pack",
                           path})},
             in_work(git({"fetch", "--upload-pack=git-upload-pack", path})), "FETCH_HEAD"),
        push("transport_ext",
             {.argv = git({"-c", "protocol.ext.allow=always", "fetch",
                           "ext::git push " + path + " " + all + "transport_ext"})},
             fetch, "FETCH_HEAD"),
        push("script",
             {.argv = {"/tmp/tool"},
              .before = {{"make",
                          "/tmp/tool\n#!/usr/bin/python3\nimport "
                          "subprocess\nsubprocess.run(['git', 'push', '@GIT@', '" +
                              all + "script'])\n"}}},
             status, "On branch"),
    };
}

std::vector<Case> forced_pushes() {
    const std::string main = "+refs/heads/main:refs/heads/";
    const std::string plain = "refs/heads/main:refs/heads/";
    std::vector<Case> cases;
    int number = 0;
    const auto add = [&](const std::string& name, Exec exec) {
        // Honest pushes by turns over a path and to the daemon.
        const std::string fresh = "new-" + name;
        const std::string to = ++number % 2 == 0 ? "origin" : "@GIT@";
        cases.push_back({.name = name,
                         .dodge = std::move(exec),
                         .honest = in_work(git({"push", to, "main:refs/heads/" + fresh})),
                         .ref = "old-" + name,
                         .honest_ref = fresh});
    };
    const auto forced = [&](const std::string& name) { return main + "old-" + name; };
    add("f", in_work(git({"push", "-f", "@GIT@", plain + "old-f"})));
    add("uf", in_work(git({"push", "origin", plain + "old-uf", "-uf"})));
    add("force", in_work(git({"push", "--force", "origin", plain + "old-force"})));
    add("lease", in_work({"/bin/sh", "-c",
                          "git push --force-with-lease=old-lease:$(git ls-remote origin "
                          "refs/heads/old-lease | cut -f1) origin " +
                              plain + "old-lease"}));
    add("plus", in_work(git({"push", "@GIT@", forced("plus")})));
    add("delete", in_work(git({"push", "origin", "--del", "old-delete"})));
    add("colon", in_work(git({"push", "origin", ":refs/heads/old-colon"})));
    add("flags", in_work(git({"-C", ".", "--no-pager", "push", "origin", forced("flags")})));
    add("alias", in_work(git({"-c", "alias.p=push -f", "p", "origin", plain + "old-alias"})));
    add("autocorrect", in_work(git({"-c", "help.autocorrect=immediate", "pussh", "-f", "origin",
                                    plain + "old-autocorrect"})));
    add("configured",
        in_work(git({"-c", "remote.origin.push=" + forced("configured"), "push", "origin"})));
    add("from-env", in_work(git({"push", "origin"}),
                            {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=remote.origin.push",
                             "GIT_CONFIG_VALUE_0=" + forced("from-env")}));
    add("from-parameters",
        in_work(git({"push", "origin"}), {"GIT_CONFIG_PARAMETERS='remote.origin.push'='" +
                                          forced("from-parameters") + "'"}));
    add("included", {.argv = git({"-c", "include.path=/tmp/include", "push", "origin"}),
                     .before = {{"make", "/tmp/include\n[remote \"origin\"]\n\tpush = " +
                                             forced("included") + "\n"}},
                     .cwd = "/srv/work"});
    add("config", in_work({"/bin/sh", "-c",
                           "git config remote.c.url /srv/remote.git && git config remote.c.push " +
                               forced("config") + " && git push c"}));
    add("section", in_work({"/bin/sh", "-c",
                            "git config a.b.push " + forced("section") +
                                " && git config a.b.url /srv/remote.git && git config "
                                "--rename-section a.b remote.b && git push b"}));
    add("send-pack",
        in_work(git({"send-pack", "--force", "/srv/remote.git", plain + "old-send-pack"})));
    add("stdin", {.argv = git({"send-pack", "--stdin", "/srv/remote.git"}),
                  .cwd = "/srv/work",
                  .in = forced("stdin") + "\n"});
    add("http", in_work(git({"push", "@HTTP@", forced("http")})));
    add("remote-http", {.argv = git({"remote-http", "origin", "@HTTP@"}),
                        .cwd = "/srv/work",
                        .in = "push " + forced("remote-http") + "\n\n"});
    add("receive-pack", in_work(git({"push",
                                     "--receive-pack=git --git-dir=/srv/remote.git update-ref -d "
                                     "refs/heads/old-receive-pack; git-receive-pack",
                                     "origin", "main:refs/heads/x"})));
    add("by-argv0", {.argv = {"git-push", "-f", "origin", plain + "old-by-argv0"},
                     .before = {{"path", "/usr/bin/git"}},
                     .cwd = "/srv/work"});
    add("dashed", in_work({"/usr/lib/git-core/git-push", "-f", "origin", plain + "old-dashed"}));
    add("loader", in_work(loader({"/usr/bin/git", "push", "-f", "origin", plain + "old-loader"})));
    add("argv0-of-the-loader", in_work(loader({"--argv0", "git-push", "/usr/bin/git", "-f",
                                               "origin", plain + "old-argv0-of-the-loader"})));
    add("interpreter", {.argv = {"/tmp/gp", "-f", plain + "old-interpreter"},
                        .env = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.@GIT@.insteadOf",
                                "GIT_CONFIG_VALUE_0=/tmp/gp"},
                        .before = {{"make", "/tmp/gp\n#!/usr/bin/git push\n"}},
                        .cwd = "/srv/work"});
    add("env-split",
        in_work({"/usr/bin/env", "-S", "git push -qf @GIT@ " + plain + "old-env-split"}));
    add("through-proc",
        in_work({"/proc/self/root/usr/bin/git", "push", "@GIT@", forced("through-proc")}));
    add("d", in_work(git({"push", "-qd", "origin", "old-d"})));
    add("included-from-env",
        {.argv = git({"push", "origin"}),
         .env = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=include.path",
                 "GIT_CONFIG_VALUE_0=/tmp/include-from-env"},
         .before = {{"make", "/tmp/include-from-env\n[remote \"origin\"]\n\tpush = " +
                                 forced("included-from-env") + "\n"}},
         .cwd = "/srv/work"});
    add("config-env", in_work(git({"--config-env=remote.origin.push=WHAT", "push", "origin"}),
                              {"WHAT=" + forced("config-env")}));
    add("clone", in_work({"/bin/sh", "-c",
                          "git clone -q -c remote.origin.push=+refs/heads/main:refs/heads/old-clone"
                          " /srv/remote.git /tmp/mine && cd /tmp/mine && git reset -q --hard HEAD~1"
                          " && git push -q"}));
    add("for-each-repo",
        in_work(git({"-c", "a.b=/srv/work", "for-each-repo", "--config=a.b", "push", "-f",
                     "/srv/remote.git", plain + "old-for-each-repo"})));
    add("hook", in_work(git({"-c", "core.hooksPath=/srv/hooks", "checkout", "-q", "main"})));
    add("editor", in_work(git({"-c", "core.editor=git push origin " + forced("editor") + ";:",
                               "commit", "--amend", "--allow-empty"})));
    add("copy", {.argv = {"/tmp/vcs", "push", "-f", "@GIT@", plain + "old-copy"},
                 .before = {{"copy", "/usr/bin/git\n/tmp/vcs"}},
                 .cwd = "/srv/work"});
    add("other-mounts", in_work({"/usr/bin/unshare", "-Urm", "git", "push", "-f", "origin",
                                 plain + "old-other-mounts"}));
    return cases;
}

const std::string kPg = "/usr/lib/postgresql/15/bin/";

Exec sql(const std::string& text) {
    return {.argv = {kPg + "psql", "-X", "-h", "/tmp", "-U", "user", "-d", "postgres", "-c", text}};
}

std::vector<Exec> start_of_a_database() {
    return {
        {.argv = {kPg + "initdb", "-D", "/data/db", "-A", "trust", "-U", "user", "--no-sync"}},
        {.argv = {kPg + "pg_ctl", "-D", "/data/db", "-w", "-l", "/data/log", "-o",
                  "-k /tmp -c listen_addresses=", "start"}},
        sql("create extension plperlu"),
        sql("create function x(text[]) returns text language plperlu as $$"
            " chdir('/'); open(my $p, '-|', @{$_[0]}) or return \"not run: $!\"; local $/; return "
            "<$p> $$"),
        {.argv = {kPg + "pg_basebackup", "-h", "/tmp", "-U", "user", "-D", "/data/backup",
                  "--no-sync"}},
    };
}

std::vector<Case> database() {
    const auto database = [](const Words& words) {
        Words all = words;
        all[0] = kPg + all[0];
        return Exec{.argv = all};
    };
    const auto perl = [](const std::string& words) {
        return sql("select x(array[" + words + "])");
    };
    const Exec select = sql("select 6*7 as answer");
    const Exec dump = database({"pg_dump", "-h", "/tmp", "-U", "user", "postgres"});
    const std::string dumped = "PostgreSQL database dump complete";
    return {
        {"copy_from_program",
         sql("create temp table t(x text); copy t from program 'echo $((40+2))ok'; select * from "
             "t"),
         select, kSign, "answer"},
        {"copy_elsewhere",
         sql("create temp table t(x text); copy t from program 'cd / && echo $((40+2))ok'; select "
             "* from t"),
         dump, kSign, dumped},
        {"copy_behind_postgres",
         sql("create temp table t(x text); copy t from program '\"" + kPg +
             "postgres\" -V; echo $((40+2))ok'; select * from t"),
         select, kSign, "answer"},
        {"copy_with_a_substitution",
         sql("create temp table t(x text); copy t from program '\"" + kPg +
             "postgres\" -C \"$(echo $((40+2))ok)\" 2>&1 || :'; select * from t"),
         select, kSign, "answer"},
        {"perl_shell", perl("'/bin/sh', '-c', 'echo $((40+2))ok'"), select, kSign, "answer"},
        {"perl_env", perl("'/usr/bin/env', 'sh', '-c', 'echo $((40+2))ok'"), select, kSign,
         "answer"},
        {"perl_python", perl("'/usr/bin/python3', '-c', 'print(str(40+2)+\"ok\")'"), select, kSign,
         "answer"},
        {"perl_find",
         perl("'/usr/bin/find', '/tmp', '-maxdepth', '0', '-exec', 'sh', '-c', 'echo $((40+2))ok', "
              "';'"),
         select, kSign, "answer"},
        {"perl_loader", perl("'/lib64/ld-linux-x86-64.so.2', '/bin/sh', '-c', 'echo $((40+2))ok'"),
         select, kSign, "answer"},
        {"shell_of_pg_verifybackup",
         database({"pg_verifybackup", "--wal-directory=$(" + kEcho + " >&2)", "/data/backup"}),
         database({"pg_verifybackup", "/data/backup"}), kSign, "successfully verified"},
        {"shell_escape_of_psql",
         {.argv = {kPg + "psql", "-X", "-h", "/tmp", "-U", "user", "-d", "postgres", "-c",
                   "\\! " + kEcho}},
         select,
         kSign,
         "answer"},
        {"perl_script",
         {.argv = perl("'/data/script'").argv,
          .before = {{"make", "/data/script\n#!/bin/sh\n" + kEcho + "\n"}}},
         select,
         kSign,
         "answer"},
        {"program_of_pg_ctl",
         {.argv = {kPg + "pg_ctl", "-D", "/data/backup", "-p", "/data/script", "-W", "start"}},
         database({"pg_ctl", "-D", "/data/db", "status"}),
         kSign,
         "server is running"},
        {"pipe_of_psql",
         {.argv = {kPg + "psql", "-X", "-h", "/tmp", "-U", "user", "-d", "postgres", "-c",
                   "\\copy (select 1) to program '" + kEcho + "'"}},
         select,
         kSign,
         "answer"},
        {"backquotes_of_psql",
         {.argv = {kPg + "psql", "-X", "-h", "/tmp", "-U", "user", "-d", "postgres", "-c",
                   "\\echo `" + kEcho + "`"}},
         select,
         kSign,
         "answer"},
        {"shell",
         {.argv = and_echo({"/bin/sh"})},
         {.argv = {"/bin/sh", "-c", "\"" + kPg + "postgres\" -V"}},
         kSign,
         "PostgreSQL"},
        {"python",
         {.argv = {"/usr/bin/python3", "-c", "print(str(40+2)+'ok')"}},
         database({"pg_dumpall", "-h", "/tmp", "-U", "user"}),
         kSign,
         dumped},
    };
}

std::vector<Case> demo() {
    const Exec echo{.argv = {"/bin/echo", "1"}};
    const Exec ls{.argv = {"/bin/ls", "/"}};
    return {
        {"rm_rf",
         {.argv = {"/bin/rm", "-r", "/none"}},
         {.argv = {"/bin/rm", "/none"}},
         "can't remove",
         "can't remove"},
        {"rm_of_busybox", {.argv = {"/bin/busybox", "rm", "-R", "/none"}}, echo, "can't remove"},
        {"rm_behind_env",
         {.argv = {"/bin/env", "rm", "-fR", "/."}},
         {.argv = {"/bin/env", "echo", "1"}},
         "can't remove"},
        {"wget", {.argv = {"/bin/wget", "--help"}}, ls, "Usage"},
        {"nc_by_busybox", {.argv = {"/bin/busybox", "nc", "--help"}}, ls, "Usage"},
        {"second_shell", {.argv = and_echo({"/bin/sh"})}, echo},
        {"shell_behind_env", {.argv = and_echo({"/bin/env", "sh"})}, echo},
        {"copy",
         {.argv = and_echo({"sh"}),
          .before = {{"copy", "/bin/busybox\n/tmp/echo"}, {"path", "/tmp/echo"}}},
         echo},
        {"audit_of_the_loader",
         {.argv = {"/bin/id"}, .env = {"LD_AUDIT=/tmp/x.so"}},
         {.argv = {"/bin/id"}},
         "uid=0",
         "uid=0"},
    };
}

std::vector<Batch> all_batches() {
    return {
        {.name = "NoShellsDebian",
         .policy = "no-shells",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .cases = shells_of_debian(),
         .files = {{"/srv/jail/README", "a root of its own\n"}}},
        {.name = "NoShellsNames",
         .policy = "no-shells",
         .place = Place::kDebian,
         .engine = Engine::kCrun,
         .cases = names_of_shells()},
        {.name = "NoShellsBinfmtMisc",
         .policy = "no-shells",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .cases = shells_of_binfmt_misc()},
        {.name = "NoShellsStarters",
         .policy = "no-shells",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .cases = starters_of_shells()},
        {.name = "NoShellsOverlay",
         .policy = "no-shells",
         .place = Place::kDebianOverlay,
         .engine = Engine::kCrun,
         .cases = shells_of_an_overlay()},
        {.name = "NoShellsBusybox",
         .policy = "no-shells",
         .place = Place::kBusybox,
         .engine = Engine::kCrun,
         .cases = shells_of_busybox()},
        {.name = "AgentImageOnly",
         .policy = "agent-image-only",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .cases = agents(),
         .files = {{"/opt/npm/cli.js", "#!/usr/bin/env node\nconsole.log('npm')\n"},
                   {"/opt/bin/README", "links\n"},
                   {"/srv/jail/usr/bin/README", "a root of its own\n"},
                   {"/srv/empty.py", ""},
                   {"/srv/needs.js", "require('dodged')\n"},
                   {"/srv/gconv/gconv-modules", "module SIGN// INTERNAL " + std::string(kLibrary) +
                                                    " 1\nmodule INTERNAL SIGN// " + kLibrary +
                                                    " 1\n"},
                   {"/srv/openssl.cnf",
                    "openssl_conf = a\n[a]\nproviders = b\n[b]\nsign = c\n"
                    "[c]\nactivate = 1\nmodule = " +
                        std::string(kLibrary) + "\n"}},
         .library = true},
        {.name = "AgentImageOnlyOverlay",
         .policy = "agent-image-only",
         .place = Place::kDebianOverlay,
         .engine = Engine::kCrun,
         .cases = agents_on_an_overlay()},
        {.name = "CiNoPush",
         .policy = "ci-no-push",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .git = true,
         .cases = pushes(),
         .files = {{"/srv/hooks/post-commit",
                    "#!/bin/sh\nexec git push /srv/remote.git main:refs/heads/hook\n"}}},
        {.name = "CiNoForcePush",
         .policy = "ci-no-force-push",
         .place = Place::kDebian,
         .engine = Engine::kCrun,
         .git = true,
         .cases = forced_pushes(),
         .files = {{"/srv/hooks/post-checkout",
                    "#!/bin/sh\nexec git push -f /srv/remote.git main:refs/heads/old-hook\n"}}},
        {.name = "Postgres",
         .policy = "postgres",
         .place = Place::kDebian,
         .engine = Engine::kRunc,
         .uid = 1000,
         .setup = start_of_a_database(),
         .cases = database(),
         .end = {{.argv = {kPg + "pg_ctl", "-D", "/data/db", "-m", "immediate", "stop"}}}},
        {.name = "Demo",
         .policy = "demo",
         .place = Place::kBusybox,
         .engine = Engine::kRunc,
         .driver = "/bin/race",
         .cases = demo()},
    };
}

// The same on the other engine, under a name of its own.
Batch on_other_engine(Batch batch) {
    const bool is_runc = batch.engine == Engine::kRunc;
    batch.engine = is_runc ? Engine::kCrun : Engine::kRunc;
    batch.name += is_runc ? "Crun" : "Runc";
    return batch;
}

std::vector<Batch> on_both_engines(std::vector<Batch> batches) {
    const std::size_t count = batches.size();
    for (std::size_t i = 0; i < count; ++i) {
        if (batches[i].name != "Postgres") {  // the other engine's: dodge_postgres_test.cpp
            batches.push_back(on_other_engine(batches[i]));
        }
    }
    return batches;
}

}  // namespace

const std::vector<Batch>& batches() {
    static const std::vector<Batch> kBatches = on_both_engines(all_batches());
    return kBatches;
}

}  // namespace execseal::e2e::dodge
