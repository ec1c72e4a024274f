"""deploy/redis.sh: the user that it makes has the password that mintd takes out of the same URL (F-25)."""
import hashlib
import os
import subprocess

from support.mintctl import Mintctl
from support.mintd import REPOSITORY
from support.oauth import rows
from support.redis_server import RedisServer
from support.timing import scaled


def start(tmp_path, url):
    """The script, with its folders here, up to where it would become redis-server."""
    (tmp_path / "redis-url").write_text(url + "\n")
    with open(os.path.join(REPOSITORY, "deploy/redis.sh"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace("/run/secrets/", "%s/" % tmp_path).replace("/tmp/users.acl", "%s/users.acl" % tmp_path)
    return subprocess.run(["sh", "-c", text.replace("exec redis-server", "exec true")], capture_output=True,
                          text=True, check=False, timeout=scaled(20))


@rows("F-25", plain="letters4and5digits", encoded="p%40s%2Fs%25%3a%5C%27%22", high="%C3%A9%0A")
def test_the_password_of_the_url(tmp_path, case):
    done = start(tmp_path, "redis://mintd:%s@redis:6379" % case)
    assert (done.returncode, done.stderr) == (0, ""), done
    with RedisServer("--aclfile", str(tmp_path / "users.acl"), "--protected-mode", "no") as server:
        Mintctl(server.url.replace("//", "//mintd:%s@" % case))("token", "show", "0" * 32, status=1)
    text = (tmp_path / "users.acl").read_text()
    if case == "letters4and5digits":
        assert hashlib.sha256(case.encode()).hexdigest() in text


@rows("F-25", percent="redis://mintd:p%4@redis:6379", none="redis://redis:6379", user="redis://other:x@redis:6379",
      empty="redis://mintd:@redis:6379")
def test_a_url_that_cannot_be(tmp_path, case):
    done = start(tmp_path, case)
    assert done.returncode == 2 and done.stderr.startswith("redis.sh: "), done
