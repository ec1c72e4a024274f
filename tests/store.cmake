# tests of src/store

# Real servers, scripted servers, and calls that are waited for.
add_library(mintd_test_store STATIC
  support/loop.c support/redis.c support/fake_redis.c support/fake_world.c support/store_call.c
  support/caught_log.c)
target_include_directories(mintd_test_store PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mintd_test_store
  PUBLIC mintd_store PkgConfig::UV PkgConfig::HIREDIS PkgConfig::CMOCKA PRIVATE mintd_flags)
target_compile_options(mintd_test_store PRIVATE -UNDEBUG)

mintd_test(unit redis_url mintd_store)
mintd_test(unit local_store mintd_store mintd_test_fault)
mintd_test(unit redis_sentinel mintd_store mintd_test_fault)
mintd_test(unit cluster_map mintd_store PkgConfig::UV)
mintd_test(unit hash mintd_base)
mintd_test(unit cache mintd_store mintd_test_fault)
mintd_test(unit flights mintd_store mintd_test_fault)
mintd_test(unit traffic mintd_store PkgConfig::UV)
mintd_test(unit cache_group mintd_store mintd_test_fault)
mintd_test(unit copies mintd_store PkgConfig::UV)
target_sources(test_copies PRIVATE support/still_clock.c)
target_link_options(test_copies PRIVATE -Wl,--wrap=link_heard_ms)
mintd_test(integration store_contract mintd_test_store mintd_store)
mintd_test(integration redis_replies mintd_test_store mintd_store)
mintd_test(integration redis_role mintd_test_store mintd_store)
mintd_test(integration redis_greeting mintd_test_store mintd_store)
mintd_test(integration redis_identity mintd_test_store mintd_store)
mintd_test(integration redis_clock mintd_test_store mintd_store)
mintd_test(integration redis_tls mintd_test_store mintd_store OpenSSL::SSL)
target_sources(test_redis_tls PRIVATE support/authority.c support/tls_front.c)
target_link_options(test_redis_tls PRIVATE -Wl,--wrap=uv_getaddrinfo -Wl,--wrap=uv_freeaddrinfo -Wl,--wrap=send)
mintd_test(integration redis_tls_memory mintd_test_store mintd_store mintd_test_fault OpenSSL::SSL)
target_sources(test_redis_tls_memory PRIVATE support/authority.c support/tls_front.c)
mintd_test(integration redis_call mintd_test_store mintd_store)
mintd_test(integration redis_durable mintd_test_store mintd_store mintd_test_fault)
mintd_test(integration redis_memory mintd_test_store mintd_store)
mintd_test(integration redis_memory_replies mintd_test_store mintd_store mintd_test_fault)
mintd_test(integration redis_store mintd_test_store mintd_store mintd_test_fault)

# Every order of what three nodes do: src/store and src/oauth together.
mintd_test(integration cluster_model mintd_oauth mintd_store PkgConfig::UV PkgConfig::HIREDIS)
target_sources(test_cluster_model PRIVATE support/model_cluster.c support/explore.c support/still_clock.c)
target_link_options(test_cluster_model PRIVATE -Wl,--wrap=crypto_random)
mintd_test(integration cluster_memory mintd_oauth mintd_store mintd_test_fault PkgConfig::UV PkgConfig::HIREDIS)
target_sources(test_cluster_memory PRIVATE support/model_cluster.c support/still_clock.c)
