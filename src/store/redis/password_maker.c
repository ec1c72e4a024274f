/* Where a password comes from: a file, which is read, or a command, which is run. All on one loop.
 *
 * Reading blocks that loop, which serves no requests; a file is small. */
#include "store/redis/password_internal.h"

#include "mintd/log.h"
#include "mintd/redis_store.h"
#include "mintd/text_flaw.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RENEW_TENTHS 7u /* of its life */
#define LIFE_MAX_S (30u * 24u * 3600u)
#define RETRY_MS 5000u /* after a command that failed, where nobody asks */

static void renew(struct redis_password *password);

/* ---- the end of a try ---- */

static void on_timer(uv_timer_t *timer) {
    renew(timer->data);
}

static void next_in(struct redis_password *password, uint64_t ms) {
    if (!password->is_closed) {
        uv_timer_start(&password->timer, on_timer, ms, 0);
    }
}

__attribute__((format(printf, 2, 3))) static void have_none(struct redis_password *password,
                                                            const char *format, ...) {
    char words[PASSWORD_WORDS_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (strcmp(words, password->told) != 0) {
        snprintf(password->told, sizeof password->told, "%s", words);
        log_error("there is no fresh password of redis; the one before is used as long as it is "
                  "accepted",
                  LOG_STRING("reason", words));
    }
    password_have_none(password);
    next_in(password, password->options.file != NULL ? REDIS_PASSWORD_LOOK_MS : RETRY_MS);
}

static void have_one(struct redis_password *password, struct slice text, uint64_t next_ms) {
    enum text_flaw flaw = text_flaw(text);
    if (text.size == 0) {
        have_none(password, "it is empty");
    } else if (text.size > REDIS_PASSWORD_MAX) {
        have_none(password, "it is longer than %u bytes", REDIS_PASSWORD_MAX);
    } else if (flaw != TEXT_FLAWLESS && flaw != TEXT_FLAW_BLANK) {
        have_none(password, "%s", text_flaw_words(flaw));
    } else {
        if (password->told[0] != '\0') {
            log_info("there is a fresh password of redis again");
        }
        password->told[0] = '\0';
        password_give(password, text);
        next_in(password, next_ms);
    }
}

static struct slice without_newlines(struct slice text) {
    while (text.size > 0 &&
           (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r')) {
        text.size--;
    }
    return text;
}

/* ---- a file ---- */

/* "redis://user:password@host": only the password may be another one than it was. */
static void take_url(struct redis_password *password, struct slice text) {
    struct redis_url url;
    if (!redis_url_parse(text, &url, &(struct buffer){0})) {
        have_none(password, "%.100s: it is no URL of Redis", password->options.file);
    } else if (!redis_url_is_same(&url, password->options.url)) {
        have_none(password,
                  "%.60s: the URL has changed in more than its password, which takes a restart",
                  password->options.file);
    } else {
        have_one(password, slice_of_string(url.password), REDIS_PASSWORD_LOOK_MS);
    }
    explicit_bzero(&url, sizeof url);
}

static void read_file(struct redis_password *password) {
    int fd = open(password->options.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = 0;
    size_t size = 0;
    while (fd >= 0 && size < sizeof password->said &&
           (got = read(fd, password->said + size, sizeof password->said - size)) > 0) {
        size += (size_t)got;
    }
    if (fd < 0 || got < 0) {
        have_none(password, "%.100s: %s", password->options.file, strerror(errno));
    } else if (password->options.url != NULL) {
        take_url(password, without_newlines(slice_of(password->said, size)));
    } else {
        have_one(password, without_newlines(slice_of(password->said, size)),
                 REDIS_PASSWORD_LOOK_MS);
    }
    if (fd >= 0) {
        close(fd);
    }
    explicit_bzero(password->said, sizeof password->said);
}

/* ---- a command ---- */

/* cJSON's copies are wiped before they are freed. */
static void wipe_texts(cJSON *object) {
    for (cJSON *item = object->child; item != NULL; item = item->next) {
        if (cJSON_IsString(item)) {
            explicit_bzero(item->valuestring, strlen(item->valuestring));
        }
    }
}

static void take_json(struct redis_password *password, struct slice text) {
    cJSON *object = cJSON_ParseWithLength(text.data, text.size);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "password");
    const cJSON *life = cJSON_GetObjectItemCaseSensitive(object, "expires_in");
    double life_s = life == NULL ? REDIS_PASSWORD_LIFE_S : cJSON_GetNumberValue(life);
    if (!cJSON_IsString(value)) {
        have_none(password, "the command printed JSON without a text named password");
    } else if (!(life_s >= 1 && life_s <= LIFE_MAX_S)) {
        have_none(password, "expires_in is not a number of seconds from 1 to %u", LIFE_MAX_S);
    } else {
        have_one(password, slice_of_string(value->valuestring),
                 (uint64_t)(life_s * 1000 * RENEW_TENTHS / 10));
    }
    if (object != NULL) {
        wipe_texts(object);
    }
    cJSON_Delete(object);
}

static void take_said(struct redis_password *password) {
    struct slice text = without_newlines(slice_of(password->said, password->said_size));
    if (password->too_late) {
        have_none(password, "the command was not done within %u s", REDIS_PASSWORD_LIMIT_MS / 1000);
    } else if (password->too_long) { /* its output was closed then, which may have ended it */
        have_none(password, "the command printed more than %u bytes", REDIS_PASSWORD_MAX);
    } else if (password->exit_signal != 0 || password->exit_status != 0) {
        have_none(password, "the command ended with %s %lld",
                  password->exit_signal != 0 ? "signal" : "status",
                  password->exit_signal != 0 ? (long long)password->exit_signal
                                             : password->exit_status);
    } else if (slice_starts_with(text, S("{"))) {
        take_json(password, text);
    } else if (memchr(text.data, '\n', text.size) != NULL) {
        have_none(password, "the command printed more than one line");
    } else {
        have_one(password, text, REDIS_PASSWORD_LIFE_S * 1000 * RENEW_TENTHS / 10);
    }
}

static void end_command(struct redis_password *password) {
    if (!password->has_ended || !password->has_eof) {
        return;
    }
    password->is_running = false;
    if (!password->is_closed && !password->never_ran) {
        uv_timer_stop(&password->limit);
        take_said(password);
    }
    explicit_bzero(password->said, sizeof password->said);
}

static void on_process_closed(uv_handle_t *process) {
    struct redis_password *password = process->data;
    password->has_ended = true;
    end_command(password);
}

static void on_output_closed(uv_handle_t *output) {
    struct redis_password *password = output->data;
    password->has_eof = true;
    end_command(password);
}

static void on_process_end(uv_process_t *process, int64_t status, int signal_number) {
    struct redis_password *password = process->data;
    password->exit_status = status;
    password->exit_signal = signal_number;
    uv_close((uv_handle_t *)process, on_process_closed);
}

static void close_output(struct redis_password *password) {
    if (!uv_is_closing((uv_handle_t *)&password->output)) {
        uv_close((uv_handle_t *)&password->output, on_output_closed);
    }
}

static void on_alloc(uv_handle_t *output, size_t suggested, uv_buf_t *room) {
    struct redis_password *password = output->data;
    (void)suggested;
    *room = uv_buf_init(password->said + password->said_size,
                        (unsigned)(sizeof password->said - password->said_size));
}

static void on_read(uv_stream_t *output, ssize_t size, const uv_buf_t *room) {
    struct redis_password *password = output->data;
    (void)room;
    if (size > 0) {
        password->said_size += (size_t)size;
    }
    if (password->said_size == sizeof password->said) {
        password->too_long = true;
        close_output(password);
    } else if (size < 0) {
        close_output(password);
    }
}

/* It and all that it started, which may live on where it has ended itself: as long as one of its
 * group does, no other process has that number. */
static void kill_command(struct redis_password *password) {
    if (!password->never_ran) {
        (void)kill(-password->process.pid, SIGKILL);
    }
    close_output(password);
}

static void on_limit(uv_timer_t *timer) {
    struct redis_password *password = timer->data;
    password->too_late = true;
    kill_command(password);
}

static int spawn(struct redis_password *password) {
    char *arguments[] = {(char *)"/bin/sh", (char *)"-c", (char *)password->options.command, NULL};
    uv_stdio_container_t streams[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&password->output},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    const uv_process_options_t options = {
        .exit_cb = on_process_end,
        .file = arguments[0],
        .args = arguments,
        .env = password->environment,
        .stdio = streams,
        .stdio_count = 3,
        .flags = UV_PROCESS_DETACHED, /* a group of its own, which can be killed as one */
    };
    return uv_spawn(password->loop, &password->process, &options);
}

static void run_command(struct redis_password *password) {
    password->said_size = 0;
    password->exit_signal = 0;
    password->has_ended = password->has_eof = false;
    password->too_long = password->too_late = password->never_ran = false;
    password->is_running = true;
    uv_pipe_init(password->loop, &password->output, 0); /* cannot fail */
    password->output.data = password->process.data = password;
    int status = spawn(password);
    if (status != 0) {
        password->never_ran = true;
        have_none(password, "the command cannot be started: %s", uv_strerror(status));
        uv_close((uv_handle_t *)&password->process, on_process_closed);
        close_output(password);
        return;
    }
    uv_read_start((uv_stream_t *)&password->output, on_alloc, on_read);
    uv_timer_start(&password->limit, on_limit, REDIS_PASSWORD_LIMIT_MS, 0);
}

/* ---- life ---- */

static void renew(struct redis_password *password) {
    if (password->is_closed || password->is_running) {
        return;
    }
    if (password->options.file != NULL) {
        read_file(password);
    } else {
        run_command(password);
    }
}

static void on_wanted(uv_async_t *wanted) {
    renew(wanted->data);
}

void redis_password_renew(struct redis_password *password) {
    renew(password);
}

/* For the command: ours, without our own settings, some of which are secrets. NULL: no memory. */
static char **new_environment(void) {
    size_t count = 0, kept = 0;
    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    char **environment = calloc(count + 1, sizeof *environment);
    for (size_t i = 0; environment != NULL && i < count; i++) {
        if (strncmp(environ[i], "MINTD_", strlen("MINTD_")) != 0) {
            environment[kept++] = environ[i];
        }
    }
    return environment;
}

struct redis_password *redis_password_new(uv_loop_t *loop,
                                          const struct redis_password_options *options) {
    struct redis_password *password = calloc(1, sizeof *password);
    if (password == NULL) {
        return NULL;
    }
    password->environment = new_environment();
    if (password->environment == NULL || pthread_mutex_init(&password->lock, NULL) != 0) {
        free(password->environment);
        free(password);
        return NULL;
    }
    password->options = *options;
    password->loop = loop;
    if (options->url != NULL) {
        password->size = strlen(options->url->password);
        memcpy(password->text, options->url->password, password->size);
        password->number = 1;
    }
    if (uv_async_init(loop, &password->wanted, on_wanted) != 0) {
        pthread_mutex_destroy(&password->lock);
        free(password->environment);
        free(password);
        return NULL;
    }
    uv_timer_init(loop, &password->timer); /* neither can fail */
    uv_timer_init(loop, &password->limit);
    password->wanted.data = password->timer.data = password->limit.data = password;
    return password;
}

void redis_password_close(struct redis_password *password) {
    pthread_mutex_lock(&password->lock);
    password->is_closed = true;
    pthread_mutex_unlock(&password->lock);
    if (password->is_running) {
        kill_command(password);
    }
    uv_close((uv_handle_t *)&password->wanted, NULL);
    uv_close((uv_handle_t *)&password->timer, NULL);
    uv_close((uv_handle_t *)&password->limit, NULL);
}

void redis_password_free(struct redis_password *password) {
    if (password != NULL) {
        pthread_mutex_destroy(&password->lock);
        free(password->environment);
        explicit_bzero(password, sizeof *password);
        free(password);
    }
}
