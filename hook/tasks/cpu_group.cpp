#include "hook/tasks/cpu_group.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "hook/os/byte_io.h"
#include "hook/os/file_read.h"
#include "hook/os/log.h"
#include "hook/tasks/cgroup.h"

namespace execseal {
namespace {

constexpr std::size_t kListLimit = std::size_t{1} << 20U;
constexpr unsigned kPeriodUs = 100'000;
// cpu.shares of v1 has 1024 where cpu.weight of v2 has 100.
constexpr unsigned kUsualShares = 1024;
constexpr unsigned kUsualWeight = 100;
constexpr unsigned kLeastShares = 2;

Result<> write_value(const std::string& file, const std::string& value) {
    const auto fd = open_for_write(file);
    if (!fd) {
        return fd.error();
    }
    if (const auto written = write_all(fd->get(), value); !written) {
        return add_context(file, written.error());
    }
    return Ok{};
}

std::vector<std::string> numbers_in(const std::string& file) {
    std::vector<std::string> numbers;
    const auto text = read_file(file, kListLimit);
    std::istringstream words(text ? *text : std::string());
    for (std::string word; words >> word;) {
        numbers.push_back(word);
    }
    return numbers;
}

Result<> set_limits(CgroupVersion version, const std::string& directory, const SupervisorCpu& cpu) {
    std::vector<std::pair<std::string, std::string>> values;
    const std::string quota = std::to_string(std::uint64_t{cpu.quota_percent} * kPeriodUs / 100);
    if (version == CgroupVersion::kTwo) {
        values = {
            {"/cpu.weight", cpu.weight != 0 ? std::to_string(cpu.weight) : ""},
            {"/cpu.max", cpu.quota_percent != 0 ? quota + " " + std::to_string(kPeriodUs) : ""}};
    } else {
        const unsigned shares = std::max(kLeastShares, cpu.weight * kUsualShares / kUsualWeight);
        values = {{"/cpu.shares", cpu.weight != 0 ? std::to_string(shares) : ""},
                  {"/cpu.cfs_period_us", cpu.quota_percent != 0 ? std::to_string(kPeriodUs) : ""},
                  {"/cpu.cfs_quota_us", cpu.quota_percent != 0 ? quota : ""}};
    }
    for (const auto& [file, value] : values) {
        if (value.empty()) {
            continue;
        }
        if (auto written = write_value(directory + file, value); !written) {
            return written;
        }
    }
    return Ok{};
}

}  // namespace

Result<CpuGroup> CpuGroup::make(std::string_view member, std::string_view ours,
                                const std::string& container_id, const SupervisorCpu& cpu) {
    const auto container = Cgroup::of_cpu(member, ours, container_id);
    const auto before = container ? Cgroup::of_task(ours, container->controllers()) : std::nullopt;
    if (!container || !before) {
        return make_error(
            "supervisor_cpu: the container has no group of its own in the hierarchy of the cpu "
            "controller, so that none can be beside it");
    }
    const auto directory = container->directory();
    const auto back = before->directory();
    if (!directory || !back) {
        return directory ? back.error() : directory.error();
    }
    return make_at(container->controllers().empty() ? CgroupVersion::kTwo : CgroupVersion::kOne,
                   *directory, *back, container_id, cpu);
}

Result<CpuGroup> CpuGroup::make_at(CgroupVersion version, const std::string& container,
                                   const std::string& ours, const std::string& container_id,
                                   const SupervisorCpu& cpu) {
    const std::string directory =
        std::filesystem::path(container).parent_path().string() + "/execseal-" + container_id;
    std::error_code error;
    (void)std::filesystem::create_directory(directory, error);  // there already: a predecessor's
    if (error) {
        return Error{error.value(), "supervisor_cpu: mkdir " + directory};
    }
    CpuGroup group(directory, ours);
    if (const auto set = set_limits(version, directory, cpu); !set) {
        return add_context("supervisor_cpu", set.error());
    }
    return group;
}

CpuGroup::CpuGroup(CpuGroup&& other) noexcept {
    *this = std::move(other);
}

CpuGroup& CpuGroup::operator=(CpuGroup&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(before_, other.before_);
    return *this;
}

CpuGroup::~CpuGroup() {
    if (directory_.empty()) {
        return;
    }
    // A process that is made meanwhile is born into it.
    constexpr int kTries = 3;
    std::error_code error;
    for (int i = 0; i < kTries && (i == 0 || error); ++i) {
        for (const std::string& process : numbers_in(directory_ + "/cgroup.procs")) {
            (void)write_value(before_ + "/cgroup.procs", process);  // ended meanwhile
        }
        (void)std::filesystem::remove(directory_, error);
    }
    if (error) {
        log_warning("supervisor_cpu: rmdir " + directory_ + ": " + error.message());
    }
}

Result<> CpuGroup::take(pid_t process) {
    const std::string number = std::to_string(process);
    if (auto moved = write_value(directory_ + "/cgroup.procs", number); !moved) {
        return moved;
    }
    for (const std::string& child :
         numbers_in("/proc/" + number + "/task/" + number + "/children")) {
        (void)write_value(directory_ + "/cgroup.procs", child);  // ended meanwhile
    }
    return Ok{};
}

}  // namespace execseal
