/* SPDX-License-Identifier: MIT */
#include "status.h"

#include "base/error.h"
#include "base/fd.h"

#include <string.h>

#define TEXT_MAX 1000 /* bytes of a warning, hint or message */
#define ID_MAX   64

/* --- writing --- */

/* Make @text printable on one line: valid UTF-8, no control characters, at most TEXT_MAX bytes. */
static char *clean_text(const char *text)
{
    char *clean = g_utf8_make_valid(text != NULL ? text : "", -1);
    for (char *at = clean; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (g_ascii_iscntrl(*at))
            *at = '?';
        /* C1 controls and bidirectional overrides */
        else if ((c >= 0x80 && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
                 (c >= 0x2066 && c <= 0x2069))
            memset(at, '?', (gsize)(g_utf8_next_char(at) - at));
    }
    if (strlen(clean) > TEXT_MAX)
        *g_utf8_find_prev_char(clean, clean + TEXT_MAX) = '\0';
    return clean;
}

static bool send_line(int fd, char *line_take)
{
    g_autofree char *line = line_take;
    return berth_fd_write_all(fd, line, strlen(line)) == 0;
}

bool berth_image_status_send_progress(int fd, const BerthProgress *progress)
{
    g_autofree char *ready = progress->ready != 0
                                 ? g_strdup_printf(" %" G_GUINT64_FORMAT, progress->ready)
                                 : g_strdup("");
    return send_line(fd, g_strdup_printf("progress %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                                         " %" G_GUINT64_FORMAT "%s\n",
                                         progress->bytes_done, progress->bytes_total,
                                         progress->entries, ready));
}

bool berth_image_status_send_warning(int fd, const char *text)
{
    g_autofree char *clean = clean_text(text);
    return send_line(fd, g_strdup_printf("warning %s\n", clean));
}

bool berth_image_status_send_report(int fd, const guint64 *numbers, guint count)
{
    GString *line = g_string_new("report");
    for (guint i = 0; i < MIN(count, BERTH_IMAGE_STATUS_NUMBERS); i++)
        g_string_append_printf(line, " %" G_GUINT64_FORMAT, numbers[i]);
    g_string_append_c(line, '\n');
    return send_line(fd, g_string_free(line, FALSE));
}

bool berth_image_status_send_error(int fd, const GError *error)
{
    g_autofree char *hint = clean_text(berth_error_hint(error));
    g_autofree char *message = clean_text(error->message);
    guint code = error->domain == BERTH_ERROR ? (guint)error->code : BERTH_ERROR_FAILED;
    return send_line(
        fd, g_strdup_printf("error %u\t%s\t%s\t%s\n", code, berth_error_id(error), hint, message));
}

/* --- reading --- */

void berth_image_status_init(BerthImageStatus *status)
{
    *status = (BerthImageStatus){.warnings = g_ptr_array_new_with_free_func(g_free),
                                 .partial = g_byte_array_new()};
}

void berth_image_status_clear(BerthImageStatus *status)
{
    g_clear_pointer(&status->warnings, g_ptr_array_unref);
    g_clear_pointer(&status->partial, g_byte_array_unref);
    g_clear_error(&status->error);
}

/* Parse @least to @most numbers, separated by single spaces. */
static bool read_numbers(const char *text, guint least, guint most, guint64 *ret_numbers)
{
    g_auto(GStrv) words = g_strsplit(text, " ", (int)most + 2);
    guint count = g_strv_length(words);
    if (count < least || count > most)
        return false;
    for (guint i = 0; i < count; i++)
        if (!g_ascii_string_to_unsigned(words[i], 10, 0, G_MAXUINT64, &ret_numbers[i], NULL))
            return false;
    return true;
}

static bool read_progress(BerthImageStatus *status, const char *text)
{
    guint64 numbers[4] = {0};
    if (!read_numbers(text, 3, 4, numbers))
        return false;
    status->progress = (BerthProgress){.bytes_done = numbers[0],
                                       .bytes_total = numbers[1],
                                       .entries = numbers[2],
                                       .ready = numbers[3]};
    return true;
}

static bool read_warning(BerthImageStatus *status, const char *text)
{
    if (status->warnings->len < BERTH_IMAGE_STATUS_WARNINGS)
        g_ptr_array_add(status->warnings, clean_text(text));
    else
        status->warnings_left_out++;
    return true;
}

static bool read_report(BerthImageStatus *status, const char *text)
{
    guint64 numbers[BERTH_IMAGE_STATUS_NUMBERS] = {0};
    if (status->has_report || !read_numbers(text, 1, BERTH_IMAGE_STATUS_NUMBERS, numbers))
        return false;
    memcpy(status->report, numbers, sizeof(numbers));
    status->has_report = true;
    return true;
}

static bool is_id(const char *text)
{
    gsize length = strlen(text);
    return length > 0 && length <= ID_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == length;
}

static bool read_error(BerthImageStatus *status, const char *text)
{
    g_auto(GStrv) fields = g_strsplit(text, "\t", 5);
    guint64 code = 0;
    if (status->error != NULL || g_strv_length(fields) != 4 || !is_id(fields[1]) ||
        !g_ascii_string_to_unsigned(fields[0], 10, 0, G_MAXUINT, &code, NULL))
        return false;
    g_autofree char *hint = clean_text(fields[2]);
    g_autofree char *message = clean_text(fields[3]);
    berth_error_set_remote(&status->error, (guint)code, fields[1], hint, message);
    return true;
}

static bool read_line(BerthImageStatus *status, const char *line)
{
    static const struct {
        const char *word;
        bool (*read)(BerthImageStatus *status, const char *text);
    } kinds[] = {{"progress ", read_progress},
                 {"warning ", read_warning},
                 {"report ", read_report},
                 {"error ", read_error}};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(line, kinds[i].word))
            return kinds[i].read(status, line + strlen(kinds[i].word));
    return false;
}

static bool end_line(BerthImageStatus *status)
{
    const guint8 end = '\0';
    g_byte_array_append(status->partial, &end, 1);
    const char *line = (const char *)status->partial->data;
    bool ok = strlen(line) + 1 == status->partial->len && read_line(status, line);
    g_byte_array_set_size(status->partial, 0);
    return ok;
}

bool berth_image_status_feed(BerthImageStatus *status, const void *data, gsize size, GError **error)
{
    const guint8 *next = data;
    bool ok = true;
    while (ok && size > 0) {
        const guint8 *end = memchr(next, '\n', size);
        gsize length = end != NULL ? (gsize)(end - next) : size;
        ok = status->partial->len + length <= BERTH_IMAGE_STATUS_LINE_MAX;
        if (!ok)
            break;
        g_byte_array_append(status->partial, next, (guint)length);
        length += end != NULL;
        next += length;
        size -= length;
        ok = end == NULL || end_line(status);
    }
    if (!ok)
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "import.worker.protocol", NULL,
                        "berth-image sent an invalid status line");
    return ok;
}
