#include "tests/e2e/image.h"

#include <stdexcept>

#include "tests/e2e/command.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Outcome checked(const std::vector<std::string>& argv, const Scratch& scratch) {
    Outcome outcome = run({.argv = argv}, scratch.path());
    if (outcome.exit_code != 0) {
        throw std::runtime_error(argv[0] + ": " + outcome.text());
    }
    return outcome;
}

}  // namespace

std::vector<std::string> run_words(const std::vector<std::string>& flags,
                                   const std::vector<std::string>& argv) {
    std::vector<std::string> words{"run"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.emplace_back(kBusyboxImage);
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
}

fs::path busybox_tar(const Scratch& scratch) {
    fs::path tar = scratch.path() / "busybox.tar";
    if (!fs::exists(tar)) {
        const Bundle bundle(scratch.path() / "image");
        checked({"tar", "-C", bundle.rootfs(), "-cf", tar, "."}, scratch);
    }
    return tar;
}

fs::path program_tar(const Scratch& scratch, const std::string& name) {
    fs::path tar = scratch.path() / (name + ".tar");
    checked({"tar", "-C", target_program(name).parent_path(), "-cf", tar, name}, scratch);
    return tar;
}

// docker image spec v1.2, "Combined Image JSON + Filesystem Changeset Format".
fs::path image_archive(const Scratch& scratch, const Image& image) {
    const fs::path folder = scratch.path() / ("archive-" + image.layer.stem().string());
    fs::create_directories(folder);
    fs::copy_file(image.layer, folder / "layer.tar", fs::copy_options::overwrite_existing);
    const std::string digest = checked({"sha256sum", image.layer}, scratch).out.substr(0, 64);
    write_file(folder / "config.json",
               Json{{"architecture", "amd64"},
                    {"os", "linux"},
                    {"config", {{"Cmd", image.cmd}}},
                    {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + digest}}}}}
                   .dump());
    write_file(folder / "manifest.json", Json::array({{{"Config", "config.json"},
                                                       {"RepoTags", {image.reference}},
                                                       {"Layers", {"layer.tar"}}}})
                                             .dump());
    fs::path archive = folder.string() + ".tar";
    checked({"tar", "-C", folder, "-cf", archive, "manifest.json", "config.json", "layer.tar"},
            scratch);
    return archive;
}

}  // namespace execseal::e2e
