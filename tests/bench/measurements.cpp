#include "tests/bench/measurements.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace execseal::bench {
namespace {

constexpr int kNameWidth = 16;
constexpr int kColumnWidth = 24;

std::string cell(const Sample& sample, std::optional<double> to_bare,
                 std::optional<double> to_floor) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(sample.median_us < 100 ? 1 : 0) << sample.median_us;
    out << std::setprecision(2);
    if (to_bare) {
        out << " x" << *to_bare;
    }
    if (to_floor) {
        out << " f" << *to_floor;
    }
    return out.str();
}

}  // namespace

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void Measurements::add(const std::string& workload, const std::string& setup, Sample sample) {
    const auto known = std::find_if(series_.begin(), series_.end(), [&](const Series& series) {
        return series.workload == workload && series.setup == setup;
    });
    if (known != series_.end()) {
        known->rounds.push_back(sample);
    } else {
        series_.push_back({workload, setup, {sample}});
    }
}

const Measurements::Series* Measurements::find(const std::string& workload,
                                               const std::string& setup) const {
    for (const Series& series : series_) {
        if (series.workload == workload && series.setup == setup) {
            return &series;
        }
    }
    return nullptr;
}

std::optional<Sample> Measurements::of(const std::string& workload,
                                       const std::string& setup) const {
    const Series* const series = find(workload, setup);
    if (series == nullptr) {
        return std::nullopt;
    }
    std::vector<double> medians;
    std::vector<double> p99s;
    for (const Sample& sample : series->rounds) {
        medians.push_back(sample.median_us);
        p99s.push_back(sample.p99_us);
    }
    return Sample{median(medians), median(p99s)};
}

std::optional<double> Measurements::ratio(const std::string& workload, const std::string& setup,
                                          const std::string& floor) const {
    const Series* const over = find(workload, setup);
    const Series* const under = find(workload, floor);
    if (over == nullptr || under == nullptr) {
        return std::nullopt;
    }
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(over->rounds.size(), under->rounds.size()); ++i) {
        if (under->rounds[i].median_us > 0) {
            ratios.push_back(over->rounds[i].median_us / under->rounds[i].median_us);
        }
    }
    // A pause that the floor does not make at all has no ratio.
    return ratios.empty() ? std::nullopt : std::optional(median(ratios));
}

std::vector<std::string> Measurements::workloads() const {
    std::vector<std::string> names;
    for (const Series& series : series_) {
        if (std::find(names.begin(), names.end(), series.workload) == names.end()) {
            names.push_back(series.workload);
        }
    }
    return names;
}

std::string Measurements::table() const {
    std::ostringstream out;
    out << std::left << std::setw(kNameWidth) << "us";
    for (const std::string& setup : setups_) {
        out << std::setw(kColumnWidth) << setup;
    }
    out << "\n";
    for (const std::string& workload : workloads()) {
        out << std::setw(kNameWidth) << workload;
        for (std::size_t i = 0; i < setups_.size(); ++i) {
            const auto sample = of(workload, setups_[i]);
            const auto to_bare = i > 0 ? ratio(workload, setups_[i], setups_[0]) : std::nullopt;
            const auto to_floor = i > 1 ? ratio(workload, setups_[i], setups_[1]) : std::nullopt;
            out << std::setw(kColumnWidth) << (sample ? cell(*sample, to_bare, to_floor) : "-");
        }
        out << "\n";
    }
    out << "x: ratio to " << setups_.at(0) << ", f: ratio to " << setups_.at(1)
        << "; medians over the rounds\n";
    return out.str();
}

nlohmann::ordered_json Measurements::json() const {
    auto result = nlohmann::ordered_json::array();
    for (const Series& series : series_) {
        const Sample sample = of(series.workload, series.setup).value_or(Sample{});
        nlohmann::ordered_json entry = {{"workload", series.workload},
                                        {"setup", series.setup},
                                        {"rounds", series.rounds.size()},
                                        {"median_us", sample.median_us},
                                        {"p99_us", sample.p99_us}};
        for (std::size_t i = 0; i < 2; ++i) {
            if (const auto to = ratio(series.workload, series.setup, setups_.at(i))) {
                entry["ratio_to_" + setups_.at(i)] = *to;
            }
        }
        result.push_back(std::move(entry));
    }
    return result;
}

std::string Measurements::plot(const std::string& file) const {
    static const std::string kThreads = "threads:";
    std::ostringstream data;
    std::ostringstream lines;
    for (std::size_t i = 0; i < setups_.size(); ++i) {
        data << "$s" << i << " << EOD\n";
        for (const std::string& workload : workloads()) {
            const auto sample = of(workload, setups_[i]);
            if (workload.starts_with(kThreads) && sample) {
                data << workload.substr(kThreads.size()) << " " << sample->median_us << " "
                     << sample->p99_us << "\n";
            }
        }
        data << "EOD\n";
        lines << (i == 0 ? "plot " : ", ") << "$s" << i
              << " using ($1+1):2 with linespoints title \"" << setups_[i] << "\"";
    }
    return "set terminal pngcairo size 900,500\nset key left top\nset output \"" + file +
           "\"\nset logscale xy\nset xlabel \"idle threads + 1\"\nset ylabel \"fork + exec + "
           "wait, us (median)\"\n" +
           data.str() + lines.str() + "\n";
}

}  // namespace execseal::bench
