"""What G-18 has to convict."""
import os
import subprocess
import sys

import dumps

KEEPS = "import sys; kept = sys.stdin.readline().strip().encode() * 2; print(len(kept), flush=True); sys.stdin.readline()"


def test_what_is_in_memory_is_found():
    kept, other = os.urandom(20).hex().encode(), os.urandom(20).hex().encode()
    with subprocess.Popen([sys.executable, "-c", KEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(kept + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"80\n"
        assert dumps.held(process.pid, [kept, other]) == [kept]
        process.stdin.close()
