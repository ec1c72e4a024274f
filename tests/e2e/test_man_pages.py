"""The man pages by the tools of those who read them: mandoc finds nothing wrong, and no line is cut or wrapped badly at 80
columns (N-30)."""
import subprocess

from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import row, rows
from support.timing import scaled

PAGES = {"mintctl": lambda: Mintctl()("--man").out, "mintd": lambda: run("--man").stdout}


def mandoc(page, *arguments):
    return subprocess.run(["mandoc", *arguments], input=page, capture_output=True, text=True, check=False,
                          timeout=scaled(20))


@rows("MAN-lint", **{name: name for name in PAGES})
def test_mandoc_finds_nothing_wrong(case):
    done = mandoc(PAGES[case](), "-T", "lint", "-W", "warning")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@row("MAN-lint-fails")
def test_mandoc_would_find_it():
    assert mandoc('.TH X 1 "" "x"\n', "-T", "lint", "-W", "warning").returncode != 0


@rows("MAN-width", **{name: name for name in PAGES})
def test_it_is_read_at_80_columns(case):
    """Prose fills its lines; what stays as it is fits."""
    done = mandoc(PAGES[case](), "-T", "utf8", "-O", "width=80")
    text = subprocess.run(["col", "-bx"], input=done.stdout, capture_output=True, text=True, check=True).stdout
    assert all(len(line) <= 80 for line in text.splitlines()), [line for line in text.splitlines() if len(line) > 80]


@rows("MAN-sections", **{name: name for name in PAGES})
def test_its_sections(case):
    page = PAGES[case]()
    sections = [line[4:] for line in page.splitlines() if line.startswith(".SH ")]
    assert {"NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "FILES", "EXAMPLES", "EXIT STATUS", "SEE ALSO"} <= set(sections)
