/* SPDX-License-Identifier: MIT */
#include "image_reference.h"

#include "base/error.h"

#include <string.h>

#define PREFIX     "oci:"
#define DOCKER     "docker.io"
#define DIGITS     64  /* of SHA-256 */
#define NAME_BYTES 255 /* registry and repository, as registries limit them */
#define TAG_MAX    128
#define SHA256     "sha256:"
#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz0123456789"

void berth_image_reference_free(BerthImageReference *reference)
{
    if (reference == NULL)
        return;
    g_free(reference->registry);
    g_free(reference->repository);
    g_free(reference->tag);
    g_free(reference->digest);
    g_free(reference);
}

bool berth_image_reference_is(const char *word)
{
    return strstr(word, "://") == NULL &&
           (g_str_has_prefix(word, PREFIX) || strpbrk(word, "/:@") != NULL);
}

/* --- the grammar --- */

static bool fail(GError **error, const char *word, const char *why)
{
    g_autofree char *shown = g_strescape(word, NULL);
    bool is_path = word[0] == '.' || word[0] == '/';
    berth_error_set(error, BERTH_ERROR_INVALID, "image.reference",
                    is_path ? "a file: berth install --name NAME --from-file FILE"
                            : "for example oci:debian:12, or oci:ghcr.io/OWNER/IMAGE:TAG",
                    "\"%.300s\" does not name a container image: %s", shown, why);
    return false;
}

/* Letters and digits, divided by a dot, one or two underscores, or hyphens. */
static bool is_component(const char *text)
{
    for (;;) {
        gsize letters = strspn(text, LOWER_CASE);
        text += letters;
        if (letters == 0 || *text == '\0')
            return letters != 0;
        gsize hyphens = strspn(text, "-");
        gsize lines = strspn(text, "_");
        if (hyphens == 0 && *text != '.' && (lines < 1 || lines > 2))
            return false;
        text += hyphens > 0 ? hyphens : MAX(lines, 1);
    }
}

static bool is_repository(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    bool valid = parts[0] != NULL;
    for (gsize i = 0; parts[i] != NULL; i++)
        valid = valid && is_component(parts[i]);
    return valid;
}

static bool is_port(const char *text)
{
    guint64 port = 0;
    return g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &port, NULL);
}

/* A name or an IPv4 address, or an IPv6 address in brackets; then perhaps a port. */
static bool is_registry(const char *text)
{
    const char *end = strchr(text, ']');
    if (text[0] == '[') {
        gsize inside = strspn(text + 1, "0123456789abcdefABCDEF:.");
        return end == text + 1 + inside && inside >= 2 &&
               (end[1] == '\0' || (end[1] == ':' && is_port(end + 2)));
    }
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    g_auto(GStrv) labels = g_strsplit(parts[0] != NULL ? parts[0] : "", ".", -1);
    bool valid = labels[0] != NULL;
    for (gsize i = 0; labels[i] != NULL; i++) {
        gsize length = strlen(labels[i]);
        valid = valid && length > 0 && labels[i][0] != '-' && labels[i][length - 1] != '-' &&
                strspn(labels[i], LOWER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == length;
    }
    return valid && (parts[1] == NULL || is_port(parts[1]));
}

static bool is_tag(const char *text)
{
    gsize length = strlen(text);
    bool valid = length >= 1 && length <= TAG_MAX && text[0] != '.' && text[0] != '-';
    for (gsize i = 0; valid && i < length; i++)
        valid = g_ascii_isalnum(text[i]) || strchr("_.-", text[i]) != NULL;
    return valid;
}

static bool looks_like_registry(const char *first)
{
    bool capital = false;
    for (const char *at = first; *at != '\0'; at++)
        capital = capital || g_ascii_isupper(*at);
    return capital || strpbrk(first, ".:[") != NULL || strcmp(first, "localhost") == 0;
}

/* --- the parts --- */

/* Cut "@sha256:DIGITS" off @text. */
static bool take_digest(BerthImageReference *reference, char *text)
{
    char *at = strchr(text, '@');
    if (at == NULL)
        return true;
    *at = '\0';
    const char *digits = g_str_has_prefix(at + 1, SHA256) ? at + 1 + strlen(SHA256) : "";
    if (strlen(digits) != DIGITS || strspn(digits, "0123456789abcdef") != DIGITS)
        return false;
    reference->digest = g_strdup(digits);
    return true;
}

/* Cut ":TAG" off @text; the colon of a port comes before a slash. */
static bool take_tag(BerthImageReference *reference, char *text)
{
    char *slash = strrchr(text, '/');
    char *colon = strchr(slash != NULL ? slash : text, ':');
    if (colon == NULL) {
        reference->tag = reference->digest == NULL ? g_strdup("latest") : NULL;
        return true;
    }
    *colon = '\0';
    reference->tag = g_strdup(colon + 1);
    return is_tag(reference->tag);
}

static void take_names(BerthImageReference *reference, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    bool has_registry = parts[0] != NULL && parts[1] != NULL && looks_like_registry(parts[0]);
    reference->registry = g_strdup(has_registry ? parts[0] : DOCKER);
    const char *path = has_registry ? parts[1] : text;
    if (g_ascii_strcasecmp(reference->registry, "index." DOCKER) == 0) {
        g_free(reference->registry);
        reference->registry = g_strdup(DOCKER);
    }
    bool official = strcmp(reference->registry, DOCKER) == 0 && strchr(path, '/') == NULL;
    reference->repository = g_strconcat(official ? "library/" : "", path, NULL);
}

BerthImageReference *berth_image_reference_parse(const char *word, GError **error)
{
    g_autoptr(BerthImageReference) reference = g_new0(BerthImageReference, 1);
    const char *from = g_str_has_prefix(word, PREFIX) ? word + strlen(PREFIX) : word;
    g_autofree char *text = g_strdup(from);
    const char *why = NULL;
    if (!take_digest(reference, text))
        why = "a digest is \"sha256:\" and 64 hexadecimal digits in lower case";
    else if (!take_tag(reference, text))
        why = "a tag is at most 128 letters, digits, dots, underscores and hyphens";
    if (why != NULL)
        return fail(error, word, why), NULL;
    take_names(reference, text);
    if (!is_registry(reference->registry))
        why = "the registry is not a host name with perhaps a port";
    else if (!is_repository(reference->repository))
        why = "a name is lower-case letters and digits, divided by dots, hyphens, underscores and "
              "slashes";
    else if (strlen(reference->registry) + strlen(reference->repository) >= NAME_BYTES)
        why = "the name is too long";
    if (why != NULL)
        return fail(error, word, why), NULL;
    return g_steal_pointer(&reference);
}

/* --- its forms --- */

char *berth_image_reference_format(const BerthImageReference *reference)
{
    const char *tag = reference->tag, *digest = reference->digest;
    return g_strconcat(reference->registry, "/", reference->repository, tag != NULL ? ":" : "",
                       tag != NULL ? tag : "", digest != NULL ? "@" SHA256 : "", digest, NULL);
}

char *berth_image_reference_name(const BerthImageReference *reference)
{
    const char *slash = strrchr(reference->repository, '/');
    const char *last = slash != NULL ? slash + 1 : reference->repository;
    bool tagged = reference->tag != NULL && strcmp(reference->tag, "latest") != 0;
    return tagged ? g_strconcat(last, "-", reference->tag, NULL) : g_strdup(last);
}

static bool is_loopback(const char *registry)
{
    g_autofree char *host = g_ascii_strdown(registry, -1);
    if (g_str_has_prefix(host, "[::1]"))
        return true;
    host[strcspn(host, ":")] = '\0';
    return strcmp(host, "localhost") == 0 ||
           (g_str_has_prefix(host, "127.") && g_hostname_is_ip_address(host));
}

char *berth_image_reference_base(const BerthImageReference *reference)
{
    bool docker = strcmp(reference->registry, DOCKER) == 0;
    return g_strconcat(is_loopback(reference->registry) ? "http://" : "https://",
                       docker ? "registry-1." DOCKER : reference->registry, NULL);
}
