"""A little of everything that mintd counts, on each of some instances, over and over."""
import threading

from support.clients import CODECADEMY, SVC_A, SVC_B, basic, bearer, install_clients, mint
from support.inquiry import introspect, revoke

PAUSE_S = 0.05


def install(redis):
    install_clients(redis)


def round_of(instance, number):
    token = mint(instance).json()["access_token"]
    for _ in range(3):
        instance.request("GET", "/secret", [bearer(token)])
    instance.request("GET", "/verify", [bearer(token)])
    introspect(instance, token)
    revoke(instance, token)
    introspect(instance, token)
    instance.request("GET", "/secret", [bearer(token)])
    instance.request("GET", "/secret")
    instance.request("GET", "/readyz")
    mint(instance, SVC_B)  # a slow hash, remembered
    # slow hashes that are not: each failed attempt costs one, until the client is barred for a while
    instance.request("POST", "/token", [basic("nobody-%d" % number, "x"),
                                        ("Content-Type", "application/x-www-form-urlencoded")],
                     b"grant_type=client_credentials")
    mint(instance, CODECADEMY)
    mint(instance, SVC_A, target="/auth")


class Load:
    def __init__(self, instances):
        self._over = threading.Event()
        self._problems = []
        self._threads = [threading.Thread(target=self._run, args=(instance,)) for instance in instances]

    def _run(self, instance):
        number = 0
        try:
            while not self._over.wait(PAUSE_S):
                round_of(instance, number)
                number += 1
        except Exception as problem:  # told at the end
            self._problems.append(problem)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self._problems, self._problems
