#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a JUnit report of ctest says.

test_report.py names REPORT        a line a test: "passed NAME", "failed NAME" or "skipped NAME"
test_report.py tails REPORT LINES  the last lines of the output of every test that failed
"""
import sys
import xml.etree.ElementTree

WIDEST = 400  # characters of a line


def verdict(case):
    """A test that could not be run (no program) has failed; one that decided not to run, or is switched off, has not."""
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    reason = "" if skipped is None else skipped.get("message", "")
    if case.get("status") == "disabled" or reason.startswith(("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION_MATCHED")):
        return "skipped"
    return "failed"


def name(case):
    """Without what gtest tells of a parameter: what ctest -R takes."""
    return case.get("name").split("  #")[0]


def tail(case, lines):
    output = (case.findtext("system-out") or "").rstrip("\n").split("\n")
    cut = [line if len(line) <= WIDEST else line[:WIDEST] + "..." for line in output[-lines:]]
    left_out = len(output) - len(cut)
    return ([f"({left_out} lines before)"] if left_out > 0 else []) + cut


def main(what, report, lines=40):
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        if what == "names":
            print(verdict(case), name(case))
        elif verdict(case) == "failed":
            print(f"\n-- {name(case)} ({case.get('time', '?')} s)", *tail(case, int(lines)), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
