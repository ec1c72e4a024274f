# Makes a C source of a page, and its Content-Security-Policy of the hashes of what it has inside:
#   cmake -D PAGE=status.html -D OUTPUT=status_page.c -P embed.cmake

# The base64 text of a SHA-256: 64 hex digits, three of which are two characters.
function(base64_of_sha256 hex out)
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(text "")
  foreach(at RANGE 0 60 3)
    string(SUBSTRING "${hex}" ${at} 3 digits)
    math(EXPR high "0x${digits} >> 6")
    math(EXPR low "0x${digits} & 63")
    string(SUBSTRING "${alphabet}" ${high} 1 first)
    string(SUBSTRING "${alphabet}" ${low} 1 second)
    string(APPEND text "${first}${second}")
  endforeach()
  string(SUBSTRING "${hex}" 63 1 digit)
  math(EXPR last "0x${digit} << 2")
  string(SUBSTRING "${alphabet}" ${last} 1 first)
  set(${out} "${text}${first}=" PARENT_SCOPE)
endfunction()

# What stands between the one <tag> and its end, as a source of the policy.
function(hash_of tag out)
  string(FIND "${page}" "<${tag}>" from)
  string(FIND "${page}" "</${tag}>" to)
  if(from EQUAL -1 OR to EQUAL -1)
    message(FATAL_ERROR "${PAGE} has no <${tag}>")
  endif()
  string(LENGTH "<${tag}>" size)
  math(EXPR from "${from} + ${size}")
  math(EXPR size "${to} - ${from}")
  string(SUBSTRING "${page}" ${from} ${size} inside)
  string(SHA256 digest "${inside}")
  base64_of_sha256(${digest} text)
  set(${out} "'sha256-${text}'" PARENT_SCOPE)
endfunction()

file(READ "${PAGE}" page)
if(page MATCHES "[^\n -~]")
  message(FATAL_ERROR "${PAGE} has a byte that is not ASCII: write it as &#...; or \\u....")
endif()
hash_of(style style)
hash_of(script script)
file(READ "${PAGE}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "/* Made of status.html by embed.cmake. */
#include \"api/status.h\"

static const unsigned char bytes[] = {
${bytes}};
const struct slice status_page = {(const char *)bytes, sizeof bytes};
const struct slice status_page_policy =
    SLICE(\"default-src 'none'; style-src ${style}; script-src ${script}; img-src data:; \"
          \"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\");
")
