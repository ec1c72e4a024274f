/* list.h: things that stand in line: an intrusive list, linked and unlinked in O(1).
 *
 * The list owns nothing. A link that is in no list points at itself. */
#ifndef MINTD_HTTP_LIST_H
#define MINTD_HTTP_LIST_H

#include <stdbool.h>

struct link {
    struct link *previous, *next;
};

static inline void list_init(struct link *list) {
    list->previous = list->next = list;
}

static inline bool list_is_empty(const struct link *list) {
    return list->next == list;
}

static inline void link_remove(struct link *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* The link must be in no list. */
static inline void list_append(struct link *list, struct link *link) {
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

#endif
