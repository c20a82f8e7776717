#include "hook/os/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/log/attributes/clock.hpp>
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sinks/text_ostream_backend.hpp>
#include <boost/log/sources/record_ostream.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/log/support/date_time.hpp>
#include <boost/log/utility/setup/common_attributes.hpp>
#include <boost/make_shared.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <utility>

#include "hook/os/visible.h"

namespace execseal {
namespace {

namespace logging = boost::log;
namespace expr = boost::log::expressions;
using Sink = logging::sinks::synchronous_sink<logging::sinks::text_ostream_backend>;

constexpr std::array<const char*, 5> kNames{"trace", "debug", "info", "warning", "error"};

const char* level_name(LogLevel level) {
    return kNames.at(static_cast<std::size_t>(level));
}

// The one sink of the process; replaced by log_to().
boost::shared_ptr<Sink>& current_sink() {
    static boost::shared_ptr<Sink> sink;
    return sink;
}

LogLevel& lowest_level() {
    static LogLevel level = LogLevel::kTrace;
    return level;
}

void install(const boost::shared_ptr<std::ostream>& stream, LogLevel level,
             const std::string& program) {
    auto backend = boost::make_shared<logging::sinks::text_ostream_backend>();
    backend->add_stream(stream);
    backend->auto_flush(true);
    auto sink = boost::make_shared<Sink>(backend);
    const std::string prefix = program + "[" + std::to_string(getpid()) + "] ";
    sink->set_formatter([prefix](const logging::record_view& record,
                                 logging::formatting_ostream& out) {
        const auto time = logging::extract<boost::posix_time::ptime>("TimeStamp", record);
        const auto severity = logging::extract<LogLevel>("Severity", record);
        if (time) {
            out << boost::posix_time::to_iso_extended_string(*time) << "Z ";
        }
        out << (severity ? level_name(*severity) : "?") << " " << prefix << record[expr::smessage];
    });
    sink->set_filter([level](const logging::attribute_value_set& values) {
        const auto severity = logging::extract<LogLevel>("Severity", values);
        return severity && *severity >= level;
    });
    const auto core = logging::core::get();
    if (current_sink()) {
        core->remove_sink(current_sink());
    } else {
        core->add_global_attribute("TimeStamp", logging::attributes::utc_clock());
    }
    core->add_sink(sink);
    lowest_level() = level;
    current_sink() = sink;
}

// What a container does may make a line each time. Of each level there are so many at once and then
// so many a second, so that one that is flooded takes no room from a graver one.
class LineRate {
  public:
    // How many were left out before this one; nullopt: it is left out, too.
    std::optional<std::uint64_t> take(LogLevel level) {
        const std::lock_guard guard(mutex_);
        Bucket& bucket = buckets_.at(static_cast<std::size_t>(level));
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> passed = now - bucket.filled;
        bucket.filled = now;
        bucket.lines = std::min(bucket.lines + passed.count() * kPerSecond, kAtOnce);
        if (bucket.lines < 1) {
            ++bucket.left_out;
            return std::nullopt;
        }
        bucket.lines -= 1;
        return std::exchange(bucket.left_out, 0);
    }

  private:
    static constexpr double kAtOnce = 500;
    static constexpr double kPerSecond = 5;

    struct Bucket {
        double lines = kAtOnce;
        std::uint64_t left_out = 0;
        std::chrono::steady_clock::time_point filled = std::chrono::steady_clock::now();
    };
    std::mutex mutex_;
    std::array<Bucket, kNames.size()> buckets_;
};

constexpr std::size_t kLongest = 4096;

boost::shared_ptr<std::ostream> stderr_stream() {
    return boost::shared_ptr<std::ostream>(&std::clog, [](std::ostream*) {});
}

}  // namespace

Result<LogLevel> log_level_from(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (name == kNames.at(i)) {
            return static_cast<LogLevel>(i);
        }
    }
    return make_error("expected one of trace, debug, info, warning, error, got \"" +
                      std::string(name) + "\"");
}

Result<> log_to(const std::string& file, LogLevel level, const std::string& program) {
    try {
        if (file.empty()) {
            install(stderr_stream(), level, program);
            return Ok{};
        }
        std::error_code code;
        const auto directory = std::filesystem::path(file).parent_path();
        if (std::filesystem::create_directories(directory, code) && !code) {
            std::filesystem::permissions(directory, std::filesystem::perms(0750), code);
        }
        auto stream = boost::make_shared<std::ofstream>(file, std::ios::app);
        if (!stream->is_open()) {
            return make_error("log file " + file + ": cannot be opened for appending");
        }
        install(stream, level, program);
        return Ok{};
    } catch (const std::exception& failure) {
        return make_error(std::string("setting up the log: ") + failure.what());
    }
}

void log(LogLevel level, std::string_view text) noexcept {
    try {
        if (!current_sink()) {
            install(stderr_stream(), LogLevel::kWarning, "execseal");
        }
        static logging::sources::severity_logger<LogLevel> logger;
        static LineRate rate;
        if (level < lowest_level()) {
            return;
        }
        const auto left_out = rate.take(level);
        if (!left_out) {
            return;
        }
        if (*left_out > 0) {
            BOOST_LOG_SEV(logger, level) << *left_out << " lines of this level were left out";
        }
        BOOST_LOG_SEV(logger, level) << visible(text.substr(0, kLongest));
    } catch (...) {  // NOLINT(bugprone-empty-catch): a log that cannot be written must not change a
                     // decision
    }
}

}  // namespace execseal
