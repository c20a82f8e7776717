#!/usr/bin/env python3
"""The attacks for as long as one likes: soak.py ATTACKS_TEST [--classes REGEX] [--attempts N]
[--spinners N]

Runs the guarded attacks whose test name matches REGEX (all of them by default, with the freeze and
by verification alone), N tries each (100,000; a tenth or less where one takes tens of milliseconds,
see attacks_test.cpp), and prints a line a class. With spinners the attacks have to share the CPUs
with so many busy loops, at a lower priority: what happens in between then takes milliseconds
instead of microseconds. Ends with 1 if any class won once or failed otherwise.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

COUNTS = ("attempts", "good", "evil", "refused", "killed", "other")


def guarded_tests(program):
    listed = subprocess.run(
        [program, "--gtest_list_tests", "--gtest_filter=*Guarded*"],
        check=True, capture_output=True, text=True).stdout
    suite = ""
    for line in listed.splitlines():
        name = line.split("#")[0].strip()
        if line.startswith("  "):
            yield suite + name
        else:
            suite = name


def lower_priority():
    os.nice(15)


def run(program, test, arguments):
    """The counts of race.h, and whether the test passed."""
    environment = dict(os.environ, EXECSEAL_ATTEMPTS=str(arguments.attempts))
    outcome = subprocess.run(
        [program, f"--gtest_filter={test}"], env=environment, capture_output=True, text=True,
        preexec_fn=lower_priority if arguments.spinners else None, check=False)
    for line in outcome.stdout.splitlines():
        if line.startswith('{"attack"'):
            return json.loads(line), outcome
    return {}, outcome


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--classes", default="")
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--spinners", type=int, default=0)
    arguments = parser.parse_args()

    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(arguments.spinners)]
    failed = 0
    try:
        print(f"{'test':<66}" + "".join(f"{name:>10}" for name in (*COUNTS, "honest", "seconds")))
        for test in guarded_tests(arguments.program):
            if not re.search(arguments.classes, test):
                continue
            start = time.monotonic()
            counts, outcome = run(arguments.program, test, arguments)
            seconds = time.monotonic() - start
            honest = f"{counts.get('honest')}/{counts.get('honest_attempts')}"
            print(f"{test:<66}" + "".join(f"{counts.get(name, '?'):>10}" for name in COUNTS) +
                  f"{honest:>14}{seconds:>10.0f}", flush=True)
            if outcome.returncode != 0:
                failed += 1
                print(outcome.stdout + outcome.stderr, flush=True)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
