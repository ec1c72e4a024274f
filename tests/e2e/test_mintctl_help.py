"""Help and version in the ways people try first, and what was meant where a word is wrong (N-24)."""
import re

from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import row, rows

NOWHERE = Mintctl("redis://127.0.0.1:1")


@rows("HELP", all=[["--help"], ["-h"], ["help"]],
      group=[["client", "--help"], ["client", "-h"], ["help", "client"]],
      command=[["client", "add", "--help"], ["client", "add", "-h"], ["help", "client", "add"]],
      one_word=[["doctor", "--help"], ["doctor", "-h"], ["help", "doctor"]])
def test_each_way_to_ask_for_help(case):
    texts = {NOWHERE(*words).out for words in case}
    assert len(texts) == 1 and texts.pop().startswith("usage: mintctl "), case


@row("HELP-version")
def test_each_way_to_ask_for_the_version():
    texts = {NOWHERE(*words).out for words in (["--version"], ["-V"], ["version"])}
    assert len(texts) == 1
    version, commit = re.fullmatch(r"mintctl (\S+) \(commit (\S+)\)\n", texts.pop()).groups()
    assert NOWHERE.json("version") == {"version": version, "commit": commit}


@row("HELP-mintd")
def test_mintd_too():
    for short, long in (("-h", "--help"), ("-V", "--version")):
        done = run(short)
        assert (done.returncode, done.stderr) == (0, "") and done.stdout == run(long).stdout, done


WRONG = {
    "command": (["hepl"], "hepl: no such command; did you mean help? (mintctl -h lists all)"),
    "group": (["clent", "add"], "clent: no such command; did you mean client? (mintctl -h lists all)"),
    "lst": (["client", "lst"], "client lst: no such command; did you mean client list? (mintctl client -h lists all)"),
    "two_letters": (["client", "ls"], "client ls: no such command; did you mean client list? (mintctl client -h lists all)"),
    "three_off": (["client", "rm"], "client rm: no such command (mintctl client -h lists all)"),
    "in_help": (["help", "client", "ad"], "client ad: no such command; did you mean client add? (mintctl client -h lists all)"),
    "too_deep": (["help", "doctor", "add"], "doctor: no commands are below it (mintctl doctor -h tells of it)"),
    "flag": (["client", "add", "x", "--scpoe", "a"], "--scpoe: no such option; did you mean --scope? (mintctl client add -h lists all)"),
    "flag_of_redis": (["status", "--rediss"], "--rediss: no such option; did you mean --redis? (mintctl status -h lists all)"),
    "one_dash": (["status", "-json"], "-json: no such option; did you mean --json? (mintctl status -h lists all)"),
    "flag_of_another": (["health", "--redis", "y"], "--redis: no such option (mintctl health -h lists all)"),
    "strange": (["frobnicate"], "frobnicate: no such command (mintctl -h lists all)"),
    "like_a_secret": (["hunter2"], "no such command (mintctl -h lists all)"),
}


@rows("HELP-wrong", **WRONG)
def test_what_was_meant(case):
    words, line = case
    done = NOWHERE(*words, status=2)
    assert (done.out, done.err) == ("", "mintctl: %s\n" % line), done


@rows("HELP-wrong-mintd", near=("--lisen", "; did you mean --listen?"), check=("--chek=x", "; did you mean --check?"),
      far=("--frobnicate", ""), short=("-x", ""))
def test_what_was_meant_with_mintd(case):
    flag, guess = case
    done = run(flag)
    line = "mintd: %s: unknown option%s (mintd --help lists all)\n" % (flag.split("=")[0], guess)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line), done
