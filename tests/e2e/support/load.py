"""Requests that are asked all the while, and connections to every worker.

    with Load(instance, use=use_request(token), mint=mint_request(SVC_A)) as load:   # a thread for each
        load.warm_up()
        ...
        load.wait_for(200, "use", since=time.monotonic(), within=1)
    assert load.statuses("use") <= {200, 503}
    with Wires(instance) as wires:
        assert wires.ask(raw) == {200}       # the statuses of each worker's answers
"""
import threading
import time

from .clients import G, bearer
from .http import form_request, request_bytes
from .oauth import wait_until
from .wire import Wire

CONNECTIONS = 12  # of two workers: each has some
_PAUSE = 0.003  # after each answer: the machine is left to what the load is there to disturb


def use_request(token):
    return request_bytes("GET", "/secret", [bearer(token)])


def mint_request(client):
    return form_request("/token", G, [client.basic()])


def revoke_request(token, client):
    return form_request("/revoke", [("token", token)], [client.basic()])


def told(instance, since=0):
    """The lines of its log but those about requests."""
    return [line for line in instance.log[since:] if line["message"] not in ("token minted", "token revoked", "refused")]


class Load:
    def __init__(self, instance, **requests):
        self.answers = {name: [] for name in requests}  # [(when it was asked, when answered, status)]
        self._address, self._stop = instance.address, threading.Event()
        self._problems = []
        self._threads = [threading.Thread(target=self._run, args=pair, daemon=True) for pair in requests.items()]

    def _run(self, name, raw):
        """On a connection of its own every now and then: each worker gets some."""
        try:
            while not self._stop.is_set():
                with Wire(self._address) as wire:
                    for _ in range(20):
                        asked = time.monotonic()
                        status, _ = wire.ask(raw)
                        self.answers[name].append((asked, time.monotonic(), status))
                        time.sleep(_PAUSE)
        except Exception as problem:
            self._problems.append(problem)

    def statuses(self, *names, since=0.0, until=float("inf")):
        """Of all that was asked in that time."""
        return {status for name in names or self.answers for asked, answered, status in list(self.answers[name])
                if asked >= since and answered <= until}

    def warm_up(self, count=20):
        self.wait_for_more(count)

    def wait_for_more(self, count=10, within=10):
        """So many more answers of each kind."""
        before = {name: len(answers) for name, answers in self.answers.items()}
        wait_until(lambda: all(len(self.answers[name]) >= before[name] + count for name in before), within, "more answers")

    def wait_for(self, status, *names, since, within):
        """Until each of them is answered so, and again; how long after `since` the first of these answers came."""
        def streak(name):
            last = [answer for answer in self.answers[name][-8:] if answer[0] >= since]
            return len(last) == 8 and {answer[2] for answer in last} == {status} and last[0][1]

        wait_until(lambda: all(streak(name) for name in names), within, "%s: %d" % (" and ".join(names), status))
        return max(streak(name) or time.monotonic() for name in names) - since

    def last(self, name, status):
        """When one that was answered so was asked last; 0: none."""
        return max((asked for asked, _, got in list(self.answers[name]) if got == status), default=0.0)

    def slowest(self, *names):
        return max(answered - asked for name in names or self.answers for asked, answered, _ in list(self.answers[name]))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if kind is None:
            assert not self._problems, self._problems


class Wires:
    def __init__(self, instance, count=CONNECTIONS):
        self._wires = [Wire(instance.address) for _ in range(count)]

    def ask(self, raw):
        return {wire.ask(raw)[0] for wire in self._wires}

    def close(self):
        for wire in self._wires:
            wire.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
