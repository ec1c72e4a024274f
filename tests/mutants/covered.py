"""The files that decide, and the tests that cover each: the cheapest that is likely to see it comes first."""
import os

# Of src/oauth.
DECIDES = ["bearer", "client", "client_authentication", "client_comparison", "client_creation", "client_names",
           "credentials", "digest_memory", "failure_limit", "grant", "inquiry", "oauth", "revocation", "scope",
           "secret_usage", "slow_check", "token", "token_owners", "verification"]

OAUTH = ["oauth_words", "oauth_credentials", "oauth_scope", "oauth_client", "oauth_bearer", "oauth_failure_limit",
         "oauth_grant", "oauth_grant_changes", "oauth_verification", "oauth_inquiry", "oauth_revocation",
         "oauth_secret_usage", "oauth_digest_memory", "oauth_token_owners", "oauth_client_creation", "client_names",
         "clients_file", "oauth_token", "oauth_client_authentication", "oauth_slow_check"]

SLOW = OAUTH[-3:]  # seconds; these see most of the same in milliseconds:
QUICK = ["oauth_grant", "oauth_verification"]

ROWS = ["test_token_endpoint.py", "test_forward_auth.py", "test_introspection.py", "test_revocation.py"]

# Beside src/oauth: its tests, and its rows of tests/e2e.
OTHERS = {
    # Forms.
    "src/api/form.c": (["form"], ROWS),
    # What is a secret's record, and how dear it may be.
    "src/crypto/password_record.c": (["password_record", "password"], []),
    # The coherent cache: what is trusted, and what is stale.
    "src/store/cache/cache.c": (["cache"], []),
    "src/store/cache/flights.c": (["flights"], []),
    "src/store/cache/group.c": (["cache_group"], []),
    "src/store/redis/copies.c": (["copies", "redis_memory_replies"], []),
}
# Of these files no other function: what starts and ends is left to the tests.
ONLY = {"src/store/redis/copies.c": ["copies_is_recent", "was_heard", "copies_is_trusted", "copies_rest_on", "copies_judge_premises",
                                     "copies_forget_key", "copies_forget_node", "copies_forget_all", "forget_one",
                                     "forget_pushed", "copies_on_push"]}
SHARED = ["src/oauth/client_names.c", "src/store/cache/group.c"]  # by threads, under a lock
FOLDERS = {"mintd": "cmd/mintd", "mintctl": "cmd/mintctl"}  # of programs that are no tests


def files():
    return ["src/oauth/%s.c" % name for name in DECIDES] + sorted(OTHERS)


def own_of(path):
    """Its own test, which not each has."""
    name = os.path.basename(path)[:-2]
    return name if name in OAUTH else "oauth_" + name


def tests_of(path):
    if path in OTHERS:
        return OTHERS[path][0]
    own = own_of(path)
    first = QUICK * (own in SLOW) + [own] * (own in OAUTH)
    return first + [test for test in OAUTH if test not in first]


def sanitized_tests_of(path):
    """Those that are likely to see what only a sanitizer sees."""
    if path in OTHERS:
        return OTHERS[path][0][:1]
    own = own_of(path)
    return [own] if own in OAUTH else tests_of(path)[:1]


def sanitizers_of(path):
    return ["address,undefined"] + ["thread"] * (path in SHARED)


def rows_of(path):
    return OTHERS[path][1] if path in OTHERS else ROWS
