"""How long to wait: every deadline of the harness goes through scaled()."""
import os

TIME_SCALE = float(os.environ.get("MINTD_TIME_SCALE", "1"))


def scaled(seconds):
    """Seconds, stretched by MINTD_TIME_SCALE: for waits that end early when all is well."""
    return seconds * TIME_SCALE
