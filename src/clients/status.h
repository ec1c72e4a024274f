/* status.h: how a piece of an operator's work ended. */
#ifndef MINTD_CLIENTS_STATUS_H
#define MINTD_CLIENTS_STATUS_H

/* Of mintctl the exit status. Whatever is not DONE has been said (say.h). */
enum status { STATUS_DONE, STATUS_REFUSED, STATUS_USAGE, STATUS_REDIS };

#endif
