# tests of src/instance

mintd_test(integration instance mintd_instance)
# A worker's thread can be made to fail.
target_link_options(test_instance PRIVATE -Wl,--wrap=thread_start)
