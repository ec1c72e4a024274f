#include "http/deadlines.h"
#include "mintd/flow.h"

void deadline_init(struct deadline *deadline) {
    list_init(&deadline->link);
    deadline->at = 0;
}

void deadline_list_init(struct deadline_list *list, uint64_t duration) {
    list_init(&list->waits);
    list->duration = duration;
}

void deadline_start(struct deadline *deadline, struct deadline_list *list, uint64_t now) {
    link_remove(&deadline->link);
    deadline->at = now + list->duration;
    list_append(&list->waits, &deadline->link);
}

void deadline_stop(struct deadline *deadline) {
    link_remove(&deadline->link);
}

bool deadline_is_running(const struct deadline *deadline) {
    return !list_is_empty(&deadline->link);
}

struct deadline *deadline_list_due(const struct deadline_list *list, uint64_t now) {
    if (list_is_empty(&list->waits)) {
        return NULL;
    }
    struct deadline *first = container_of(list->waits.next, struct deadline, link);
    return first->at <= now ? first : NULL;
}
