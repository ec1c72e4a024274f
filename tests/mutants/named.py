"""What no test sees, each with its reason: mutants that live (alive.txt), branches that nobody takes (unreached.txt).

    src/oauth/scope.c is_visible: line => line
        equivalent: why it decides the same

A mutant whose reason does not begin with "equivalent" counts as one that no test kills.
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def read_named(path):
    """{name: reason}"""
    named, name = {}, None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text or line.startswith("# "):
                continue
            if not line.startswith(" "):
                name = text
                named[name] = ""
            elif name is None:
                raise ValueError("%s:%d: a reason of nothing" % (path, number))
            else:
                named[name] = (named[name] + " " + text).strip()
    for name, reason in named.items():
        if not reason:
            raise ValueError("%s: no reason: %s" % (path, name))
    return named


def named_mutants():
    return read_named(os.path.join(HERE, "alive.txt"))


def named_branches():
    return read_named(os.path.join(HERE, "unreached.txt"))
