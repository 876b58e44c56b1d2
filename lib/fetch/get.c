/* SPDX-License-Identifier: MIT */
#include "get.h"

#include "base/error.h"
#include "hosts.h"
#include "response.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>

#define REDIRECTS_MAX   10
#define DROPPED_MAX     (1 << 16) /* bytes of an error's page */
#define RETRY_AFTER_MAX 120       /* seconds; a server that wants more ends the download */
#define BACKOFF_MAX     30000     /* msec */
#define TICK_USEC       (G_USEC_PER_SEC / 50)
#define TICK_SIZE       (1U << 20) /* bytes; whichever comes first */

typedef enum {
    DONE,
    REDIRECTED,
    AGAIN,  /* worth another try; with an error */
    FAILED, /* with an error */
} Outcome;

typedef struct {
    const BerthFetchRequest *request;
    BerthProgressFunc progress;
    gpointer user_data;
    CURL *easy;
    char *url; /* after redirects */
    guint redirects;

    BerthFetchBody body;
    char *version; /* of what the body has, for If-Range; NULL: a part cannot be asked for */
    guint64 total; /* bytes; 0: unknown */
    guint64 most;  /* bytes that the body ever had */
    gint64 tick_usec; /* when progress is next reported, */
    guint64 tick_at;  /* or with how many bytes */

    /* of the attempt */
    BerthFetchResponse response;
    bool begun;      /* the content of the file begins or continues */
    bool misfit;     /* the part is not the one that was asked for */
    guint64 dropped; /* bytes of other content */
    GError *problem; /* of a callback */
    char text[CURL_ERROR_SIZE];
} Get;

static void get_clear(Get *get)
{
    g_clear_pointer(&get->easy, curl_easy_cleanup);
    g_clear_pointer(&get->url, g_free);
    g_clear_pointer(&get->version, g_free);
    berth_fetch_body_clear(&get->body);
    berth_fetch_response_clear(&get->response);
    g_clear_error(&get->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Get, get_clear)

bool berth_fetch_prepare(GError **error)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "fetch.prepare", NULL, "libcurl does not start");
    return false;
}

/* --- the content, as it arrives --- */

static long status_of(const Get *get)
{
    long status = 0;
    curl_easy_getinfo(get->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool begin_part(Get *get)
{
    const BerthFetchResponse *response = &get->response;
    get->misfit = !response->has_range || response->first != get->body.size ||
                  (response->total != 0 && get->total != 0 && response->total != get->total);
    return !get->misfit;
}

static bool begin_whole(Get *get)
{
    curl_off_t length = -1;
    curl_easy_getinfo(get->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    g_free(get->version);
    get->version = g_strdup(berth_fetch_response_version(&get->response));
    get->total = length > 0 ? (guint64)length : 0;
    return berth_fetch_body_restart(&get->body, &get->problem) &&
           berth_fetch_body_check_size(&get->body, get->total, &get->problem);
}

static bool begin_content(Get *get)
{
    get->begun = true;
    return status_of(get) == 206 ? begin_part(get) : begin_whole(get);
}

static bool set_cancelled(GError **error)
{
    g_clear_error(error);
    berth_error_set(error, BERTH_ERROR_CANCELLED, "fetch.cancelled", NULL, "cancelled");
    return false;
}

static bool report_progress(Get *get)
{
    const BerthProgress progress = {.bytes_done = get->body.size, .bytes_total = get->total};
    gint64 now = g_get_monotonic_time();
    if (now < get->tick_usec && get->body.size < get->tick_at)
        return true;
    get->tick_usec = now + TICK_USEC;
    get->tick_at = get->body.size + TICK_SIZE;
    return get->progress(&progress, get->user_data);
}

/* libcurl's callback: any other result than the number of bytes ends the transfer. From a fast
 * server libcurl reads up to a hundred buffers before it reports progress, so it is done here. */
static size_t on_content(char *data, size_t one, size_t size, void *user_data)
{
    Get *get = user_data;
    long status = status_of(get);
    if (status != 200 && status != 206) {
        get->dropped += size;
        return get->dropped <= DROPPED_MAX ? size : 0;
    }
    if ((!get->begun && !begin_content(get)) ||
        !berth_fetch_body_append(&get->body, data, size, &get->problem))
        return 0;
    if (report_progress(get))
        return size;
    set_cancelled(&get->problem);
    return 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *user_data)
{
    Get *get = user_data;
    berth_fetch_response_feed(&get->response, line, size);
    return size;
}

static int on_tick(void *user_data, curl_off_t total, curl_off_t done, curl_off_t up_total,
                   curl_off_t up)
{
    return report_progress(user_data) ? 0 : 1;
}

/* --- one attempt --- */

static void trust(CURL *easy, GBytes *certificates)
{
    gsize size = 0;
    const void *data = certificates != NULL ? g_bytes_get_data(certificates, &size) : NULL;
    struct curl_blob blob = {.data = (void *)data, .len = size, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    if (size == 0)
        return; /* then nothing verifies */
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
}

static void set_callbacks(Get *get)
{
    CURL *easy = get->easy;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, get->text);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_content);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, get);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, get);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, get);
}

static void set_options(Get *get)
{
    CURL *easy = get->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DEFAULT_PROTOCOL, "https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)get->request->stall_sec);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)get->request->stall_sec);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1L << 18);
    trust(easy, get->request->certificates);
    set_callbacks(get);
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *name,
                                     const char *value)
{
    if (value == NULL)
        return headers;
    g_autofree char *header = g_strdup_printf("%s: %s", name, value);
    return curl_slist_append(headers, header);
}

/* Ask for the rest of a download that continues. */
static struct curl_slist *set_range(Get *get, struct curl_slist *headers)
{
    if (get->body.size == 0 || get->version == NULL) {
        curl_easy_setopt(get->easy, CURLOPT_RANGE, NULL);
        return headers;
    }
    g_autofree char *range = g_strdup_printf("%" G_GUINT64_FORMAT "-", get->body.size);
    curl_easy_setopt(get->easy, CURLOPT_RANGE, range);
    return add_header(headers, "If-Range", get->version);
}

/* A token is never sent to where a redirect leads, unless that is the same server. */
static struct curl_slist *make_headers(Get *get)
{
    const BerthFetchRequest *request = get->request;
    struct curl_slist *headers = add_header(NULL, "Accept", request->accept);
    if (request->bearer != NULL && berth_fetch_hosts_are_same(request->url, get->url)) {
        g_autofree char *value = g_strconcat("Bearer ", request->bearer, NULL);
        headers = add_header(headers, "Authorization", value);
    }
    return set_range(get, headers);
}

static struct curl_slist *find_hosts(const Get *get)
{
    GMutex *resolving = get->request->resolving;
    if (resolving != NULL)
        g_mutex_lock(resolving);
    struct curl_slist *hosts = berth_fetch_hosts_of(get->request->resolver, get->url);
    if (resolving != NULL)
        g_mutex_unlock(resolving);
    return hosts;
}

static CURLcode transfer(Get *get)
{
    berth_fetch_response_clear(&get->response);
    get->begun = get->misfit = false;
    get->dropped = 0;
    get->text[0] = '\0';
    struct curl_slist *hosts = find_hosts(get);
    struct curl_slist *headers = make_headers(get);
    curl_easy_setopt(get->easy, CURLOPT_URL, get->url);
    curl_easy_setopt(get->easy, CURLOPT_RESOLVE, hosts);
    curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(get->easy);
    curl_easy_setopt(get->easy, CURLOPT_RESOLVE, NULL);
    curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    curl_slist_free_all(hosts);
    return code;
}

/* --- what became of it --- */

static Outcome fail(Outcome outcome, GError **error, BerthErrorCode code, const char *id,
                    const char *hint, const char *why)
{
    berth_error_set(error, code, id, hint, "%s", why);
    return outcome;
}

static Outcome restart(Get *get, GError **error)
{
    g_clear_pointer(&get->version, g_free);
    return fail(AGAIN, error, BERTH_ERROR_FAILED, "fetch.cut", NULL,
                "the file changed on the server during the download");
}

static Outcome follow(Get *get, GError **error)
{
    char *next = NULL;
    curl_easy_getinfo(get->easy, CURLINFO_REDIRECT_URL, &next);
    if (next == NULL || ++get->redirects > REDIRECTS_MAX)
        return fail(FAILED, error, BERTH_ERROR_INVALID, "fetch.redirect", NULL,
                    next == NULL ? "the server redirects without an address"
                                 : "the server redirects too often");
    if (g_ascii_strncasecmp(get->url, "https:", strlen("https:")) == 0 &&
        g_ascii_strncasecmp(next, "https:", strlen("https:")) != 0)
        return fail(FAILED, error, BERTH_ERROR_INVALID, "fetch.redirect", NULL,
                    "the server redirects from https to a connection that is not secure");
    g_free(get->url);
    get->url = g_strdup(next);
    return REDIRECTED;
}

static Outcome judge_busy(Get *get, long status, GError **error)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(get->easy, CURLINFO_RETRY_AFTER, &seconds);
    g_autofree char *hint =
        seconds > 0 ? g_strdup_printf("try again in %d seconds", (int)MIN(seconds, G_MAXINT))
                    : g_strdup("try again later");
    berth_error_set(error, BERTH_ERROR_BUSY, "fetch.busy", hint,
                    "the server is busy (HTTP status %ld)", status);
    return seconds > RETRY_AFTER_MAX ? FAILED : AGAIN;
}

static Outcome judge_status(Get *get, long status, GError **error)
{
    switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return follow(get, error);
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return judge_busy(get, status, error);
    case 401:
    case 403:
    case 407:
        berth_error_set(error, BERTH_ERROR_DENIED, "fetch.denied", NULL,
                        "the server refuses access (HTTP status %ld)", status);
        return FAILED;
    case 404:
    case 410:
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "fetch.missing",
                        "the file may have moved: \"berth list --online\" shows the current list",
                        "the server has no such file (HTTP status %ld)", status);
        return FAILED;
    case 416:
        return restart(get, error);
    default:
        berth_error_set(error, BERTH_ERROR_FAILED, "fetch.refused", NULL,
                        "the server refuses (HTTP status %ld)", status);
        return FAILED;
    }
}

#define OFFLINE_HINT "check the network connection and, behind a proxy, https_proxy"

static const struct {
    CURLcode code;
    Outcome outcome;
    BerthErrorCode error;
    const char *id, *hint, *why;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_HOST, FAILED, BERTH_ERROR_NOT_FOUND, "fetch.resolve", OFFLINE_HINT,
     "the host name has no address"},
    {CURLE_COULDNT_RESOLVE_PROXY, FAILED, BERTH_ERROR_NOT_FOUND, "fetch.resolve", OFFLINE_HINT,
     "the proxy's name has no address"},
    {CURLE_COULDNT_CONNECT, FAILED, BERTH_ERROR_NOT_FOUND, "fetch.connect", OFFLINE_HINT,
     "the server does not answer"},
    {CURLE_URL_MALFORMAT, FAILED, BERTH_ERROR_INVALID, "fetch.url", NULL,
     "this is not a valid URL"},
    {CURLE_UNSUPPORTED_PROTOCOL, FAILED, BERTH_ERROR_INVALID, "fetch.url", NULL,
     "only http, https and file URLs can be downloaded"},
    {CURLE_OPERATION_TIMEDOUT, AGAIN, BERTH_ERROR_FAILED, "fetch.stalled", OFFLINE_HINT,
     "the server has stopped sending data"},
    {CURLE_ABORTED_BY_CALLBACK, FAILED, BERTH_ERROR_CANCELLED, "fetch.cancelled", NULL,
     "cancelled"},
};

static bool is_tls(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_CIPHER;
}

static Outcome judge_code(Get *get, CURLcode code, GError **error)
{
    if (is_tls(code)) {
        bool trusts = get->request->certificates != NULL;
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.tls",
                        trusts ? "check this machine's clock, and whether a proxy or a firewall "
                                 "intercepts the connection"
                               : "install your distribution's package ca-certificates",
                        "the connection is not secure: %s",
                        get->text[0] != '\0' ? get->text : curl_easy_strerror(code));
        return FAILED;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(failures); i++) {
        bool later = code == CURLE_COULDNT_CONNECT && get->most > 0; /* it was there a moment ago */
        if (failures[i].code == code)
            return fail(later ? AGAIN : failures[i].outcome, error, failures[i].error,
                        failures[i].id, failures[i].hint, failures[i].why);
    }
    berth_error_set(error, BERTH_ERROR_FAILED, "fetch.cut", "try again", "the download was cut: %s",
                    get->text[0] != '\0' ? get->text : curl_easy_strerror(code));
    return AGAIN;
}

static Outcome attempt(Get *get, GError **error)
{
    CURLcode code = transfer(get);
    long status = status_of(get);
    if (code == CURLE_OK && (status == 200 || status == 206) && !get->begun)
        begin_content(get); /* an empty one */
    get->most = MAX(get->most, get->body.size);
    if (get->problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&get->problem));
        return FAILED;
    }
    if (get->misfit || (get->total != 0 && get->body.size > get->total))
        return restart(get, error);
    if (status >= 300 && code != CURLE_ABORTED_BY_CALLBACK)
        return judge_status(get, status, error);
    if (code != CURLE_OK)
        return judge_code(get, code, error);
    if (get->total == 0 || get->body.size == get->total)
        return DONE;
    return fail(AGAIN, error, BERTH_ERROR_FAILED, "fetch.cut", "try again",
                "the download was cut: the file has another length than the server said");
}

/* --- all attempts --- */

/* Wait before another try. *error is the former's, which stays unless the caller has gone. */
static bool wait_to_retry(Get *get, guint failed, GError **error)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(get->easy, CURLINFO_RETRY_AFTER, &seconds);
    guint64 msec = MIN((guint64)get->request->backoff_msec << MIN(failed, 10), BACKOFF_MAX);
    msec = MAX(msec, (guint64)seconds * 1000);
    struct pollfd caller = {.fd = get->request->caller};
    return poll(&caller, 1, (int)msec) <= 0 || set_cancelled(error);
}

static bool get_all(Get *get, GError **error)
{
    for (guint failed = 0;;) {
        guint64 before = get->most;
        g_autoptr(GError) problem = NULL;
        Outcome outcome = attempt(get, &problem);
        if (outcome == DONE)
            return true;
        if (outcome == REDIRECTED)
            continue;
        failed = get->most > before ? 0 : failed + 1;
        if (outcome == AGAIN && failed < get->request->tries &&
            wait_to_retry(get, failed, &problem))
            continue;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
}

void berth_fetch_report_clear(BerthFetchReport *report)
{
    g_clear_pointer(&report->media_type, g_free);
    g_clear_pointer(&report->challenge, g_free);
}

static void fill_report(Get *get, BerthFetchReport *report)
{
    const char *type = NULL;
    curl_easy_getinfo(get->easy, CURLINFO_CONTENT_TYPE, &type);
    report->media_type = g_strdup(type);
    report->challenge = g_steal_pointer(&get->response.challenge);
    report->size = get->body.size;
}

bool berth_fetch_get(const BerthFetchRequest *request, BerthProgressFunc progress,
                     gpointer user_data, BerthFetchReport *ret_report, GError **error)
{
    *ret_report = (BerthFetchReport){0};
    g_auto(Get) get = {.request = request, .progress = progress, .user_data = user_data};
    g_autofree char *shown = berth_fetch_hosts_show(request->url);
    get.url = g_strdup(request->url);
    get.easy = curl_easy_init();
    berth_fetch_body_init(&get.body, request->output, request->size_max);
    get.body.offset = request->offset;
    get.body.shared = request->shared;
    get.body.memory = request->memory;
    set_options(&get);
    bool ok = get_all(&get, error) &&
              berth_fetch_body_finish(&get.body, request->sha256, ret_report->digest, error);
    fill_report(&get, ret_report);
    if (!ok)
        g_prefix_error(error, "%s: ", shown);
    return ok;
}
