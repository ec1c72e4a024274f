#!/usr/bin/python3
"""mutants.py [--build FOLDER] [--only WORD] […]: are wrong decisions noticed?

Changes one small thing at a time in the code that decides (covered.py), and runs the tests that cover it. What
they do not notice is alive: alive.txt names each, with the reason why. Status 1 if one is alive that is not named.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import covered  # noqa: E402
from mutate import mutants_of  # noqa: E402
from named import named_mutants  # noqa: E402
from trial import ALIVE, KILLED, ROOT, Build, Trials  # noqa: E402


def all_mutants(word=""):
    for path in covered.files():
        if word in path:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                mutants = mutants_of(path, file.read())
            yield from (mutant for mutant in mutants if mutant.function in covered.ONLY.get(path, [mutant.function]))


def sample(mutants, size, seed):
    """Some by chance, none of those that are known to live."""
    named = named_mutants()
    return random.Random(seed).sample([mutant for mutant in mutants if mutant.name not in named], size)


def tried(mutants, trials, jobs, say):
    """[(mutant, verdict, by)] in their order; say(line) of each that lives."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = []
        for mutant, (verdict, by) in zip(mutants, pool.map(trials.run, mutants)):
            results.append((mutant, verdict, by))
            if verdict == ALIVE:
                say("alive: line %d, %s" % (mutant.line, mutant.name))
    return results


def numbers(results, named):
    """What was seen; those that are equivalent decide the same, so they are left out."""
    verdicts = collections.Counter(verdict for _, verdict, _ in results)
    alive = [mutant.name for mutant, verdict, _ in results if verdict == ALIVE]
    equivalent = sum(named.get(name, "").startswith("equivalent") for name in alive)
    judged = verdicts[KILLED] + verdicts[ALIVE] - equivalent
    return {"mutants": judged, "% killed": 100.0 * verdicts[KILLED] / judged if judged else 0.0,
            "alive and not named": sum(name not in named for name in alive), "equivalent": equivalent,
            "dropped": len(results) - verdicts[KILLED] - verdicts[ALIVE]}


def main():
    parser = argparse.ArgumentParser(prog="mutants")
    parser.add_argument("--build", default=os.path.join(ROOT, "build-release"))
    parser.add_argument("--only", default="", metavar="WORD", help="files with this in their paths")
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--unit", action="store_true", help="without rows of tests/e2e")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", help="name, verdict and by what, of each")
    parser.add_argument("--again", metavar="JSON", help="only those that lived in that run")
    options = parser.parse_args()
    mutants, named = list(all_mutants(options.only)), named_mutants()
    if options.again:
        with open(options.again, encoding="utf-8") as file:
            lived = {name for name, verdict, _ in json.load(file) if verdict == ALIVE}
        mutants = [mutant for mutant in mutants if mutant.name in lived]
    if options.sample:
        mutants = sample(mutants, options.sample, options.seed)
    results = tried(mutants, Trials(Build(options.build), not options.unit), options.jobs, lambda line: print(line, flush=True))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([(mutant.name, verdict, by) for mutant, verdict, by in results], file, indent=0)
    seen = numbers(results, named)
    print(", ".join("%.4g %s" % (number, name) for name, number in seen.items()))
    return 1 if seen["alive and not named"] else 0


if __name__ == "__main__":
    sys.exit(main())
