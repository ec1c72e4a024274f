# tests of src/instance

mintd_test(integration instance mintd_instance)
# A worker's thread, and the sandbox, can be made to fail.
target_link_options(test_instance PRIVATE -Wl,--wrap=thread_start -Wl,--wrap=sandbox_enter)

mintd_test(integration sandbox mintd_instance)

# /readyz, with a clock of the test's.
mintd_test(integration readiness mintd_test_http mintd_api mintd_test_oauth)
target_link_options(test_readiness PRIVATE -Wl,--wrap=clock_monotonic_ms -Wl,--wrap=clock_monotonic_ns)

mintd_test(integration certificate_watch mintd_test_http mintd_instance)
target_sources(test_certificate_watch PRIVATE support/caught_log.c)
