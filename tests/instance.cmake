# tests of src/instance

mintd_test(integration instance mintd_instance)
# A worker's thread can be made to fail.
target_link_options(test_instance PRIVATE -Wl,--wrap=thread_start)

mintd_test(integration certificate_watch mintd_test_http mintd_instance)
target_sources(test_certificate_watch PRIVATE support/caught_log.c)
