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

TEST(Secrets, WhatIsNoneStaysAsItIs) {
    for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
             {"ls", "-l", "/tmp/a=b"},
             {"p", "--password-file=/run/secrets/p"},
             {"docker", "login", "--password-stdin", "registry.example"},
             {"mkdir", "-p", "/a/b"},
             {"docker", "run", "-p", "80:80", "x"},
             {"redis-server", "-a", "/a/b"},
             {"mkdir", "-p/a/b"},
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
