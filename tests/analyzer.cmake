# What gcc 12's -fanalyzer says wrongly, silenced for the one file and the one warning.
# It looks at one source at a time, so a test made by a function of another file is no test to it.
function(not_true target source warning)
  set_property(SOURCE ${PROJECT_SOURCE_DIR}/${source} TARGET_DIRECTORY ${target}
    APPEND PROPERTY COMPILE_OPTIONS -Wno-analyzer-${warning})
endfunction()

# The address of a first member, returned, is no leak: it is the object's own.
not_true(mintd_store src/store/local/local_store.c malloc-leak)
# What was put into an array that realloc() gave is not lost.
not_true(mintd_clients src/clients/client_ids.c malloc-leak)
not_true(mintctl cmd/mintctl/doctor_nodes.c malloc-leak)
# An entry's text is the entry's own, freed with the file.
not_true(mintd_clients src/clients/apply_file.c malloc-leak)
# on_head() went through with this path, so there is a route for it.
not_true(mintd_api src/api/api.c null-dereference)
# Fields are removed only from a record that there is.
not_true(mintctl cmd/mintctl/edit_print.c null-dereference)
