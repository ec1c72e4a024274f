"""Named profiles: where Redis is, in a file of the user's."""
import pytest

from support.mintctl import Mintctl
from support.oauth import row, rows

NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def profile(tmp_path):
    """profile(text, mode): writes the profile prod; a mintctl whose variables lead nowhere."""
    folder = tmp_path / "mintctl" / "profiles"
    folder.mkdir(parents=True)

    def write(text, mode=0o600, env=None):
        (folder / "prod").write_text(text)
        (folder / "prod").chmod(mode)
        return Mintctl(NOWHERE, env={"XDG_CONFIG_HOME": str(tmp_path), **(env or {})}, canaries=["canary"])
    return write


@row("PROFILE")
def test_by_flag_and_by_variable(profile, redis):
    text = "# production\n\nredis = %s\nredis-prefix=mintd:\n" % redis.url
    assert "svc-a" in profile(text, 0o644)("client", "list", "--profile", "prod").out
    by_variable = profile(text, env={"MINTCTL_PROFILE": "prod"})
    assert "svc-a" in by_variable("client", "list").out
    assert "svc-a" not in by_variable("client", "list", "--redis-prefix", "other:").out  # an option counts more
    by_variable("client", "list", "--redis", NOWHERE, status=3)
    profile(text)("client", "list", status=3)  # named by nobody


@row("PROFILE-alone")
def test_variables_do_not_count_beside_it(profile, redis):
    ctl = profile("redis = %s\n" % redis.url, env={"MINTD_REDIS_PREFIX": "other:", "MINTD_REDIS_FILE": "/none"})
    assert "svc-a" in ctl("client", "list", "--profile", "prod").out


@row("PROFILE-password")
def test_a_password_is_for_its_owner(profile):
    for text in ("redis = redis://:canary@127.0.0.1:1\n", "redis = %s\nredis-sentinel-password = canary\n" % NOWHERE):
        assert "chmod 600" in profile(text, 0o640)("status", "--profile", "prod", status=2).err
        profile(text, 0o600)("status", "--profile", "prod", status=3)


WRONG = {"unknown": ("rediss = canary\n", "rediss: there is no such setting; did you mean redis?"),
         "no_value": ("canary\n", "a line without ="),
         "twice": ("redis = redis://a\nredis = redis://b\n", "given twice")}


@rows("PROFILE-wrong", **WRONG)
def test_a_wrong_one(profile, case):
    text, words = case
    assert words in profile(text)("status", "--profile", "prod", status=2).err


@rows("PROFILE-name", none="none", path="../prod", hidden=".prod", empty="")
def test_a_wrong_name(profile, case):
    profile("")("status", "--profile", case, status=2)
