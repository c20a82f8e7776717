#!/usr/bin/env bash
# deploy/kubernetes/monitoring: promtool takes the alert rules, they fire when they should and not before, and rules and dashboard
# name no metric that the agent does not have.
set -euo pipefail
cd "$(dirname "$0")/.."
rules=$PWD/deploy/kubernetes/monitoring/alerts.rules.yml

promtool check rules "$rules"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/test.yml" <<YAML
rule_files: ["$rules"]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: execseal_races_detected_total{policy="web", instance="node"}
        values: 0x20 1x20
      - series: execseal_policy_valid{policy="web", instance="node"}
        values: 1x20 0x20
      - series: execseal_strays_total{instance="node"}
        values: 0x20 1x20
    alert_rule_test:
      - {eval_time: 20m, alertname: ExecsealRaceDetected, exp_alerts: []}
      - eval_time: 25m
        alertname: ExecsealRaceDetected
        exp_alerts:
          - exp_labels: {severity: critical, policy: web, instance: node}
            exp_annotations:
              summary: "An exec under policy web was killed: the kernel took what was not judged"
              description: "Somebody in a container writes over arguments while they are judged. execseal events --outcome killed"
      - {eval_time: 20m, alertname: ExecsealStray, exp_alerts: []}
      - eval_time: 25m
        alertname: ExecsealStray
        exp_alerts:
          - exp_labels: {severity: critical, instance: node}
            exp_annotations:
              summary: "A process was in a container without its seccomp filter"
              description: "It was not judged, and was killed where the mode is enforce. execseal events --rule stray"
      - {eval_time: 20m, alertname: ExecsealPolicyInvalid, exp_alerts: []}
      - eval_time: 30m
        alertname: ExecsealPolicyInvalid
        exp_alerts:
          - exp_labels: {severity: warning, policy: web, instance: node}
            exp_annotations:
              summary: "Policy web does not load: new containers with it do not start"
              description: "execseal policy check names the place"
YAML
promtool test rules "$work/test.yml"

count=0
mapfile -t metrics < <(grep -ohE 'execseal_[a-z_]+' "$rules" deploy/kubernetes/monitoring/grafana-dashboard.json | sort -u)
for metric in "${metrics[@]}"; do
    grep -qF "\"${metric%_bucket}\"" hook/agent/metrics.cpp || {
        echo "alerts: $metric: the agent has no such metric" >&2
        exit 1
    }
    count=$((count + 1))
done
((count >= 10)) || {
    echo "alerts: only $count metrics are named" >&2
    exit 1
}
