// The policy "postgres" on a database as the official images start it: a start script that is root
// first, initdb, scripts that run once, the server; then the runtime's own exec into the container.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

const std::string kPg = "/usr/lib/postgresql/15/bin/";
constexpr const char* kLibrary = "/srv/library.so";

constexpr const char* kStartScript = R"sh(#!/usr/bin/env bash
set -Eeo pipefail
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    chown 1000:1000 /data /var/run/postgresql
    find "$PGDATA" \! -user user -exec chown 1000:1000 '{}' +
    exec setpriv --reuid=1000 --regid=1000 --clear-groups "$BASH_SOURCE" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    eval 'initdb --username=postgres --no-sync -A scram-sha-256' \
        '--pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD")'
    export PGPASSWORD="$POSTGRES_PASSWORD"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh) "$file" ;;
            *.sql.gz) gunzip -c "$file" | psql -v ON_ERROR_STOP=1 -U postgres ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
)sh";

// A running server; what it writes is in err().
class Database {
  public:
    Database(Engine engine, bool sealed) {
        Bundle bundle(scratch_.path() / "b", RootFs::kHostUsr);
        write_image(bundle);
        Runtime runtime{.engine = engine};
        if (sealed) {
            node_.emplace(scratch_, engine);
            node_
                ->policy("postgres", ordered_json::parse(read_file(
                                         EXECSEAL_SOURCE_DIR "/config/policies/postgres.json")))
                .write();
            runtime = node_->runtime();
            bundle.annotation("io.execseal.policy", "postgres");
        }
        bundle.write();
        container_ = std::make_unique<Container>(runtime, bundle, scratch_);
        running_ = container_->run_in_background();
        // The first time for the scripts that run once.
        const auto is_ready = [&] {
            const std::string kReady = "database system is ready to accept connections";
            const std::string all = running_->err() + running_->out();
            const std::size_t first = all.find(kReady);
            return first != std::string::npos && all.find(kReady, first + 1) != std::string::npos;
        };
        if (!eventually(is_ready, kDeadline)) {
            throw std::runtime_error("no database: " + running_->out() + running_->err());
        }
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    Database(Database&&) = delete;
    Database& operator=(Database&&) = delete;
    ~Database() { (void)container_->kill("KILL"); }

    // As the user postgres of the image, with its password.
    Outcome exec(const std::vector<std::string>& argv, const std::string& variable = "") {
        ExecOptions options{.user = "1000:1000", .runtime_flags = {"--env", "PGPASSWORD=secret"}};
        if (!variable.empty()) {
            options.runtime_flags.insert(options.runtime_flags.end(), {"--env", variable});
        }
        return container_->exec(argv, options);
    }

  private:
    void write_image(Bundle& bundle) const {
        const fs::path local = scratch_.path() / "local";
        fs::create_directory(local);
        write_file(local / "docker-entrypoint.sh", kStartScript);
        fs::permissions(local / "docker-entrypoint.sh", fs::perms(0755));
        write_file(scratch_.path() / "table.sql", "create table from_sql(x text);\n");
        const Outcome packed =
            run({.argv = {"gzip", "-c", scratch_.path() / "table.sql"}}, scratch_.path());
        bundle.bind(local, "/usr/local/bin")
            .rights(Rights::kDocker)
            .program("dodge_library", kLibrary)
            .file("/docker-entrypoint-initdb.d/1.sql.gz", packed.out)
            .file("/docker-entrypoint-initdb.d/2.sh",
                  "#!/bin/bash\npsql -U postgres -c 'create table from_sh(x text)'\n", 0755)
            .file("/srv/openssl.cnf",
                  std::string("openssl_conf = a\n[a]\nproviders = b\n[b]\nsign = c\n[c]\nactivate "
                              "= 1\nmodule = ") +
                      kLibrary + "\n")
            .env("PGDATA", "/data/db")
            .env("POSTGRES_PASSWORD", "secret")
            .args({"/usr/local/bin/docker-entrypoint.sh", "postgres", "-c",
                   "listen_addresses=127.0.0.1"});
        bundle.config()["process"]["env"][0] =
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + kPg;
    }

    Scratch scratch_;
    std::optional<Node> node_;
    std::unique_ptr<Container> container_;
    std::unique_ptr<Running> running_;
};

struct Dodge {
    std::vector<std::string> argv;
    std::string variable{};
    std::string sign = "42ok";
};

std::vector<Dodge> dodges() {
    const std::string dumped = "PostgreSQL database dump complete";
    const std::vector<std::string> dump{kPg + "pg_dump", "-h", "127.0.0.1", "-U", "postgres"};
    const std::string echo = "echo $((40+2))ok";
    const auto psql = [](const std::string& text) {
        return std::vector<std::string>{kPg + "psql", "-h", "/var/run/postgresql", "-U", "postgres",
                                        "-c",         text};
    };
    return {
        {dump, "OPENSSL_CONF=/srv/openssl.cnf"},
        {dump, std::string("LD_PRELOAD=") + kLibrary},
        {dump, "GCONV_PATH=/srv", dumped},
        {dump, "PGSERVICEFILE=/srv/service", dumped},
        {{kPg + "pg_dump", "-d", "host=127.0.0.1 user=postgres sslkey=x"}, "", dumped},
        {{"/lib64/ld-linux-x86-64.so.2", "--preload", kLibrary, kPg + "pg_dump", "-V"}},
        {{"/bin/sh", "-c", echo}},
        {{kPg + "psql", "-U", "postgres", "-c", "\\! " + echo}},
        {psql("copy (select 1) to program 'cat >&2; echo $((40+2))ok >&2'"), "", "COPY 1"},
        {{"/usr/local/bin/docker-entrypoint.sh", "/bin/sh", "-c", echo}},
        {{"/usr/bin/setpriv", "sh", "-c", echo}},
        {{kPg + "pg_verifybackup", "--wal-directory=$(" + echo + " >&2)", "/data/backup"}},
        {{kPg + "pg_ctl", "-D", "/data/db", "-p", "/bin/echo", "-W", "start"}, "", "starting"},
    };
}

std::string text_of(const Dodge& dodge) {
    return testing::PrintToString(dodge.argv) + " " + dodge.variable;
}

bool won(Database& database, const Dodge& dodge, std::string& told) {
    const Outcome outcome = database.exec(dodge.argv, dodge.variable);
    told = text_of(dodge) + ": " + outcome.text();
    return (outcome.out + outcome.err).find(dodge.sign) != std::string::npos;
}

void expect_honest_use(Database& database) {
    const Outcome dump =
        database.exec({kPg + "pg_dump", "-h", "127.0.0.1", "-U", "postgres", "postgres"});
    EXPECT_EQ(dump.exit_code, 0) << dump.text();
    for (const char* table : {"public.from_sql", "public.from_sh"}) {
        EXPECT_NE(dump.out.find(std::string("CREATE TABLE ") + table), std::string::npos)
            << dump.text();
    }
    for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
             {kPg + "pg_isready", "-h", "127.0.0.1"},
             {kPg + "pg_dumpall", "-U", "postgres"},
             {kPg + "pg_basebackup", "-U", "postgres", "-D", "/data/backup", "--no-sync"},
             {kPg + "pg_verifybackup", "/data/backup"}}) {
        const Outcome outcome = database.exec(argv);
        EXPECT_EQ(outcome.exit_code, 0) << testing::PrintToString(argv) << outcome.text();
    }
}

TEST(DodgePostgres, WithoutThePolicyEveryDodgeIsWon) {
    Database database(Engine::kRunc, false);
    expect_honest_use(database);
    for (const Dodge& dodge : dodges()) {
        std::string told;
        EXPECT_TRUE(won(database, dodge, told)) << told;
    }
}

class DodgePostgresOn : public testing::TestWithParam<Engine> {};

TEST_P(DodgePostgresOn, ARealExecIsHeldAndTheDatabaseStarts) {
    Database database(GetParam(), true);
    expect_honest_use(database);
    for (const Dodge& dodge : dodges()) {
        std::string told;
        EXPECT_FALSE(won(database, dodge, told)) << told;
    }
}

INSTANTIATE_TEST_SUITE_P(Engines, DodgePostgresOn, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
