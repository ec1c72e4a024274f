/* health_target.c: where to ask: a URL, or an address that an instance listens on. */
#include "health.h"
#include <stdio.h>
#include <string.h>

static bool copy(char *out, size_t capacity, const char *text, size_t size) {
    if (size == 0 || size >= capacity) {
        return false;
    }
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

/* "host", "host:port", "[v6]:port"; the port is left as it was where none is given. */
static bool read_authority(const char *text, size_t size, struct health_target *target) {
    const char *end = text + size;
    const char *host_end = text[0] == '[' ? memchr(text, ']', size) : memchr(text, ':', size);
    bool has_brackets = text[0] == '[';
    if (has_brackets && host_end == NULL) {
        return false;
    }
    const char *host = has_brackets ? text + 1 : text;
    const char *rest = host_end == NULL ? end : host_end + has_brackets;
    if (!copy(target->host, sizeof target->host, host,
              (size_t)((host_end == NULL ? end : host_end) - host))) {
        return false;
    }
    return rest == end ||
           (*rest == ':' &&
            copy(target->port, sizeof target->port, rest + 1, (size_t)(end - rest) - 1) &&
            strspn(target->port, "0123456789") == strlen(target->port));
}

bool health_target_read(const char *url, struct health_target *target) {
    *target = (struct health_target){.port = "80", .path = "/readyz"};
    if (strncmp(url, "unix:", 5) == 0 && url[5] != '\0') { /* or relative, as mintd takes it */
        target->is_unix = true;
        return copy(target->host, sizeof target->host, url + 5, strlen(url + 5));
    }
    target->is_tls = strncmp(url, "https://", 8) == 0;
    if (!target->is_tls && strncmp(url, "http://", 7) != 0) {
        return false;
    }
    const char *rest = strstr(url, "//") + 2;
    size_t size = strcspn(rest, "/");
    if (target->is_tls) {
        strcpy(target->port, "443");
    }
    /* Blanks and control characters have no place in a request line. */
    for (const char *c = rest; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            return false;
        }
    }
    if (strlen(rest + size) > 1 &&
        !copy(target->path, sizeof target->path, rest + size, strlen(rest + size))) {
        return false;
    }
    return read_authority(rest, size, target);
}

unsigned health_targets_of_listener(const char *address, struct health_target targets[2]) {
    char text[HEALTH_PART_MAX + 16];
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    /* ":port" and an unspecified address are all of this machine's. */
    bool is_any = address[0] == ':' || strncmp(address, "0.0.0.0:", 8) == 0 ||
                  strncmp(address, "[::]:", 5) == 0;
    const char *port = strrchr(address, ':');
    if (!is_unix && port == NULL) {
        return 0;
    }
    snprintf(text, sizeof text, "%s%s",
             is_unix  ? ""
             : is_any ? "http://127.0.0.1"
                      : "http://",
             is_any ? port : address);
    if (!health_target_read(text, &targets[0])) {
        return 0;
    }
    if (is_any) {
        targets[1] = targets[0];
        strcpy(targets[1].host, "::1");
    }
    return is_any ? 2 : 1;
}
