# tests of src/base and src/crypto

# Makes allocations and threads fail: see support/fault.h.
add_library(mintd_test_fault OBJECT support/fault.c)
target_link_libraries(mintd_test_fault PRIVATE mintd_flags)
target_link_options(mintd_test_fault INTERFACE
  -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=pthread_create)

mintd_test(unit slice mintd_base)
mintd_test(unit buffer mintd_base)
mintd_test(unit encoding mintd_base)
mintd_test(unit counter mintd_base)
mintd_test(unit gzip mintd_base mintd_test_fault PkgConfig::ZLIB)
mintd_test(unit ip mintd_base)
mintd_test(unit networks mintd_base)
mintd_test(unit quantity mintd_base)
mintd_test(unit text_flaw mintd_base)
mintd_test(unit log_line mintd_base PkgConfig::CJSON)
mintd_test(unit log mintd_base mintd_test_fault PkgConfig::CJSON)
mintd_test(unit crypto mintd_crypto mintd_test_fault)
mintd_test(unit tls mintd_crypto OpenSSL::SSL)
target_sources(test_tls PRIVATE support/certificate.c support/authority.c)
mintd_test(unit password mintd_crypto)
mintd_test(unit password_queue mintd_crypto)
mintd_test(unit password_record mintd_crypto)
mintd_test(unit password_sources mintd_crypto)
mintd_test(unit password_pool mintd_crypto mintd_test_fault)
target_sources(test_password_pool PRIVATE support/held_pool.c)

# Their OpenSSL can be made to fail.
target_link_options(test_crypto PRIVATE
  -Wl,--wrap=RAND_bytes -Wl,--wrap=EVP_MAC_fetch)
target_link_options(test_password PRIVATE -Wl,--wrap=RAND_bytes -Wl,--wrap=EVP_KDF_fetch)
