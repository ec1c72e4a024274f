# tests of src/oauth, and of the parts of src/api that need no server

# Makes random bytes or digests fail: see support/failing_crypto.h.
add_library(mintd_test_failing_crypto OBJECT support/failing_crypto.c)
target_include_directories(mintd_test_failing_crypto PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mintd_test_failing_crypto PRIVATE mintd_flags)
target_link_options(mintd_test_failing_crypto INTERFACE
  -Wl,--wrap=crypto_random -Wl,--wrap=crypto_sha256 -Wl,--wrap=crypto_keyed_digest)

# A struct oauth on a store whose answers the test decides: see support/oauth_fixture.h.
add_library(mintd_test_oauth STATIC support/stub_store.c support/held_pool.c support/oauth_fixture.c)
target_include_directories(mintd_test_oauth PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mintd_test_oauth PUBLIC mintd_oauth PRIVATE mintd_flags PkgConfig::CMOCKA)

foreach(name words credentials scope client token bearer client_authentication failure_limit grant grant_changes
    verification inquiry revocation client_creation secret_usage digest_memory
    slow_check token_owners)
  mintd_test(unit oauth_${name} mintd_test_oauth mintd_test_failing_crypto)
endforeach()

target_link_libraries(test_oauth_words PRIVATE mintd_test_fault)
target_link_options(test_oauth_client_creation PRIVATE -Wl,--wrap=RAND_bytes) # it can be made to fail

mintd_test(unit form mintd_base)
target_sources(test_form PRIVATE ${PROJECT_SOURCE_DIR}/src/api/form.c)
mintd_test(unit client_address mintd_base)
target_sources(test_client_address PRIVATE ${PROJECT_SOURCE_DIR}/src/api/client_address.c)

mintd_test(unit client_names mintd_oauth mintd_test_fault)
mintd_test(unit accept mintd_base)
target_sources(test_accept PRIVATE ${PROJECT_SOURCE_DIR}/src/api/accept.c)

# The instance's record in the store.
mintd_test(unit heartbeat mintd_api mintd_test_oauth PkgConfig::CJSON)
target_sources(test_heartbeat PRIVATE support/caught_log.c)
mintd_test(unit heartbeat_view mintd_heartbeat_view PkgConfig::CJSON)

# What /status plots.
mintd_test(unit status_history mintd_api)

# A clients file.
mintd_test(unit clients_file mintd_clients mintd_test_fault)
