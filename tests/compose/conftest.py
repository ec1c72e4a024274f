"""Fixtures of the tests of docker-compose.yml and its variants in deploy/, as a container engine runs them.

    script/compose-test sentinel     # installs what is missing, has an engine and images, runs this
    /usr/bin/python3 -m pytest tests/compose --variant sentinel    # COMPOSE: how to call compose, version 2

    cluster      the variant's, up and healthy; one for all its tests. Leave it so: after a test that failed,
                 what is down is started again, and the state of all services is part of the report.
    load         with load("mintd1 stops"): …    # Load at the front door; what it saw is told at the end
    outage       the same, while a Redis is taken away

A test runs on all variants unless it says @on("redis", …). They run in the order in which they stand,
which some want: these say so.
"""
import pytest

from clusters import FRONT, VARIANTS, Cluster, run
from load import Load, Outage

SEEN = pytest.StashKey[list]()
CLUSTER = pytest.StashKey[Cluster]()


def pytest_addoption(parser):
    parser.addoption("--variant", action="append", choices=list(VARIANTS), help="instead of all of them")


def pytest_configure(config):
    config.stash[SEEN], config.stash[CLUSTER] = [], None


def pytest_sessionstart(session):
    if not session.config.option.collectonly and run("docker", "info")[0] != 0:
        pytest.exit("no container engine answers: script/compose-test starts one", returncode=2)


def pytest_generate_tests(metafunc):
    metafunc.parametrize("running", list(VARIANTS), indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    def is_wanted(item):
        mark, variant = item.get_closest_marker("on"), item.callspec.params["running"]
        return variant in (config.option.variant or VARIANTS) and (not mark or variant in mark.args)

    wanted = [item for item in items if is_wanted(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    cluster = item.config.stash[CLUSTER]
    if report.failed and cluster:
        cluster.is_hurt = True
        report.sections.append(("the cluster", cluster.state()))


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[SEEN]:
        terminalreporter.section("what was seen under load")
        for line in config.stash[SEEN]:
            terminalreporter.line(str(line))


@pytest.fixture(scope="session")
def running(request):
    cluster = Cluster(VARIANTS[request.param])
    try:
        cluster.start()
    except BaseException:
        request.session.shouldfail = "the cluster did not come up"
        cluster.finish()
        raise
    request.config.stash[CLUSTER] = cluster
    yield cluster
    cluster.finish()
    request.config.stash[CLUSTER] = None


@pytest.fixture
def cluster(running):
    if running.is_hurt:
        running.mend()
    return running


def _watched(kind, config):
    def start(title):
        one = kind(FRONT, title)
        config.stash[SEEN].append(one)
        return one

    return start


@pytest.fixture(scope="session")
def load(pytestconfig):
    return _watched(Load, pytestconfig)


@pytest.fixture(scope="session")
def outage(pytestconfig):
    return _watched(Outage, pytestconfig)
