"""The programs of docs/clients.md, as they stand there: each gets a token and uses it."""
import os
import re
import subprocess

import pytest

from conftest import AWKWARD
from support.clients import SVC_A

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "clients.md")
# The word behind the three signs: the file to make, and the commands that build and run it.
LANGUAGES = {
    "sh": ("client.sh", [["sh", "client.sh"]]),
    "python": ("client.py", [["/usr/bin/python3", "client.py"]]),
    "js": ("client.js", [["node", "client.js"]]),
    "go": ("client.go", [["go", "run", "client.go"]]),
    "java": ("Client.java", [["java", "Client.java"]]),
    "c": ("client.c", [["cc", "-Wall", "-Wextra", "-Werror", "-o", "client", "client.c", "-lcurl"], ["./client"]]),
}


def programs():
    with open(PAGE, encoding="utf-8") as page:
        run = page.read().split("\n## Not run in our tests\n")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", run, re.M | re.S)


def test_all_languages_of_the_page_are_run():
    assert sorted(word for word, _ in programs()) == sorted(LANGUAGES)


@pytest.mark.parametrize("word, text", programs(), ids=[word for word, _ in programs()])
def test_client_page(word, text, mintd, tmp_path):
    name, commands = LANGUAGES[word]
    (tmp_path / name).write_text(text)
    environment = dict(os.environ, TOKEN_URL=mintd.url + "/token", API_URL=mintd.url + "/secret",
                       CLIENT_ID=SVC_A.id, CLIENT_SECRET=SVC_A.secret, GOCACHE=str(tmp_path / "go"), GO111MODULE="off")
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert "Welcome to the secret area!" in done.stdout
    # And what it does with a secret that is wrong is no success.
    environment["CLIENT_SECRET"] = AWKWARD.secret
    done = subprocess.run(commands[-1], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert "Welcome" not in done.stdout
