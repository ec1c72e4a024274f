"""The files that decide, and the tests that cover each: the cheapest that is likely to see it comes first."""
import os

# Of src/oauth: not what keeps count of clients and secrets, and makes the client of --client.
DECIDES = ["bearer", "client", "client_authentication", "client_comparison", "credentials", "digest_memory", "failure_limit",
           "grant", "inquiry", "oauth", "revocation", "scope", "slow_check", "token", "token_owners", "verification"]

OAUTH = ["oauth_words", "oauth_credentials", "oauth_scope", "oauth_client", "oauth_bearer", "oauth_failure_limit",
         "oauth_grant", "oauth_grant_changes", "oauth_verification", "oauth_inquiry", "oauth_revocation",
         "oauth_secret_usage", "oauth_digest_memory", "oauth_token_owners", "oauth_client_creation", "client_names",
         "clients_file", "oauth_token", "oauth_client_authentication", "oauth_slow_check"]

SLOW = OAUTH[-3:]  # seconds; these see most of the same in milliseconds:
QUICK = ["oauth_grant", "oauth_verification"]

# Beside src/oauth: its tests, and its rows of tests/e2e.
OTHERS = {}
FOLDERS = {"mintd": "cmd/mintd", "mintctl": "cmd/mintctl"}  # of programs that are no tests

ROWS = ["test_token_endpoint.py", "test_forward_auth.py", "test_introspection.py", "test_revocation.py"]


def files():
    return ["src/oauth/%s.c" % name for name in DECIDES] + sorted(OTHERS)


def tests_of(path):
    if path in OTHERS:
        return OTHERS[path][0]
    own = "oauth_" + os.path.basename(path)[:-2]
    first = QUICK * (own in SLOW) + [own] * (own in OAUTH)
    return first + [test for test in OAUTH if test not in first]


def sanitized_tests_of(path):
    """Those that are likely to see what only a sanitizer sees."""
    if path in OTHERS:
        return OTHERS[path][0][:1]
    own = "oauth_" + os.path.basename(path)[:-2]
    return [own] if own in OAUTH else tests_of(path)[:1]


def rows_of(path):
    return OTHERS[path][1] if path in OTHERS else ROWS
