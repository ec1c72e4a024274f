"""What G-19 has to convict."""
import pytest

import logs


@pytest.mark.parametrize("line", [b'{"message":"a\x1b[31m"}', b'{"message":"a\x00"}', b'{"message":"a', b'["a"]', b"",
                                  '{"message":"\u202eevil"}'.encode(), b'{"message":"\xff"}', b'{"a":1}{"b":2}',
                                  '{"message":"\x85"}'.encode("latin-1"), '{"message":"\u2028"}'.encode()])
def test_what_is_no_line(line):
    assert logs.flaws(b'{"message":"refused"}\n' + line + b"\n") == {"lines": 2, "broken": 1, "refused": 1, "forged": 0}


def test_a_forged_line():
    assert logs.flaws(b'{"message":"forged"}\n{"message":"refused","Injected":1}\n')["forged"] == 2
