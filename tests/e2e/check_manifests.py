"""check_manifests.py DEPLOY: the Kubernetes manifests against a strict schema of the fields that they use, and against each other.

Prints one line a problem; exit code 1 if there is any. Unknown keys are problems, as the API server's strict field validation
takes them.
"""

import json
import pathlib
import sys

import jsonschema
import yaml

STRING = {"type": "string", "minLength": 1}
STRINGS = {"type": "array", "items": STRING, "minItems": 1}
MAP = {"type": "object", "additionalProperties": {"type": "string"}}
BOOL = {"type": "boolean"}


def closed(required, optional=None):
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


META = closed({"name": STRING}, {"labels": MAP, "annotations": MAP, "namespace": STRING})
SECCOMP = {
    "oneOf": [
        closed({"type": {"enum": ["RuntimeDefault", "Unconfined"]}}),
        closed({"type": {"const": "Localhost"}, "localhostProfile": {"type": "string", "pattern": "^[^/].*\\.json$"}}),
    ]
}
CONTAINER = closed(
    {"name": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"}, "image": STRING},
    {
        "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        "command": STRINGS,
        "args": STRINGS,
        "securityContext": closed(
            {},
            {
                "privileged": BOOL,
                "allowPrivilegeEscalation": BOOL,
                "readOnlyRootFilesystem": BOOL,
                "runAsUser": {"type": "integer"},
                "seccompProfile": SECCOMP,
                "appArmorProfile": closed({"type": {"enum": ["RuntimeDefault", "Unconfined"]}}),
                "capabilities": closed({}, {"add": STRINGS, "drop": STRINGS}),
            },
        ),
        "resources": closed({}, {"requests": MAP, "limits": MAP}),
        "ports": {
            "type": "array",
            "items": closed({"name": {"type": "string", "maxLength": 15}, "containerPort": {"type": "integer"}}, {"protocol": {"enum": ["TCP"]}}),
        },
        "volumeMounts": {
            "type": "array",
            "items": closed({"name": STRING, "mountPath": {"type": "string", "pattern": "^/"}}, {"subPath": STRING, "readOnly": BOOL}),
        },
    },
)
VOLUME = {
    "oneOf": [
        closed({"name": STRING, "hostPath": closed({"path": {"type": "string", "pattern": "^/"}, "type": {"enum": ["Directory", "DirectoryOrCreate"]}})}),
        closed({"name": STRING, "configMap": closed({"name": STRING})}),
        closed({"name": STRING, "projected": closed({"sources": {"type": "array", "minItems": 1}})}),
    ]
}
POD_SPEC = closed(
    {"containers": {"type": "array", "items": CONTAINER, "minItems": 1}},
    {
        "initContainers": {"type": "array", "items": CONTAINER},
        "hostPID": BOOL,
        "hostNetwork": BOOL,
        "automountServiceAccountToken": BOOL,
        "enableServiceLinks": BOOL,
        "priorityClassName": STRING,
        "runtimeClassName": STRING,
        "securityContext": closed({"seccompProfile": SECCOMP}),
        "tolerations": {"type": "array", "items": closed({"operator": {"enum": ["Exists", "Equal"]}})},
        "volumes": {"type": "array", "items": VOLUME},
    },
)
SCHEMAS = {
    ("v1", "Namespace"): closed({"apiVersion": STRING, "kind": STRING, "metadata": META}),
    ("v1", "Pod"): closed({"apiVersion": STRING, "kind": STRING, "metadata": META, "spec": POD_SPEC}),
    ("node.k8s.io/v1", "RuntimeClass"): closed(
        {"apiVersion": STRING, "kind": STRING, "metadata": META, "handler": STRING},
        {"scheduling": closed({"nodeSelector": MAP}), "overhead": closed({"podFixed": MAP})},
    ),
    ("apps/v1", "DaemonSet"): closed(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": META,
            "spec": closed(
                {"selector": closed({"matchLabels": MAP}), "template": closed({"metadata": closed({"labels": MAP}), "spec": POD_SPEC})},
                {"updateStrategy": closed({"type": {"enum": ["RollingUpdate", "OnDelete"]}})},
            ),
        }
    ),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"): closed(
        {"apiVersion": STRING, "kind": STRING, "resources": STRINGS},
        {
            "namespace": STRING,
            "images": {"type": "array", "items": closed({"name": STRING}, {"newName": STRING, "newTag": STRING})},
            "configMapGenerator": {
                "type": "array",
                "items": closed({"name": STRING, "files": STRINGS}, {"options": closed({"disableNameSuffixHash": BOOL})}),
            },
        },
    ),
    ("kustomize.config.k8s.io/v1alpha1", "Component"): closed(
        {"apiVersion": STRING, "kind": STRING, "resources": STRINGS, "patches": {"type": "array", "items": closed({"path": STRING})}}
    ),
    ("v1", "ServiceAccount"): closed({"apiVersion": STRING, "kind": STRING, "metadata": META}),
    ("v1", "Secret"): closed({"apiVersion": STRING, "kind": STRING, "metadata": META, "type": {"const": "kubernetes.io/service-account-token"}}),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): closed(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": META,
            "rules": {"type": "array", "items": closed({"nonResourceURLs": STRINGS, "verbs": STRINGS}), "minItems": 1},
        }
    ),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): closed(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": META,
            "roleRef": closed({"apiGroup": STRING, "kind": {"const": "ClusterRole"}, "name": STRING}),
            "subjects": {"type": "array", "items": closed({"kind": {"const": "ServiceAccount"}, "name": STRING, "namespace": STRING})},
        }
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): closed(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": META,
            "spec": closed(
                {
                    "selector": closed({"matchLabels": MAP}),
                    "podMetricsEndpoints": {
                        "type": "array",
                        "minItems": 1,
                        "items": closed(
                            {"port": STRING, "scheme": {"enum": ["http", "https"]}},
                            {
                                "authorization": closed({"credentials": closed({"name": STRING, "key": STRING})}),
                                "tlsConfig": closed({"insecureSkipVerify": BOOL}),
                            },
                        ),
                    },
                }
            ),
        }
    ),
}
# What a patch adds to the DaemonSet's pod.
PROXY = closed(
    {
        "apiVersion": STRING,
        "kind": {"const": "DaemonSet"},
        "metadata": META,
        "spec": closed(
            {
                "template": closed(
                    {
                        "spec": closed(
                            {
                                "serviceAccountName": STRING,
                                "containers": {"type": "array", "items": CONTAINER},
                                "volumes": {"type": "array", "items": VOLUME},
                            }
                        )
                    }
                )
            }
        ),
    }
)

problems = []


def check(condition, text):
    if not condition:
        problems.append(text)


def load(path):
    documents = []
    for document in yaml.safe_load_all(path.read_text()):
        kind = (document.get("apiVersion"), document.get("kind"))
        check(kind in SCHEMAS, f"{path}: {kind}: no such kind here")
        if kind in SCHEMAS:
            for error in jsonschema.Draft7Validator(SCHEMAS[kind]).iter_errors(document):
                problems.append(f"{path}: /{'/'.join(map(str, error.absolute_path))}: {error.message}")
        documents.append(document)
    return documents


def check_daemonset(document, config_maps):
    spec = document["spec"]
    labels = spec["template"]["metadata"]["labels"]
    check(spec["selector"]["matchLabels"].items() <= labels.items(), "DaemonSet: the selector does not match its own pods")
    pod = spec["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"] + pod["initContainers"]:
        for mount in container["volumeMounts"]:
            check(mount["name"] in volumes, f"{container['name']}: no volume {mount['name']}")
            # A ConfigMap that is mounted by subPath is never updated.
            check("policies.d" not in mount["mountPath"] or "subPath" not in mount, "policies by subPath are never reloaded")
    for volume in volumes.values():
        if "configMap" in volume:
            check(volume["configMap"]["name"] in config_maps, f"no ConfigMap {volume['configMap']['name']}")
    agent = pod["containers"][0]["securityContext"]
    check(agent["capabilities"]["drop"] == ["ALL"] and not agent["privileged"], "the agent must not be privileged")
    check(pod.get("hostPID") is True, "notifications name processes of the node: hostPID")
    return volumes


def check_monitoring(folder, daemonset):
    """The PodMonitor finds the agent's pods, its port is the proxy's, which stands before the agent's own."""
    component = load(folder / "kustomization.yaml")[0]
    documents = [document for name in component["resources"] for document in load(folder / name)]
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    patch = yaml.safe_load((folder / component["patches"][0]["path"]).read_text())
    for error in jsonschema.Draft7Validator(PROXY).iter_errors(patch):
        problems.append(f"proxy.yaml: /{'/'.join(map(str, error.absolute_path))}: {error.message}")
        return
    pod, proxy = patch["spec"]["template"]["spec"], patch["spec"]["template"]["spec"]["containers"][0]
    check(patch["metadata"]["name"] == daemonset["metadata"]["name"], "proxy.yaml: it patches no DaemonSet of ours")
    check(("ServiceAccount", pod["serviceAccountName"]) in names, "proxy.yaml: no such service account")
    upstream = json.loads((folder.parent / "config.json").read_text())["agent"]["metrics"]
    check(f"--upstream=http://{upstream}/" in proxy["args"], "proxy.yaml: the agent's metrics are elsewhere")
    monitor = next(document for document in documents if document["kind"] == "PodMonitor")["spec"]
    labels = daemonset["spec"]["template"]["metadata"]["labels"]
    check(monitor["selector"]["matchLabels"].items() <= labels.items(), "PodMonitor: it selects no pod of the agent")
    for endpoint in monitor["podMetricsEndpoints"]:
        check(endpoint["port"] in [port["name"] for port in proxy["ports"]], "PodMonitor: no such port")
        check(("Secret", endpoint["authorization"]["credentials"]["name"]) in names, "PodMonitor: no such secret")
    for document in documents:
        for subject in document.get("subjects", []):
            check((subject["kind"], subject["name"]) in names, f"{document['metadata']['name']}: no such subject")


def main():
    deploy = pathlib.Path(sys.argv[1])
    folder = deploy / "kubernetes"
    kustomization = load(folder / "kustomization.yaml")[0]
    documents = [document for name in kustomization["resources"] for document in load(folder / name)]
    by_kind = {document["kind"]: document for document in documents}
    config_maps = {}
    for generator in kustomization["configMapGenerator"]:
        config_maps[generator["name"]] = generator["files"]
        for name in generator["files"]:
            json.loads((folder / name).read_text())
    volumes = check_daemonset(by_kind["DaemonSet"], config_maps)
    check_monitoring(folder / "monitoring", by_kind["DaemonSet"])

    handler = by_kind["RuntimeClass"]["handler"]
    for snippet in ["containerd/execseal.toml", "containerd/execseal-v3.toml"]:
        check(f"containerd.runtimes.{handler}]" in (deploy / snippet).read_text(), f"{snippet}: no handler {handler}")
    check(f"runtimes.{handler}]" in (deploy / "crio/99-execseal.conf").read_text(), f"crio: no handler {handler}")

    policies = {pathlib.Path(name).stem for name in config_maps["execseal-policies"]}
    samples = [document for path in sorted((folder / "samples").glob("*.yaml")) for document in load(path)]
    check(len(samples) >= 2, "expected a sample for each way")
    for sample in samples:
        spec, name = sample["spec"], sample["metadata"]["name"]
        if "runtimeClassName" in spec:
            check(spec["runtimeClassName"] == by_kind["RuntimeClass"]["metadata"]["name"], f"{name}: no such RuntimeClass")
            check(sample["metadata"]["annotations"]["io.execseal.policy"] in policies, f"{name}: no such policy")
        else:
            profile = pathlib.Path(spec["securityContext"]["seccompProfile"]["localhostProfile"])
            kubelet = pathlib.Path(volumes["profiles"]["hostPath"]["path"])
            check(pathlib.Path("/var/lib/kubelet/seccomp") / profile.parent == kubelet, f"{name}: the profile lies elsewhere")
            check(profile.stem in policies, f"{name}: no such policy")

    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
