#include "mintd/process.h"
#include "mintd/slice.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES_MAX (UINT64_C(1) << 52) /* of the least size there is, all 64 bits can name */

static uint64_t milliseconds_of(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_usec / 1000;
}

/* "SIZE RESIDENT ...", in pages. */
static void take_memory(struct process_usage *usage, struct slice text) {
    struct slice size, resident;
    unsigned long long pages, pages_resident;
    usage->has_memory = slice_next_word(&text, &size) && slice_next_word(&text, &resident) &&
                        slice_to_number(size, PAGES_MAX, &pages) &&
                        slice_to_number(resident, PAGES_MAX, &pages_resident);
    if (usage->has_memory) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        usage->virtual_bytes = pages * page;
        usage->resident_bytes = pages_resident * page;
    }
}

static void read_memory(struct process_usage *usage) {
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t count = read(fd, text, sizeof text);
    close(fd);
    if (count > 0) {
        take_memory(usage, slice_of(text, (size_t)count));
    }
}

/* Without ".", ".." and the descriptor that the counting itself takes. */
static bool count_entries(uint64_t *count) {
    DIR *folder = opendir("/proc/self/fd");
    uint64_t entries = 0;
    if (folder == NULL) {
        return false;
    }
    while (readdir(folder) != NULL) {
        entries++;
    }
    closedir(folder);
    *count = entries < 3 ? 0 : entries - 3;
    return true;
}

/* Since Linux 6.2 the size of the folder is the number of its entries. */
static void count_descriptors(struct process_usage *usage) {
    struct stat folder;
    if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
        usage->has_descriptors = true;
        usage->open_descriptors = (uint64_t)folder.st_size;
    } else {
        usage->has_descriptors = count_entries(&usage->open_descriptors);
    }
}

struct process_usage process_usage(void) {
    struct process_usage usage = {0};
    struct rusage spent;
    struct rlimit limit;
    getrusage(RUSAGE_SELF, &spent);
    usage.cpu_ms = milliseconds_of(spent.ru_utime) + milliseconds_of(spent.ru_stime);
    read_memory(&usage);
    count_descriptors(&usage);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        usage.has_descriptor_limit = true;
        usage.max_descriptors = limit.rlim_cur;
    }
    return usage;
}
