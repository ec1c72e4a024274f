/* loop_memory.h: libuv aborts, without a word, where a loop's table of descriptors cannot grow. */
#ifndef MINTD_CMD_LOOP_MEMORY_H
#define MINTD_CMD_LOOP_MEMORY_H

/* Has the process say so on standard error, and end with status 1. For main(), ahead of libuv and
 * of all threads. What else libuv cannot allocate it reports to its caller, as before. */
void loop_memory_watch(void);

#endif
