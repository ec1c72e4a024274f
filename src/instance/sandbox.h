/* sandbox.h: takes from this process the system calls that a running mintd does not make
 * (seccomp(2)), so that code that an attacker brought in can neither start a program, nor write or
 * make a file, nor trace another process, nor listen, nor change the user or the kernel. */
#ifndef MINTD_SANDBOX_H
#define MINTD_SANDBOX_H

#include <stdbool.h>

/* For all threads, for good. Listeners are open; event loops are not, since libuv gives them an
 * io_uring where it may, and a filter does not see what that is told to do. A call that was taken
 * fails with EPERM, or ENOSYS where the libraries know another way. In builds with sanitizers it
 * ends the process instead, so that the tests show what is missing.
 * unlinks: it may remove files, for the sockets of --listen unix:. listens: it may listen, where
 * another program serves the port until this one can.
 * Returns 0 or an errno value: ENOMEM; others: the kernel has no filters, or allows none. Then
 * nothing was taken. */
int sandbox_enter(bool unlinks, bool listens);

#endif
