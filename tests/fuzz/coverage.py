#!/usr/bin/python3
"""coverage.py FOLDER [TARGET]...: which lines of a parser do its target's inputs reach? For script/fuzz --coverage.

FOLDER has bin/fuzz_TARGET, built with clang's coverage, and TARGET.profraw of its run. parsers.txt says which sources
belong to which target. Status 1 where fewer than 95 % of a source's lines are reached.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENOUGH = 95.0

NUMBERED = re.compile(r" *(\d+)\| *([\d.]+[kMGTE]?)?\|(.*)")
FUNCTION = re.compile(r"^\w[^;=]*?\b(\w+)\(")  # clang-format has each begin at the left


def parsers():
    """{target: {source: {function that is left out: why}}}"""
    found, source = {}, None
    with open(os.path.join(HERE, "parsers.txt"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if not line.startswith(" "):
                target, path = text.split()
                source = found.setdefault(target, {}).setdefault(path, {})
                continue
            names, _, why = text.partition(": ")
            if source is None or not why:
                raise ValueError("parsers.txt:%d: no reason, or of nothing" % number)
            source.update({name: why for name in names.split()})
    return found


def functions_of(lines):
    """{line number: its function} of a source"""
    inside, found = None, {}
    for number, text in enumerate(lines, 1):
        match = FUNCTION.match(text)
        if match and inside is None:
            inside = match[1]
        found[number] = inside
        if text.startswith("}") or (inside and text.endswith(";") and not text.startswith(" ")):
            inside = None
    return found


def counts_of(folder, target):
    """{source: {line number: how often}} of all that has code"""
    raw, data = (os.path.join(folder, target + end) for end in (".profraw", ".profdata"))
    subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", data], check=True)
    shown = subprocess.run(["llvm-cov", "show", os.path.join(folder, "bin", "fuzz_" + target), "-instr-profile=" + data,
                            "-show-instantiations=false", "-use-color=false"],
                           check=True, capture_output=True, text=True, errors="replace").stdout
    counts, here = {}, None
    for line in shown.splitlines():
        match = NUMBERED.match(line)
        if match and here is not None and match[2]:
            here[int(match[1])] = float(match[2].rstrip("kMGTE"))
        elif line.startswith("/") and line.endswith(":"):
            here = counts.setdefault(os.path.relpath(os.path.realpath(line[:-1]), ROOT), {})
    return counts


def judge(source, counts, left_out):
    """(% of its lines, [(line number, text) of each that is not reached])"""
    with open(os.path.join(ROOT, source), encoding="utf-8") as file:
        lines = file.read().split("\n")
    functions = functions_of(lines)
    unknown = set(left_out) - set(functions.values())
    if unknown:
        raise ValueError("parsers.txt: %s has no %s" % (source, ", ".join(sorted(unknown))))
    judged = {number: count for number, count in counts.items() if functions[number] not in (None, *left_out)}
    missed = [(number, lines[number - 1].strip()) for number, count in sorted(judged.items()) if not count]
    return 100.0 * (len(judged) - len(missed)) / len(judged) if judged else 0.0, missed


def main():
    folder, *targets = sys.argv[1:]
    too_little = 0
    known = parsers()
    for target in targets or sorted(known):
        counts = counts_of(folder, target)
        for source, left_out in known.get(target, {}).items():
            share, missed = judge(source, counts.get(source, {}), left_out)
            print("%s: %.1f %% of %s%s" % (target, share, source, " without %s" % ", ".join(left_out) if left_out else ""))
            if share < ENOUGH:
                too_little += 1
                print("".join("    %d: %s\n" % line for line in missed), end="")
    return 1 if too_little else 0


if __name__ == "__main__":
    sys.exit(main())
