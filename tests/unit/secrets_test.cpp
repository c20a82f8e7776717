#include "hook/gate/secrets.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

Secrets secrets(const std::vector<std::string>& names = {}) {
    return Secrets::compile(names).value();
}

std::string redacted(const std::vector<std::string>& argv, std::size_t at) {
    return secrets().redact_argument(argv.front(), argv, at);
}

TEST(Secrets, NamesThatTellOfASecret) {
    for (const char* const name : {"--password",
                                   "-password",
                                   "PASSWORD",
                                   "db_password",
                                   "PGPASSWORD",
                                   "MYSQL_PWD",
                                   "--pwd",
                                   "TOKEN",
                                   "GITHUB_TOKEN",
                                   "accessToken",
                                   "--access-token",
                                   "api-key",
                                   "API_KEY",
                                   "apikey",
                                   "client_secret",
                                   "SECRET_KEY",
                                   "AWS_SECRET_ACCESS_KEY",
                                   "Authorization",
                                   "Proxy-Authorization",
                                   "Cookie",
                                   "DB_PASS",
                                   "--passphrase",
                                   "X-Auth-Token",
                                   "private.key",
                                   "SSHPASS"}) {
        EXPECT_TRUE(secrets().tells(name)) << name;
    }
    for (const char* const name :
         {"PATH", "PWD", "OLDPWD", "HOME", "--max-tokens", "--tokenizer", "--password-file",
          "PGPASSFILE", "--key", "--author", "--bypass", "LD_PRELOAD", "", "--", "author"}) {
        EXPECT_FALSE(secrets().tells(name)) << name;
    }
}

TEST(Secrets, TheSettingsNameMore) {
    EXPECT_FALSE(secrets().tells("SENTRY_DSN"));
    EXPECT_TRUE(secrets({"*_DSN"}).tells("SENTRY_DSN"));
    EXPECT_TRUE(secrets({"--Pin"}).tells("--pin"));
    EXPECT_FALSE(Secrets::compile({"["}).has_value());
}

TEST(Secrets, AreFoundInEachWayInWhichAnArgumentHasThem) {
    const std::string mark = secret_mark("hunter2");
    EXPECT_EQ(redacted({"p", "--password=hunter2"}, 1), "--password=" + mark);
    EXPECT_EQ(redacted({"p", "--password", "hunter2"}, 2), mark);
    EXPECT_EQ(redacted({"env", "TOKEN=hunter2", "p"}, 1), "TOKEN=" + mark);
    EXPECT_EQ(redacted({"env", "TOKEN=two words"}, 1), "TOKEN=" + secret_mark("two words"));
    EXPECT_EQ(redacted({"curl", "-H", "Authorization: Bearer hunter2"}, 2),
              "Authorization: " + secret_mark("Bearer hunter2"));
    EXPECT_EQ(redacted({"git", "clone", "https://me:hunter2@host/x"}, 2),
              "https://me:" + mark + "@host/x");
    EXPECT_EQ(redacted({"psql", "postgres://u:hunter2@db/x?password=hunter2&a=1"}, 1),
              "postgres://u:" + mark + "@db/x?password=" + mark + "&a=1");
    EXPECT_EQ(redacted({"sh", "-c", "TOKEN=hunter2 curl --password hunter2 https://host; id"}, 2),
              "TOKEN=" + mark + " curl --password " + mark + " https://host; id");
    EXPECT_EQ(redacted({"sh", "-ec", "curl -H 'Authorization: Bearer x y' https://host"}, 2),
              "curl -H 'Authorization: " + secret_mark("Bearer x y") + "' https://host");
    EXPECT_EQ(redacted({"curl", "-d", R"({"password": "hunter2", "user": "me"})"}, 2),
              R"({"password": ")" + mark + R"(", "user": "me"})");
    EXPECT_EQ(redacted({"/usr/bin/mysql", "-phunter2"}, 1), "-p" + mark);
    EXPECT_EQ(redacted({"sshpass", "-p", "hunter2", "ssh"}, 2), mark);
    EXPECT_EQ(redacted({"redis-cli", "-a", "hunter2", "get", "x"}, 2), mark);
    EXPECT_EQ(redacted({"openssl", "enc", "-k", "hunter2"}, 3), mark);
    EXPECT_EQ(redacted({"ldapsearch", "-D", "cn=me", "-w", "hunter2"}, 4), mark);
    EXPECT_EQ(redacted({"docker", "login", "-u", "me", "-p", "hunter2"}, 5), mark);
    EXPECT_EQ(redacted({"curl", "-u", "me:hunter2"}, 2), "me:" + mark);
    EXPECT_EQ(redacted({"curl", "-ume:hunter2"}, 1), "-ume:" + mark);
    EXPECT_EQ(redacted({"curl", "--user=me:hunter2"}, 1), "--user=me:" + mark);
    const std::string key = "ghp_0123456789abcdefghijABCDEFGHIJ";
    EXPECT_EQ(redacted({"p", key}, 1), secret_mark(key));
    EXPECT_EQ(secrets().redact_variable("DB_PASSWORD=hunter2"), "DB_PASSWORD=" + mark);
}

TEST(Secrets, AreFoundInAShellsCommandsBySameFlags) {
    const std::string mark = secret_mark("hunter2");
    const auto shell = [](const std::string& text) { return redacted({"sh", "-c", text}, 2); };
    EXPECT_EQ(shell("cd /x && mysql -phunter2 -u root; id"),
              "cd /x && mysql -p" + mark + " -u root; id");
    EXPECT_EQ(shell("A=1 curl -u me:hunter2 https://h"), "A=1 curl -u me:" + mark + " https://h");
    EXPECT_EQ(shell("sshpass -p 'hunter2' ssh h"), "sshpass -p '" + mark + "' ssh h");
    EXPECT_EQ(shell("true | docker login -u me -p hunter2\nmkdir -p /a"),
              "true | docker login -u me -p " + mark + "\nmkdir -p /a");
    EXPECT_EQ(shell("export PASSWORD=\"hun\\\"ter2\"; id"),
              "export PASSWORD=\"" + secret_mark("hun\\\"ter2") + "\"; id");
}

TEST(Secrets, AreFoundInFormsThatFewProgramsHave) {
    const std::string mark = secret_mark("hunter2");
    EXPECT_EQ(redacted({"p", "--password", "-hunter2"}, 2), secret_mark("-hunter2"));
    EXPECT_EQ(redacted({"p", "--password", "--user"}, 2), "--user");
    EXPECT_EQ(redacted({"p", "--pw", "hunter2"}, 2), mark);
    EXPECT_EQ(redacted({"7z", "x", "-phunter2", "a.7z"}, 2), "-p" + mark);
    EXPECT_EQ(redacted({"smbclient", "-U", "me%hunter2"}, 2), secret_mark("me%hunter2"));
    EXPECT_EQ(redacted({"useradd", "-p", "hunter2", "me"}, 2), mark);
    EXPECT_EQ(redacted({"ssh-keygen", "-N", "hunter2"}, 2), mark);
    EXPECT_EQ(redacted({"npm", "config", "set", "//r/:_authToken", "hunter2"}, 4), mark);
    EXPECT_EQ(redacted({"psql", "-c", "ALTER USER me PASSWORD 'hunter2'"}, 2),
              "ALTER USER me PASSWORD '" + mark + "'");
    EXPECT_EQ(redacted({"mysql", "-e", "CREATE USER me IDENTIFIED BY 'hunter2'"}, 2),
              "CREATE USER me IDENTIFIED BY '" + mark + "'");
    EXPECT_EQ(redacted({"mysql", "-e", "SET PASSWORD FOR me = 'hunter2'"}, 2),
              "SET PASSWORD FOR me = '" + mark + "'");
    const std::string key = "sk_live_abcdefghijklmnopqrstuvwxyz";
    EXPECT_EQ(redacted({"p", key}, 1), secret_mark(key));
}

TEST(Secrets, WhatOnlyLooksLikeAMarkIsReplacedToo) {
    EXPECT_EQ(redacted({"sh", "-c", "PASSWORD='<secret: hunter2' id"}, 2),
              "PASSWORD='" + secret_mark("<secret: hunter2") + "' id");
    const std::string mark = secret_mark("x");
    EXPECT_EQ(secrets().redact_text("--password '" + mark + "'"), "--password '" + mark + "'");
}

TEST(Secrets, WhatIsNoneStaysAsItIs) {
    for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
             {"ls", "-l", "/tmp/a=b"},
             {"p", "--password-file=/run/secrets/p"},
             {"docker", "login", "--password-stdin", "registry.example"},
             {"mkdir", "-p", "/a/b"},
             {"docker", "run", "-p", "80:80", "x"},
             {"redis-server", "-a", "/a/b"},
             {"mkdir", "-p/a/b"},
             {"sh", "-c", "mkdir -p /a/b; docker run -p 80:80 'x y' && grep -a x"},
             {"sh", "-c", "psql -c 'SELECT password FROM users'"},
             {"npm", "install", "x"},
             {"curl", "https://host:80/a@b"},
             {"sh", "-c", "cd /x && make test -- --verbose; echo a:b"},
             {"p", "TOKEN="},
             {"p", "\xff\x80=\x01"},
             {"p", "eyJ"}}) {
        for (std::size_t i = 0; i < argv.size(); ++i) {
            EXPECT_EQ(redacted(argv, i), argv[i]);
        }
    }
}

// An argument is the container's: no text takes more than time linear in it.
TEST(Secrets, LongTextsOfOddBytesAreSearchedAsWell) {
    const std::string equals(131071, '=');
    EXPECT_EQ(redacted({"p", equals}, 1), equals);
    for (const std::string unit : {"://", "-----BEGIN ", "a ", "Authorization:\"", "ghp_"}) {
        std::string many;
        while (many.size() < 131000) {
            many += unit;
        }
        const bool tells = unit.starts_with("Auth") || unit == "ghp_";
        EXPECT_EQ(redacted({"p", many}, 1) != many, tells) << unit;
    }
    std::string names;
    while (names.size() < 131000) {
        names += "a=:'\"//@";
    }
    EXPECT_EQ(redacted({"p", names}, 1), names);
    for (const std::string unit :
         {"-p ", "'", "\"\\", "identified by ", "docker login -p ", "a;b "}) {
        std::string many;
        while (many.size() < 131000) {
            many += unit;
        }
        EXPECT_FALSE(redacted({"sh", "-c", many}, 2).empty()) << unit;
    }
}

// Nor does a list of them: each is looked at with what stands around it.
TEST(Secrets, ManyArgumentsAreEachSearchedInABoundedTime) {
    const std::vector<std::string> argv(200'000, "-p");
    const Secrets all = secrets();
    for (std::size_t i = 0; i < argv.size(); ++i) {
        ASSERT_EQ(all.redact_argument("/tmp/docker", argv, i), "-p") << i;
    }
    EXPECT_EQ(redacted({"docker", "login", "-p", "hunter2"}, 3), secret_mark("hunter2"))
        << "the control";
}

}  // namespace
}  // namespace execseal
