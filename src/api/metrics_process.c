/* The process among the metrics: by the names that Prometheus' own clients have where there are
 * such names, so that dashboards and alerts of others fit. */
#include "api/metrics.h"
#include "mintd/clock.h"
#include "mintd/process.h"

static void write_gauge(struct exposition *e, const char *name, const char *help, uint64_t value) {
    exposition_family(e, name, "gauge", help);
    exposition_number(e, name, value);
}

static void write_usage(struct exposition *e) {
    struct process_usage usage = process_usage();
    exposition_family(e, "process_cpu_seconds_total", "counter", "User and system time spent.");
    exposition_seconds(e, "process_cpu_seconds_total", (int64_t)usage.cpu_ms);
    if (usage.has_memory) {
        write_gauge(e, "process_resident_memory_bytes", "Memory in use.", usage.resident_bytes);
        write_gauge(e, "process_virtual_memory_bytes", "Addresses in use.", usage.virtual_bytes);
    }
    if (usage.has_descriptors) {
        write_gauge(e, "process_open_fds", "File descriptors open now.", usage.open_descriptors);
    }
    if (usage.has_descriptor_limit) {
        write_gauge(e, "process_max_fds", "File descriptors that may be open.",
                    usage.max_descriptors);
    }
}

static void write_state(struct exposition *e, const struct api *api) {
    write_gauge(e, "mintd_ready",
                "1 where /readyz says yes, as far as is known without asking Redis.",
                readiness_is_likely(api));
    write_gauge(e, "mintd_draining", "1 from the request to drain on.",
                atomic_load(&api->options.process->draining));
}

static void write_certificate(struct exposition *e, const struct api_process *process) {
    long long expiry = atomic_load(&process->certificate_expiry_s);
    if (expiry > 0) {
        write_gauge(e, "mintd_tls_certificate_expiry_seconds",
                    "When the certificate in use expires, since the epoch.", (uint64_t)expiry);
    }
}

/* Workers shake hands at times of their own: what any of them still goes by counts. */
static void write_store_certificate(struct exposition *e, const struct api_process *process) {
    uint64_t earliest = 0;
    for (unsigned i = 0; i < process->metrics_count; i++) {
        uint64_t expiry = counter_read(&process->metrics[i].store.certificate_expiry_s);
        if (expiry != 0 && (earliest == 0 || expiry < earliest)) {
            earliest = expiry;
        }
    }
    if (earliest != 0) {
        write_gauge(e, "mintd_store_certificate_expiry_seconds",
                    "When the first certificate of Redis expires, since the epoch, as the last "
                    "handshakes showed them.",
                    earliest);
    }
}

/* Absent where nothing can tell. */
static void write_clock(struct exposition *e) {
    int64_t skew_ms;
    if (clock_skew_ms(&skew_ms)) {
        exposition_family(e, "mintd_clock_skew_seconds", "gauge",
                          "How far this machine's clock is ahead of that of Redis.");
        exposition_seconds(e, "mintd_clock_skew_seconds", skew_ms);
    }
}

void metrics_write_process(struct exposition *e, const struct api *api) {
    const struct api_process *process = api->options.process;
    exposition_family(e, "mintd_build_info", "gauge", "Always 1; the labels tell what runs.");
    buffer_append_format(&e->text, "mintd_build_info{version=\"%s\",commit=\"%s\",name=\"%s\"} 1\n",
                         MINTD_VERSION, process->commit, process->name);
    exposition_family(e, "process_start_time_seconds", "gauge",
                      "When it started, since the epoch.");
    exposition_seconds(e, "process_start_time_seconds", (int64_t)process->started_ms);
    write_usage(e);
    write_gauge(e, "mintd_workers", "Event loops.", process->worker_count);
    write_state(e, api);
    exposition_family(e, "mintd_log_lines_dropped_total", "counter",
                      "Log lines dropped because the sink was slower than the log.");
    exposition_number(e, "mintd_log_lines_dropped_total", log_dropped());
    write_certificate(e, process);
    write_store_certificate(e, process);
    write_clock(e);
}
