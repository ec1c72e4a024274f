"""mintctl completion: what a press of Tab offers in the real bash, zsh and fish. The scripts are made from the table of
commands; here they are loaded as each shell loads them."""
import os
import shutil
import subprocess

import pytest

from support.mintctl import Mintctl, Terminal
from support.oauth import row, rows, wait_until
from support.timing import scaled

NOWHERE = Mintctl("redis://127.0.0.1:1")
GROUPS = {"client": {"add", "set", "list", "show", "rotate", "disable", "enable", "remove", "apply", "export"},
          "token": {"mint", "show", "revoke", "revoke-all", "key"}}


@pytest.fixture
def home(tmp_path):
    """With two profiles and a file to be found."""
    profiles = tmp_path / "config" / "mintctl" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "production").write_text("")
    (profiles / "staging").write_text("")
    (tmp_path / "clients.json").write_text("")
    return tmp_path


def environment(home):
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PATH": os.environ["PATH"], "TERM": "xterm",
            "LANG": "C.UTF-8", "ZDOTDIR": str(home)}


def run(home, *command):
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=home, env=environment(home),
                          timeout=scaled(30))
    assert done.stderr == "", done
    return done.stdout


# ---- the shells ----


def bash(home, line):
    """As bash-completion loads it: from the folder of the user, by the command's name."""
    folder = home / "bash" / "completions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mintctl").write_text(NOWHERE("completion", "bash").out)
    script = """BASH_COMPLETION_USER_DIR=$PWD/bash
        source /usr/share/bash-completion/bash_completion
        __load_completion mintctl
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        complete -p mintctl | grep -q -- '-F _mintctl mintctl' && _mintctl
        printf '%s\\n' "${COMPREPLY[@]}" """
    return run(home, "bash", "--norc", "-c", script, "-", *line.split(" ")).split()


ZSHRC = """
fpath=($ZDOTDIR $fpath)
autoload -Uz compinit && compinit -u -d $ZDOTDIR/dump
compadd() {
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return }
    local -a offered
    builtin compadd -A offered "$@"
    print -rl -- $offered >>$ZDOTDIR/offered
    builtin compadd "$@"
}
look() { zle complete-word; print -- END >>$ZDOTDIR/offered; zle kill-whole-line }
zle -N look && bindkey '^I' look
PROMPT='READY '
"""


def zsh(home, line):
    """In an interactive one, with its own completion system; what it is offered goes to a file."""
    (home / ".zshrc").write_text(ZSHRC)
    (home / "_mintctl").write_text(NOWHERE("completion", "zsh").out)
    offered = home / "offered"
    offered.write_text("")
    with Terminal(["zsh", "-d", "-i"], environment(home), cwd=home) as terminal:
        terminal.expect("READY ", 60)
        terminal.send(line + "\t")
        wait_until(lambda: terminal.look() and "END" in offered.read_text(), 60)
        terminal.send("exit\n")
        terminal.end(0)
    assert "_mintctl" not in terminal.seen, terminal.seen  # no error message
    return offered.read_text().replace("END", "").split()


def fish(home, line):
    (home / "mintctl.fish").write_text(NOWHERE("completion", "fish").out)
    out = run(home, "fish", "--no-config", "-c", "source mintctl.fish; complete -C \"$argv\"", line)
    return [offer.split("\t")[0] for offer in out.splitlines()]


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.fixture(params=[pytest.param(name, id="COMPLETION-" + name) for name in SHELLS])
def offers(request, home):
    """offers(line): the words that are offered where the line ends."""
    assert shutil.which(request.param), "script/packages test"
    return lambda line: {word.rstrip("=") for word in SHELLS[request.param](home, line)}


# ---- what they offer ----


def test_commands(offers):
    names = {command.split()[0] for command in help_names()}
    assert names <= offers("mintctl ") and {"client", "doctor", "completion"} <= names
    assert {"doctor"} <= offers("mintctl do") <= names


def help_names():
    return [line[2:].split("  ")[0] for line in NOWHERE("--help").out.splitlines() if line.startswith("  ")]


def test_commands_of_a_group(offers):
    assert offers("mintctl client ") == GROUPS["client"]
    assert offers("mintctl help token ") == GROUPS["token"]


def test_options(offers):
    assert {"--scope", "--ttl", "--secret-stdin", "--redis", "--redis-ca", "--help"} <= offers("mintctl client add x --")
    health = offers("mintctl health --")
    assert {"--ca", "--insecure", "--help"} <= health and "--redis" not in health


def test_words(offers):
    assert offers("mintctl completion ") == {"bash", "zsh", "fish"}
    assert offers("mintctl acl --for ") == {"shell", "aclfile", "provider"}


def test_files(offers):
    assert any(word.endswith("clients.json") for word in offers("mintctl client apply cl"))
    assert any(word.endswith("clients.json") for word in offers("mintctl status --redis-ca cl"))
    assert not offers("mintctl client add --scope cl")


def test_profiles(offers):
    assert offers("mintctl status --profile ") == {"production", "staging"}


# ---- what is printed and installed ----


@row("COMPLETION")
def test_no_other_shell():
    assert "bash, zsh and fish" in NOWHERE("completion", "tcsh", status=2).err


@rows("COMPLETION-syntax", **{name: name for name in SHELLS})
def test_the_shell_finds_no_fault(case, home):
    (home / "script").write_text(NOWHERE("completion", case).out)
    run(home, case, "-n", "script")


@row("COMPLETION-table")
def test_every_option_of_every_command_is_there():
    """In each script; the flags of fish have no dashes."""
    scripts = {name: NOWHERE("completion", name).out for name in SHELLS}
    for command in help_names():
        words = [word for word in command.split() if word.islower() and "|" not in word][:2]
        for line in NOWHERE(*words, "--help").out.splitlines():
            if line.startswith("  --"):
                flag = line.split()[0]
                assert flag in scripts["bash"] and flag in scripts["zsh"], flag
                assert "__mintctl_begins %s' -l %s" % (" ".join(words), flag[2:]) in scripts["fish"], (words, flag)
