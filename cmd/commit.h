/* commit.h: which commit of the sources this program was built from. */
#ifndef MINTD_CMD_COMMIT_H
#define MINTD_CMD_COMMIT_H

/* Hexadecimal, with "-dirty" behind it where files had changed since; "unknown" where the build
 * could not tell. commit.cmake writes it. */
extern const char commit[];

#endif
