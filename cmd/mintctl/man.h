/* man.h: the man page that the build makes (--man), from the table that --help comes from. */
#ifndef MINTCTL_MAN_H
#define MINTCTL_MAN_H

void man_print(void);

#endif
