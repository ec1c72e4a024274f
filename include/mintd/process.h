/* process.h: what this process uses of the machine, as the kernel counts it.
 *
 * It reads /proc/self. What cannot be read there is marked as not known. A call takes some ten
 * microseconds. Before Linux 6.2 open descriptors are counted one by one, which adds about a
 * microsecond for every few of them. */
#ifndef MINTD_PROCESS_H
#define MINTD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
    uint64_t cpu_ms; /* user and system time of all threads */
    bool has_memory;
    uint64_t resident_bytes, virtual_bytes;
    bool has_descriptors;
    uint64_t open_descriptors;
    bool has_descriptor_limit; /* false: there is no limit */
    uint64_t max_descriptors;
};

struct process_usage process_usage(void);

#endif
