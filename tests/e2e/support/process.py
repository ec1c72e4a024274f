"""Child processes that never outlive the tests.

    subprocess.Popen(leashed("redis-server", "--port", "0"))

setpriv(1) asks for that and becomes the command, so the child's pid is the command's. A function that
Python calls between fork and exec would make it copy this whole process for each child.
"""


def leashed(*command):
    """The command, killed when the thread that started it ends (also by kill -9)."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]
