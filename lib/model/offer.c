/* SPDX-License-Identifier: MIT */
#include "offer.h"

#include "base/error.h"
#include "distro.h"
#include "fields.h"
#include "words/nearest.h"

#include <string.h>

#define FIELDS      6 /* mirrors may be a seventh */
#define GROUP       "distro"
#define DIGITS      64 /* of a SHA-256 */
#define TITLE_MAX   200
#define URL_MAX     2000
#define MIRRORS_MAX 8

void berth_offer_free(BerthOffer *offer)
{
    if (offer == NULL)
        return;
    g_free(offer->flavour);
    g_free(offer->name);
    g_free(offer->title);
    g_free(offer->url);
    g_strfreev(offer->mirrors);
    g_free(offer->sha256);
    g_free(offer->sums);
    g_free(offer->source);
    g_free(offer);
}

GPtrArray *berth_offers_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)berth_offer_free);
}

/* The digest in lower case and without "0x", or NULL. */
static char *read_digest(const char *text)
{
    if (g_ascii_strncasecmp(text, "0x", 2) == 0)
        text += 2;
    if (strspn(text, "0123456789abcdefABCDEF") != DIGITS || text[DIGITS] != '\0')
        return NULL;
    return g_ascii_strdown(text, DIGITS);
}

static bool is_url(const char *text)
{
    static const char *const schemes[] = {"https://", "http://", "file:///"};
    bool known = false;
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
        known = known || g_str_has_prefix(text, schemes[i]);
    return known && strlen(text) <= URL_MAX && strpbrk(text, " \t\r\n") == NULL;
}

/* Mirrors are of the web: a file on this host needs none. */
static bool are_mirrors(char *const *mirrors)
{
    guint count = 0;
    for (; mirrors[count] != NULL; count++)
        if (!is_url(mirrors[count]) || g_str_has_prefix(mirrors[count], "file:"))
            return false;
    return count <= MIRRORS_MAX;
}

static bool is_title(const char *text)
{
    return text[0] != '\0' && strlen(text) <= TITLE_MAX && g_utf8_validate(text, -1, NULL);
}

static BerthOffer *read_line(const char *line, const char *source)
{
    g_auto(GStrv) fields = g_strsplit(line, "\t", FIELDS + 2);
    guint count = g_strv_length(fields);
    if (count < FIELDS || count > FIELDS + 1 || !berth_distro_check_name(fields[0], NULL) ||
        !berth_distro_check_name(fields[1], NULL) || !is_title(fields[2]) || !is_url(fields[4]))
        return NULL;
    g_autofree char *digest = read_digest(fields[5]);
    g_auto(GStrv) mirrors = g_strsplit(count > FIELDS ? fields[FIELDS] : "", " ", -1);
    if ((digest == NULL && fields[5][0] != '\0') || !are_mirrors(mirrors))
        return NULL;
    BerthOffer *offer = g_new(BerthOffer, 1);
    *offer = (BerthOffer){.flavour = g_strdup(fields[0]),
                          .name = g_strdup(fields[1]),
                          .title = g_strdup(fields[2]),
                          .is_default = fields[3][0] != '\0',
                          .url = g_strdup(fields[4]),
                          .mirrors = g_steal_pointer(&mirrors),
                          .sha256 = g_steal_pointer(&digest),
                          .source = g_strdup(source)};
    return offer;
}

bool berth_offers_add(GPtrArray *offers, const char *text, const char *source)
{
    guint before = offers->len;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        BerthOffer *offer = lines[i][0] != '\0' ? read_line(lines[i], source) : NULL;
        if (offer != NULL) {
            g_ptr_array_add(offers, offer);
        } else if (lines[i][0] != '\0') {
            g_ptr_array_set_size(offers, (int)before);
            return false;
        }
    }
    return true;
}

/* --- key files --- */

static const BerthField fields[] = {
    {"flavour", BERTH_FIELD_STRING, offsetof(BerthOffer, flavour)},
    {"name", BERTH_FIELD_STRING, offsetof(BerthOffer, name)},
    {"title", BERTH_FIELD_STRING, offsetof(BerthOffer, title)},
    {"default", BERTH_FIELD_BOOL, offsetof(BerthOffer, is_default), "no"},
    {"url", BERTH_FIELD_STRING, offsetof(BerthOffer, url)},
    {"mirrors", BERTH_FIELD_LIST, offsetof(BerthOffer, mirrors)},
    {"sha256", BERTH_FIELD_STRING, offsetof(BerthOffer, sha256)},
    {"sums", BERTH_FIELD_STRING, offsetof(BerthOffer, sums)},
    {"strip-root", BERTH_FIELD_BOOL, offsetof(BerthOffer, strip_root), "no"},
    {NULL},
};

static bool set_syntax(GError **error, const char *source, const char *why)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "offer.syntax", NULL, "%s: %s", source, why);
    return false;
}

static bool check_file(BerthOffer *offer, const char *source, GError **error)
{
    if (offer->flavour == NULL || !berth_distro_check_name(offer->flavour, NULL) ||
        offer->name == NULL || !berth_distro_check_name(offer->name, NULL))
        return set_syntax(error, source, "flavour and name must be valid names of distros");
    if (offer->title == NULL || !is_title(offer->title))
        return set_syntax(error, source, "title is missing");
    if (offer->url == NULL || !is_url(offer->url) || (offer->sums != NULL && !is_url(offer->sums)))
        return set_syntax(error, source,
                          "url and sums must begin with https://, http:// or file:///");
    if (!are_mirrors(offer->mirrors))
        return set_syntax(error, source,
                          "mirrors must be at most 8 URLs that begin with https:// or http://");
    if (offer->sha256 == NULL)
        return true;
    g_autofree char *digest = read_digest(offer->sha256);
    if (digest == NULL)
        return set_syntax(error, source, "sha256 is not a SHA-256");
    g_free(offer->sha256);
    offer->sha256 = g_steal_pointer(&digest);
    return true;
}

bool berth_offers_add_file(GPtrArray *offers, const char *text, const char *source, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(BerthOffer) offer = g_new0(BerthOffer, 1);
    g_autoptr(GError) problem = NULL;
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, &problem))
        return set_syntax(error, source, problem->message);
    berth_fields_init(fields, offer);
    if (!berth_fields_load(fields, offer, file, GROUP, source, error) ||
        !check_file(offer, source, error))
        return false;
    offer->source = g_strdup(source);
    g_ptr_array_add(offers, g_steal_pointer(&offer));
    return true;
}

/* --- finding one --- */

static const BerthOffer *find_named(const GPtrArray *offers, const char *name)
{
    for (guint i = 0; i < offers->len; i++) {
        const BerthOffer *offer = offers->pdata[i];
        if (g_ascii_strcasecmp(offer->name, name) == 0)
            return offer;
    }
    return NULL;
}

/* The default of the flavour @name, or else its first offer. */
static const BerthOffer *find_flavour(const GPtrArray *offers, const char *name)
{
    const BerthOffer *first = NULL;
    for (guint i = 0; i < offers->len; i++) {
        const BerthOffer *offer = offers->pdata[i];
        if (g_ascii_strcasecmp(offer->flavour, name) != 0)
            continue;
        if (offer->is_default)
            return offer;
        first = first != NULL ? first : offer;
    }
    return first;
}

static const char *nearest_offer_name(const GPtrArray *offers, const char *name)
{
    Nearest nearest = {.word = name};
    for (guint i = 0; i < offers->len; i++) {
        const BerthOffer *offer = offers->pdata[i];
        nearest_offer(&nearest, offer->name);
        nearest_offer(&nearest, offer->flavour);
    }
    return nearest.closest;
}

const BerthOffer *berth_offers_find(const GPtrArray *offers, const char *name, GError **error)
{
    const BerthOffer *offer = find_flavour(offers, name);
    if (offer == NULL)
        offer = find_named(offers, name);
    if (offer != NULL)
        return offer;
    const char *meant = nearest_offer_name(offers, name);
    g_autofree char *hint =
        meant != NULL ? g_strdup_printf("did you mean %s? \"berth list --online\" shows all", meant)
                      : g_strdup("\"berth list --online\" shows what can be installed");
    g_autofree char *shown = g_strescape(name, NULL);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "offer.not-found", hint,
                    "no list has a distro \"%.80s\"", shown);
    return NULL;
}

/* --- checksum files --- */

/* The digest in @line if it is that of @file. */
static char *read_sum_line(char *line, const char *file)
{
    g_strstrip(line);
    g_autofree char *bsd = g_strdup_printf("SHA256 (%s) = ", file);
    if (g_str_has_prefix(line, bsd))
        return read_digest(line + strlen(bsd));
    char *blank = strpbrk(line, " \t");
    if (blank == NULL)
        return read_digest(line);
    *blank = '\0';
    const char *name = blank + 1 + strspn(blank + 1, " \t*");
    const char *slash = strrchr(name, '/');
    return strcmp(slash != NULL ? slash + 1 : name, file) == 0 ? read_digest(line) : NULL;
}

char *berth_offer_read_sum(const char *text, const char *url)
{
    g_autofree char *file = g_path_get_basename(url);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    char *digest = NULL;
    for (gsize i = 0; digest == NULL && lines[i] != NULL; i++)
        digest = read_sum_line(lines[i], file);
    return digest;
}
