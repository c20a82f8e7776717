// node_files: which files of other programs `execseal install` changes, and into what.
//
// Reads the files that are there and the texts that execseal came with (share/execseal); changes
// nothing. Drop-ins where the program reads them, a marked block in the file of the one that does
// not (containerd before 2.2 would take a drop-in's CRI section for the whole of it), JSON anew.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/file_edit.h"
#include "hook/os/result.h"

namespace execseal {

enum class NodeProgram { kContainerd, kCrio, kPodman, kDocker, kSystemd };
const char* node_program_name(NodeProgram program);

// `share` empty: PREFIX/share/execseal of the running PREFIX/bin/execseal; the programs are that
// PREFIX's in any case.
Result<NodePlace> node_place(const std::string& root, const std::string& share);

Result<std::vector<FileEdit>> edits_of(NodeProgram program, const NodePlace& place,
                                       InstallDirection direction);

// Is it there, to judge by its files?
bool is_on_node(NodeProgram program, const std::string& root);

// What makes it read its files again; nothing needs to be done for podman. k3s and rke2 start a
// containerd of their own.
const char* reload_advice(NodeProgram program, InstallDirection direction);

}  // namespace execseal
