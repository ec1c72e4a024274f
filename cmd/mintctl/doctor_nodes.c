/* doctor_nodes.c: what is about the server is looked at on each node, and told once where all say
 * the same. With one node all of that is the plain way from a look to its findings. */
#include "doctor.h"
#include "output.h"
#include <stdarg.h>
#include <stdlib.h>

#define TEXT_MAX 600u
#define NAMES_MAX 200u /* bytes of the names in front of a finding */

struct doctor_note {
    const struct node *node;
    enum finding finding;
    const char *what, *advice;
    char *text;
    bool is_told;
};

struct value *doctor_ask(struct doctor *doctor, const struct slice *arguments, size_t count) {
    return node_ask(doctor->redis, doctor->at, arguments, count);
}

void doctor_notes_free(struct doctor *doctor) {
    for (size_t i = 0; i < doctor->note_count; i++) {
        free(doctor->notes[i].text);
    }
    free(doctor->notes);
}

/* ---- findings of one node ---- */

static bool make_room(struct doctor *doctor) {
    if (doctor->note_count < doctor->note_room) {
        return true;
    }
    size_t room = doctor->note_room == 0 ? 16 : 2 * doctor->note_room;
    struct doctor_note *notes = realloc(doctor->notes, room * sizeof *notes);
    if (notes == NULL) {
        return false;
    }
    doctor->notes = notes;
    doctor->note_room = room;
    return true;
}

static void note(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *text) {
    char *copy = make_room(doctor) ? strdup(text) : NULL;
    if (copy == NULL) {
        doctor->is_short_of_memory = true;
        return;
    }
    doctor->notes[doctor->note_count++] = (struct doctor_note){
        .node = doctor->at, .finding = finding, .what = what, .advice = advice, .text = copy};
}

void doctor_find(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *format, ...) {
    char text[TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (doctor->at == NULL) {
        doctor_tell(doctor, finding, what, advice, text, NULL);
    } else {
        note(doctor, finding, what, advice, text);
    }
}

/* ---- told together ---- */

static bool is_same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What is well is well, whatever numbers it has. */
static bool belong_together(const struct doctor_note *a, const struct doctor_note *b) {
    return a->finding == b->finding && strcmp(a->what, b->what) == 0 &&
           (a->finding == FINDING_OK ||
            (is_same_text(a->advice, b->advice) && strcmp(a->text, b->text) == 0));
}

struct group {
    const struct doctor_note *first;
    size_t count, of; /* as many nodes as have something to say of it */
    bool is_one_text;
    struct buffer names; /* of as many as have room */
    size_t named;
    cJSON *list;
    char storage[NAMES_MAX];
};

static void add_to(struct group *group, struct doctor_note *one) {
    cJSON *name = cJSON_CreateString(one->node->name);
    one->is_told = true;
    group->count++;
    group->is_one_text &= strcmp(one->text, group->first->text) == 0;
    if (!group->names.overflow) {
        buffer_append_format(&group->names, "%s%s", group->named == 0 ? "" : ", ", one->node->name);
        group->named += !group->names.overflow;
    }
    if (name != NULL) {
        cJSON_AddItemToArray(group->list, name);
    }
}

static void gather(struct doctor *doctor, struct doctor_note *first, struct group *group) {
    *group = (struct group){.first = first, .is_one_text = true, .list = cJSON_CreateArray()};
    group->names = buffer_of(group->storage, sizeof group->storage - 1);
    for (size_t i = 0; i < doctor->note_count; i++) {
        struct doctor_note *one = &doctor->notes[i];
        group->of += strcmp(one->what, first->what) == 0;
        if (!one->is_told && belong_together(first, one)) {
            add_to(group, one);
        }
    }
}

static void tell_group(struct doctor *doctor, const struct group *group) {
    char text[TEXT_MAX + NAMES_MAX], more[40] = "";
    const struct doctor_note *first = group->first;
    if (group->count > group->named) {
        snprintf(more, sizeof more, " and %zu more", group->count - group->named);
    }
    if (group->count == group->of && group->is_one_text) {
        snprintf(text, sizeof text, "%s", first->text);
    } else if (group->count > 1 && !group->is_one_text) {
        snprintf(text, sizeof text, "%s: %s; %zu more are well", first->node->name, first->text,
                 group->count - 1);
    } else {
        snprintf(text, sizeof text, "%.*s%s: %s", (int)group->names.size, group->names.data, more,
                 first->text);
    }
    doctor_tell(doctor, first->finding, first->what, first->advice, text,
                redis_is_cluster(doctor->redis) ? group->list : NULL);
}

static void tell_notes(struct doctor *doctor) {
    for (size_t i = 0; i < doctor->note_count; i++) {
        if (!doctor->notes[i].is_told) {
            struct group group;
            gather(doctor, &doctor->notes[i], &group);
            tell_group(doctor, &group);
            cJSON_Delete(group.list);
        }
    }
    for (size_t i = 0; i < doctor->note_count; i++) {
        free(doctor->notes[i].text);
    }
    doctor->note_count = 0;
}

bool doctor_look_at_each(struct doctor *doctor, bool (*look)(struct doctor *doctor)) {
    bool is_there = false;
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        struct node *node = &doctor->nodes.items[i];
        doctor->at = node;
        if (!node->is_away && !look(doctor)) {
            node->is_away = true;
            doctor_find(doctor, FINDING_PROBLEM, "nodes", DOCTOR_AWAY,
                        "it does not answer any more");
        }
        is_there |= !node->is_away;
    }
    doctor->at = NULL;
    if (is_there) {
        tell_notes(doctor);
    }
    return is_there;
}
