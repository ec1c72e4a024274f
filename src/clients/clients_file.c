#include "mintd/clients_file.h"

#include "clients/apply_compare.h"
#include "clients/apply_memory.h"
#include "clients/apply_write.h"
#include "clients/client_ids.h"
#include "mintd/log.h"
#include "mintd/tls.h"
#include <stdio.h>
#include <stdlib.h>

struct clients_stopper {
    struct redis_stopper redis;
};

struct clients_stopper *clients_stopper_new(void) {
    struct clients_stopper *stopper = calloc(1, sizeof *stopper);
    if (stopper != NULL && !redis_stopper_init(&stopper->redis)) {
        free(stopper);
        return NULL;
    }
    return stopper;
}

void clients_stopper_free(struct clients_stopper *stopper) {
    if (stopper != NULL) {
        redis_stopper_fini(&stopper->redis);
        free(stopper);
    }
}

void clients_stop(struct clients_stopper *stopper) {
    redis_stop(&stopper->redis);
}

/* ---- what is said ---- */

#define WARNING "warning: "

struct telling {
    bool logs;
    char *problem; /* the lines that are no warnings; SAY_LINE_MAX bytes */
};

static void on_line(void *context, const char *line) {
    struct telling *telling = context;
    if (!slice_starts_with(slice_of_string(line), S(WARNING))) {
        size_t size = strlen(telling->problem);
        snprintf(telling->problem + size, SAY_LINE_MAX - size, "%s%s", size == 0 ? "" : "; ", line);
    } else if (telling->logs) {
        log_warning("the clients file", LOG_STRING("warning", line + sizeof WARNING - 1));
    }
}

/* ---- checking ---- */

bool clients_file_check(const char *path, struct buffer *error, bool *no_memory) {
    char problem[SAY_LINE_MAX] = "";
    struct telling telling = {.problem = problem};
    struct apply_file file;
    say_to(on_line, &telling);
    enum status status = apply_file_read(path, CLIENTS_FILE_MAX, &file);
    apply_file_fini(&file);
    say_to(NULL, NULL);
    *no_memory = status == STATUS_REFUSED;
    buffer_append(error, slice_of_string(problem));
    return status == STATUS_DONE;
}

/* ---- applying ---- */

static enum status open_place(const struct clients_place *place, struct redis_stopper *stopper,
                              struct redis **redis) {
    struct redis_target target = {
        .redis = *place->redis,
        .prefix = place->prefix,
        .tls.name = place->tls_name,
        .context = place->tls == NULL ? NULL : tls_context_share(place->tls),
        .name = place->name,
        .password = place->password,
        .identity = place->identity,
        .told = place->told,
        .stopper = stopper,
    };
    snprintf(target.sentinel_user, sizeof target.sentinel_user, "%.*s",
             (int)place->sentinel_user.size, place->sentinel_user.data);
    snprintf(target.sentinel_password, sizeof target.sentinel_password, "%.*s",
             (int)place->sentinel_password.size, place->sentinel_password.data);
    redis_target_describe(&target);
    return redis_open(&target, REDIS_OUR_LAYOUT, redis);
}

static enum status apply_to_redis(struct apply_file *file, const struct clients_place *place,
                                  struct redis_stopper *stopper, struct apply_plan *plan) {
    struct redis *redis;
    enum status status = open_place(place, stopper, &redis);
    if (status == STATUS_DONE) {
        status = client_ids_check(redis);
    }
    if (status == STATUS_DONE) {
        status = apply_compare(redis, file, plan, NULL, NULL);
    }
    if (status == STATUS_DONE && plan->made + plan->changed != 0) {
        status = apply_write(redis, file);
        if (status == STATUS_DONE) {
            redis_settle(redis, NULL, 0);
        }
    }
    redis_close(redis);
    return status;
}

static enum status apply(const char *path, const struct clients_place *place,
                         struct redis_stopper *stopper, struct apply_plan *plan) {
    struct apply_file file;
    enum status status = apply_file_read(path, CLIENTS_FILE_MAX, &file);
    if (status == STATUS_DONE) {
        status = place->memory != NULL ? apply_to_memory(place->memory, &file, plan)
                                       : apply_to_redis(&file, place, stopper, plan);
    }
    apply_file_fini(&file);
    return status;
}

void clients_file_apply(const char *path, const struct clients_place *place,
                        struct clients_stopper *stopper, struct clients_file_result *result) {
    static const enum clients_file_end ends[] = {[STATUS_DONE] = CLIENTS_FILE_APPLIED,
                                                 [STATUS_REFUSED] = CLIENTS_FILE_REFUSED,
                                                 [STATUS_USAGE] = CLIENTS_FILE_WRONG,
                                                 [STATUS_REDIS] = CLIENTS_FILE_AWAY};
    struct apply_plan plan = {0, 0, 0};
    struct telling telling = {.logs = true, .problem = result->problem};
    result->problem[0] = '\0';
    say_to(on_line, &telling);
    result->end = ends[apply(path, place, &stopper->redis, &plan)];
    say_to(NULL, NULL);
    result->made = plan.made;
    result->changed = plan.changed;
    result->same = plan.same;
}
