#include "hook/cli/doctor.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "hook/cli/doctor_kernel.h"
#include "hook/cli/doctor_node.h"
#include "hook/cli/install.h"

namespace execseal {
namespace {

void examine_settings(const DoctorOptions& options, Findings& findings) {
    const auto settings = load_settings(options.settings);
    if (!settings) {
        findings.push_back(found_fail("settings", settings.error().text(),
                                      "put it right: until then no container starts"));
        examine_hooks(options.root, Settings{}, findings);
        return;
    }
    std::error_code code;
    findings.push_back(found_ok("settings", std::filesystem::exists(options.settings, code)
                                                ? settings->path
                                                : "no " + settings->path + ": the defaults"));
    examine_runtimes(*settings, findings);
    examine_programs(*settings, findings);
    examine_binding(*settings, findings);
    examine_places(*settings, findings);
    examine_policies(*settings, findings);
    examine_hooks(options.root, *settings, findings);
}

}  // namespace

Result<int> run_doctor(const DoctorOptions& options) {
    Findings findings;
    examine_kernel(findings);
    examine_settings(options, findings);
    const auto place = node_place(options.root, options.share);
    if (!place) {
        return place.error();
    }
    examine_wiring(*place, findings);
    const std::string text = options.format == Format::kJson
                                 ? findings_json(findings).dump(2) + "\n"
                                 : findings_text(findings);
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
    return findings_code(findings);
}

}  // namespace execseal
