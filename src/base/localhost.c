#include "mintd/localhost.h"
#include <string.h>
#include <strings.h>

bool host_is_localhost(const char *host) {
    static const char name[] = "localhost";
    size_t size = strlen(host), name_size = sizeof name - 1;
    if (size != 0 && host[size - 1] == '.') {
        size--;
    }
    if (size < name_size || strncasecmp(host + size - name_size, name, name_size) != 0) {
        return false;
    }
    return size == name_size || (size > name_size + 1 && host[size - name_size - 1] == '.');
}

union localhost_address localhost_address(unsigned index, unsigned port) {
    union localhost_address address;
    memset(&address, 0, sizeof address);
    if (index == 0) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons((in_port_t)port);
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons((in_port_t)port);
        address.v6.sin6_addr = in6addr_loopback;
    }
    return address;
}
