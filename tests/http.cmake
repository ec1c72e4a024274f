# tests of src/http

# A server with a stub endpoint, and a client of raw bytes, on one loop.
add_library(mintd_test_http STATIC support/loop.c support/client.c support/client_tls.c support/certificate.c
  support/http_fixture.c)
target_include_directories(mintd_test_http PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mintd_test_http PUBLIC mintd_http OpenSSL::SSL PkgConfig::UV PkgConfig::CMOCKA PRIVATE mintd_flags)
target_compile_options(mintd_test_http PRIVATE -UNDEBUG)

mintd_test(unit http_parser mintd_http)
mintd_test(unit http_response mintd_http)
mintd_test(unit http_lag mintd_http)
mintd_test(unit http_trace mintd_http)
mintd_test(unit http_bounds mintd_http)
mintd_test(integration http_server mintd_test_http mintd_http)
add_test(NAME integration/http_server_over_tls COMMAND test_http_server tls)
set_tests_properties(integration/http_server_over_tls PROPERTIES LABELS integration TIMEOUT 120 COST 10)
mintd_test(integration http_tls mintd_test_http mintd_http mintd_test_fault)
mintd_test(integration http_limits mintd_test_http mintd_http mintd_test_fault)
mintd_test(integration http_listen mintd_test_http mintd_http)
