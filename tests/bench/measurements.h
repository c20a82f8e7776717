// Measurements of one workload under several setups, taken in interleaved rounds, and how they are
// shown: a table with ratios, JSON, a gnuplot file. Ratios are made within a round and their median
// is taken, so that a noisy neighbour hits both sides.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace execseal::bench {

struct Sample {
    double median_us = 0;
    double p99_us = 0;
};

class Measurements {
  public:
    // The setups in the order of the columns; the first two are what ratios are made to.
    explicit Measurements(std::vector<std::string> setups) : setups_(std::move(setups)) {}

    void add(const std::string& workload, const std::string& setup, Sample sample);

    // Median over the rounds; nothing where the workload did not run under the setup.
    [[nodiscard]] std::optional<Sample> of(const std::string& workload,
                                           const std::string& setup) const;
    // Of the medians, round by round.
    [[nodiscard]] std::optional<double> ratio(const std::string& workload, const std::string& setup,
                                              const std::string& floor) const;

    [[nodiscard]] std::string table() const;
    [[nodiscard]] nlohmann::ordered_json json() const;
    // A script for gnuplot(1) that draws exec latency against the number of idle threads into
    // `file`, one line a setup.
    [[nodiscard]] std::string plot(const std::string& file) const;

  private:
    struct Series {
        std::string workload;
        std::string setup;
        std::vector<Sample> rounds;
    };
    [[nodiscard]] const Series* find(const std::string& workload, const std::string& setup) const;
    [[nodiscard]] std::vector<std::string> workloads() const;

    std::vector<std::string> setups_;
    std::vector<Series> series_;  // in the order of arrival
};

double median(std::vector<double> values);

}  // namespace execseal::bench
